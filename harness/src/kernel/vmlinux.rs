//! Kernel files: the ELF kernel inside a bzImage, and whether QEMU can enter it directly.
//!
//! ```text
//! bzImage = boot sector(s) | protected-mode code | payload (compressed vmlinux) | ...
//!   0x1f1 u8   setup_sects, 0 means 4         0x1fe u16  0xaa55
//!   0x202 "HdrS"                              0x206 u16  boot protocol
//!   0x20e u16  release text, less 0x200
//!   0x248 u32  payload_offset                 0x24c u32  payload_length
//! ```
//! Source: Documentation/arch/x86/boot.rst. The payload ends with the unpacked size as u32, except for gzip, whose
//! own trailer is that. The ELF file is entered at the address in its note `XEN_ELFNOTE_PHYS32_ENTRY` (PVH).

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::ImageFormat;
use crate::error::{Context as _, Error};

/// The boot protocol that has had the payload fields, 2.08 of Linux 2.6.26.
const PROTOCOL_MIN: u16 = 0x0208;
const ELF_MAGIC: &[u8] = b"\x7fELF";
/// The largest kernel that is unpacked.
const VMLINUX_SIZE_MAX: u64 = 1 << 30;
/// Block size of lz4's legacy frame.
const LZ4_BLOCK_SIZE: usize = 8 << 20;
/// `zstd --ultra -22`, which kbuild uses, needs 2^27.
const ZSTD_WINDOW_SIZE_MAX: u64 = 1 << 28;

/// Finds the best way to boot a kernel file: the ELF kernel if QEMU can enter it, else the file itself.
///
/// # Errors
/// What is wrong with the file.
pub(super) fn prepare(file: Vec<u8>) -> Result<(ImageFormat, Vec<u8>), String> {
    if file.starts_with(ELF_MAGIC) {
        return match has_pvh_entry(&file)? {
            true => Ok((ImageFormat::Pvh, file)),
            false => Err("it is a vmlinux without CONFIG_PVH, which QEMU cannot enter; name its bzImage".into()),
        };
    }
    match unpack(payload(&file)?)? {
        Some(vmlinux) if vmlinux.starts_with(ELF_MAGIC) && has_pvh_entry(&vmlinux)? => Ok((ImageFormat::Pvh, vmlinux)),
        _ => Ok((ImageFormat::BzImage, file)),
    }
}

/// Keeps what [`prepare`] has made in a directory; the file's name tells its format.
///
/// # Errors
/// It cannot be written.
pub(super) fn store(place: &Path, (format, bytes): (ImageFormat, Vec<u8>)) -> Result<(), Error> {
    let name = match format {
        ImageFormat::Pvh => "vmlinux",
        ImageFormat::BzImage => "bzImage",
    };
    let file = place.join(name);
    fs::write(&file, bytes).context(|| format!("cannot write `{}`", file.display()))
}

/// What [`store`] has kept in a directory.
pub(super) fn find(place: &Path) -> (PathBuf, ImageFormat) {
    let direct = place.join("vmlinux");
    if direct.exists() { (direct, ImageFormat::Pvh) } else { (place.join("bzImage"), ImageFormat::BzImage) }
}

/// What `uname -r` of a kernel file will print.
pub(super) fn release(file: &[u8]) -> Option<String> {
    let text = match file.starts_with(ELF_MAGIC) {
        true => memchr::memmem::find_iter(file, b"Linux version ").map(|at| &file[at + 14..]).find(|text| {
            // The same words stand in format strings, where no digit follows.
            text.first().is_some_and(u8::is_ascii_digit)
        })?,
        false => file.get(0x200 + usize::from(u16_at(file, 0x20e)?)..)?,
    };
    let word = text.split(|byte| matches!(byte, b' ' | 0)).next()?;
    String::from_utf8(word.to_vec()).ok().filter(|word| !word.is_empty() && word.len() < 128)
}

