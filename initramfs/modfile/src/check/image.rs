//! A file as the kernel takes it: 64-bit, little-endian, whatever its header says, and with headers that need not be true.

use alloc::vec::Vec;

use crate::{
    bytes::nul,
    elf::{Layout, SHF_ALLOC, SHT_NOBITS},
};

/// So much of a section's name is read.
const NAME_BYTES: usize = 1024;

/// `sh_type`: no section.
pub(super) const SHT_NULL: u32 = 0;

/// The file up to its signature, and its section headers.
pub(super) struct Image<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) sections: Vec<Header>,
    /// The section names' table: empty, or ended by NUL.
    pub(super) names: &'a [u8],
}

/// A section header, `Elf64_Shdr`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) name: u32,
    pub(super) kind: u32,
    pub(super) flags: u64,
    pub(super) addr: u64,
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) link: u32,
    pub(super) info: u32,
    pub(super) align: u64,
}

impl Header {
    pub(super) fn read(record: &[u8]) -> Self {
        let (word, long) = (|at| LAYOUT.word(record, at), |at| LAYOUT.long(record, at));
        Self {
            name: word(0),
            kind: word(4),
            flags: long(8),
            addr: long(16),
            offset: long(24),
            size: long(32),
            link: word(40),
            info: word(44),
            align: long(48),
        }
    }

    pub(super) const fn is_alloc(&self) -> bool {
        self.flags & SHF_ALLOC != 0
    }

    pub(super) const fn has(&self, flags: u64) -> bool {
        self.flags & flags == flags
    }

    /// Whether the loader looks where the contents are: it does not for sections that have none.
    pub(super) const fn has_bytes(&self) -> bool {
        !matches!(self.kind, SHT_NULL | SHT_NOBITS)
    }

    /// `validate_section_offset()`.
    pub(super) fn is_inside(&self, len: usize) -> bool {
        self.offset.checked_add(self.size).is_some_and(|end| end <= len as u64)
    }
}

pub(super) const LAYOUT: Layout = Layout::ELF64_LE;

impl<'a> Image<'a> {
    /// The bytes at a section's place in the file, whether it claims to have some or not; none where that is outside.
    pub(super) fn data(&self, index: usize) -> &'a [u8] {
        let range = self.sections.get(index).filter(|header| header.is_inside(self.bytes.len()));
        let range = range.map_or(0..0, |header| header.offset as usize..(header.offset + header.size) as usize);
        self.bytes.get(range).unwrap_or_default()
    }

    /// A section's name; empty where it has none. Of more than [`NAME_BYTES`] it is the beginning: names may share their
    /// ends, and so be far longer in all than the file.
    pub(super) fn name(&self, index: usize) -> &'a [u8] {
        let at = self.sections.get(index).map_or(usize::MAX, |header| header.name as usize);
        let rest = self.names.get(at..).unwrap_or_default();
        if rest.len() > NAME_BYTES {
            let start = &rest[..NAME_BYTES];
            return start.get(..nul(start).unwrap_or(NAME_BYTES)).unwrap_or_default();
        }
        rest.get(..nul(rest).unwrap_or(0)).unwrap_or_default()
    }

    /// What a section's memory is filled with: nothing where it begins as zeros.
    pub(super) fn contents(&self, index: usize) -> &'a [u8] {
        let has_none = self.sections.get(index).is_none_or(|header| header.kind == SHT_NOBITS);
        if has_none { &[] } else { self.data(index) }
    }

    /// All sections but the first, which is none, with their indices.
    pub(super) fn real_sections(&self) -> impl Iterator<Item = (usize, &Header)> {
        self.sections.iter().enumerate().skip(1)
    }

    /// `find_sec()`: the first that occupies memory and has this name.
    pub(super) fn allocated(&self, name: &str) -> Option<usize> {
        let mut found = self.real_sections().filter(|(_, header)| header.is_alloc());
        found.find(|(index, _)| self.name(*index) == name.as_bytes()).map(|(index, _)| index)
    }

    /// `find_any_sec()`: all of this name.
    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = usize> {
        let named = self.real_sections().filter(move |(index, _)| self.name(*index) == name.as_bytes());
        named.map(|(index, _)| index)
    }
}
