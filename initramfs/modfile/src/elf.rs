//! Relocatable ELF objects, as far as a kernel module is concerned: header, sections, symbols.
//!
//! Both classes and both byte orders. Section counts beyond 0xfeff (the `SHN_XINDEX` escape) are refused, as the
//! kernel's module loader does.

use core::ops::Range;

use crate::{Error, bytes::Bytes};

/// `sh_type`: the symbol table.
pub const SHT_SYMTAB: u32 = 2;
/// `sh_type`: bytes of the file.
pub const SHT_PROGBITS: u32 = 1;
/// `sh_type`: NUL-terminated strings.
pub const SHT_STRTAB: u32 = 3;
/// `sh_type`: relocations with their addends.
pub const SHT_RELA: u32 = 4;
/// `sh_type`: memory without bytes in the file.
pub const SHT_NOBITS: u32 = 8;
/// `sh_type`: relocations whose addends lie in the places to relocate.
pub const SHT_REL: u32 = 9;
/// `sh_flags`: writable once loaded.
pub const SHF_WRITE: u64 = 1;
/// `sh_flags`: occupies memory once loaded.
pub const SHF_ALLOC: u64 = 2;
/// `st_shndx`: the symbol is defined elsewhere.
pub const SHN_UNDEF: u16 = 0;
/// First reserved `st_shndx`; from here on it names no section.
pub const SHN_LORESERVE: u16 = 0xff00;
/// `st_shndx`: the value is a number, not an address.
pub const SHN_ABS: u16 = 0xfff1;
/// Symbol binding: not visible to other objects.
pub const STB_LOCAL: u8 = 0;
/// Symbol binding: visible to other objects.
pub const STB_GLOBAL: u8 = 1;
/// Symbol binding: visible, and may be missing.
pub const STB_WEAK: u8 = 2;
/// Symbol type: data.
pub const STT_OBJECT: u8 = 1;
/// `e_type` of a module.
pub const ET_REL: u16 = 1;
/// `e_machine` of x86-64.
pub const EM_X86_64: u16 = 62;

pub(crate) const MAGIC: [u8; 4] = *b"\x7fELF";

/// Word size and byte order of a file: `EI_CLASS` and `EI_DATA`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// 64-bit fields rather than 32-bit ones.
    pub is_64: bool,
    /// Most significant byte first.
    pub is_big: bool,
}

impl Layout {
    /// The layout of x86-64 and arm64 modules.
    pub const ELF64_LE: Self = Self { is_64: true, is_big: false };
    /// All four, for tests that shall hold for each.
    pub const ALL: [Self; 4] = [
        Self::ELF64_LE,
        Self { is_64: true, is_big: true },
        Self { is_64: false, is_big: false },
        Self { is_64: false, is_big: true },
    ];

    /// Bytes of the ELF header.
    pub const fn header_size(self) -> usize {
        if self.is_64 { 64 } else { 52 }
    }

    /// Bytes of a section header.
    pub const fn section_header_size(self) -> usize {
        if self.is_64 { 64 } else { 40 }
    }

    /// Bytes of a symbol table entry.
    pub const fn symbol_size(self) -> usize {
        if self.is_64 { 24 } else { 16 }
    }

    /// Bytes of a relocation with or without an addend.
    pub(crate) const fn relocation_size(self, has_addend: bool) -> usize {
        self.word_size() * if has_addend { 3 } else { 2 }
    }

    /// Bytes of a C `long`.
    pub const fn word_size(self) -> usize {
        if self.is_64 { 8 } else { 4 }
    }

    /// The `N` bytes at `at`. Callers pass records whose size they have checked; beyond the record the answer is 0.
    #[inline(always)]
    fn field<const N: usize>(record: &[u8], at: usize) -> [u8; N] {
        record.get(at..).and_then(<[u8]>::first_chunk::<N>).copied().unwrap_or([0; N])
    }

    #[inline(always)]
    pub(crate) fn half(self, record: &[u8], at: usize) -> u16 {
        let field = Self::field(record, at);
        let value = u16::from_le_bytes(field);
        if self.is_big { value.swap_bytes() } else { value }
    }