/// The configuration that a kernel with `CONFIG_IKCONFIG` carries.
pub(super) fn embedded_config(vmlinux: &[u8]) -> Option<String> {
    let at = memchr::memmem::find(vmlinux, b"IKCFG_ST\x1f\x8b")?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(&vmlinux[at + 8..]).take(16 << 20).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The compressed kernel inside a `bzImage`.
fn payload(file: &[u8]) -> Result<&[u8], String> {
    if u16_at(file, 0x1fe) != Some(0xaa55) || file.get(0x202..0x206) != Some(b"HdrS") {
        return Err("it is neither a bzImage nor an ELF kernel".into());
    }
    let cut_short = || format!("it is truncated: it has only {} bytes", file.len());
    if u16_at(file, 0x206).ok_or_else(cut_short)? < PROTOCOL_MIN {
        return Err("its boot protocol is older than 2.08".into());
    }
    let setup_sectors = match file[0x1f1] {
        0 => 4,
        sectors => usize::from(sectors),
    };
    let field = |at| u32_at(file, at).map(|value| value as usize).ok_or_else(cut_short);
    let start = (setup_sectors + 1) * 512 + field(0x248)?;
    let end = start + field(0x24c)?;
    let needs = || format!("{}, its header promises {end} or more", cut_short());
    file.get(start..end).ok_or_else(needs)
}

/// `None` for a kind of compression that is not known here; the kernel unpacks itself all the same.
fn unpack(payload: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let broken = |cause: io::Error| format!("its payload does not unpack: {cause}");
    // Behind the compressed data kbuild puts the size of the result.
    let data = payload.get(..payload.len().saturating_sub(4)).unwrap_or_default();
    let read = |source: &mut dyn Read| {
        let mut vmlinux = Vec::new();
        source.take(VMLINUX_SIZE_MAX).read_to_end(&mut vmlinux).map_err(broken)?;
        Ok(Some(vmlinux))
    };
    match payload {
        [0x02, 0x21, 0x4c, 0x18, ..] => unpack_lz4(&data[4..]).map(Some).map_err(broken),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let decoder = ruzstd::decoding::StreamingDecoder::new_with_max_window_size(data, ZSTD_WINDOW_SIZE_MAX);
            read(&mut decoder.map_err(io::Error::other).map_err(broken)?)
        }
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => read(&mut liblzma::bufread::XzDecoder::new(data)),
        // A gzip stream ends with the size of the result already, so kbuild adds none.
        [0x1f, 0x8b, ..] => read(&mut flate2::bufread::GzDecoder::new(payload)),
        _ => Ok(None),
    }
}

/// lz4's legacy frame: blocks, each after its compressed size.
fn unpack_lz4(mut data: &[u8]) -> io::Result<Vec<u8>> {
    let mut vmlinux = Vec::new();
    let mut block = vec![0; LZ4_BLOCK_SIZE];
    while !data.is_empty() {
        let size = u32_at(data, 0).ok_or(io::ErrorKind::UnexpectedEof)? as usize;
        let packed = data.get(4..4 + size).ok_or(io::ErrorKind::UnexpectedEof)?;
        let n = lz4_flex::block::decompress_into(packed, &mut block).map_err(io::Error::other)?;
        vmlinux.extend_from_slice(&block[..n]);
        data = &data[4 + size..];
    }
    Ok(vmlinux)
}

fn has_pvh_entry(elf: &[u8]) -> Result<bool, String> {
    const PT_LOAD: u32 = 1;
    const PT_NOTE: u32 = 4;
    const ELFCLASS64: u8 = 2;
    const EM_X86_64: u16 = 62;
    let cut_short = || "the ELF kernel is truncated".to_owned();
    if elf.len() < 64 {
        return Err(cut_short());
    }
    if elf.get(4) != Some(&ELFCLASS64) || u16_at(elf, 18) != Some(EM_X86_64) {
        return Err("it is not a kernel for x86-64".into());
    }
    let table = u64_at(elf, 32).ok_or_else(cut_short)?;
    let (size, count) = (u16_at(elf, 54).ok_or_else(cut_short)?, u16_at(elf, 56).ok_or_else(cut_short)?);
    let mut found = false;
    for index in 0..count {
        let header = table
            .checked_add(usize::from(size) * usize::from(index))
            .and_then(|at| elf.get(at..))
            .ok_or_else(cut_short)?;
        let (kind, offset, length) = (u32_at(header, 0), u64_at(header, 8), u64_at(header, 32));
        let (Some(kind), Some(offset), Some(length)) = (kind, offset, length) else { return Err(cut_short()) };
        let content = offset.checked_add(length).and_then(|end| elf.get(offset..end));
        match kind {
            PT_LOAD => drop(content.ok_or_else(cut_short)?),
            PT_NOTE => found |= has_pvh_note(content.ok_or_else(cut_short)?),
            _ => {}
        }
    }
    Ok(found)
}

