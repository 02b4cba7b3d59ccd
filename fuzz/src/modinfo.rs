//! Target `modinfo`: the bytes as a module's file, or where they do not begin like one as the contents of `.modinfo`.

use modfile::{
    Error,
    elf::Elf,
    modinfo::{Entry, Modinfo},
};

use crate::{
    Seed,
    promises::{borrows, check_refusal, cut, offset},
};

/// More strings than this say nothing new.
const STRINGS_MAX: usize = 2048;

/// Reads the bytes and checks what the readers promise.
pub fn check(data: &[u8]) {
    if !data.starts_with(b"\x7fELF") {
        check_strings(&data[..data.len().min(STRINGS_MAX)]);
    } else {
        check_refusal(check_module(data));
    }
}

/// Reads the whole table of sections and the strings.
fn check_module(data: &[u8]) -> Result<(), Error> {
    let elf = Elf::parse(data)?;
    let mut found = None;
    for section in elf.sections().flatten() {
        assert!(borrows(data, section.data) && borrows(data, section.name));
        if section.name == b".modinfo" {
            found.get_or_insert(section.data);
        }
    }
    let strings = found.unwrap_or_default();
    assert_eq!(Modinfo::of(&elf)?, Modinfo::new(strings));
    check_strings(strings);
    Ok(())
}

/// Entries are the section's strings, with zeros alone between them, each split at its first `=`.
fn check_strings(data: &[u8]) {
    let modinfo = Modinfo::new(data);
    // One question for each input: to answer all of them would take as many passes over the strings.
    let wanted = ["name", "vermagic", "alias", "depends"][cut(data) % 4];
    let (mut end, mut parameters, mut first) = (0, 0, None);
    for Entry { text, key, value } in modinfo.entries() {
        let start = offset(data, text);
        assert!(is_zeros(&data[end..start]) && !text.is_empty() && !text.contains(&0));
        end = start + text.len();
        assert!(data.get(end).is_none_or(|after| *after == 0));
        assert!(offset(text, key) == 0 && !key.contains(&b'='));
        match text.get(key.len()..) {
            Some([b'=', rest @ ..]) => assert!(offset(rest, value) == 0 && value.len() == rest.len()),
            rest => assert!(rest == Some(&[]) && value.is_empty()),
        }
        parameters += usize::from(key.starts_with(b"parm"));
        if key == wanted.as_bytes() {
            first.get_or_insert(value);
        }
    }
    // One byte after zeros is padding.
    assert!(is_zeros(&data[end..]) || end == 0 && is_zeros(&data[..data.len() - 1]));
    check_question(&modinfo, wanted, first);
    check_parameters(data, &modinfo, parameters);
}

fn is_zeros(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn check_question(modinfo: &Modinfo<'_>, wanted: &str, first: Option<&[u8]>) {
    match wanted {
        "name" => assert_eq!(modinfo.name(), first),
        "vermagic" => assert_eq!(modinfo.vermagic(), first),
        "alias" => assert_eq!(modinfo.aliases().next(), first),
        _ => {
            let list = first.unwrap_or_default();
            let mut rest = modinfo.depends().inspect(|name| assert!(borrows(list, name) && !name.is_empty()));
            assert!(rest.all(|name| !name.contains(&b',')));
        }
    }
}

/// Each has a name of its own, and there are not more than strings that tell of one.
fn check_parameters(data: &[u8], modinfo: &Modinfo<'_>, strings: usize) {
    let parameters = modinfo.parameters();
    assert!(parameters.len() <= strings);
    for parameter in parameters {
        assert!(borrows(data, parameter.name) && !parameter.name.contains(&b':'));
        assert!(parameter.description.is_some() || parameter.kind.is_some());
    }
}

/// Modules of every layout, and strings alone.
pub fn seeds() -> Vec<Seed> {
    let mut seeds = crate::plan::examples();
    seeds.extend(crate::texts([
        ("strings", "license=GPL\0parmtype=n:int\0parm=n:how many\0depends=a,b\0"),
        ("strings-stray", "\0\0alone\0\0=v\0a==b\0parm=none\0last"),
    ]));
    seeds
}