    #[inline(always)]
    pub(crate) fn word(self, record: &[u8], at: usize) -> u32 {
        let field = Self::field(record, at);
        let value = u32::from_le_bytes(field);
        if self.is_big { value.swap_bytes() } else { value }
    }

    #[inline(always)]
    pub(crate) fn long(self, record: &[u8], at: usize) -> u64 {
        if !self.is_64 {
            return self.word(record, at).into();
        }
        let value = u64::from_le_bytes(Self::field(record, at));
        if self.is_big { value.swap_bytes() } else { value }
    }
}

/// A relocatable object whose header, section table and section names have been found sound.
#[derive(Debug, Clone, Copy)]
pub struct Elf<'a> {
    bytes: Bytes<'a>,
    layout: Layout,
    machine: u16,
    headers: Bytes<'a>,
    names: Bytes<'a>,
}

/// One section: its header's fields and its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section<'a> {
    /// Position in the section table.
    pub index: u16,
    /// Name, without the NUL.
    pub name: &'a [u8],
    /// `sh_type`.
    pub kind: u32,
    /// `sh_flags`.
    pub flags: u64,
    /// `sh_offset`: where `data` begins in the file.
    pub offset: u64,
    /// `sh_size`: bytes in memory; more than `data.len()` only for [`SHT_NOBITS`].
    pub size: u64,
    /// `sh_link`: for a symbol table, the index of its string table.
    pub link: u32,
    /// `sh_info`.
    pub info: u32,
    /// `sh_addralign`.
    pub align: u64,
    /// `sh_entsize`.
    pub entry_size: u64,
    /// The bytes in the file; none for [`SHT_NOBITS`].
    pub data: &'a [u8],
}

/// One entry of the symbol table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// Name, without the NUL.
    pub name: &'a [u8],
    /// `st_info`: binding in the upper four bits, type in the lower four.
    pub info: u8,
    /// `st_shndx`.
    pub section: u16,
    /// `st_value`.
    pub value: u64,
    /// `st_size`.
    pub size: u64,
}

impl Symbol<'_> {
    /// One of the `STB_` values.
    pub const fn binding(&self) -> u8 {
        self.info >> 4
    }

    /// One of the `STT_` values.
    pub const fn kind(&self) -> u8 {
        self.info & 0xf
    }
}

/// The symbol table with its names.
#[derive(Debug, Clone, Copy)]
pub struct Symbols<'a> {
    layout: Layout,
    table: Bytes<'a>,
    strings: Bytes<'a>,
}

impl<'a> Symbols<'a> {
    /// Where the table and its names lie in the file.
    pub const fn ranges(&self) -> [Range<u64>; 2] {
        [self.table.range(), self.strings.range()]
    }

    /// All entries but the null one. A damaged entry is an error of that item alone.
    pub fn iter(self) -> impl Iterator<Item = Result<Symbol<'a>, Error>> + use<'a> {
        let size = self.layout.symbol_size();
        let records = self.table.all().get(size..).unwrap_or_default().chunks_exact(size);
        records.enumerate().map(move |(index, record)| self.decode(index + 1, record))
    }

    /// The entry that a relocation names.
    ///
    /// # Errors
    /// There is none, or its name lies outside the string table.
    pub fn get(self, index: u32) -> Result<Symbol<'a>, Error> {
        let size = self.layout.symbol_size() as u64;
        let record = self.table.part(u64::from(index) * size, size, "no such symbol")?;
        self.decode(index as usize, record.all())
    }

    #[inline(always)]
    fn decode(&self, index: usize, record: &[u8]) -> Result<Symbol<'a>, Error> {
        let outside = "symbol's name lies outside the string table";
        let (name_at, symbol) = symbol(self.layout, record);
        let at = (index * self.layout.symbol_size()) as u64;
        let name = self.strings.text(name_at).ok_or_else(|| self.table.error(outside, at))?;
        Ok(Symbol { name, ..symbol })
    }
}

