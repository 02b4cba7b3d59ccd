//! What can be wrong with a file, and since which release kernels do what about it.

use super::Series;

/// Something that a file must not do.
#[derive(Debug)]
pub struct Rule {
    /// A short name, for programs.
    pub name: &'static str,
    /// What is wrong, for people: goes on after the place.
    pub what: &'static str,
    /// What kernels do about it, by the series since which they do so; oldest first.
    changes: &'static [(Series, Stage, Effect)],
}

/// What a kernel does about a broken rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It does not notice, and no harm comes of it.
    Passes,
    /// It refuses the file.
    Rejects {
        /// What the system call fails with, as a positive number.
        errno: i32,
        /// A part of the line in the kernel's log that tells it from other causes; empty where nothing is logged.
        log: &'static str,
    },
    /// It goes on, and this may happen.
    Endangers(&'static str),
}

impl Effect {
    /// Whether the kernel refuses the file.
    pub const fn is_rejection(&self) -> bool {
        matches!(self, Self::Rejects { .. })
    }
}

/// When the loader comes to something, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// The system call, and `elf_validity_ehdr()`.
    Header,
    /// The section names' table where that comes first: up to 6.11.
    NamesFirst,
    SectionZero,
    /// The loop over the sections: contents, and up to 6.11 also names.
    Sections,
    NameTable,
    Names,
    Modinfo,
    /// The symbol table where it comes before `struct module`: up to 6.3.
    SymtabFirst,
    ThisModule,
    Symtab,
    Strtab,
    Versions,
    /// `elf_validity_cache_strtab()`: the table itself, then what is in it.
    StringTable,
    SymbolNames,
    /// `module_enforce_rwx_sections()`.
    Flags,
    /// `layout_sections()`, `layout_symtab()`, `move_module()`.
    Layout,
    /// `check_export_symbol_sections()`.
    Exports,
    /// `simplify_symbols()`.
    Symbols,
    /// `apply_relocations()`.
    Relocations,
    /// `post_relocation()`: what the architecture does with the module's tables.
    Finalize,
    /// Functions that are called for the module once it is complete: tracing, jump labels, parameters, sysfs.
    Coming,
    /// The module's own functions.
    Init,
}

impl Rule {
    /// What kernels of a series do about it, and when; None where it makes no difference to them.
    pub(super) fn in_series(&self, series: Series) -> Option<(Stage, Effect)> {
        let (_, stage, effect) = self.changes.iter().rev().find(|(since, ..)| *since <= series)?;
        let effect = match *effect {
            Passes => return None,
            // One line stands for all that is wrong with the headers.
            Effect::Rejects { errno, log } if series < V5_17 && *stage <= Stage::Names && !log.is_empty() => {
                Effect::Rejects { errno, log: "Module has invalid ELF structures" }
            }
            effect => effect,
        };
        Some((*stage, effect))
    }

    /// What kernels of a series do about it.
    pub fn effect(&self, series: Series) -> Effect {
        self.in_series(series).map_or(Passes, |(_, effect)| effect)
    }

    /// The first series of those that do the same about it as this one.
    pub fn since(&self, series: Series) -> Option<Series> {
        self.changes
            .iter()
            .rev()
            .find(|(since, ..)| *since <= series)
            .map(|(since, ..)| *since)
            .filter(|it| *it > ALWAYS)
    }
}

// Of a series that is maintained for long its latest release counts: checks that came upstream in 6.13 were taken into 6.12,
// and the one of symbols' sections into 6.1.
const ALWAYS: Series = Series::new(0, 0);
/// 7fd982f394c4, "module: change to print useful messages from elf_validity_check()".
const V5_17: Series = Series::new(5, 17);
/// As 6.1.192 is; 5.10.262 has no such check.
const V6_1: Series = Series::new(6, 1);
/// 46752820f9ab, "module: add sanity check for ELF module section".
const V6_4: Series = Series::new(6, 4);
/// As 6.12.118 is, whose checks are functions of their own; 6.1.192 has them in one.
const V6_12: Series = Series::new(6, 12);
/// d979e3dffa93, "module: Additional validation in elf_validity_cache_strtab".
const V6_13: Series = Series::new(6, 13);
/// As 7.1.13 is; 6.18.15 has no `__kflagstab`.
const V7_1: Series = Series::new(7, 1);

