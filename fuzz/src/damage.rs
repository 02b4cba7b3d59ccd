//! Breaks a valid module in chosen places: every number that a reader trusts is one, and has a name.
//!
//! It works on any module, one of [`crate::plan`] or one that a compiler made, so that what the readers are tried with
//! the kernel can be tried with, too.

use std::fmt;

use arbitrary::Arbitrary;
use modfile::elf::{Elf, Layout, SHT_REL, SHT_RELA, SHT_STRTAB, SHT_SYMTAB, Section};

/// A part of a module's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Arbitrary)]
pub enum Region {
    /// The ELF header.
    Header,
    /// The section headers.
    Sections,
    /// The contents of `.modinfo`.
    Modinfo,
    /// The contents of `__versions`, `__version_ext_crcs` and `__version_ext_names`.
    Versions,
    /// The contents of `__param`.
    Parameters,
    /// Symbol tables.
    Symbols,
    /// Tables of names.
    Strings,
    /// Relocation tables.
    Relocations,
    /// What follows the last section header.
    Signature,
    /// All other contents.
    Contents,
}

/// A number in a module's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The part it lies in.
    pub region: Region,
    /// What it is called.
    pub field: &'static str,
    /// Of which section, or entry of the table in section `section`.
    pub index: usize,
    /// The section it lies in; 0 for headers.
    pub section: u16,
    /// Its first byte in the file.
    pub at: usize,
    /// How many bytes it has: 1, 2, 4 or 8.
    pub size: usize,
    /// Most significant byte first.
    pub is_big: bool,
}

/// What a number is replaced with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub enum Value {
    /// 0.
    Zero,
    /// The largest.
    Max,
    /// The largest that is positive where there is a sign.
    HalfMax,
    /// One less.
    Less,
    /// One more.
    More,
    /// The file's length.
    FileLength,
    /// One bit turned over.
    Flip(u8),
    /// Any.
    Other(u64),
}

/// One way to break a module. Numbers beyond what there is begin anew, so that each does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub enum Damage {
    /// A number is another one.
    Number {
        /// Where to look for it.
        region: Region,
        /// Which of the numbers there.
        which: u16,
        /// What it becomes.
        value: Value,
    },
    /// Only the beginning of the file is left.
    Cut {
        /// How much: so many parts of 65536.
        keep: u16,
    },
}

/// What was done to a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// A number changed.
    Number {
        /// Where.
        place: Place,
        /// What it was.
        old: u64,
        /// What it is.
        new: u64,
    },
    /// The file was cut to this many bytes.
    Cut(usize),
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut(len) => write!(f, "cut to {len} bytes"),
            Self::Number { place: Place { region, field, index, section, .. }, old, new } => {
                write!(f, "{region:?} {section}/{index} {field}: {old:#x} -> {new:#x}")
            }
        }
    }
}

impl Label {
    /// The part of the file that is damaged; None for all that lies behind a cut.
    pub const fn region(&self) -> Option<Region> {
        match self {
            Self::Number { place, .. } => Some(place.region),
            Self::Cut(_) => None,
        }
    }
}

/// The module with all of these damages, and what they did. Places are those of the module as it is given.
pub fn apply(module: &[u8], damages: &[Damage]) -> (Vec<u8>, Vec<Label>) {
    let places = places(module);
    let (mut broken, mut labels) = (module.to_vec(), Vec::new());
    for damage in damages {
        match *damage {
            Damage::Number { region, which, value } => {
                let count = places.iter().filter(|place| place.region == region).count();
                let mut here = places.iter().filter(|place| place.region == region);
                if let Some(place) = here.nth(usize::from(which).checked_rem(count).unwrap_or(0)) {
                    labels.extend(place.set(&mut broken, value));
                }
            }
            Damage::Cut { keep } => {
                broken.truncate(usize::from(keep) * module.len() / 65536);
                labels.push(Label::Cut(broken.len()));
            }
        }
    }
    (broken, labels)
}

