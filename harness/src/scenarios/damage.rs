//! Damaged module files: what the loader checks, what it passes over, and since when.

use modfile::{Error, edit, edit::Field};

use super::faults::has_kasan;
use crate::{
    behaviour::{STRING_TABLE_WITHOUT_END_IS, STRUCT_MODULE_SIZE_IS_CHECKED, SYMBOL_NAMES_ARE_CHECKED},
    check::Check,
    errno::Errno,
    guest::{Guest, Returned},
    scenario,
    scenario::{
        Literature::{Framework, Kernel},
        Scenario,
    },
};

pub(super) const ALL: &[Scenario] = &[
    scenario!(header_fields_are_checked)
        .modules(&["hello"])
        .claim(Framework, "the loader checks magic, type, machine and the section table's place in the ELF header"),
    scenario!(class_and_byte_order_are_not_checked)
        .modules(&["hello"])
        .claim(Framework, "of the ELF identification only the magic is looked at, not word size and byte order"),
    scenario!(a_file_cut_short_is_enoexec)
        .modules(&["hello"])
        .claim(Framework, "a file that ends early is refused, wherever it ends"),
    scenario!(bytes_behind_the_end_do_not_matter)
        .modules(&["hello"])
        .claim(Framework, "what follows the section table is not looked at"),
    scenario!(sections_must_lie_in_the_file)
        .modules(&["hello"])
        .claim(Framework, "every section, and its name, must lie inside the file"),
    scenario!(a_symbol_table_is_needed)
        .modules(&["hello"])
        .claim(Framework, "a module whose symbols were stripped cannot be loaded"),
    scenario!(string_tables_need_an_end)
        .modules(&["hello"])
        .claim(Framework, "the symbols' string table is taken as it is: a last name without NUL is read on beyond it")
        .until_fact(STRING_TABLE_WITHOUT_END_IS.turn(), "a table that does not end with NUL is refused"),
    scenario!(struct_module_must_fit)
        .modules(&["hello"])
        .claim(Framework, "nobody compares the size of a module's struct module with the kernel's")
        .until_fact(STRUCT_MODULE_SIZE_IS_CHECKED.turn(), "a module whose struct module has another size is refused"),
    scenario!(struct_module_must_be_there)
        .modules(&["hello"])
        .claim(Framework, "a file without .gnu.linkonce.this_module is no module"),
    scenario!(unknown_relocations_are_enoexec)
        .modules(&["hello"])
        .claim(Framework, "a relocation of an unknown type is refused"),
    scenario!(relocations_need_zeros)
        .modules(&["hello"])
        .claim(Framework, "on x86-64 a place that is relocated must hold zero before"),
    scenario!(a_mark_without_a_signature_is_no_signature)
        .modules(&["hello"])
        .claim(Kernel, "a file that ends with the mark of a signature and has none counts as unsigned"),
    scenario!(a_signature_that_is_none_is_ebadmsg)
        .modules(&["hello"])
        .claim(Kernel, "a signature that cannot be read is refused, also where signatures are not required"),
    scenario!(names_are_not_checked)
        .modules(&["hello"])
        .claim(Framework, "a module is called what its struct module says, whatever that is"),
    scenario!(module_that_says_nothing_loads)
        .modules(&["hello"])
        .claim(Kernel, "a module without .modinfo loads, as proprietary, forced, out of tree and unsigned"),
    scenario!(common_symbols_are_enoexec)
        .modules(&["hello"])
        .claim(Framework, "a module with a common symbol, which was given no place, is refused"),
    scenario!(symbol_names_must_lie_in_the_table)
        .modules(&["hello"])
        .claim(Kernel, "a symbol whose name lies outside the string table is an oops of the loader")
        .until_fact(SYMBOL_NAMES_ARE_CHECKED.turn(), "it is refused"),
    scenario!(string_table_begins_with_nul)
        .modules(&["hello"])
        .claim(Kernel, "the first byte of the string table may be anything")
        .until_fact(SYMBOL_NAMES_ARE_CHECKED.turn(), "it must be NUL"),
    scenario!(struct_module_must_have_bytes)
        .modules(&["hello"])
        .claim(Kernel, "a struct module without bytes in the file is an oops of the loader")
        .until_fact(STRUCT_MODULE_SIZE_IS_CHECKED.turn(), "it is refused"),
    scenario!(module_without_a_name_is_einval).modules(&["hello"]).claim(
        Kernel,
        "a module whose struct module has no name is refused when sysfs wants to name a directory after it",
    ),
];

