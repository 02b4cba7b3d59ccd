//! Finds one section in a file of which only parts are read: header, section table, section names.
//!
//! For the tools that want a few hundred bytes of each of thousands of files. It is as lenient as kmod, which looks
//! at no more than these parts either: the file may be of any type, and of a damaged section header nothing follows
//! but that its section is not found. [`crate::elf`] is for those who read on.

use core::ops::Range;

use crate::elf::{Layout, MAGIC};

/// The bytes of a file that [`Table::of`] wants, or all if the file has fewer.
pub const HEADER_BYTES: usize = 64;

/// Why no section can be found, as kmod's error numbers tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The file does not begin as an ELF file does.
    NotElf,
    /// Header, section table or section names are not as they have to be.
    Damaged,
}

/// Where the section table is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    layout: Layout,
    file_len: u64,
    names_index: usize,
    /// The table's place in the file.
    pub range: Range<u64>,
}

impl Table {
    /// From the start of a file.
    ///
    /// # Errors
    /// It is no ELF file, or the table does not lie inside it.
    pub fn of(start: &[u8], file_len: u64) -> Result<Self, Fault> {
        // An identification with nothing after it is none.
        if file_len <= 16 || !start.starts_with(&MAGIC) {
            return Err(Fault::NotElf);
        }
        let layout = layout(start).ok_or(Fault::Damaged)?;
        let header = start.get(..layout.header_size()).ok_or(Fault::Damaged)?;
        let tail = layout.header_size() - 6;
        let field = |at| layout.half(header, at);
        if usize::from(field(tail)) != layout.section_header_size() {
            return Err(Fault::Damaged);
        }
        let (count, names_index) = (usize::from(field(tail + 2)), usize::from(field(tail + 4)));
        if names_index == 0 || names_index >= count {
            return Err(Fault::Damaged);
        }
        let range =
            range(layout.long(header, 24 + 2 * layout.word_size()), (count * layout.section_header_size()) as u64);
        let range = range.filter(|range| range.end <= file_len).ok_or(Fault::Damaged)?;
        Ok(Self { layout, file_len, names_index, range })
    }

    /// Where the section names are; `table` is what [`Table::range`] says.
    ///
    /// # Errors
    /// They do not lie inside the file.
    pub fn names(&self, table: &[u8]) -> Result<Range<u64>, Fault> {
        let header = table.chunks_exact(self.layout.section_header_size()).nth(self.names_index);
        header.and_then(|header| self.contents(header)).filter(|range| !range.is_empty()).ok_or(Fault::Damaged)
    }

    /// Where the first section with that name is, None if there is none; `names` are the bytes at [`Table::names`].
    ///
    /// # Errors
    /// The names have no end, or lack their own.
    pub fn find(&self, table: &[u8], names: &[u8], wanted: &[u8]) -> Result<Option<Range<u64>>, Fault> {
        let mut headers = table.chunks_exact(self.layout.section_header_size());
        let own_name = headers.clone().nth(self.names_index).map(|header| self.name_at(header));
        if names.last() != Some(&0) || own_name.is_none_or(|at| at >= names.len()) {
            return Err(Fault::Damaged);
        }
        // The first header is empty in every file, and a section's offset can not be that of the file's header.
        headers.next();
        Ok(headers
            .filter(|header| has_name(names, self.name_at(header), wanted))
            .filter_map(|header| self.contents(header))
            .find(|range| range.start != 0))
    }

    fn name_at(&self, header: &[u8]) -> usize {
        self.layout.word(header, 0) as usize
    }

    /// A section's place in the file, if it is inside.
    fn contents(&self, header: &[u8]) -> Option<Range<u64>> {
        let (layout, word) = (self.layout, self.layout.word_size());
        let range = range(layout.long(header, 8 + 2 * word), layout.long(header, 8 + 3 * word))?;
        (range.end <= self.file_len).then_some(range)
    }
}

