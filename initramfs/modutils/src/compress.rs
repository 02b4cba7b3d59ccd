//! Which compression a module file has. Its first bytes tell; its name need not.

/// The longest of the marks, bytes.
pub const MAGIC_BYTES: usize = 6;

/// The compression, by the kernel's name for it; None for a plain file.
pub fn compression(start: &[u8]) -> Option<&'static str> {
    match start {
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("zstd"),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some("xz"),
        [0x1f, 0x8b, ..] => Some("gzip"),
        _ => None,
    }
}