/// Loads a changed hello.
fn load(guest: &mut Guest, edit: impl FnOnce(&[u8]) -> Result<Vec<u8>, Error>) -> Check<Returned> {
    let file = guest.edited("hello", edit)?;
    guest.load_file(&file, "", 0)
}

/// Loads hello with other bytes at a place of the file.
fn load_patched(guest: &mut Guest, at: usize, new: &[u8]) -> Check<Returned> {
    load(guest, |bytes| {
        let mut changed = bytes.to_vec();
        changed[at..at + new.len()].copy_from_slice(new);
        Ok(changed)
    })
}

/// Offsets are those of a 64-bit ELF header (elf.h, `Elf64_Ehdr`).
fn header_fields_are_checked(guest: &mut Guest) -> Check {
    let fields: [(usize, &[u8]); 8] = [
        (0, b"\x7fELG"),
        (0x10, &2_u16.to_le_bytes()),
        (0x12, &3_u16.to_le_bytes()),
        (0x28, &u64::MAX.to_le_bytes()),
        (0x3a, &63_u16.to_le_bytes()),
        (0x3c, &0_u16.to_le_bytes()),
        (0x3e, &0_u16.to_le_bytes()),
        (0x3e, &0xff00_u16.to_le_bytes()),
    ];
    for (at, new) in fields {
        load_patched(guest, at, new)?.fails_with(Errno::ENOEXEC)?;
    }
    guest.is_absent("hello")
}

fn class_and_byte_order_are_not_checked(guest: &mut Guest) -> Check {
    for (at, new) in [(4, [1]), (5, [2])] {
        load_patched(guest, at, &new)?.succeeds()?;
        guest.module_taint_is("hello", "OE")?;
        guest.unload("hello")?.succeeds()?;
    }
    Ok(())
}

fn a_file_cut_short_is_enoexec(guest: &mut Guest) -> Check {
    let whole = guest.module_file("hello")?;
    for len in [1, 10, 63, 64, 1000, whole.len() / 2, whole.len() - 64, whole.len() - 1] {
        guest.load_bytes(&format!("the first {len} bytes of hello"), &whole[..len])?.fails_with(Errno::ENOEXEC)?;
    }
    Ok(())
}

fn bytes_behind_the_end_do_not_matter(guest: &mut Guest) -> Check {
    load(guest, |bytes| Ok([bytes, b"what is this doing here"].concat()))?.succeeds()?;
    guest.module_taint_is("hello", "OE")
}

fn sections_must_lie_in_the_file(guest: &mut Guest) -> Check {
    for field in [Field::Offset, Field::Size, Field::Name] {
        load(guest, |bytes| edit::set_field(bytes, ".init.text", field, 0x7fff_ffff))?.fails_with(Errno::ENOEXEC)?;
    }
    guest.logged("Invalid ELF section in module (section ")?;
    guest.logged("Invalid ELF section name in module (section ")
}

fn a_symbol_table_is_needed(guest: &mut Guest) -> Check {
    const SHT_PROGBITS: u64 = 1;
    load(guest, |bytes| edit::set_field(bytes, ".symtab", Field::Type, SHT_PROGBITS))?.fails_with(Errno::ENOEXEC)?;
    guest.logged("hello: module has no symbols (stripped?)")
}

