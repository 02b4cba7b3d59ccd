//! Target `proc_modules`: the bytes as `/proc/modules`.

use std::fmt::{self, Write as _};

use modfile::proc_modules::{ProcModule, State, parse, parse_line};

use crate::{
    Seed,
    promises::{as_text, check_cut_text, gather},
};

/// Reads the text, writes what was read and reads that.
pub fn check(data: &[u8]) {
    let text = as_text(data);
    let read = gather(parse(&text));
    check_cut_text(&text, &read, parse);
    let mut written = String::with_capacity(256);
    for (module, line) in read.iter().zip(text.lines().filter(|line| !line.is_empty())) {
        match module {
            Ok(module) => {
                check_numbers(module, line);
                // To copy takes long.
                if line.len() < 32 {
                    let owned = module.clone().into_owned();
                    assert!(owned.name == module.name && owned.users == module.users && owned.taint == module.taint);
                }
                written.clear();
                write(module, &mut written).expect("a string has room");
                assert_eq!(parse_line(&written).as_ref(), Ok(module), "{written}");
            }
            Err(error) => assert!(!error.0.is_empty()),
        }
    }
}

/// The numbers are the line's second and third word, whatever their size.
fn check_numbers(module: &ProcModule<&str>, line: &str) {
    let mut words = line.split_ascii_whitespace().skip(1);
    assert_eq!(words.next().map(str::parse), Some(Ok(module.size)));
    assert_eq!(words.next().and_then(|word| word.parse().ok()), module.refcnt);
}

fn write(module: &ProcModule<&str>, out: &mut String) -> fmt::Result {
    let ProcModule { name, size, refcnt, users, permanent, state, address, taint } = module;
    write!(out, "{name} {size} ")?;
    match refcnt {
        Some(count) => write!(out, "{count} ")?,
        None => out.push_str("- "),
    }
    users.iter().for_each(|user| out.extend([user, ","]));
    out.push_str(match (users.is_empty(), permanent) {
        (_, true) => "[permanent],",
        (true, false) => "-",
        (false, false) => "",
    });
    let (state, mark) = match state {
        State::Live => ("Live", ""),
        State::Loading => ("Loading", "+"),
        State::Unloading => ("Unloading", "-"),
    };
    write!(out, " {state} {address:#x} ({taint}{mark})")
}

/// Each form of a line.
pub fn seeds() -> Vec<Seed> {
    crate::texts([
        ("plain", "loop_a 16384 1 loop_b,[permanent], Live 0xffffffffc0000000 (OE)\nloop_b 16384 0 - Live 0x0\n"),
        ("moving", "a 16384 1 - Loading 0x0 (+)\nb 16384 -1 - Unloading 0x0 (OE-)\nc 1 - - Live 0x0\n"),
        ("odd", "\n a\na b\na 1 x\na 1 0\na 1 0 - Dead\na 1 0 - Live 12\na 1 0 - Live 0x0 OE\na 18446744073709551616 0 - Live 0x0"),
    ])
}