/// A place in a section that gets its value when the module is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relocation {
    /// Where in the section.
    pub offset: u64,
    /// Which symbol's value it gets.
    pub symbol: u32,
    /// How, by the machine's numbers.
    pub kind: u32,
    /// What is added to it; None where that lies in the place itself.
    pub addend: Option<u64>,
}

impl<'a> Elf<'a> {
    /// Reads the header and checks the section table and the section names' table.
    ///
    /// # Errors
    /// The bytes are no relocatable ELF object, or one of these three does not lie inside them.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let bytes = Bytes::new(bytes);
        let header = Header::parse(bytes)?;
        let table = header.table;
        let headers = bytes.part(table.start, table.end - table.start, "section table lies outside the file")?;
        let mut elf = Self { bytes, layout: header.layout, machine: header.machine, headers, names: bytes };
        let bad_names = bytes.error("no section holds the section names (e_shstrndx)", header.names_at);
        let record = elf.header(header.names).ok_or(bad_names)?;
        elf.names = elf.contents(record, header.names)?;
        Ok(elf)
    }

    /// Where the section headers lie in a file that begins with these bytes. With them in place [`Elf::parse`]
    /// succeeds, with [`Elf::names_range`] in addition sections can be found: not all of a file need be read.
    ///
    /// # Errors
    /// As [`Elf::parse`].
    pub fn table_range(start: &[u8]) -> Result<Range<u64>, Error> {
        Ok(Header::parse(Bytes::new(start))?.table)
    }

    /// Where the names of the sections lie in the file.
    pub const fn names_range(&self) -> Range<u64> {
        self.names.range()
    }

    /// Word size and byte order.
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// `e_machine`.
    pub const fn machine(&self) -> u16 {
        self.machine
    }

    /// All sections in table order, the null section first.
    pub fn sections(&self) -> impl ExactSizeIterator<Item = Result<Section<'a>, Error>> + use<'a> {
        let elf = *self;
        self.records().map(move |(index, record)| elf.decode(record, index))
    }

    /// The section at `index`.
    ///
    /// # Errors
    /// There is none, or its header is damaged.
    pub fn section_at(&self, index: u16) -> Result<Section<'a>, Error> {
        let record = self.header(index).ok_or(self.headers.error("no such section", 0))?;
        self.decode(record, index)
    }

    /// The first section of that name, if there is one.
    ///
    /// # Errors
    /// A header up to there is damaged.
    pub fn section(&self, name: impl AsRef<[u8]>) -> Result<Option<Section<'a>>, Error> {
        let name = name.as_ref();
        self.find(|index, record| Ok(self.name(record, index)? == name))
    }

    /// The first section of each of these names, in one pass over the table.
    ///
    /// # Errors
    /// A header is damaged.
    pub fn sections_named<const N: usize>(&self, names: [&str; N]) -> Result<[Option<Section<'a>>; N], Error> {
        let mut found = [None; N];
        for (index, record) in self.records() {
            let name = self.name(record, index)?;
            if let Some(at) = names.iter().position(|wanted| wanted.as_bytes() == name)
                && found[at].is_none()
            {
                found[at] = Some(self.decode(record, index)?);
            }
        }
        Ok(found)
    }

    /// All entries of the symbol table but the null one; none when there is no table.
    ///
    /// # Errors
    /// The symbol table or its string table is damaged. A damaged entry is an error of that item alone.
    pub fn symbols(&self) -> Result<impl Iterator<Item = Result<Symbol<'a>, Error>> + use<'a>, Error> {
        Ok(self.symbol_table()?.iter())
    }

    /// The symbol table; an empty one when there is none.
    ///
    /// # Errors
    /// The symbol table or its string table is damaged.
    pub fn symbol_table(&self) -> Result<Symbols<'a>, Error> {
        let empty = Bytes::new(&[]);
        let (table, strings) = match self.find(|_, record| Ok(self.layout.word(record, 4) == SHT_SYMTAB))? {
            Some(section) => (self.bytes_of(&section)?, self.strings_of(&section)?),
            None => (empty, empty),
        };
        if table.len() % self.layout.symbol_size() as u64 != 0 {
            return Err(table.error("symbol table is no whole number of entries", 0));
        }
        Ok(Symbols { layout: self.layout, table, strings })
    }

    /// The relocations of a section, from the first table of them that there is for it.
    ///
    /// # Errors
    /// The table is damaged.
    pub fn relocations(&self, of: u16) -> Result<impl Iterator<Item = Relocation> + use<'a>, Error> {
        let layout = self.layout;
        let info_at = 12 + 4 * layout.word_size();
        let table = self.find(|_, record| {
            let is_table = matches!(layout.word(record, 4), SHT_RELA | SHT_REL);
            Ok(is_table && layout.word(record, info_at) == of.into())
        })?;
        let has_addend = table.is_some_and(|table| table.kind == SHT_RELA);
        let (data, at) = table.map_or((&[][..], 0), |table| (table.data, table.offset));
        let size = layout.relocation_size(has_addend);
        if data.len() % size != 0 {
            return Err(Error::new("relocation table is no whole number of entries", at));
        }
        Ok(data.chunks_exact(size).map(move |record| relocation(layout, record, has_addend)))
    }

    /// Changes the `size` bytes, 4 or 8, at `at` of a section's header, in a copy of the file's bytes.
    pub(crate) fn write_header(&self, file: &mut [u8], index: u16, at: usize, size: usize, value: u64) {
        let start = self.headers.start() + u64::from(index) * self.layout.section_header_size() as u64;
        let field = usize::try_from(start).ok().and_then(|start| file.get_mut(start + at..start + at + size));
        let (big, little) = (value.to_be_bytes(), value.to_le_bytes());
        let bytes = if self.layout.is_big { big.get(8 - size..) } else { little.get(..size) };
        if let (Some(field), Some(bytes)) = (field, bytes) {
            field.copy_from_slice(bytes);
        }
    }

    /// The first section whose raw header is the wanted one.
    fn find(&self, wanted: impl Fn(u16, &[u8]) -> Result<bool, Error>) -> Result<Option<Section<'a>>, Error> {
        for (index, record) in self.records() {
            if wanted(index, record)? {
                return self.decode(record, index).map(Some);
            }
        }
        Ok(None)
    }

    /// The raw section headers.
    fn records(&self) -> impl ExactSizeIterator<Item = (u16, &'a [u8])> + use<'a> {
        let records = self.headers.all().chunks_exact(self.layout.section_header_size());
        records.enumerate().map(|(i, record)| (i as u16, record))
    }

    fn strings_of(&self, symbols: &Section<'a>) -> Result<Bytes<'a>, Error> {
        let missing = self.headers.error("symbol table names no string table (sh_link)", 0);
        let index = u16::try_from(symbols.link).map_err(|_| missing)?;
        let record = self.header(index).ok_or(missing)?;
        self.contents(record, index)
    }

    fn bytes_of(&self, section: &Section<'a>) -> Result<Bytes<'a>, Error> {
        let record = self.header(section.index).ok_or(self.headers.error("no such section", 0))?;
        self.contents(record, section.index)
    }

    /// The header of section `index`, raw.
    fn header(&self, index: u16) -> Option<&'a [u8]> {
        self.headers.all().chunks_exact(self.layout.section_header_size()).nth(usize::from(index))
    }

    /// The bytes in the file that belong to the section with this header.
    #[inline(always)]
    fn contents(&self, record: &[u8], index: u16) -> Result<Bytes<'a>, Error> {
        let (layout, word) = (self.layout, self.layout.word_size());
        let len = if layout.word(record, 4) == SHT_NOBITS { 0 } else { layout.long(record, 8 + 3 * word) };
        let offset = if len == 0 { 0 } else { layout.long(record, 8 + 2 * word) };
        let outside = "section lies outside the file";
        let at = usize::from(index) * layout.section_header_size();
        self.bytes.part(offset, len, outside).map_err(|_| self.headers.error(outside, at as u64))
    }

    #[inline(always)]
    fn name(&self, record: &[u8], index: u16) -> Result<&'a [u8], Error> {
        let outside = "section's name lies outside the table of names";
        let at = usize::from(index) * self.layout.section_header_size();
        let name = self.names.text(self.layout.word(record, 0).into());
        name.ok_or_else(|| self.headers.error(outside, at as u64))
    }

    #[inline(always)]
    fn decode(&self, record: &[u8], index: u16) -> Result<Section<'a>, Error> {
        let (layout, word) = (self.layout, self.layout.word_size());
        Ok(Section {
            index,
            name: self.name(record, index)?,
            kind: layout.word(record, 4),
            flags: layout.long(record, 8),
            offset: layout.long(record, 8 + 2 * word),
            size: layout.long(record, 8 + 3 * word),
            link: layout.word(record, 8 + 4 * word),
            info: layout.word(record, 12 + 4 * word),
            align: layout.long(record, 16 + 4 * word),
            entry_size: layout.long(record, 16 + 5 * word),
            data: self.contents(record, index)?.all(),
        })
    }
}

