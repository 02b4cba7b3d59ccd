//! Modules of our own writing, each with one thing wrong or just not wrong any more.
//!
//! Most tests are tables. A row says what is special about a file, and what kernels make of it: `accept`, or
//! `danger strtab-end, since 6.13 reject strtab-end`. Every series from 5.10 to the latest known one is asked.

mod contents;
mod header;
mod index;
mod layout;
mod parameters;
mod references;
mod relocations;
mod sections;
mod series;
mod symbols;
mod tables;

use alloc::{format, string::String, vec, vec::Vec};

use super::{series::THIS_MODULE, *};
use crate::{
    elf::{
        Layout as Format, Relocation, SHF_ALLOC, SHF_WRITE, SHN_ABS, SHT_NOBITS, SHT_PROGBITS, SHT_SYMTAB, STB_GLOBAL,
    },
    write::Writer,
};

const SHF_EXECINSTR: u64 = 4;
const SHN_UNDEF: u16 = 0;

const R_NONE: u32 = 0;
const R_64: u32 = 1;
const R_PC32: u32 = 2;
const R_PLT32: u32 = 4;
const R_32: u32 = 10;
const R_32S: u32 = 11;
const R_PC64: u32 = 24;

/// A number in a section header or a symbol: where in it, and of how many bytes.
type Field = (usize, usize);

const NAME: Field = (0, 4);
const TYPE: Field = (4, 4);
const FLAGS: Field = (8, 8);
const ADDR: Field = (16, 8);
const OFFSET: Field = (24, 8);
const SIZE: Field = (32, 8);
const LINK: Field = (40, 4);
const INFO: Field = (44, 4);
const ALIGN: Field = (48, 8);

const ST_NAME: Field = (0, 4);
const ST_INFO: Field = (4, 1);
const ST_SHNDX: Field = (6, 2);
const ST_SIZE: Field = (16, 8);

/// A module on its way into a file.
struct Draft {
    writer: Writer,
    /// What the writer has no words for: numbers of symbols, set once the file is there.
    symbols: Vec<(u32, Field, u64)>,
}

impl Draft {
    fn section(&mut self, name: &str, flags: u64, bytes: impl Into<Vec<u8>>) -> u16 {
        self.writer.section(name, SHT_PROGBITS, flags, bytes.into())
    }

    fn code(&mut self, name: &str, bytes: impl Into<Vec<u8>>) -> u16 {
        self.section(name, SHF_ALLOC | SHF_EXECINSTR, bytes)
    }

    fn data(&mut self, name: &str, bytes: impl Into<Vec<u8>>) -> u16 {
        self.section(name, SHF_ALLOC | SHF_WRITE, bytes)
    }

    fn constants(&mut self, name: &str, bytes: impl Into<Vec<u8>>) -> u16 {
        self.section(name, SHF_ALLOC, bytes)
    }

    /// A global symbol without type and size.
    fn symbol(&mut self, name: &str, section: u16, value: u64) -> u32 {
        self.writer.symbol(name, STB_GLOBAL, section, value)
    }

    fn set_symbol(&mut self, symbol: u32, field: Field, value: u64) {
        self.symbols.push((symbol, field, value));
    }

    /// Relocations of a section: offset, type, symbol, addend.
    fn relocate(&mut self, section: u16, entries: &[(u64, u32, u32, i64)]) {
        self.relocate_as(".rela", section, entries);
    }

    fn relocate_as(&mut self, name: &str, section: u16, entries: &[(u64, u32, u32, i64)]) {
        let entry = |&(offset, kind, symbol, addend): &(u64, u32, u32, i64)| Relocation {
            offset,
            symbol,
            kind,
            addend: Some(addend as u64),
        };
        let entries: Vec<_> = entries.iter().map(entry).collect();
        // The writer takes a table without entries for one without addends.
        if !entries.is_empty() {
            self.writer.relocations(name, section, &entries);
        }
    }
}

/// A file of these parts only.
fn object(parts: impl FnOnce(&mut Draft)) -> Vec<u8> {
    let mut draft = Draft { writer: Writer::new(Format::ELF64_LE), symbols: vec![] };
    parts(&mut draft);
    let file = draft.writer.finish();
    draft.symbols.into_iter().fold(file, |file, (symbol, field, value)| set_symbol(&file, symbol, field, value))
}

/// A `struct module` with a name and no functions.
fn struct_module(name: &str, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    bytes[24..24 + name.len()].copy_from_slice(name.as_bytes());
    bytes
}

/// A module with these parts behind what each one has: section 1 is `struct module`, section 2 `.modinfo`.
fn module(parts: impl FnOnce(&mut Draft)) -> Vec<u8> {
    object(|draft| {
        draft.data(THIS_MODULE, struct_module("test", 1024));
        draft.constants(".modinfo", b"name=test\0");
        parts(draft);
    })
}

/// A module with one more section, which is 3.
fn with_section(name: &str, flags: u64, bytes: impl Into<Vec<u8>>) -> Vec<u8> {
    module(|draft| {
        draft.section(name, flags, bytes);
    })
}

/// The bytes of `call called`, at 0 of a section whose function begins at 16.
const CALL: [u8; 32] = {
    let mut code = [0xcc; 32];
    [code[0], code[1], code[2], code[3], code[4]] = [0xe8, 0, 0, 0, 0];
    code
};

/// A module whose init function calls another one: `.text` is section 3, `.note` 4, which is empty; symbols are 1
/// `init_module` and 2 `called`.
fn sound() -> Vec<u8> {
    calling(&[(1, R_PLT32, 2, -4)], &[(128, R_64, 1, 0)])
}

