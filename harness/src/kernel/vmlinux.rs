//! The ELF kernel inside a bzImage, and whether QEMU can enter it directly.
//!
//! ```text
//! bzImage = boot sector(s) | protected-mode code | payload (compressed vmlinux) | ...
//!   0x1f1 u8   setup_sects, 0 means 4         0x202 "HdrS"
//!   0x248 u32  payload_offset                 0x24c u32  payload_length
//! ```
//! Source: Documentation/arch/x86/boot.rst. The payload ends with the unpacked size as u32, except for gzip, whose
//! own trailer is that.

use std::io::{self, Read};

/// Largest kernel accepted, bytes.
const VMLINUX_BYTES_MAX: u64 = 512 << 20;

/// Each block of the legacy LZ4 frame unpacks to this at most (kernel: lib/decompress_unlz4.c).
const LZ4_BLOCK_BYTES: usize = 8 << 20;

/// The ELF file in a bzImage.
///
/// # Errors
/// What is wrong with the image, for people.
pub(super) fn extract(image: &[u8]) -> Result<Vec<u8>, String> {
    let payload = payload(image)?;
    let elf = unpack(payload).map_err(|error| format!("its payload does not unpack: {error}"))?;
    if elf.starts_with(b"\x7fELF") { Ok(elf) } else { Err("its payload is no ELF file".into()) }
}

fn payload(image: &[u8]) -> Result<&[u8], String> {
    if image.get(0x202..0x206) != Some(b"HdrS") {
        return Err("it is no bzImage: no HdrS at 0x202".into());
    }
    let word = |at: usize| u32_at(image, at).unwrap_or(0) as usize;
    let sectors = match image[0x1f1] {
        0 => 4,
        sectors => usize::from(sectors),
    };
    let start = (sectors + 1) * 512 + word(0x248);
    let end = start + word(0x24c);
    image
        .get(start..end)
        .filter(|payload| payload.len() > 8)
        .ok_or_else(|| format!("it is truncated: its payload ends at {end}, the file at {}", image.len()))
}

fn unpack(payload: &[u8]) -> io::Result<Vec<u8>> {
    let without_size = &payload[..payload.len() - 4];
    match payload {
        [0x02, 0x21, 0x4c, 0x18, blocks @ ..] => unlz4(blocks),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            read(ruzstd::decoding::StreamingDecoder::new(without_size).map_err(io::Error::other)?)
        }
        [0xfd, b'7', b'z', b'X', b'Z', ..] => read(liblzma::read::XzDecoder::new(without_size)),
        [0x1f, 0x8b, ..] => read(flate2::read::GzDecoder::new(payload)),
        _ => Err(io::Error::other("packed in a way modrig does not know")),
    }
}

