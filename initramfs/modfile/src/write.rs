//! Relocatable modules made from their parts, good enough for every reader here and for kmod.
//!
//! ```text
//! ELF header | contents of each section, aligned to 8 | section headers
//! sections:    null, those added, .symtab, .strtab, .shstrtab
//! ```
//! Such a module does not load: it has no code. It is for tests and for the seeds of the fuzz targets.

use alloc::{borrow::ToOwned, string::String, vec, vec::Vec};

use crate::{
    elf::{
        EM_X86_64, ET_REL, Layout, MAGIC, Relocation, SHF_ALLOC, SHF_WRITE, SHN_UNDEF, SHT_PROGBITS, SHT_REL, SHT_RELA,
        SHT_STRTAB, SHT_SYMTAB, STB_GLOBAL, STB_LOCAL, STB_WEAK, STT_OBJECT,
    },
    symbols::VERSION_SIZE,
};

/// Sections and symbols on their way into a file.
#[derive(Debug, Clone)]
pub struct Writer {
    layout: Layout,
    sections: Vec<Section>,
    names: Vec<u8>,
    symbols: Vec<u8>,
    strings: Vec<u8>,
}

#[derive(Debug, Clone)]
struct Section {
    name: u32,
    kind: u32,
    flags: u64,
    link: u32,
    info: u32,
    entry_size: u64,
    data: Vec<u8>,
}

impl Writer {
    /// An object without sections and symbols.
    pub fn new(layout: Layout) -> Self {
        let null = Section { name: 0, kind: 0, flags: 0, link: 0, info: 0, entry_size: 0, data: vec![] };
        let symbols = vec![0; layout.symbol_size()];
        Self { layout, sections: vec![null], names: vec![0], symbols, strings: vec![0] }
    }

    /// Adds a section and returns its index.
    pub fn section(&mut self, name: &str, kind: u32, flags: u64, data: Vec<u8>) -> u16 {
        let name = intern(&mut self.names, name);
        self.sections.push(Section { name, kind, flags, link: 0, info: 0, entry_size: 0, data });
        (self.sections.len() - 1) as u16
    }

    /// Adds a symbol without a type and returns its number: `binding` is one of the `STB_` values, `section` an index or
    /// `SHN_UNDEF`.
    pub fn symbol(&mut self, name: &str, binding: u8, section: u16, value: u64) -> u32 {
        self.push_symbol(name, binding << 4, section, value)
    }

    /// Adds a symbol for data that other objects do not see.
    pub fn local_data(&mut self, name: &str, section: u16, value: u64) -> u32 {
        self.push_symbol(name, STB_LOCAL << 4 | STT_OBJECT, section, value)
    }

    fn push_symbol(&mut self, name: &str, info: u8, section: u16, value: u64) -> u32 {
        let number = self.symbols.len() / self.layout.symbol_size();
        let name = intern(&mut self.strings, name);
        let mut out = Fields { layout: self.layout, bytes: core::mem::take(&mut self.symbols) };
        out.word(name);
        if self.layout.is_64 {
            out.bytes.extend([info, 0]);
            out.half(section);
            out.long(value);
            out.long(0);
        } else {
            out.long(value);
            out.long(0);
            out.bytes.extend([info, 0]);
            out.half(section);
        }
        self.symbols = out.bytes;
        number as u32
    }

    /// Adds relocations of section `of`. Their addends go into the table, or all of them have to be None and lie in
    /// the section.
    pub fn relocations(&mut self, name: &str, of: u16, relocations: &[Relocation]) {
        let mut out = Fields { layout: self.layout, bytes: vec![] };
        for relocation in relocations {
            let (symbol, kind) = (u64::from(relocation.symbol), u64::from(relocation.kind));
            out.long(relocation.offset);
            out.long(if self.layout.is_64 { symbol << 32 | kind } else { symbol << 8 | kind });
            relocation.addend.iter().for_each(|addend| out.long(*addend));
        }
        let has_addend = relocations.iter().any(|relocation| relocation.addend.is_some());
        let index = self.section(name, if has_addend { SHT_RELA } else { SHT_REL }, 0, out.bytes);
        let section = &mut self.sections[usize::from(index)];
        (section.info, section.entry_size) = (of.into(), self.layout.relocation_size(has_addend) as u64);
    }