/// What the ELF header says that is of use here.
struct Header {
    layout: Layout,
    machine: u16,
    /// The section headers.
    table: Range<u64>,
    /// Index of the section with the names, and where that index is.
    names: u16,
    names_at: u64,
}

impl Header {
    fn parse(bytes: Bytes<'_>) -> Result<Self, Error> {
        let layout = layout(bytes)?;
        let header = bytes.part(0, layout.header_size() as u64, "file ends inside the ELF header")?.all();
        if layout.half(header, 16) != ET_REL {
            return Err(bytes.error("not a relocatable object (e_type)", 16));
        }
        let tail = layout.header_size() - 6;
        let (entry_size, count) = (layout.half(header, tail), layout.half(header, tail + 2));
        if usize::from(entry_size) != layout.section_header_size() {
            return Err(bytes.error("wrong size of a section header (e_shentsize)", tail as u64));
        }
        if count >= SHN_LORESERVE {
            return Err(bytes.error("too many sections (e_shnum)", tail as u64 + 2));
        }
        let table = layout.long(header, 24 + 2 * layout.word_size());
        let outside = bytes.error("section table lies outside the file", table);
        let end = table.checked_add(u64::from(entry_size) * u64::from(count)).ok_or(outside)?;
        let (names, machine) = (layout.half(header, tail + 4), layout.half(header, 18));
        Ok(Self { layout, machine, table: table..end, names, names_at: tail as u64 + 4 })
    }
}