fn string_tables_need_an_end(guest: &mut Guest) -> Check {
    let returned = load(guest, |bytes| {
        let elf = modfile::elf::Elf::parse(bytes)?;
        let last = elf.section(".strtab")?.map_or(0, |section| section.data.len().saturating_sub(1));
        edit::set_bytes(bytes, ".strtab", last, b"A")
    })?;
    returned.returns(STRING_TABLE_WITHOUT_END_IS.on(guest.version()))?;
    guest.is_absent("hello")
}

const THIS_MODULE: &str = ".gnu.linkonce.this_module";

fn struct_module_must_fit(guest: &mut Guest) -> Check {
    let returned = load(guest, |bytes| {
        let elf = modfile::elf::Elf::parse(bytes)?;
        let size = elf.section(THIS_MODULE)?.map_or(0, |section| section.size);
        edit::set_field(bytes, THIS_MODULE, Field::Size, size.saturating_sub(64))
    })?;
    if !STRUCT_MODULE_SIZE_IS_CHECKED.on(guest.version()) {
        return returned.succeeds();
    }
    returned.fails_with(Errno::ENOEXEC)?;
    guest.logged("section size must match the kernel's built struct module size")
}

fn struct_module_must_be_there(guest: &mut Guest) -> Check {
    load(guest, |bytes| edit::set_field(bytes, THIS_MODULE, Field::Name, 0))?.fails_with(Errno::ENOEXEC)?;
    guest.is_absent("hello")
}

/// In an `Elf64_Rela` the type is the lower half of the second word.
fn unknown_relocations_are_enoexec(guest: &mut Guest) -> Check {
    load(guest, |bytes| edit::set_bytes(bytes, ".rela.init.text", 8, &99_u32.to_le_bytes()))?
        .fails_with(Errno::ENOEXEC)?;
    guest.logged("hello: Unknown rela relocation: 99")
}

/// The pointer to init in `struct module` is filled by a relocation.
fn relocations_need_zeros(guest: &mut Guest) -> Check {
    let returned = load(guest, |bytes| {
        let elf = modfile::elf::Elf::parse(bytes)?;
        let relocations = elf.section(".rela.gnu.linkonce.this_module")?.map_or(&[][..], |section| section.data);
        let target = relocations.first_chunk::<8>().map_or(0, |offset| u64::from_le_bytes(*offset) as usize);
        edit::set_bytes(bytes, THIS_MODULE, target, &[1])
    })?;
    returned.fails_with(Errno::ENOEXEC)?;
    guest.logged("nvalid relocation target, existing value is nonzero")
}

const MARK: &[u8] = b"~Module signature appended~\n";

/// The end of a signed file: PKCS#7, and how long the message is.
fn trailer(id_type: u8, message_len: u32) -> Vec<u8> {
    [&[0, 0, id_type, 0, 0, 0, 0, 0][..], &message_len.to_be_bytes(), MARK].concat()
}

fn a_mark_without_a_signature_is_no_signature(guest: &mut Guest) -> Check {
    const X509: u8 = 1;
    // Of the mark alone, the last bytes of the section table are the trailer: no length, and not PKCS#7.
    for end in [MARK.to_vec(), [b"sig", &trailer(X509, 3)[..]].concat()] {
        load(guest, |bytes| Ok([bytes, &end[..]].concat()))?.succeeds()?;
        guest.module_taint_is("hello", "OE")?;
        guest.unload("hello")?.succeeds()?;
    }
    guest.logged("module: not signed with expected PKCS#7 message")
}

fn a_signature_that_is_none_is_ebadmsg(guest: &mut Guest) -> Check {
    const PKCS7: u8 = 2;
    for len in [16, u32::MAX] {
        load(guest, |bytes| Ok([bytes, &[0x5a; 16], &trailer(PKCS7, len)].concat()))?.fails_with(Errno::EBADMSG)?;
    }
    guest.is_absent("hello")
}

