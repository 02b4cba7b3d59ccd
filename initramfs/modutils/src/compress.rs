//! Compressed module files. Their first bytes tell, as with kmod; their names need not.

use std::io::{self, Read};

/// The longest of the marks, bytes. A file that is shorter is no module either.
pub const MAGIC_BYTES: usize = 6;

/// A module unpacks to this many bytes at most. The largest of a distribution are a few ten MiB; more is a bomb.
pub const UNPACKED_BYTES_MAX: u64 = 1 << 30;

/// The compression, by the kernel's name for it; None for a plain file.
pub fn compression(start: &[u8]) -> Option<&'static str> {
    match start {
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("zstd"),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some("xz"),
        [0x1f, 0x8b, ..] => Some("gzip"),
        _ => None,
    }
}

/// The bytes of a module from those of its file.
///
/// # Errors
/// The compressed data are damaged, end early, or unpack to more than [`UNPACKED_BYTES_MAX`].
pub fn unpack(file: Vec<u8>) -> io::Result<Vec<u8>> {
    match compression(&file) {
        None => Ok(file),
        // No limit on the decoder's memory: it is the dictionary's size, which the limit on the output bounds.
        Some("xz") => {
            let stream = liblzma::stream::Stream::new_stream_decoder(u64::MAX, liblzma::stream::CONCATENATED)?;
            bounded(liblzma::bufread::XzDecoder::new_stream(&file[..], stream), 4 * file.len())
        }
        Some("gzip") => bounded(flate2::bufread::MultiGzDecoder::new(&file[..]), 4 * file.len()),
        Some(_) => {
            bounded(ruzstd::decoding::StreamingDecoder::new(&file[..]).map_err(io::Error::other)?, 4 * file.len())
        }
    }
}

fn bounded(decoder: impl Read, guess: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(guess);
    decoder.take(UNPACKED_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > UNPACKED_BYTES_MAX {
        return Err(io::Error::other(format!("it unpacks to more than {} MiB", UNPACKED_BYTES_MAX >> 20)));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn xz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
        encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    type Pack = fn(&[u8]) -> Vec<u8>;
    const KINDS: [(&str, Pack); 3] = [("xz", xz), ("gzip", gzip), ("zstd", zstd)];

    #[test]
    fn each_kind_is_known_and_unpacked() {
        let module: Vec<u8> = (0..100_000u32).flat_map(|number| (number / 7).to_le_bytes()).collect();
        for (kind, pack) in KINDS {
            let packed = pack(&module);
            assert_eq!(compression(&packed), Some(kind));
            assert!(unpack(packed).unwrap() == module, "{kind}");
        }
        assert_eq!(unpack(b"\x7fELF".to_vec()).unwrap(), b"\x7fELF");
    }

    #[test]
    fn what_ends_early_is_an_error() {
        let module = b"some module or other ".repeat(1000);
        for (kind, pack) in KINDS {
            let packed = pack(&module);
            for len in MAGIC_BYTES..packed.len() {
                assert!(unpack(packed[..len].to_vec()).is_err(), "{kind} cut at {len} of {}", packed.len());
            }
        }
    }

    #[test]
    fn a_bomb_is_refused() {
        let bomb = gzip(&vec![0; 1 << 20]).repeat(1100);
        assert!(unpack(bomb).unwrap_err().to_string().contains("unpacks to more than 1024 MiB"));
    }
}
