//! Target `edit`: a byte that chooses the edit, then a module's file that is edited.

use modfile::{
    Error,
    edit::{self, Field},
    elf::Elf,
    modinfo::Modinfo,
    symbols,
};

use crate::{Seed, promises::check_error};

/// Edits the module in a way that its bytes choose, and checks what the edits promise: nothing moves.
pub fn check(data: &[u8]) {
    let Some((choice, file)) = data.split_first() else { return };
    match edited(*choice, file) {
        Ok(edited) => check_moved(*choice, file, &edited),
        Err(error) => check_error(error),
    }
}

/// Nothing moves, and no more changes than a field of a header, a word, or three bytes inside of a section.
fn check_moved(choice: u8, file: &[u8], edited: &[u8]) {
    assert_eq!(edited.len(), file.len());
    let changed = || (0..file.len()).filter(|at| file[*at] != edited[*at]);
    let most = match choice % 8 {
        2 | 5 => 1,
        6 => 3,
        4 | 7 => 8,
        _ => file.len(),
    };
    assert!(changed().take(most + 1).count() <= most);
    if let (6, Some(first), Ok(elf)) = (choice % 8, changed().next(), Elf::parse(file)) {
        let wanted = text(section_name(file, choice).ok().flatten());
        let range = elf.section(wanted).ok().flatten().map_or(0..0, |section| {
            section.offset as usize..section.offset as usize + section.data.len()
        });
        assert!(range.contains(&first) && changed().all(|at| range.contains(&at)));
    }
}

fn edited(choice: u8, file: &[u8]) -> Result<Vec<u8>, Error> {
    let modinfo = Modinfo::of(&Elf::parse(file)?)?;
    let name = text(modinfo.name());
    match choice % 8 {
        0 => check_same(file, edit::rename(file, name, name)?),
        1 => edit::rename(file, name, &"x".repeat(name.len())),
        2 => edit::hide_versions(file),
        3 => edit::hide_modinfo(file, text(modinfo.entries().nth(1).map(|entry| entry.key))),
        4 => edit::change_version(file, first_version(file)?),
        5 => edit::rename_version(file, first_version(file)?),
        6 => edit::set_bytes(file, text(section_name(file, choice)?), usize::from(choice >> 3), b"new"),
        _ => {
            let field = [Field::Name, Field::Type, Field::Offset, Field::Size][usize::from(choice >> 6)];
            edit::set_field(file, text(section_name(file, choice)?), field, 1 << (choice % 64))
        }
    }
}

/// Under the same name nothing changes.
fn check_same(file: &[u8], edited: Vec<u8>) -> Result<Vec<u8>, Error> {
    assert_eq!(edited, file);
    Ok(edited)
}

fn first_version(file: &[u8]) -> Result<&str, Error> {
    Ok(text(symbols::versions(&Elf::parse(file)?)?.find_map(|version| version.ok().map(|version| version.name))))
}

fn section_name(file: &[u8], choice: u8) -> Result<Option<&[u8]>, Error> {
    Ok(Elf::parse(file)?.sections().nth(usize::from(choice >> 3)).transpose()?.map(|section| section.name))
}

fn text(bytes: Option<&[u8]>) -> &str {
    bytes.and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default()
}

/// Each edit of the module in which there is most to edit.
pub fn seeds() -> Vec<Seed> {
    let full = crate::plan::examples().into_iter().filter(|(name, _)| name.starts_with("full"));
    let modules: Vec<_> = full.map(|(_, module)| module).collect();
    let choices = (0..8).chain([0x16, 0x47, 0x97, 0xcf]).enumerate();
    choices.map(|(at, choice)| (format!("{choice:02x}"), [&[choice], modules[at % 4].as_slice()].concat())).collect()
}