fn read(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(VMLINUX_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The legacy frame: blocks, each after its length, until the word that is the unpacked size.
fn unlz4(mut rest: &[u8]) -> io::Result<Vec<u8>> {
    let mut elf = Vec::new();
    while rest.len() > 4 {
        let length = u32_at(rest, 0).unwrap_or(0) as usize;
        let block = rest.get(4..4 + length).ok_or(io::ErrorKind::UnexpectedEof)?;
        let unpacked = lz4_flex::block::decompress(block, LZ4_BLOCK_BYTES).map_err(io::Error::other)?;
        elf.extend_from_slice(&unpacked);
        if elf.len() as u64 > VMLINUX_BYTES_MAX {
            return Err(io::Error::other("it unpacks to more than any kernel"));
        }
        rest = &rest[4 + length..];
    }
    Ok(elf)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Whether an ELF kernel has the note with its PVH entry point (Xen, type 18), so that QEMU can enter it without
/// firmware.
pub(super) fn has_pvh_entry(elf: &[u8]) -> bool {
    const PHYS32_ENTRY: u32 = 18;
    segments(elf).any(|segment| has_note(segment, b"Xen\0", PHYS32_ENTRY))
}

/// The note segments (`PT_NOTE`) of a 64-bit little-endian ELF file, by its program headers: QEMU looks there.
fn segments(elf: &[u8]) -> impl Iterator<Item = &[u8]> {
    const NOTE: u32 = 4;
    let half = |at: usize| elf.get(at..at + 2).map_or(0, |bytes| usize::from(u16::from_le_bytes([bytes[0], bytes[1]])));
    let long = |at: usize| {
        Some(usize::try_from(u64::from_le_bytes(elf.get(at..at + 8)?.try_into().ok()?)).unwrap_or(usize::MAX))
    };
    let (table, size, count) = (long(0x20).unwrap_or(usize::MAX), half(0x36), half(0x38));
    (0..count).filter_map(move |number| {
        let header = table.checked_add(number * size)?;
        let (offset, length) = (long(header.checked_add(8)?)?, long(header.checked_add(0x20)?)?);
        (u32_at(elf, header)? == NOTE).then_some(())?;
        elf.get(offset..offset.checked_add(length)?)
    })
}

fn has_note(mut notes: &[u8], owner: &[u8], kind: u32) -> bool {
    while let (Some(name), Some(content), Some(found)) = (u32_at(notes, 0), u32_at(notes, 4), u32_at(notes, 8)) {
        let padded = |size: u32| (size as usize).next_multiple_of(4);
        if found == kind && notes.get(12..12 + owner.len()) == Some(owner) && name as usize == owner.len() {
            return true;
        }
        notes = notes.get(12 + padded(name) + padded(content)..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(payload: &[u8], promised: usize) -> Vec<u8> {
        let mut image = vec![0; 1024];
        image[0x1f1] = 1;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x24c..0x250].copy_from_slice(&(promised as u32).to_le_bytes());
        image.extend_from_slice(payload);
        image
    }

    #[test]
    fn each_packing_gives_the_same_kernel() {
        let elf = [b"\x7fELF".as_slice(), &[7; 5000]].concat();
        let size = (elf.len() as u32).to_le_bytes();
        let mut xz = Vec::new();
        liblzma::read::XzEncoder::new(&elf[..], 1).read_to_end(&mut xz).unwrap();
        let mut gz = Vec::new();
        flate2::read::GzEncoder::new(&elf[..], flate2::Compression::fast()).read_to_end(&mut gz).unwrap();
        let zstd = ruzstd::encoding::compress_to_vec(&elf[..], ruzstd::encoding::CompressionLevel::Fastest);
        let block = lz4_flex::block::compress(&elf);
        let lz4 = [&[0x02, 0x21, 0x4c, 0x18][..], &(block.len() as u32).to_le_bytes(), &block].concat();
        for payload in [[&xz[..], &size].concat(), gz, [&zstd[..], &size].concat(), [&lz4[..], &size].concat()] {
            assert_eq!(extract(&image(&payload, payload.len())).unwrap(), elf);
        }
    }

    #[test]
    fn damage_is_named() {
        assert_eq!(extract(b"garbage").unwrap_err(), "it is no bzImage: no HdrS at 0x202");
        let error = extract(&image(&[0; 100], 5000)).unwrap_err();
        assert!(error.starts_with("it is truncated: "), "{error}");
        assert!(extract(&image(&[9; 100], 100)).unwrap_err().contains("does not know"));
    }

    #[test]
    fn the_entry_note_is_found_behind_others() {
        let note = |owner: &[u8], kind: u32| {
            [&(owner.len() as u32).to_le_bytes()[..], &4u32.to_le_bytes(), &kind.to_le_bytes(), owner, &[0; 4]].concat()
        };
        let notes = [note(b"GNU\0", 18), note(b"Xen\0", 6), note(b"Xen\0", 18)].concat();
        assert!(has_note(&notes, b"Xen\0", 18));
        assert!(!has_note(&notes[..40], b"Xen\0", 18));
    }
}
