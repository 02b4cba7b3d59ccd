//! Compressed module files. Their first bytes tell, as with kmod; their names need not.

use std::io::{self, Read};

use liblzma::stream::{Action, Status, Stream};

use crate::sys::strerror;

/// The longest of the marks, bytes. A file that is shorter is no module either.
pub const MAGIC_BYTES: usize = 6;

/// A module unpacks to this many bytes at most. The largest of a distribution are a few ten MiB; more is a bomb.
pub const UNPACKED_BYTES_MAX: u64 = 1 << 30;

/// Memory that served for a larger file is given back where less than one part of this many would be used.
pub const WASTE_MAX: usize = 4;

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
    if compression(&file).is_none() {
        return Ok(file);
    }
    let mut module = Vec::new();
    unpack_into(&file, &mut module)?;
    Ok(module)
}

/// As [`unpack`], of a compressed file, in place of what `module` holds: its memory serves for many files.
///
/// # Errors
/// As [`unpack`].
pub fn unpack_into(file: &[u8], module: &mut Vec<u8>) -> io::Result<()> {
    unpack_within(file, module, UNPACKED_BYTES_MAX)
}

/// As [`unpack_into`], with another limit on what a compressed file unpacks to, in bytes.
///
/// # Errors
/// As [`unpack`].
pub fn unpack_within(file: &[u8], module: &mut Vec<u8>, limit: u64) -> io::Result<()> {
    module.clear();
    match compression(file) {
        None => module.extend_from_slice(file),
        Some("xz") => return unpack_xz(file, module, limit).map_err(|why| io::Error::other(format!("xz: {why}"))),
        Some("gzip") => bounded(flate2::bufread::MultiGzDecoder::new(file), 4 * file.len(), module, limit)
            .map_err(|error| io::Error::other(format!("gzip: {error}")))?,
        Some(_) => {
            let named = |error: &dyn std::fmt::Display| io::Error::other(format!("zstd: {error}"));
            let decoder = ruzstd::decoding::StreamingDecoder::new(file).map_err(|error| named(&error))?;
            bounded(decoder, 4 * file.len(), module, limit).map_err(|error| named(&error))?;
        }
    }
    Ok(())
}

fn bounded(decoder: impl Read, guess: usize, module: &mut Vec<u8>, limit: u64) -> io::Result<()> {
    module.reserve(guess);
    decoder.take(limit + 1).read_to_end(module)?;
    if module.len() as u64 > limit { Err(io::Error::other(too_large(limit))) } else { Ok(()) }
}

fn too_large(limit: u64) -> String {
    format!("it unpacks to more than {} MiB", limit >> 20)
}

/// Straight from the file's bytes into the module's, without a buffer between them. The error is kmod's words.
fn unpack_xz(file: &[u8], module: &mut Vec<u8>, limit: u64) -> Result<(), String> {
    // No limit on the decoder's memory: it is the dictionary's size, which the limit on the output bounds.
    let decoder = Stream::new_stream_decoder(u64::MAX, liblzma::stream::CONCATENATED);
    let mut decoder = decoder.map_err(xz_words)?;
    // The hint is what the file says of itself: it is believed as far as modules are usually compressed.
    let (usual, most) = (4 * file.len() as u64, (64 * file.len() as u64).min(limit));
    let size = xz_size(file).unwrap_or(usual).min(most) as usize;
    if module.capacity() / WASTE_MAX > size {
        *module = Vec::new();
    }
    module.reserve_exact(size);
    loop {
        let before = (decoder.total_in(), decoder.total_out());
        let rest = file.get(before.0 as usize..).unwrap_or_default();
        match decoder.process_vec(rest, module, Action::Finish).map_err(xz_words)? {
            Status::StreamEnd => return Ok(()),
            _ if decoder.total_out() > limit => return Err(too_large(limit)),
            _ if module.len() == module.capacity() => module.reserve(1 << 16),
            _ if before == (decoder.total_in(), decoder.total_out()) => return Err("Unexpected end of input".into()),
            _ => {}
        }
    }
}

fn xz_words(error: liblzma::stream::Error) -> String {
    use liblzma::stream::Error;
    match error {
        Error::Data => "File is corrupt".into(),
        Error::Format => "File format not recognized".into(),
        Error::Options => "Unsupported compression options".into(),
        Error::Mem => strerror(libc::ENOMEM),
        _ => "Internal error (bug)".into(),
    }
}

/// How long the contents are, as the index at the file's end says, if it is as simple as usual: one stream. Only a
/// hint: nothing has been checked.
fn xz_size(file: &[u8]) -> Option<u64> {
    // The last twelve bytes: checksum, size of the index in words of four bytes, flags, mark.
    let (rest, footer) = file.split_last_chunk::<12>()?;
    let words = u32::from_le_bytes(*footer[4..].first_chunk()?);
    let index_len = (usize::try_from(words).ok()?.checked_add(1)?).checked_mul(4)?;
    // The index: a zero, the number of blocks, then for each the size in the file and in the output.
    let index = rest.get(rest.len().checked_sub(index_len)?..)?.strip_prefix(&[0])?;
    let (blocks, mut index) = number(index)?;
    let mut size = 0u64;
    for _ in 0..blocks {
        let (_, after) = number(index)?;
        let (unpacked, after) = number(after)?;
        (size, index) = (size.checked_add(unpacked)?, after);
    }
    Some(size)
}

/// A number of the index: seven bits in each byte, the lowest first; the top bit says that more follow.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let len = 1 + bytes.iter().take(9).position(|byte| byte & 0x80 == 0)?;
    let value = bytes[..len].iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f));
    Some((value, &bytes[len..]))
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
    fn the_index_of_xz_tells_the_size() {
        for len in [1, 127, 128, 100_000] {
            assert_eq!(xz_size(&xz(&vec![7; len])), Some(len as u64));
        }
        for odd in [&b""[..], b"\xfd7zXZ\0", &[0; 12], &[0xff; 40]] {
            assert_eq!(xz_size(odd), None);
        }
    }

    #[test]
    fn a_damaged_xz_file_has_kmods_words() {
        let mut packed = xz(&[7; 1000]);
        let end = packed.len() - 5;
        assert_eq!(unpack(packed[..end].to_vec()).unwrap_err().to_string(), "xz: Unexpected end of input");
        packed[7] ^= 1;
        assert_eq!(unpack(packed).unwrap_err().to_string(), "xz: File is corrupt");
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