    /// The finished file.
    pub fn finish(mut self) -> Vec<u8> {
        let symbols = core::mem::take(&mut self.symbols);
        let table = self.section(".symtab", SHT_SYMTAB, 0, symbols);
        for section in self.sections.iter_mut().filter(|section| matches!(section.kind, SHT_RELA | SHT_REL)) {
            section.link = table.into();
        }
        let strings = core::mem::take(&mut self.strings);
        let link = self.section(".strtab", SHT_STRTAB, 0, strings);
        let table = &mut self.sections[usize::from(table)];
        (table.link, table.entry_size) = (link.into(), self.layout.symbol_size() as u64);
        let names_at = intern(&mut self.names, ".shstrtab");
        let data = core::mem::take(&mut self.names);
        self.sections.push(Section {
            name: names_at,
            kind: SHT_STRTAB,
            flags: 0,
            link: 0,
            info: 0,
            entry_size: 0,
            data,
        });
        self.lay_out()
    }

    fn lay_out(&self) -> Vec<u8> {
        let mut out = Fields { layout: self.layout, bytes: vec![0; self.layout.header_size()] };
        let offsets: Vec<u64> = self.sections.iter().map(|section| out.append(&section.data)).collect();
        let table_at = out.append(&[]);
        for (section, offset) in self.sections.iter().zip(offsets) {
            out.section_header(section, offset);
        }
        let header = self.header(table_at);
        out.bytes[..header.len()].copy_from_slice(&header);
        out.bytes
    }

    fn header(&self, table_at: u64) -> Vec<u8> {
        let mut out = Fields { layout: self.layout, bytes: MAGIC.to_vec() };
        out.bytes.extend([if self.layout.is_64 { 2 } else { 1 }, if self.layout.is_big { 2 } else { 1 }, 1]);
        out.bytes.resize(16, 0);
        out.half(ET_REL);
        out.half(EM_X86_64);
        out.word(1);
        out.long(0);
        out.long(0);
        out.long(table_at);
        out.word(0);
        out.half(self.layout.header_size() as u16);
        out.half(0);
        out.half(0);
        out.half(self.layout.section_header_size() as u16);
        out.half(self.sections.len() as u16);
        out.half(self.sections.len() as u16 - 1);
        out.bytes
    }
}

/// Appends numbers of a layout's size and order.
struct Fields {
    layout: Layout,
    bytes: Vec<u8>,
}

