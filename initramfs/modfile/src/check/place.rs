//! Where in a file something is wrong, for people.

use alloc::{borrow::Cow, format, string::String};
use core::fmt;

use super::{Run, Series, header, image::Image, index::Tables, symbols};
use crate::{bytes::nul, elf::SHT_SYMTAB, signature};

/// Which part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The file as a whole, or its ELF header.
    File,
    /// A section, by its index.
    Section(u16),
    /// A symbol, by its index in the symbol table.
    Symbol(u32),
    /// An entry of a section that is a table: a relocation, a pointer to a function.
    Entry {
        /// The section's index.
        section: u16,
        /// The entry's.
        index: u32,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("file"),
            Self::Section(index) => write!(f, "section {index}"),
            Self::Symbol(index) => write!(f, "symbol {index}"),
            Self::Entry { section, index } => write!(f, "section {section}, entry {index}"),
        }
    }
}

/// The names of a file's sections and symbols, as far as it has some.
pub struct Places<'a> {
    image: Option<Image<'a>>,
}

impl<'a> Places<'a> {
    /// Those of these bytes.
    pub fn of(image: &'a [u8]) -> Self {
        let mut run = Run::new(Series::KNOWN[0]);
        Self { image: header::read(&mut run, signature::signed_part(image)) }
    }

    /// A place with its name, such as `section 5 (.text)`.
    pub fn text(&self, place: Place) -> String {
        let name = match place {
            Place::File => return format!("{place}"),
            Place::Section(index) | Place::Entry { section: index, .. } => self.section(index),
            Place::Symbol(index) => self.symbol(index).unwrap_or_default(),
        };
        match place {
            _ if name.is_empty() => format!("{place}"),
            Place::Entry { section, index } => format!("section {section} ({name}), entry {index}"),
            _ => format!("{place} ({name})"),
        }
    }

    fn section(&self, index: u16) -> Cow<'a, str> {
        let name = self.image.as_ref().map(|image| image.name(index.into()));
        String::from_utf8_lossy(name.unwrap_or_default())
    }

    fn symbol(&self, index: u32) -> Option<Cow<'a, str>> {
        let image = self.image.as_ref()?;
        let (symtab, header) = image.real_sections().find(|(_, header)| header.kind == SHT_SYMTAB)?;
        let strtab = header.link as usize;
        let symbol = symbols::entry(image, Tables { symtab, strtab }, index)?;
        let name = image.data(strtab).get(symbol.name as usize..)?;
        Some(String::from_utf8_lossy(name.get(..nul(name)?)?))
    }
}