fn has_pvh_note(mut notes: &[u8]) -> bool {
    const XEN_ELFNOTE_PHYS32_ENTRY: u32 = 18;
    while let (Some(name_size), Some(size), Some(kind)) = (u32_at(notes, 0), u32_at(notes, 4), u32_at(notes, 8)) {
        if kind == XEN_ELFNOTE_PHYS32_ENTRY && notes[12..].starts_with(b"Xen\0") {
            return true;
        }
        let padded = |size: u32| (size as usize).next_multiple_of(4);
        notes = notes.get(12 + padded(name_size) + padded(size)..).unwrap_or_default();
    }
    false
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(payload: &[u8]) -> Vec<u8> {
        let mut image = vec![0; 1024];
        image[0x1f1] = 1;
        image[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
        image[0x202..0x208].copy_from_slice(b"HdrS\x0f\x02");
        image[0x24c..0x250].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        image.extend_from_slice(payload);
        image
    }

    fn note(owner: &[u8], kind: u32) -> Vec<u8> {
        let sizes = [&(owner.len() as u32).to_le_bytes()[..], &4u32.to_le_bytes(), &kind.to_le_bytes()].concat();
        [&sizes, owner, &[0; 4]].concat()
    }

    /// An ELF file with one segment, the notes.
    fn elf(notes: &[u8]) -> Vec<u8> {
        let mut elf = vec![0; 120];
        elf[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        for (at, byte) in [(18, 62), (32, 64), (54, 56), (56, 1), (64, 4), (72, 120), (96, notes.len() as u8)] {
            elf[at] = byte;
        }
        elf.extend_from_slice(notes);
        elf.extend_from_slice(&[7; 5000]);
        elf
    }

    #[test]
    fn each_packing_gives_the_same_kernel() {
        let elf = elf(&note(b"Xen\0", 18));
        let size = (elf.len() as u32).to_le_bytes();
        let mut xz = Vec::new();
        liblzma::read::XzEncoder::new(&elf[..], 1).read_to_end(&mut xz).unwrap();
        let mut gz = Vec::new();
        flate2::read::GzEncoder::new(&elf[..], flate2::Compression::fast()).read_to_end(&mut gz).unwrap();
        let zstd = ruzstd::encoding::compress_to_vec(&elf[..], ruzstd::encoding::CompressionLevel::Fastest);
        let block = lz4_flex::block::compress(&elf);
        let lz4 = [&[0x02, 0x21, 0x4c, 0x18][..], &(block.len() as u32).to_le_bytes(), &block].concat();
        for payload in [[&xz[..], &size].concat(), gz, [&zstd[..], &size].concat(), [&lz4[..], &size].concat()] {
            assert_eq!(prepare(image(&payload)).unwrap(), (ImageFormat::Pvh, elf.clone()));
        }
    }

    #[test]
    fn the_entry_note_is_found_behind_others_and_without_it_the_bzimage_stays() {
        let notes = [note(b"GNU\0", 18), note(b"Xen\0", 6), note(b"Xen\0", 18)].concat();
        assert!(has_pvh_entry(&elf(&notes)).unwrap());
        assert!(!has_pvh_entry(&elf(&notes[..40])).unwrap());

        let mut gz = Vec::new();
        let without = elf(&notes[..40]);
        flate2::read::GzEncoder::new(&without[..], flate2::Compression::fast()).read_to_end(&mut gz).unwrap();
        assert_eq!(prepare(image(&gz)).unwrap(), (ImageFormat::BzImage, image(&gz)));
        assert!(prepare(without).unwrap_err().contains("CONFIG_PVH"));
    }

    #[test]
    fn what_cannot_be_unpacked_here_boots_by_itself() {
        let lzo = image(b"\x89LZO\0\r\n\x1a\n");
        assert_eq!(prepare(lzo.clone()).unwrap(), (ImageFormat::BzImage, lzo));
    }

    #[test]
    fn no_length_of_a_kernel_file_makes_a_panic() {
        let elf = elf(&note(b"Xen\0", 18));
        for whole in [image(b"\x02\x21\x4c\x18\x01\0\0\0\0size"), elf] {
            for length in 0..whole.len().min(2000) {
                let _ = prepare(whole[..length].to_vec());
                let _ = release(&whole[..length]);
            }
        }
    }

    #[test]
    fn the_release_is_read_from_the_header_or_the_banner() {
        let vmlinux = b"\x7fELF..Linux version %s (%s)\0..Linux version 6.1.0-56-cloud-amd64 (debian)\0";
        assert_eq!(release(vmlinux).as_deref(), Some("6.1.0-56-cloud-amd64"));
        assert_eq!(release(b"nothing"), None);
        let mut image = image(&[0; 100]);
        image[0x20e..0x210].copy_from_slice(&0x100u16.to_le_bytes());
        image[0x300..0x310].copy_from_slice(b"9.1.7-mine (me)\0");
        assert_eq!(release(&image).as_deref(), Some("9.1.7-mine"));
    }

    #[test]
    fn a_configuration_inside_the_kernel_is_found() {
        let mut gz = Vec::new();
        flate2::read::GzEncoder::new(&b"CONFIG_A=y\n"[..], flate2::Compression::fast()).read_to_end(&mut gz).unwrap();
        let vmlinux = [&b"\x7fELF....IKCFG_ST"[..], &gz, b"IKCFG_ED"].concat();
        assert_eq!(embedded_config(&vmlinux).as_deref(), Some("CONFIG_A=y\n"));
        assert_eq!(embedded_config(b"nothing"), None);
    }
}