/// A section of a file that has been read whole, None if it is not there.
///
/// # Errors
/// As [`Table`]'s.
pub fn section<'a>(file: &'a [u8], name: &[u8]) -> Result<Option<&'a [u8]>, Fault> {
    let bytes = |range: Range<u64>| file.get(range.start as usize..range.end as usize).ok_or(Fault::Damaged);
    let table = Table::of(file, file.len() as u64)?;
    let headers = bytes(table.range.clone())?;
    table.find(headers, bytes(table.names(headers)?)?, name)?.map(bytes).transpose()
}

fn layout(start: &[u8]) -> Option<Layout> {
    let is_64 = match start.get(4)? {
        1 => false,
        2 => true,
        _ => return None,
    };
    let is_big = match start.get(5)? {
        1 => false,
        2 => true,
        _ => return None,
    };
    Some(Layout { is_64, is_big })
}

fn range(start: u64, len: u64) -> Option<Range<u64>> {
    Some(start..start.checked_add(len)?)
}

fn has_name(names: &[u8], at: usize, wanted: &[u8]) -> bool {
    names.get(at..).and_then(|name| name.strip_prefix(wanted)).is_some_and(|rest| rest.first() == Some(&0))
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::{elf::Elf, write::Module};

    fn section_of<'a>(file: &'a [u8], name: &str) -> Result<Option<&'a [u8]>, Fault> {
        section(file, name.as_bytes())
    }

    fn module(layout: Layout) -> Vec<u8> {
        Module::new("a").layout(layout).modinfo("license", "GPL").exports("symbol").build()
    }

    #[test]
    fn every_section_is_where_the_full_reader_sees_it() {
        for layout in Layout::ALL {
            let file = module(layout);
            for section in Elf::parse(&file).unwrap().sections().skip(1).map(Result::unwrap) {
                let name = core::str::from_utf8(section.name).unwrap();
                assert_eq!(section_of(&file, name), Ok(Some(section.data)), "{name} of {layout:?}");
            }
            assert_eq!(section_of(&file, "nothing"), Ok(None));
            assert_eq!(section_of(&file, ".modinf"), Ok(None));
        }
    }

    #[test]
    fn what_is_no_elf_file_differs_from_a_damaged_one() {
        let file = module(Layout::ELF64_LE);
        for len in 0..file.len() {
            let found = section_of(&file[..len], ".modinfo");
            let expected = if len <= 16 { Fault::NotElf } else { Fault::Damaged };
            assert!(found == Err(expected) || len >= 64, "{found:?} at {len}");
        }
        assert_eq!(section_of(&[b"\x7fELG", &file[4..]].concat(), ".modinfo"), Err(Fault::NotElf));
        for (at, byte) in [(4, 0), (4, 3), (5, 0), (5, 3), (58, 0), (61, 0xff), (62, 0), (62, 0xff), (47, 0x7f)] {
            let mut file = file.clone();
            file[at] = byte;
            assert_eq!(section_of(&file, ".modinfo"), Err(Fault::Damaged), "byte {at} is {byte:#x}");
            // What is not in the header is not asked for.
            assert!(Table::of(&file[..HEADER_BYTES], file.len() as u64).is_err(), "byte {at} is {byte:#x}");
        }
    }

    #[test]
    fn no_byte_of_the_table_makes_it_panic() {
        let file = module(Layout::ELF64_LE);
        let table = Table::of(&file, file.len() as u64).unwrap().range;
        for at in table {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut file = file.clone();
                file[at as usize] = byte;
                let _ = section_of(&file, ".modinfo");
            }
        }
    }

    #[test]
    fn a_damaged_header_costs_its_own_section() {
        let file = module(Layout::ELF64_LE);
        let elf = Elf::parse(&file).unwrap();
        let index = elf.section(".modinfo").unwrap().unwrap().index;
        let table = Table::of(&file, file.len() as u64).unwrap();
        let at = table.range.start as usize + 64 * usize::from(index);
        for (field, len) in [(0, 4), (24, 8), (32, 8)] {
            let mut file = file.clone();
            file[at + field..][..len].fill(0xff);
            assert_eq!(section_of(&file, ".modinfo"), Ok(None));
            assert!(section_of(&file, ".symtab").unwrap().is_some());
        }
    }
}