fn names_are_not_checked(guest: &mut Guest) -> Check {
    load(guest, |bytes| edit::rename(bytes, "hello", "he/lo"))?.succeeds()?;
    guest.is_live("he/lo")?;
    load(guest, |bytes| edit::rename(bytes, "hello", "other"))?.succeeds()?;
    guest.is_live("other")
}

fn module_that_says_nothing_loads(guest: &mut Guest) -> Check {
    load(guest, |bytes| edit::set_field(bytes, ".modinfo", Field::Name, 0))?.succeeds()?;
    guest.module_taint_is("hello", "PFOE")?;
    guest.logged("hello: module license 'unspecified' taints kernel.")
}

/// Loads hello with other bytes at a place of its first undefined symbol. An `Elf64_Sym` has 24 bytes: the name first,
/// the section's number at 6.
fn load_with_symbol(guest: &mut Guest, at: usize, new: &[u8]) -> Check<Returned> {
    const SYMBOL: usize = 24;
    load(guest, |bytes| {
        let elf = modfile::elf::Elf::parse(bytes)?;
        let symbols = elf.section(".symtab")?.map_or(&[][..], |section| section.data);
        let undefined = symbols.chunks_exact(SYMBOL).skip(1).position(|symbol| symbol[6..8] == [0, 0]);
        edit::set_bytes(bytes, ".symtab", undefined.map_or(0, |index| (index + 1) * SYMBOL) + at, new)
    })
}

fn common_symbols_are_enoexec(guest: &mut Guest) -> Check {
    const SHN_COMMON: u16 = 0xfff2;
    load_with_symbol(guest, 6, &SHN_COMMON.to_le_bytes())?.fails_with(Errno::ENOEXEC)?;
    guest.is_absent("hello")
}

/// The kernel follows what it has not checked, and the loader dies.
fn refused_or_oopses(guest: &mut Guest, checked: bool, returned: &Returned) -> Check {
    if checked {
        return returned.fails_with(Errno::ENOEXEC);
    }
    returned.was_killed()?;
    guest.logged("BUG: unable to handle page fault")
}

fn symbol_names_must_lie_in_the_table(guest: &mut Guest) -> Check {
    let checked = SYMBOL_NAMES_ARE_CHECKED.on(guest.version());
    if !checked {
        guest.expect_splat("*");
    }
    let returned = load_with_symbol(guest, 0, &0x7fff_0000_u32.to_le_bytes())?;
    refused_or_oopses(guest, checked, &returned)
}

fn string_table_begins_with_nul(guest: &mut Guest) -> Check {
    let returned = load(guest, |bytes| edit::set_bytes(bytes, ".strtab", 0, b"A"))?;
    match SYMBOL_NAMES_ARE_CHECKED.on(guest.version()) {
        true => returned.fails_with(Errno::ENOEXEC),
        false => returned.succeeds(),
    }
}

fn struct_module_must_have_bytes(guest: &mut Guest) -> Check {
    const SHT_NOBITS: u64 = 8;
    let checked = STRUCT_MODULE_SIZE_IS_CHECKED.on(guest.version());
    if !checked {
        guest.expect_splat("*");
    }
    let returned = load(guest, |bytes| edit::set_field(bytes, THIS_MODULE, Field::Type, SHT_NOBITS))?;
    // The pointer that is followed is null, with an offset.
    if !checked && has_kasan(guest)? {
        returned.died_of(libc::SIGSEGV)?;
        return guest.logged("general protection fault");
    }
    refused_or_oopses(guest, checked, &returned)
}

/// In `struct module` the name follows the state and a list, 24 bytes.
fn module_without_a_name_is_einval(guest: &mut Guest) -> Check {
    const NAME: usize = 24;
    guest.expect_splat("WARNING in kobject_add_internal");
    load(guest, |bytes| edit::set_bytes(bytes, THIS_MODULE, NAME, &[0]))?.fails_with(Errno::EINVAL)?;
    guest.not_logged("hello: init")
}
