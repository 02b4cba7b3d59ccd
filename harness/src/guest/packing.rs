//! Compressed module files, as a distribution ships them.

use std::io::{Read as _, Write as _};

/// How a module's file may be compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// gzip.
    Gzip,
    /// xz with the check that the kernel's decoder knows, CRC32.
    Xz,
    /// xz with its own default check, CRC64.
    XzCrc64,
    /// zstd.
    Zstd,
}

impl Packing {
    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Xz | Self::XzCrc64 => "xz",
            Self::Zstd => "zst",
        }
    }

    pub(super) fn pack(self, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        let xz = |check| {
            let stream = liblzma::stream::Stream::new_easy_encoder(6, check)?;
            let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
            encoder.write_all(bytes).and_then(|()| encoder.finish())
        };
        match self {
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(bytes).and_then(|()| encoder.finish())
            }
            Self::Xz => xz(liblzma::stream::Check::Crc32),
            Self::XzCrc64 => xz(liblzma::stream::Check::Crc64),
            Self::Zstd => Ok(ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)),
        }
    }
}

/// What an xz file holds; anything else as it is.
pub(super) fn unpacked(bytes: Vec<u8>) -> std::io::Result<Vec<u8>> {
    if !bytes.starts_with(b"\xfd7zXZ") {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    liblzma::read::XzDecoder::new(&bytes[..]).read_to_end(&mut unpacked)?;
    Ok(unpacked)
}