impl Fields {
    fn half(&mut self, value: u16) {
        self.bytes.extend(if self.layout.is_big { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn word(&mut self, value: u32) {
        self.bytes.extend(if self.layout.is_big { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn long(&mut self, value: u64) {
        match (self.layout.is_64, self.layout.is_big) {
            (false, _) => self.word(value as u32),
            (true, true) => self.bytes.extend(value.to_be_bytes()),
            (true, false) => self.bytes.extend(value.to_le_bytes()),
        }
    }

    /// Appends at a multiple of 8 and returns where.
    fn append(&mut self, data: &[u8]) -> u64 {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let at = self.bytes.len() as u64;
        self.bytes.extend_from_slice(data);
        at
    }

    fn section_header(&mut self, section: &Section, offset: u64) {
        self.word(section.name);
        self.word(section.kind);
        self.long(section.flags);
        self.long(0);
        self.long(offset);
        self.long(section.data.len() as u64);
        self.word(section.link);
        self.word(section.info);
        self.long(8);
        self.long(section.entry_size);
    }
}

/// Data with pointers that are relocated.
struct Pointers {
    fields: Fields,
    relocations: Vec<Relocation>,
    in_place: bool,
}

impl Pointers {
    fn new(layout: Layout, in_place: bool) -> Self {
        Self { fields: Fields { layout, bytes: vec![] }, relocations: vec![], in_place }
    }

    fn pointer(&mut self, symbol: u32, beyond: u64) {
        let offset = self.fields.bytes.len() as u64;
        self.relocations.push(Relocation { offset, symbol, kind: 1, addend: (!self.in_place).then_some(beyond) });
        self.fields.long(if self.in_place { beyond } else { 0 });
    }
}

/// Strings one after the other, each with a NUL.
fn strings<'a>(texts: impl Iterator<Item = &'a String>) -> Vec<u8> {
    texts.flat_map(|text| [text.as_bytes(), b"\0"].concat()).collect()
}

/// Adds a string to a string table and returns its offset there.
fn intern(table: &mut Vec<u8>, text: &str) -> u32 {
    let at = table.len() as u32;
    table.extend_from_slice(text.as_bytes());
    table.push(0);
    at
}

/// A module described by what it exports, needs and says about itself.
#[derive(Debug, Clone)]
pub struct Module {
    name: String,
    layout: Layout,
    modinfo: Vec<u8>,
    exports: Vec<(String, Option<u32>)>,
    needs: Vec<(String, u8)>,
    versions: Vec<(String, u32)>,
    extended_versions: Vec<(String, u32)>,
    parameters: Vec<Parameter>,
    addends_in_place: Option<bool>,
    sections: Vec<(String, Vec<u8>)>,
}

#[derive(Debug, Clone)]
struct Parameter {
    name: String,
    permissions: u16,
    ops: String,
    is_own_type: bool,
}

impl Module {
    /// A module that says only its name.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            layout: Layout::ELF64_LE,
            modinfo: vec![],
            exports: vec![],
            needs: vec![],
            versions: vec![],
            extended_versions: vec![],
            parameters: vec![],
            addends_in_place: None,
            sections: vec![],
        }
        .modinfo("name", name)
    }

    /// Another word size or byte order than x86-64's.
    pub fn layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    /// Adds a `key=value` string to `.modinfo`.
    pub fn modinfo(mut self, key: &str, value: &str) -> Self {
        self.modinfo.extend([key.as_bytes(), b"=", value.as_bytes(), b"\0"].concat());
        self
    }

    /// Exports a symbol without a checksum.
    pub fn exports(mut self, symbol: &str) -> Self {
        self.exports.push((symbol.to_owned(), None));
        self
    }

    /// Exports a symbol with a checksum.
    pub fn exports_with_crc(mut self, symbol: &str, crc: u32) -> Self {
        self.exports.push((symbol.to_owned(), Some(crc)));
        self
    }

    /// Needs a symbol.
    pub fn needs(mut self, symbol: &str) -> Self {
        self.needs.push((symbol.to_owned(), STB_GLOBAL));
        self
    }

    /// Needs a symbol only if somebody has it.
    pub fn needs_weakly(mut self, symbol: &str) -> Self {
        self.needs.push((symbol.to_owned(), STB_WEAK));
        self
    }

    /// Adds an entry to `__versions`. Names longer than the format's room for them are cut.
    pub fn version(mut self, symbol: &str, crc: u32) -> Self {
        self.versions.push((symbol.to_owned(), crc));
        self
    }

    /// Adds a name to `__version_ext_names` and its checksum to `__version_ext_crcs`.
    pub fn extended_version(mut self, symbol: &str, crc: u32) -> Self {
        self.extended_versions.push((symbol.to_owned(), crc));
        self
    }

    /// Adds an entry to `__param`: a parameter of a type of the kernel's, such as `param_ops_int`.
    pub fn parameter(self, name: &str, permissions: u16, ops: &str) -> Self {
        self.push_parameter(name, permissions, ops, false)
    }

    /// Adds an entry to `__param`: a parameter of a type of the module's own.
    pub fn parameter_of_own_type(self, name: &str, permissions: u16, ops: &str) -> Self {
        self.push_parameter(name, permissions, ops, true)
    }

    fn push_parameter(mut self, name: &str, permissions: u16, ops: &str, is_own_type: bool) -> Self {
        self.parameters.push(Parameter { name: name.to_owned(), permissions, ops: ops.to_owned(), is_own_type });
        self
    }

    /// Relocations with their addends in the places to relocate, as 32-bit x86 and arm have them, or in their table,
    /// as all 64-bit machines do. That is also what the layout decides without this.
    pub fn addends_in_place(mut self, in_place: bool) -> Self {
        self.addends_in_place = Some(in_place);
        self
    }

    /// Adds a section, or replaces one that this builder would have made.
    pub fn section(mut self, name: &str, data: Vec<u8>) -> Self {
        self.sections.push((name.to_owned(), data));
        self
    }

    /// The file.
    pub fn build(self) -> Vec<u8> {
        let mut writer = Writer::new(self.layout);
        let own = [
            (".modinfo", SHF_ALLOC, self.modinfo.clone()),
            ("__versions", SHF_ALLOC, self.versions()),
            ("__version_ext_crcs", SHF_ALLOC, self.extended_crcs()),
            ("__version_ext_names", SHF_ALLOC, self.extended_names()),
            ("__ksymtab_strings", SHF_ALLOC, self.export_names()),
            (".gnu.linkonce.this_module", SHF_ALLOC | SHF_WRITE, self.this_module()),
        ];
        for (name, flags, data) in own {
            if !data.is_empty() && !self.sections.iter().any(|(other, _)| other == name) {
                writer.section(name, SHT_PROGBITS, flags, data);
            }
        }
        for (name, data) in &self.sections {
            writer.section(name, SHT_PROGBITS, SHF_ALLOC, data.clone());
        }
        self.add_symbols(&mut writer);
        if !self.parameters.is_empty() {
            self.add_parameters(&mut writer);
        }
        writer.finish()
    }

    fn add_symbols(&self, writer: &mut Writer) {
        let mut crcs = Fields { layout: self.layout, bytes: vec![] };
        let with_crc = || self.exports.iter().filter_map(|(name, crc)| Some((name, (*crc)?)));
        with_crc().for_each(|(_, crc)| crcs.word(crc));
        if !crcs.bytes.is_empty() {
            let section = writer.section("__kcrctab", SHT_PROGBITS, SHF_ALLOC, crcs.bytes);
            for (i, (name, _)) in with_crc().enumerate() {
                writer.symbol(&["__crc_", name].concat(), STB_GLOBAL, section, 4 * i as u64);
            }
        }
        for (name, binding) in &self.needs {
            writer.symbol(name, *binding, SHN_UNDEF, 0);
        }
    }

    /// Names and the module's own types lie in `.rodata` and are pointed to through the section's symbol.
    fn add_parameters(&self, writer: &mut Writer) {
        let mut data = strings(self.parameters.iter().map(|parameter| &parameter.name));
        let (mut name_at, types_at) = (0, data.len().next_multiple_of(16));
        data.resize(types_at + 16 * self.parameters.len(), 0);
        let rodata = writer.section(".rodata", SHT_PROGBITS, SHF_ALLOC, data);
        let rodata_symbol = writer.symbol("", STB_LOCAL, rodata, 0);
        let mut entries = Pointers::new(self.layout, self.addends_in_place.unwrap_or(!self.layout.is_64));
        for (i, parameter) in self.parameters.iter().enumerate() {
            let own_type_at = (types_at + 16 * i) as u64;
            let (ops, beyond) = if parameter.is_own_type {
                writer.local_data(&parameter.ops, rodata, own_type_at);
                (rodata_symbol, own_type_at)
            } else {
                (writer.symbol(&parameter.ops, STB_GLOBAL, SHN_UNDEF, 0), 0)
            };
            entries.pointer(rodata_symbol, name_at);
            entries.fields.long(0);
            entries.pointer(ops, beyond);
            entries.fields.half(parameter.permissions);
            entries.fields.bytes.extend([0xff, 0]);
            entries.fields.bytes.resize((i + 1) * 5 * self.layout.word_size(), 0);
            name_at += parameter.name.len() as u64 + 1;
        }
        let section = writer.section("__param", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, entries.fields.bytes);
        writer.relocations(".rel__param", section, &entries.relocations);
    }

    fn versions(&self) -> Vec<u8> {
        let mut out = Fields { layout: self.layout, bytes: vec![] };
        for (i, (name, crc)) in self.versions.iter().enumerate() {
            out.long((*crc).into());
            let room = VERSION_SIZE - self.layout.word_size() - 1;
            out.bytes.extend(name.bytes().take(room));
            out.bytes.resize((i + 1) * VERSION_SIZE, 0);
        }
        out.bytes
    }

    fn extended_crcs(&self) -> Vec<u8> {
        let mut out = Fields { layout: self.layout, bytes: vec![] };
        self.extended_versions.iter().for_each(|(_, crc)| out.word(*crc));
        out.bytes
    }

    /// As the compiler makes them of string literals that end in a NUL of their own: one more NUL comes last.
    fn extended_names(&self) -> Vec<u8> {
        let mut bytes = strings(self.extended_versions.iter().map(|(name, _)| name));
        if !bytes.is_empty() {
            bytes.push(0);
        }
        bytes
    }

    fn export_names(&self) -> Vec<u8> {
        strings(self.exports.iter().map(|(name, _)| name))
    }

    /// The beginning of `struct module`: state (padded to a long), list head (two pointers), name (64 bytes less a
    /// long).
    fn this_module(&self) -> Vec<u8> {
        let word = self.layout.word_size();
        let mut bytes = vec![0; 3 * word];
        bytes.extend(self.name.bytes().take(63 - word));
        bytes.resize(2 * word + 64, 0);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::Elf;

    fn full(layout: Layout) -> Vec<u8> {
        let module = Module::new("full").layout(layout).modinfo("license", "GPL").modinfo("alias", "x:*");
        module.exports_with_crc("given", 0xdead_beef).needs("taken").version("taken", 1).build()
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        for layout in Layout::ALL {
            let bytes = full(layout);
            let elf = Elf::parse(&bytes).unwrap();
            assert_eq!((elf.layout(), elf.machine()), (layout, EM_X86_64));
            let names: Vec<_> = elf.sections().map(|s| String::from_utf8(s.unwrap().name.to_vec()).unwrap()).collect();
            assert_eq!(
                names,
                [
                    "",
                    ".modinfo",
                    "__versions",
                    "__ksymtab_strings",
                    ".gnu.linkonce.this_module",
                    "__kcrctab",
                    ".symtab",
                    ".strtab",
                    ".shstrtab"
                ]
            );
            let modinfo = elf.section(".modinfo").unwrap().unwrap();
            assert_eq!((modinfo.kind, modinfo.flags, modinfo.align), (SHT_PROGBITS, SHF_ALLOC, 8));
            assert_eq!(modinfo.data, b"name=full\0license=GPL\0alias=x:*\0");
            let symbols: Vec<_> = elf.symbols().unwrap().map(Result::unwrap).collect();
            let names: Vec<_> = symbols.iter().map(|s| (s.name, s.binding(), s.section, s.value, s.size)).collect();
            assert_eq!(names, [(&b"__crc_given"[..], STB_GLOBAL, 5, 0, 0), (b"taken", STB_GLOBAL, SHN_UNDEF, 0, 0)]);
        }
    }
}