const ENOENT: i32 = 2;
const ENOEXEC: i32 = 8;
const ENOMEM: i32 = 12;
const EEXIST: i32 = 17;
const EINVAL: i32 = 22;

/// The name of an error number that loaders fail with for a file's structure.
pub const fn errno_name(errno: i32) -> &'static str {
    match errno {
        ENOENT => "ENOENT",
        ENOEXEC => "ENOEXEC",
        ENOMEM => "ENOMEM",
        EINVAL => "EINVAL",
        EEXIST => "EEXIST",
        _ => "an error",
    }
}

const fn enoexec(log: &'static str) -> Effect {
    Effect::Rejects { errno: ENOEXEC, log }
}

/// Declares the rules, and a list of all of them.
macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident $name:literal $what:literal $changes:expr;)*) => {
        $($(#[$doc])* pub(super) static $rule: Rule = Rule { name: $name, what: $what, changes: &$changes };)*
        /// All of them, in the order of a loader of today.
        pub static ALL: &[&Rule] = &[$(&$rule),*];
    };
}

use Effect::{Endangers, Passes};

rules! {
    /// `copy_module_from_user()`, before anything is logged.
    FILE_SHORT "file-short" "is shorter than an ELF header"
        [(ALWAYS, Stage::Header, enoexec(""))];
    MAGIC "magic" "does not begin with the ELF magic"
        [(ALWAYS, Stage::Header, enoexec("Invalid ELF header magic"))];
    TYPE "type" "is no relocatable object (e_type)"
        [(ALWAYS, Stage::Header, enoexec("Invalid ELF header type"))];
    MACHINE "machine" "is not for x86-64 (e_machine)"
        [(ALWAYS, Stage::Header, enoexec("Invalid architecture in ELF header"))];
    HEADER_SIZE "header-size" "has section headers of another size (e_shentsize)"
        [(ALWAYS, Stage::Header, enoexec("Invalid ELF section header size"))];
    HEADERS_OUTSIDE "headers-outside" "has section headers beyond its end (e_shoff, e_shnum)"
        [(ALWAYS, Stage::Header, enoexec("Invalid ELF section header overflow"))];

    SECTION_0 "section-0" "has a type, size or address, and the first must be none"
        [(ALWAYS, Stage::SectionZero, enoexec("ELF Spec violation: section 0"))];
    SECTION_0_OUTSIDE "section-0-outside" "is read though it lies beyond the end of the file"
        [(V6_12, Stage::SectionZero, Endangers("reads beyond the file"))];

    SYMTAB_LINK "symtab-link" "is a symbol table that names no section for its strings (sh_link)"
        [(ALWAYS, Stage::Sections, enoexec("Invalid ELF sh_link!=SHN_UNDEF")), (V6_12, Stage::Strtab, Passes)];
    CONTENTS_OUTSIDE "contents-outside" "lies beyond the end of the file (sh_offset, sh_size)"
        [(ALWAYS, Stage::Sections, enoexec("Invalid ELF section in module"))];
    NULL_OUTSIDE "null-outside" "has no type, and is copied from beyond the end of the file"
        [(ALWAYS, Stage::Layout, Endangers("copies what lies behind the file"))];

    NAMES_INDEX "names-index" "does not say which section holds the names (e_shstrndx)"
        [(ALWAYS, Stage::NamesFirst, enoexec("Invalid ELF section name index")),
         (V6_12, Stage::NameTable, enoexec("Invalid ELF section name index"))];
    NAMES_TYPE "names-type" "holds the section names, and is no table of strings (sh_type)"
        [(V6_12, Stage::NameTable, enoexec("Invalid ELF section name table type"))];
    NAMES_OUTSIDE "names-outside" "holds the section names, and lies beyond the end of the file"
        [(ALWAYS, Stage::NamesFirst, enoexec("Invalid ELF section hdr")), (V6_12, Stage::NameTable, Passes)];
    /// In 5.10 the byte before the table is taken for its last.
    NAMES_EMPTY "names-empty" "holds the section names, and is empty"
        [(ALWAYS, Stage::NamesFirst, Endangers("reads the byte before the names")),
         (V5_17, Stage::NamesFirst, enoexec("empty section name table")),
         (V6_12, Stage::NameTable, enoexec("empty section name table"))];
    NAMES_END "names-end" "holds the section names, and does not end with NUL"
        [(ALWAYS, Stage::NamesFirst, enoexec("section name table isn't null terminated")),
         (V6_12, Stage::NameTable, enoexec("section name table isn't null terminated"))];
    NAME_OUTSIDE "name-outside" "has its name beyond the section names"
        [(ALWAYS, Stage::Sections, enoexec("Invalid ELF section name in module")),
         (V6_12, Stage::Names, enoexec("Invalid ELF section name in module"))];
    NAME_OUTSIDE_NOT_LOADED "name-outside" "has its name beyond the section names"
        [(ALWAYS, Stage::Modinfo, Endangers("reads a name beyond the names")),
         (V6_12, Stage::Names, enoexec("Invalid ELF section name in module"))];
    NAME_OUTSIDE_NULL "name-outside" "has its name beyond the section names"
        [(ALWAYS, Stage::Modinfo, Endangers("reads a name beyond the names"))];

    NAME_ODD "name-odd" "is loaded, and has a name of other than printable characters"
        [(ALWAYS, Stage::Init, Endangers("the kernel does not know it for what it is"))];

    TWO_MODINFO "two-modinfo" "is a second .modinfo"
        [(V6_4, Stage::Modinfo, enoexec("Only one .modinfo section must exist"))];
    MODINFO_OUTSIDE "modinfo-outside" "is .modinfo without contents in the file"
        [(ALWAYS, Stage::Modinfo, Endangers("reads strings beyond the file"))];
    MODINFO_END "modinfo-end" "does not end with NUL"
        [(ALWAYS, Stage::Modinfo, Endangers("reads a string beyond the section"))];

    NO_THIS_MODULE "no-this-module" "has no section .gnu.linkonce.this_module that is loaded"
        [(ALWAYS, Stage::ThisModule, enoexec("No module found in object")),
         (V6_4, Stage::ThisModule, enoexec("Exactly one .gnu.linkonce.this_module section must exist"))];
    TWO_THIS_MODULE "two-this-module" "is a second .gnu.linkonce.this_module"
        [(V6_4, Stage::ThisModule, enoexec("Exactly one .gnu.linkonce.this_module section must exist"))];
    THIS_MODULE_BYTES "this-module-bytes" "is struct module, and has no bytes in the file"
        [(ALWAYS, Stage::ThisModule, Endangers("takes other bytes for struct module")),
         (V6_4, Stage::ThisModule, enoexec(".gnu.linkonce.this_module section must have a size set"))];
    THIS_MODULE_ALLOC "this-module-alloc" "is struct module, and is not loaded (SHF_ALLOC)"
        [(V6_4, Stage::ThisModule, enoexec(".gnu.linkonce.this_module must occupy memory during process execution"))];
    THIS_MODULE_SMALL "this-module-small" "is too small for a struct module"
        [(ALWAYS, Stage::Layout, Endangers("writes beyond struct module")),
         (V6_4, Stage::ThisModule, enoexec("section size must match the kernel's built struct module size"))];
    THIS_MODULE_LARGE "this-module-large" "is too large for a struct module"
        [(V6_4, Stage::ThisModule, enoexec("section size must match the kernel's built struct module size"))];
    THIS_MODULE_NAME_END "this-module-name-end" "holds a module's name that does not end within its 56 bytes"
        [(ALWAYS, Stage::Layout, Endangers("reads the name beyond its field, which a fortified kernel answers with BUG"))];
    THIS_MODULE_NAME_EMPTY "this-module-name-empty" "holds an empty module name"
        [(ALWAYS, Stage::Coming, Effect::Rejects { errno: EINVAL, log: "attempted to be registered with empty name" })];

    VERSIONS_PAIR "versions-pair" "has checksums of symbols without names, or names without checksums"
        [(V6_13, Stage::Versions, enoexec("extended version crc+name presence does not match"))];
    VERSIONS_NAMES "versions-names" "has fewer names than there are checksums of symbols"
        [(V6_13, Stage::Versions, enoexec("more extended version crcs than names"))];

    NO_SYMTAB "no-symtab" "has no symbol table"
        [(ALWAYS, Stage::SymtabFirst, enoexec("module has no symbols (stripped?)")),
         (V6_4, Stage::Symtab, enoexec("module has no symbols (stripped?)"))];
    TWO_SYMTABS "two-symtabs" "is a second symbol table"
        [(V6_4, Stage::Symtab, enoexec("module has no symbols (stripped?)"))];
    STRTAB_INDEX "strtab-index" "is the symbol table, and names no section for its strings (sh_link)"
        [(V6_12, Stage::Strtab, enoexec("Invalid ELF sh_link!=SHN_UNDEF"))];
    STRTAB_TYPE "strtab-type" "holds the symbols' names, and is no table of strings (sh_type)"
        [(V6_12, Stage::Strtab, enoexec("Invalid ELF symbol string table type"))];
    STRTAB_BYTES "strtab-bytes" "holds the symbols' names, and has no bytes in the file"
        [(ALWAYS, Stage::Layout, Endangers("takes other bytes for names"))];
    STRTAB_EMPTY "strtab-empty" "holds the symbols' names, and is empty"
        [(ALWAYS, Stage::Layout, Endangers("reads names beyond the table")),
         (V6_13, Stage::StringTable, enoexec("empty symbol string table"))];
    STRTAB_BEGIN "strtab-begin" "holds the symbols' names, and does not begin with NUL"
        [(V6_13, Stage::StringTable, enoexec("symbol string table missing leading NUL"))];
    STRTAB_END "strtab-end" "holds the symbols' names, and does not end with NUL"
        [(ALWAYS, Stage::Layout, Endangers("reads a name beyond the table")),
         (V6_13, Stage::StringTable, enoexec("symbol string table isn't NUL terminated"))];
    SYMBOL_NAME_OUTSIDE "symbol-name-outside" "has its name beyond the string table"
        [(ALWAYS, Stage::Layout, Endangers("reads a name beyond the table")),
         (V6_13, Stage::SymbolNames, enoexec("symbol name out of bounds in string table"))];

    WRITABLE_CODE "writable-code" "is both writable and executable"
        [(ALWAYS, Stage::Flags, enoexec("has invalid WRITE|EXEC flags"))];
    MEMORY "memory" "does not fit in the memory for modules"
        [(ALWAYS, Stage::Layout, Effect::Rejects { errno: ENOMEM, log: "" })];
    MUCH_MEMORY "much-memory" "asks for more than 64 MiB of memory at once"
        [(ALWAYS, Stage::Layout, Endangers("may use up the memory, or fail with ENOMEM"))];
    PERCPU "percpu" "does not fit in the memory for each processor's data (sh_size, sh_addralign)"
        [(ALWAYS, Stage::Layout, Effect::Rejects { errno: ENOMEM, log: "Could not allocate" })];
    OVERLAP "overlap" "comes to lie outside its memory, or over another section"
        [(ALWAYS, Stage::Layout, Endangers("writes where other things lie"))];

    COMMON "common" "is a common symbol"
        [(ALWAYS, Stage::Symbols, enoexec("please compile with -fno-common"))];
    SYMBOL_SECTION "symbol-section" "is in a section that does not exist (st_shndx)"
        [(ALWAYS, Stage::Symbols, Endangers("reads beyond the section headers")),
         (V6_1, Stage::Symbols, enoexec("has an invalid section index"))];
    NULL_SYMBOL_SECTION "null-symbol-section" "is in a section that does not exist (st_shndx)"
        [(ALWAYS, Stage::Finalize, Endangers("reads beyond the section headers"))];
    SYMBOL_NAMELESS "symbol-nameless" "is undefined and has no name"
        [(ALWAYS, Stage::Symbols, Effect::Rejects { errno: ENOENT, log: "Unknown symbol " })];

    RELOCATION_REL "relocation-rel" "has relocations without addends, which x86-64 has no code for"
        [(ALWAYS, Stage::Relocations, enoexec("REL relocation unsupported"))];
    RELOCATION_LIVEPATCH "relocation-livepatch" "is marked as relocations of a live patch, and is not named so"
        [(ALWAYS, Stage::Relocations, Effect::Rejects { errno: EINVAL, log: "has an incorrectly formatted name" })];
    RELOCATION_TYPE "relocation-type" "is a relocation of a type that the kernel does not know"
        [(ALWAYS, Stage::Relocations, enoexec("Unknown rela relocation"))];
    RELOCATION_OUTSIDE "relocation-outside" "is a relocation beyond the section that it is for (r_offset)"
        [(ALWAYS, Stage::Relocations, Endangers("writes beyond the section"))];
    RELOCATION_SYMBOL "relocation-symbol" "is a relocation for a symbol beyond the symbol table (r_info)"
        [(ALWAYS, Stage::Relocations, Endangers("takes other bytes for a symbol"))];
    RELOCATION_NONZERO "relocation-nonzero" "is a relocation of bytes that are not zero"
        [(ALWAYS, Stage::Relocations, enoexec("nvalid relocation target, existing value is nonzero"))];
    RELOCATION_TWICE "relocation-twice" "is a relocation of bytes that another one has written"
        [(ALWAYS, Stage::Relocations, Endangers("may write over what another relocation wrote"))];
    RELOCATION_OVERFLOW "relocation-overflow" "is a relocation whose value does not fit in 32 bits"
        [(ALWAYS, Stage::Relocations, enoexec("overflow in relocation type"))];
    RELOCATIONS_LOST "relocations-lost" "has relocations by its name, and not for the section of that name (sh_type, sh_info)"
        [(ALWAYS, Stage::Init, Endangers("leaves pointers unset, or sets others"))];
    SECTION_CUT "section-cut" "ends before the next section begins, or within an entry (sh_size)"
        [(ALWAYS, Stage::Init, Endangers("may leave out what belongs to it"))];
    SECTION_SYMBOL "section-symbol" "stands for a section, and is not at its beginning (st_value)"
        [(ALWAYS, Stage::Init, Endangers("moves everything that is reached through it"))];
    REFERENCE_NONE "reference-none" "is a relocation for no symbol (r_info)"
        [(ALWAYS, Stage::Init, Endangers("the module follows a pointer to nowhere"))];
    REFERENCE_OUTSIDE "reference-outside" "points beyond the section of its symbol (st_value, r_addend)"
        [(ALWAYS, Stage::Init, Endangers("the module reads, writes or jumps beyond the section"))];
    REFERENCE_NOT_LOADED "reference-not-loaded" "points into a section that is not loaded"
        [(ALWAYS, Stage::Init, Endangers("the module follows a pointer to memory that was freed"))];
    REFERENCE_INIT "reference-init" "points from code that stays to what is freed after init"
        [(ALWAYS, Stage::Init, Endangers("the module runs its init again, or memory that was freed"))];
    CALL_TARGET "call-target" "is a call to something else than the start of a function"
        [(ALWAYS, Stage::Init, Endangers("the module jumps into the middle of something"))];
    CODE_POINTER "code-pointer" "is a pointer to code that is not the start of a function"
        [(ALWAYS, Stage::Init, Endangers("the module jumps into the middle of a function"))];
    POINTER_ALIGNMENT "pointer-alignment" "is a pointer at an address that is no multiple of eight"
        [(ALWAYS, Stage::Init, Endangers("the module takes other bytes for the pointer"))];
    INSTRUCTION "instruction" "is a relocation that does not fit the instruction it is in"
        [(ALWAYS, Stage::Init, Endangers("the module runs damaged code"))];
    SYMBOLS_OVERLAP "symbols-overlap" "lies over the one before it, or beyond its section (st_value, st_size)"
        [(ALWAYS, Stage::Init, Endangers("who uses it gets something else"))];

    THIS_MODULE_CONTENTS "this-module-contents" "is struct module, and holds more than a name and two functions"
        [(ALWAYS, Stage::Layout, Endangers("the kernel takes it for what it keeps there itself"))];
    THIS_MODULE_FUNCTION "this-module-function" "is struct module, and has something else where a function is to be"
        [(ALWAYS, Stage::Init, Endangers("calls what is no function, or never calls init or exit"))];

    SHARED_BYTES "shared-bytes" "shares bytes of the file with another section or the headers"
        [(ALWAYS, Stage::Layout, Endangers("takes something else for the contents"))];
    NO_BYTES "no-bytes" "has no bytes in the file, though its name says it has (sh_type)"
        [(ALWAYS, Stage::Init, Endangers("takes zeros for the contents"))];
    NOT_EXECUTABLE "not-executable" "is code by its name, and neither executable nor loaded (sh_flags)"
        [(ALWAYS, Stage::Init, Endangers("faults where it is run"))];
    NOT_WRITABLE "not-writable" "is data by its name, and not writable (sh_flags)"
        [(ALWAYS, Stage::Init, Endangers("faults where it is written"))];

    TABLE_NOT_LOADED "table-not-loaded" "is a table that the kernel takes, and is not loaded (SHF_ALLOC)"
        [(ALWAYS, Stage::Finalize, Endangers("takes offsets that were never relocated"))];
    TABLE_SIZE "table-size" "is a table, and ends within an entry"
        [(ALWAYS, Stage::Finalize, Endangers("reads beyond the table"))];
    TABLE_POINTER "table-pointer" "is an entry of a table that lacks a pointer, or has one of another kind"
        [(ALWAYS, Stage::Finalize, Endangers("follows a pointer to nowhere"))];
    TABLE_TARGET "table-target" "is an entry of a table that points to code instead of data, or the other way round"
        [(ALWAYS, Stage::Finalize, Endangers("takes one for the other"))];
    TABLE_LENGTHS "table-lengths" "is a table with another number of entries than its sister"
        [(ALWAYS, Stage::Finalize, Endangers("reads beyond the shorter one, or warns"))];
    DUPLICATE_NAME "duplicate-name" "has the name of another section that is loaded"
        [(V6_12, Stage::Coming, Effect::Rejects { errno: EEXIST, log: "cannot create duplicate filename" })];
    JUMP_LABEL "jump-label" "is of a static branch, and its place holds neither a jump nor a NOP"
        [(ALWAYS, Stage::Finalize, Endangers("stops at a BUG when the branch is switched"))];
    EXPORT_FLAGS "export-flags" "exports symbols, and has no __kflagstab"
        [(V7_1, Stage::Exports, enoexec("no flags for exported symbols"))];
    ALTERNATIVE "alternative" "is an alternative that reaches beyond its code, or is longer than what it replaces"
        [(ALWAYS, Stage::Finalize, Endangers("writes over other code, or stops at a BUG"))];
}
