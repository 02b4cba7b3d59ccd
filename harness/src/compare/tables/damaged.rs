//! Damaged files: one good module and one good set of indexes, with a few bytes changed.

use modfile::{elf::Elf, write::Module};

use super::{
    super::{
        case::{Case, Input, Put},
        made::Made,
    },
    RELEASE, case,
};
use crate::error::Result;

/// A change of a file.
#[derive(Debug, Clone, Copy)]
enum Edit {
    /// Only the first bytes stay.
    Cut(usize),
    /// The last bytes go.
    CutEnd(usize),
    /// Bytes in the place of those at an offset.
    At(usize, &'static [u8]),
    /// The same in the header of a section.
    Header(&'static str, usize, &'static [u8]),
    /// The same in the content of a section.
    Inside(&'static str, usize, &'static [u8]),
    /// The same at the very end of a section, where its last bytes are.
    End(&'static str, &'static [u8]),
    /// Bytes behind the end.
    Append(&'static [u8]),
    /// All in one block of a zstd frame that does not tell its size, as one that was packed from a pipe.
    Stream,
}

use Edit::{Append, At, Cut, CutEnd, End, Header, Inside, Stream};

/// Of an ELF header: type, machine, offset of the section table, size and number of its entries, names' section.
const TYPE: usize = 16;
const MACHINE: usize = 18;
const TABLE: usize = 40;
const ENTRY_SIZE: usize = 58;
const ENTRIES: usize = 60;
const NAMES: usize = 62;

/// Of a section header.
const NAME: usize = 0;
const KIND: usize = 4;
const FLAGS: usize = 8;
const OFFSET: usize = 24;
const SIZE: usize = 32;
const LINK: usize = 40;
const UNIT: usize = 56;

const HUGE: &[u8] = &[0xff; 8];
const HALF: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0x80];
const NONE: &[u8] = &[0; 8];

const MODULES: &[(&str, &[Edit])] = &[
    ("whole", &[]),
    ("empty", &[Cut(0)]),
    ("one byte", &[Cut(1)]),
    ("five bytes", &[Cut(5)]),
    ("six bytes", &[Cut(6)]),
    ("identification", &[Cut(16)]),
    ("half a header", &[Cut(40)]),
    ("only a header", &[Cut(64)]),
    ("without table", &[CutEnd(64 * 10)]),
    ("last section header cut", &[CutEnd(1)]),
    ("last byte of names", &[CutEnd(64)]),
    ("more behind", &[Append(b"something else")]),
    ("magic", &[At(0, b"\x7fELG")]),
    ("class zero", &[At(4, &[0])]),
    ("class 32", &[At(4, &[1])]),
    ("class nine", &[At(4, &[9])]),
    ("order zero", &[At(5, &[0])]),
    ("order big", &[At(5, &[2])]),
    ("version", &[At(6, &[9])]),
    ("executable", &[At(TYPE, &[2, 0])]),
    ("no type", &[At(TYPE, &[0, 0])]),
    ("another machine", &[At(MACHINE, &[0xb7, 0])]),
    ("table at zero", &[At(TABLE, NONE)]),
    ("table far away", &[At(TABLE, HALF)]),
    ("table at the end of numbers", &[At(TABLE, HUGE)]),
    ("table odd", &[At(TABLE, &[1])]),
    ("entries of no size", &[At(ENTRY_SIZE, &[0, 0])]),
    ("entries too small", &[At(ENTRY_SIZE, &[40, 0])]),
    ("entries too large", &[At(ENTRY_SIZE, &[0xff, 0xff])]),
    ("no entries", &[At(ENTRIES, &[0, 0])]),
    ("one entry", &[At(ENTRIES, &[1, 0])]),
    ("too many entries", &[At(ENTRIES, &[0xff, 0xff])]),
    ("no names", &[At(NAMES, &[0, 0])]),
    ("names in another section", &[At(NAMES, &[1, 0])]),
    ("names outside", &[At(NAMES, &[0xf0, 0xff])]),
    ("names of no size", &[Header(".shstrtab", SIZE, NONE)]),
    ("names not terminated", &[End(".shstrtab", b"x")]),
    ("names far away", &[Header(".shstrtab", OFFSET, HALF)]),
    ("a name outside", &[Header(".modinfo", NAME, &[0xff; 4])]),
    ("modinfo missing", &[Header(".modinfo", NAME, &[0; 4])]),
    ("modinfo without bytes", &[Header(".modinfo", KIND, &[8, 0, 0, 0])]),
    ("modinfo empty", &[Header(".modinfo", SIZE, NONE)]),
    ("modinfo too long", &[Header(".modinfo", SIZE, HALF)]),
    ("modinfo of all numbers", &[Header(".modinfo", SIZE, HUGE)]),
    ("modinfo far away", &[Header(".modinfo", OFFSET, HALF)]),
    ("modinfo around the end of numbers", &[Header(".modinfo", OFFSET, HUGE)]),
    ("modinfo not terminated", &[End(".modinfo", b"x")]),
    ("modinfo all nul", &[Inside(".modinfo", 0, &[0; 40])]),
    ("modinfo without equals", &[Inside(".modinfo", 4, b" ")]),
    ("modinfo begins with nul", &[Inside(".modinfo", 0, &[0, 0])]),
    ("modinfo not text", &[Inside(".modinfo", 5, &[0xff, 0xfe])]),
    ("versions missing", &[Header("__versions", NAME, &[0; 4])]),
    ("versions cut", &[Header("__versions", SIZE, &[63, 0])]),
    ("versions longer", &[Header("__versions", SIZE, &[65, 0])]),
    ("versions empty", &[Header("__versions", SIZE, NONE)]),
    ("version not terminated", &[Inside("__versions", 8, &[b'x'; 56])]),
    ("version without name", &[Inside("__versions", 8, &[0])]),
    ("version like a symbol with a dot", &[Inside("__versions", 8, b".taken")]),
    ("symbols missing", &[Header(".symtab", NAME, &[0; 4])]),
    ("symbols of another kind", &[Header(".symtab", KIND, &[1, 0, 0, 0])]),
    ("symbols empty", &[Header(".symtab", SIZE, NONE)]),
    ("symbols not whole", &[Header(".symtab", SIZE, &[25, 0])]),
    ("symbols too long", &[Header(".symtab", SIZE, HALF)]),
    ("symbols far away", &[Header(".symtab", OFFSET, HALF)]),
    ("symbols of another size", &[Header(".symtab", UNIT, &[16])]),
    ("symbols of no size", &[Header(".symtab", UNIT, NONE)]),
    ("symbols linked elsewhere", &[Header(".symtab", LINK, &[1])]),
    ("symbols linked outside", &[Header(".symtab", LINK, &[0xff; 4])]),
    ("strings missing", &[Header(".strtab", NAME, &[0; 4])]),
    ("strings empty", &[Header(".strtab", SIZE, NONE)]),
    ("strings not terminated", &[End(".strtab", b"x")]),
    ("strings far away", &[Header(".strtab", OFFSET, HALF)]),
    ("symbol name outside", &[Inside(".symtab", 24, &[0xff; 4])]),
    ("symbol name empty", &[Inside(".symtab", 24, &[0; 4])]),
    ("symbol section outside", &[Inside(".symtab", 24 + 6, &[0x77, 0x77])]),
    ("symbol section absolute", &[Inside(".symtab", 24 + 6, &[0xf1, 0xff])]),
    ("symbol value outside", &[Inside(".symtab", 24 + 8, HALF)]),
    ("symbol value at the edge", &[Inside(".symtab", 24 + 8, &[2])]),
    ("checksums of no bytes", &[Header("__kcrctab", SIZE, NONE)]),
    ("checksums far away", &[Header("__kcrctab", OFFSET, HALF)]),
    ("exports not terminated", &[End("__ksymtab_strings", b"x")]),
    ("exports empty", &[Header("__ksymtab_strings", SIZE, NONE), Header(".symtab", SIZE, NONE)]),
    ("exports alone", &[Header(".symtab", SIZE, &[24])]),
    ("flags", &[Header(".modinfo", FLAGS, HUGE)]),
    ("marker without signature", &[Append(b"~Module signature appended~\n")]),
    ("signature too long", &[Append(b"\0\x04\x02\0\0\0\0\0\xff\xff\xff\xff~Module signature appended~\n")]),
    ("signature of no length", &[Append(b"\0\x04\x02\0\0\0\0\0\0\0\0\0~Module signature appended~\n")]),
    ("signature of unknown hash", &[Append(b"abc\0\x63\x01\x01\x01\0\0\0\0\0\0\x01~Module signature appended~\n")]),
    (
        "signature of short DER",
        &[Append(b"\x30\x82\x01\x00\0\x04\x02\0\0\0\0\0\0\0\0\x04~Module signature appended~\n")],
    ),
    ("packed xz cut", &[Cut(0), Append(b"\xfd7zXZ\0\0\x04")]),
    ("packed zstd cut", &[Cut(0), Append(b"\x28\xb5\x2f\xfd\x04\x00")]),
    ("packed gzip cut", &[Cut(0), Append(b"\x1f\x8b\x08\0\0\0\0\0\0\x03")]),
    ("packed zstd without a size", &[Stream]),
    ("packed xz of nothing", &[Cut(0), Append(b"\xfd7zXZ\0not really xz at all, but long enough to be read")]),
];

/// What is asked about a damaged module, alone and in a tree.
const ABOUT_MODULES: &[(&str, &str)] = &[
    ("modinfo", "modinfo damaged.ko ; modinfo -0 damaged.ko ; modinfo -F vermagic damaged.ko ; modinfo -p damaged.ko"),
    ("versions", "modprobe --show-modversions damaged.ko"),
    ("exports", "modprobe --show-exports damaged.ko"),
    ("depmod", "depmod -b root R ; depmod -n -w -b root R"),
    ("insmod", "insmod damaged.ko ; insmod -f damaged.ko"),
];

/// Index files: which, and how they are changed. Header: magic, version, reference to the root.
const INDEXES: &[(&str, &str, &[Edit])] = &[
    ("aliases whole", "modules.alias.bin", &[]),
    ("aliases empty", "modules.alias.bin", &[Cut(0)]),
    ("aliases header only", "modules.alias.bin", &[Cut(8)]),
    ("aliases without root", "modules.alias.bin", &[Cut(12)]),
    ("aliases half", "modules.alias.bin", &[Cut(300)]),
    ("aliases cut", "modules.alias.bin", &[CutEnd(10)]),
    ("aliases of another magic", "modules.alias.bin", &[At(0, &[0; 4])]),
    ("aliases of another version", "modules.alias.bin", &[At(4, &[0, 9, 0, 1])]),
    ("aliases of a later minor version", "modules.alias.bin", &[At(6, &[0, 9])]),
    ("aliases with root nowhere", "modules.alias.bin", &[At(8, &[0x2f, 0xff, 0xff, 0xff])]),
    ("aliases with root at zero", "modules.alias.bin", &[At(8, &[0x20, 0, 0, 0])]),
    ("aliases with root of no kind", "modules.alias.bin", &[At(8, &[0, 0, 0, 12])]),
    ("aliases with root of all kinds", "modules.alias.bin", &[At(8, &[0xe0])]),
    ("aliases with the root's first above its last", "modules.alias.bin", &[At(12, &[0x7f, 0x20])]),
    ("aliases with the root's last too high", "modules.alias.bin", &[At(13, &[0xff])]),
    ("aliases with a child at its parent", "modules.alias.bin", &[At(14, &[0x20, 0, 0, 12])]),
    ("aliases with a child nowhere", "modules.alias.bin", &[At(14, &[0x2f, 0xff, 0xff, 0xf0])]),
    ("dependencies empty", "modules.dep.bin", &[Cut(0)]),
    ("dependencies cut", "modules.dep.bin", &[CutEnd(10)]),
    ("dependencies half", "modules.dep.bin", &[Cut(200)]),
    ("dependencies of another magic", "modules.dep.bin", &[At(0, &[0; 4])]),
    ("dependencies with root nowhere", "modules.dep.bin", &[At(8, &[0x2f, 0xff, 0xff, 0xff])]),
    ("dependencies with a child at its parent", "modules.dep.bin", &[At(14, &[0x20, 0, 0, 12])]),
    ("symbols empty", "modules.symbols.bin", &[Cut(0)]),
    ("symbols half", "modules.symbols.bin", &[Cut(100)]),
    ("builtin empty", "modules.builtin.bin", &[Cut(0)]),
    ("builtin half", "modules.builtin.bin", &[Cut(20)]),
    ("builtin aliases empty", "modules.builtin.alias.bin", &[Cut(0)]),
    ("builtin aliases half", "modules.builtin.alias.bin", &[Cut(30)]),
    ("soft dependencies empty", "modules.softdep", &[Cut(0)]),
    ("soft dependencies odd", "modules.softdep", &[At(2, b"\nsoftdep\nsoftdep x")]),
    ("builtin information empty", "modules.builtin.modinfo", &[Cut(0)]),
    ("builtin information cut", "modules.builtin.modinfo", &[CutEnd(3)]),
    ("builtin information without dots", "modules.builtin.modinfo", &[At(5, b"_")]),
];

/// What is asked with a damaged index.
const ABOUT_INDEXES: &[(&str, &str)] = &[
    (
        "plans",
        "modprobe -d root -S R -C none -D base ; modprobe -d root -S R -C none -D top ; modprobe -d root -S R -C none -D soft ; modprobe -d root -S R -C none -D inner",
    ),
    (
        "lookups",
        "modprobe -d root -S R -C none -R shared:12 ; modprobe -d root -S R -C none -R usb:v5p-b ; modprobe -d root -S R -C none -R fs-inner ; modprobe -d root -S R -C none -D nothing ; modprobe -d root -S R -C none -D symbol:left_one",
    ),
    ("configuration", "modprobe -d root -S R -C none -c"),
    ("modinfo", "modinfo -b root -k R base inner nothing"),
];

pub(super) fn cases(made: &Made) -> Result<Vec<Case>> {
    let good = good();
    let modules = MODULES.iter().map(|(name, edits)| (*name, module_input(edited(&good, edits))));
    let mut cases = crossed("damaged", ABOUT_MODULES, &modules.collect::<Vec<_>>());
    let mut indexes = Vec::new();
    for (name, file, edits) in INDEXES {
        let mut input = made.indexed_copy();
        let bytes = edited(&made.index_file(file)?, edits);
        input.push((format!("root/lib/modules/{RELEASE}/{file}").into(), Put::File(bytes.into())));
        indexes.push((*name, input));
    }
    cases.extend(crossed("index", ABOUT_INDEXES, &indexes));
    Ok(cases)
}

/// Every question about every input.
fn crossed(tool: &str, questions: &[(&str, &str)], inputs: &[(&str, Input)]) -> Vec<Case> {
    let of = |(question, line): &(&str, &str)| {
        let case = |(name, input): &(&str, Input)| case(format!("{tool}/{question}/{name}"), RELEASE, line, input, &[]);
        inputs.iter().map(case).collect::<Vec<_>>()
    };
    questions.iter().flat_map(of).collect()
}

/// The damaged module alone, and in a tree with one that needs it.
fn module_input(damaged: Vec<u8>) -> Input {
    let damaged: std::sync::Arc<[u8]> = damaged.into();
    let in_tree = |name: &str| format!("root/lib/modules/{RELEASE}/kernel/{name}.ko").into();
    let needy = Module::new("needy").needs("given").build();
    vec![
        ("damaged.ko".into(), Put::File(damaged.clone())),
        (in_tree("damaged"), Put::File(damaged)),
        (in_tree("needy"), Put::File(needy.into())),
    ]
}

/// What is damaged: a module with some of everything.
fn good() -> Vec<u8> {
    Module::new("damaged")
        .modinfo("license", "GPL")
        .modinfo("parm", "x:A number")
        .modinfo("parmtype", "x:int")
        .modinfo("alias", "damaged:*")
        .modinfo("vermagic", "6.99.1-made SMP")
        .exports_with_crc("given", 0xdead_beef)
        .needs("taken")
        .version("taken", 0x0bad_cafe)
        .build()
}

fn edited(good: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for edit in edits {
        match *edit {
            Cut(length) => bytes.truncate(length),
            CutEnd(count) => bytes.truncate(bytes.len().saturating_sub(count)),
            At(at, new) => put(&mut bytes, at, new),
            Header(section, at, new) => put(&mut bytes, header_of(good, section) + at, new),
            Inside(section, at, new) => put(&mut bytes, place_of(good, section).0 + at, new),
            End(section, new) => {
                let (offset, size) = place_of(good, section);
                put(&mut bytes, offset + size - new.len(), new);
            }
            Append(new) => bytes.extend_from_slice(new),
            Stream => bytes = streamed(&bytes),
        }
    }
    bytes
}

/// Frame header without a size, window of 8 MB, then one last block that is not compressed.
fn streamed(bytes: &[u8]) -> Vec<u8> {
    let block = ((bytes.len() as u32) << 3 | 1).to_le_bytes();
    [&b"\x28\xb5\x2f\xfd\x00\x68"[..], &block[..3], bytes].concat()
}

fn put(bytes: &mut [u8], at: usize, new: &[u8]) {
    bytes[at..at + new.len()].copy_from_slice(new);
}

/// Offset and size of a section of the good module.
fn place_of(good: &[u8], name: &str) -> (usize, usize) {
    let header = header_of(good, name);
    let number = |at: usize| u64::from_le_bytes(good[at..at + 8].try_into().expect("eight bytes")) as usize;
    (number(header + OFFSET), number(header + SIZE))
}

/// Where the header of a section of the good module stands.
fn header_of(good: &[u8], name: &str) -> usize {
    let elf = Elf::parse(good).expect("the good module is good");
    let number = elf.sections().position(|section| section.is_ok_and(|section| section.name == name.as_bytes()));
    let table = u64::from_le_bytes(good[TABLE..TABLE + 8].try_into().expect("eight bytes")) as usize;
    table + 64 * number.expect("the good module has the section")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_damage_changes_the_module() {
        let good = good();
        for (name, edits) in MODULES.iter().filter(|(_, edits)| !edits.is_empty()) {
            assert_ne!(edited(&good, edits), good, "{name}");
        }
    }
}