impl Place {
    /// The number, if the file reaches this far.
    pub fn get(&self, file: &[u8]) -> Option<u64> {
        let field = file.get(self.at..self.at + self.size)?;
        let mut bytes = [0; 8];
        bytes[..self.size].copy_from_slice(field);
        Some(if self.is_big { u64::from_be_bytes(bytes) >> (64 - 8 * self.size) } else { u64::from_le_bytes(bytes) })
    }

    /// Writes another number, if the file still reaches this far and it is another.
    pub fn set(&self, file: &mut [u8], value: Value) -> Option<Label> {
        let old = self.get(file)?;
        let new = value.instead_of(old, self.size, file.len() as u64);
        let new_bytes = if self.is_big { (new << (64 - 8 * self.size)).to_be_bytes() } else { new.to_le_bytes() };
        file[self.at..self.at + self.size].copy_from_slice(&new_bytes[..self.size]);
        (old != new).then_some(Label::Number { place: *self, old, new })
    }
}

impl Value {
    const fn instead_of(self, old: u64, size: usize, file_len: u64) -> u64 {
        let max = u64::MAX >> (64 - 8 * size);
        let new = match self {
            Self::Zero => 0,
            Self::Max => max,
            Self::HalfMax => max >> 1,
            Self::Less => old.wrapping_sub(1),
            Self::More => old.wrapping_add(1),
            Self::FileLength => file_len,
            Self::Flip(bit) => old ^ 1 << (bit as usize % (8 * size)),
            Self::Other(value) => value,
        };
        new & max
    }
}