fn layout(bytes: Bytes<'_>) -> Result<Layout, Error> {
    let ident = bytes.part(0, 16, "file is shorter than an ELF identification")?.all();
    if !ident.starts_with(&MAGIC) {
        return Err(bytes.error("not an ELF file (magic)", 0));
    }
    let is_64 = match ident[4] {
        1 => false,
        2 => true,
        _ => return Err(bytes.error("neither 32-bit nor 64-bit (EI_CLASS)", 4)),
    };
    let is_big = match ident[5] {
        1 => false,
        2 => true,
        _ => return Err(bytes.error("neither little nor big endian (EI_DATA)", 5)),
    };
    Ok(Layout { is_64, is_big })
}

/// Where the name lies in the string table, and the entry without it. The two classes order the fields differently.
#[inline(always)]
fn symbol(layout: Layout, record: &[u8]) -> (u64, Symbol<'static>) {
    let byte = |at: usize| record.get(at).copied().unwrap_or(0);
    let (info, section, value, size) = if layout.is_64 {
        (byte(4), layout.half(record, 6), layout.long(record, 8), layout.long(record, 16))
    } else {
        (byte(12), layout.half(record, 14), layout.long(record, 4), layout.long(record, 8))
    };
    (layout.word(record, 0).into(), Symbol { name: b"", info, section, value, size })
}

fn relocation(layout: Layout, record: &[u8], has_addend: bool) -> Relocation {
    let word = layout.word_size();
    let info = layout.long(record, word);
    let (symbol, kind) = if layout.is_64 { (info >> 32, info & 0xffff_ffff) } else { (info >> 8, info & 0xff) };
    Relocation {
        offset: layout.long(record, 0),
        symbol: symbol as u32,
        kind: kind as u32,
        addend: has_addend.then(|| layout.long(record, 2 * word)),
    }
}