/// The same with other relocations of its code and its `struct module`.
fn calling(code: &[(u64, u32, u32, i64)], functions: &[(u64, u32, u32, i64)]) -> Vec<u8> {
    module(|draft| {
        let text = draft.code(".text", CALL);
        draft.section(".note", 0, []);
        draft.symbol("init_module", text, 0);
        draft.symbol("called", text, 16);
        draft.relocate_as(".rela.text", text, code);
        draft.relocate_as(".rela.gnu.linkonce.this_module", 1, functions);
    })
}

/// The file with a number written at a place.
fn put(file: &[u8], at: usize, bytes: usize, value: u64) -> Vec<u8> {
    let mut file = file.to_vec();
    file[at..at + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
    file
}

/// The number at a place.
fn get(file: &[u8], at: usize, bytes: usize) -> u64 {
    let mut number = [0; 8];
    number[..bytes].copy_from_slice(&file[at..at + bytes]);
    u64::from_le_bytes(number)
}

/// Where the header of a section is, found by its name; that of none is the first.
#[track_caller]
fn header_of(file: &[u8], section: &str) -> usize {
    let image = super::header::read(&mut Run::new(Series::KNOWN[0]), file).expect("has section headers");
    let index = if section.is_empty() { 0 } else { image.named(section).next().expect("has such a section") };
    get(file, 40, 8) as usize + 64 * index
}

/// The file with another number in the header of a section.
#[track_caller]
fn set(file: &[u8], section: &str, field: Field, value: u64) -> Vec<u8> {
    put(file, header_of(file, section) + field.0, field.1, value)
}

/// What a section's header says.
#[track_caller]
fn field(file: &[u8], section: &str, field: Field) -> u64 {
    get(file, header_of(file, section) + field.0, field.1)
}

/// The file with another byte in a section.
#[track_caller]
fn set_byte(file: &[u8], section: &str, at: u64, value: u8) -> Vec<u8> {
    put(file, (field(file, section, OFFSET) + at) as usize, 1, value.into())
}

/// The file with another number in a symbol.
#[track_caller]
fn set_symbol(file: &[u8], symbol: u32, field: Field, value: u64) -> Vec<u8> {
    let table = self::field(file, ".symtab", OFFSET) as usize;
    put(file, table + 24 * symbol as usize + field.0, field.1, value)
}

/// All series from the first known one to the last.
fn all_series() -> impl Iterator<Item = Series> {
    let minors = [(5, 10..20), (6, 0..20), (7, 0..4)];
    minors.into_iter().flat_map(|(major, minors)| minors.map(move |minor| Series::new(major, minor)))
}

/// What kernels say, since when.
fn told_by(verdict: impl Fn(Series) -> Verdict) -> String {
    let mut told = String::new();
    let mut before = String::new();
    for series in all_series() {
        let now = match verdict(series) {
            Verdict::Accept => "accept".into(),
            Verdict::Reject(finding) => format!("reject {}", finding.rule.name),
            Verdict::Danger(finding) => format!("danger {}", finding.rule.name),
        };
        if before.is_empty() {
            told.push_str(&now);
        } else if now != before {
            told.push_str(&format!(", since {series} {now}"));
        }
        before = now;
    }
    told
}

/// What kernels make of a file, since when.
fn told(file: &[u8]) -> String {
    told_by(|series| check(file, series))
}

/// Checks the rows of a table: what is special about a file, the file, and the verdict.
#[track_caller]
fn expect<'a>(rows: impl IntoIterator<Item = (&'a str, Vec<u8>, &'a str)>) {
    let wrong = |(what, file, verdict): (&str, Vec<u8>, &str)| {
        let told = told(&file);
        (told != verdict).then(|| format!("{what}: {told}; expected: {verdict}"))
    };
    let wrong: Vec<_> = rows.into_iter().filter_map(wrong).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Everything that is wrong for the latest kernel and where, as it comes to it: `strtab-end: section 4 (.strtab)`.
fn found(file: &[u8]) -> Vec<String> {
    let places = Places::of(file);
    let findings = findings(file, Series::new(7, 3));
    findings.iter().map(|finding| format!("{}: {}", finding.rule.name, places.text(finding.place))).collect()
}

#[test]
fn what_tests_start_from_is_accepted() {
    expect([
        ("no code", module(|_| ()), "accept"),
        ("an init function", sound(), "accept"),
        // Word size and byte order are not looked at.
        ("said to be of 32 bits", put(&sound(), 4, 1, 1), "accept"),
    ]);
    let trailer = [&[0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 3][..], b"~Module signature appended~\n"].concat();
    expect([("signed", [&sound()[..], b"sig", &trailer].concat(), "accept")]);
}

/// So that a new rule comes with a test.
#[test]
fn every_rule_is_in_the_verdict_of_a_test() {
    let tests = [
        include_str!("contents.rs"),
        include_str!("header.rs"),
        include_str!("index.rs"),
        include_str!("layout.rs"),
        include_str!("parameters.rs"),
        include_str!("references.rs"),
        include_str!("relocations.rs"),
        include_str!("sections.rs"),
        include_str!("series.rs"),
        include_str!("symbols.rs"),
        include_str!("tables.rs"),
    ];
    let is_verdict = |rest: &str| rest.starts_with(['"', ',']);
    let says = |test: &str, verdict: &str| test.split(verdict).skip(1).any(is_verdict);
    let is_tested = |rule: &Rule| {
        let verdicts = ["danger", "reject"].map(|effect| format!("{effect} {}", rule.name));
        tests.iter().any(|test| verdicts.iter().any(|verdict| says(test, verdict)))
    };
    let untested: Vec<_> = RULES.iter().filter(|rule| !is_tested(rule)).map(|rule| rule.name).collect();
    assert!(untested.is_empty(), "rules without a test: {untested:?}");
}