/// A field's name, and its offset and size in 64-bit and in 32-bit files.
type Field = (&'static str, [usize; 2], [usize; 2]);

const HEADER: &[Field] = &[
    ("EI_MAG", [0, 4], [0, 4]),
    ("EI_CLASS", [4, 1], [4, 1]),
    ("EI_DATA", [5, 1], [5, 1]),
    ("EI_VERSION", [6, 1], [6, 1]),
    ("e_type", [16, 2], [16, 2]),
    ("e_machine", [18, 2], [18, 2]),
    ("e_version", [20, 4], [20, 4]),
    ("e_shoff", [40, 8], [32, 4]),
    ("e_flags", [48, 4], [36, 4]),
    ("e_ehsize", [52, 2], [40, 2]),
    ("e_shentsize", [58, 2], [46, 2]),
    ("e_shnum", [60, 2], [48, 2]),
    ("e_shstrndx", [62, 2], [50, 2]),
];

const SECTION: &[Field] = &[
    ("sh_name", [0, 4], [0, 4]),
    ("sh_type", [4, 4], [4, 4]),
    ("sh_flags", [8, 8], [8, 4]),
    ("sh_addr", [16, 8], [12, 4]),
    ("sh_offset", [24, 8], [16, 4]),
    ("sh_size", [32, 8], [20, 4]),
    ("sh_link", [40, 4], [24, 4]),
    ("sh_info", [44, 4], [28, 4]),
    ("sh_addralign", [48, 8], [32, 4]),
    ("sh_entsize", [56, 8], [36, 4]),
];

const SYMBOL: &[Field] = &[
    ("st_name", [0, 4], [0, 4]),
    ("st_info", [4, 1], [12, 1]),
    ("st_other", [5, 1], [13, 1]),
    ("st_shndx", [6, 2], [14, 2]),
    ("st_value", [8, 8], [4, 4]),
    ("st_size", [16, 8], [8, 4]),
];

const REL: &[Field] = &[("r_offset", [0, 8], [0, 4]), ("r_info", [8, 8], [4, 4])];
const RELA: &[Field] = &[("r_offset", [0, 8], [0, 4]), ("r_info", [8, 8], [4, 4]), ("r_addend", [16, 8], [8, 4])];

const VERSION: &[Field] =
    &[("crc", [0, 4], [0, 4]), ("name's first byte", [8, 1], [4, 1]), ("name's last byte", [63, 1], [63, 1])];

const PARAMETER: &[Field] = &[
    ("name", [0, 8], [0, 4]),
    ("mod", [8, 8], [4, 4]),
    ("ops", [16, 8], [8, 4]),
    ("perm", [24, 2], [12, 2]),
    ("level", [26, 1], [14, 1]),
    ("arg", [32, 8], [16, 4]),
];

const TRAILER: &[Field] = &[
    ("algo", [0, 1], [0, 1]),
    ("hash", [1, 1], [1, 1]),
    ("id_type", [2, 1], [2, 1]),
    ("signer_len", [3, 1], [3, 1]),
    ("key_id_len", [4, 1], [4, 1]),
    ("sig_len", [8, 4], [8, 4]),
    ("mark", [12, 1], [12, 1]),
];

/// Everything in a valid module that can be broken; nothing where it cannot be read.
pub fn places(module: &[u8]) -> Vec<Place> {
    let Ok(elf) = Elf::parse(module) else { return Vec::new() };
    let layout = elf.layout();
    let mut places = Places { layout, found: Vec::new() };
    places.record(Region::Header, HEADER, 0, 0, 0);
    let table = Elf::table_range(module).unwrap_or_default();
    let size = layout.section_header_size();
    for index in 0..elf.sections().len() {
        places.record(Region::Sections, SECTION, index, 0, table.start as usize + index * size);
    }
    elf.sections().flatten().filter(|section| !section.data.is_empty()).for_each(|section| places.contents(&section));
    places.signature(module, table.end as usize);
    places.found
}

struct Places {
    layout: Layout,
    found: Vec<Place>,
}

impl Places {
    /// The fields of one record.
    fn record(&mut self, region: Region, fields: &[Field], index: usize, section: u16, start: usize) {
        let is_big = self.layout.is_big;
        self.found.extend(fields.iter().map(|(field, wide, narrow)| {
            let [offset, size] = if self.layout.is_64 { *wide } else { *narrow };
            Place { region, field, index, section, at: start + offset, size, is_big }
        }));
    }

    fn contents(&mut self, section: &Section<'_>) {
        let word = self.layout.word_size();
        let (region, fields, size) = match (section.kind, section.name) {
            (SHT_SYMTAB, _) => (Region::Symbols, SYMBOL, self.layout.symbol_size()),
            (SHT_REL, _) => (Region::Relocations, REL, 2 * word),
            (SHT_RELA, _) => (Region::Relocations, RELA, 3 * word),
            (SHT_STRTAB, _) => return self.strings(Region::Strings, section),
            (_, b".modinfo") => return self.strings(Region::Modinfo, section),
            (_, b"__version_ext_names") => return self.strings(Region::Versions, section),
            (_, b"__version_ext_crcs") => (Region::Versions, &VERSION[..1], 4),
            (_, b"__versions") => (Region::Versions, VERSION, 64),
            (_, b"__param") => (Region::Parameters, PARAMETER, 5 * word),
            _ => (Region::Contents, &[("byte", [0, 1], [0, 1])][..], 1),
        };
        for index in 0..section.data.len() / size {
            self.record(region, fields, index, section.index, section.offset as usize + index * size);
        }
    }

    /// Of each string its first byte, its `=`, and the NUL that ends it.
    fn strings(&mut self, region: Region, section: &Section<'_>) {
        let mut start = 0;
        for (index, text) in section.data.split_inclusive(|byte| *byte == 0).enumerate() {
            let equals = text.iter().position(|byte| *byte == b'=').map(|at| ("=", at));
            for (field, at) in [("first byte", 0), ("last byte", text.len() - 1)].into_iter().chain(equals) {
                let at = section.offset as usize + start + at;
                self.found.push(Place { region, field, index, section: section.index, at, size: 1, is_big: false });
            }
            start += text.len();
        }
    }

    /// Every byte of what was signed with, and the numbers of the trailer.
    fn signature(&mut self, module: &[u8], start: usize) {
        let Some(trailer) = module.len().checked_sub(40).filter(|at| *at >= start && module.ends_with(b"~\n")) else {
            return;
        };
        for at in start..trailer {
            let index = at - start;
            let region = Region::Signature;
            self.found.push(Place { region, field: "byte", index, section: 0, at, size: 1, is_big: true });
        }
        let before = self.found.len();
        self.record(Region::Signature, TRAILER, 0, 0, trailer);
        self.found[before..].iter_mut().for_each(|place| place.is_big = true);
    }
}
