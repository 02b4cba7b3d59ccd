//! Target `versions`: a byte that chooses the layout, then the contents of `__versions`, or of the two extended
//! sections with `|` between.

use modfile::{
    elf::{Elf, Layout},
    symbols,
    write::Module,
};

use crate::{
    Seed,
    promises::{borrows, check_error},
};

/// Reads the bytes and checks what the readers promise.
pub fn check(data: &[u8]) {
    let Some((&choice, data)) = data.split_first() else { return };
    let layout = Layout::ALL[usize::from(choice) % 4];
    let module = Module::new("m").layout(layout);
    let (module, expected) = match split(data, choice) {
        None => (module.section("__versions", data.to_vec()), basic(layout, data)),
        Some((crcs, names)) => {
            let sections = module.section("__version_ext_crcs", crcs.to_vec());
            (sections.section("__version_ext_names", names.to_vec()), extended(layout, crcs, names))
        }
    };
    let file = module.build();
    let elf = Elf::parse(&file).expect("what the writer writes can be read");
    let read = symbols::versions(&elf).and_then(|versions| {
        versions
            .map(|version| version.inspect(|version| assert!(borrows(&file, version.name))))
            .map(|version| version.map(|version| (version.name.to_vec(), version.crc)))
            .collect::<Result<Vec<_>, _>>()
    });
    match read {
        Ok(read) => assert_eq!(Some(read), expected),
        Err(error) => {
            assert_eq!(expected, None);
            check_error(error);
        }
    }
}

/// The two extended sections.
fn split(data: &[u8], choice: u8) -> Option<(&[u8], &[u8])> {
    let at = data.iter().position(|byte| *byte == b'|').filter(|_| choice >= 0x80)?;
    Some((&data[..at], &data[at + 1..]))
}

fn crc(layout: Layout, bytes: &[u8]) -> u32 {
    let bytes = bytes.try_into().expect("four bytes");
    if layout.is_big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
}

/// What the format says of the bytes, by the shortest way: None where they are wrong.
fn basic(layout: Layout, data: &[u8]) -> Option<Vec<(Vec<u8>, u32)>> {
    let entries = data.chunks(64).map(|entry| {
        let (long, name) = entry.split_at_checked(layout.word_size()).filter(|_| entry.len() == 64)?;
        let low = if layout.is_big { &long[long.len() - 4..] } else { &long[..4] };
        Some((name[..name.iter().position(|byte| *byte == 0)?].to_vec(), crc(layout, low)))
    });
    entries.collect()
}

fn extended(layout: Layout, crcs: &[u8], names: &[u8]) -> Option<Vec<(Vec<u8>, u32)>> {
    let whole = names.iter().rposition(|byte| *byte == 0).map_or(&[][..], |end| &names[..=end]);
    let mut names = whole.split_inclusive(|byte| *byte == 0).map(|name| name[..name.len() - 1].to_vec());
    let crcs = crcs.chunks(4).map(|bytes| (bytes.len() == 4).then(|| crc(layout, bytes)));
    crcs.map(|crc| Some((crc?, names.next()?))).map(|pair| pair.map(|(crc, name)| (name, crc))).collect()
}

/// Both forms, in every layout.
pub fn seeds() -> Vec<Seed> {
    let entry = |layout: Layout, name: &str| {
        let mut entry = vec![0; 64];
        entry[layout.word_size()..][..name.len()].copy_from_slice(name.as_bytes());
        entry[if layout.is_big { layout.word_size() - 1 } else { 0 }] = 7;
        entry
    };
    let basic = Layout::ALL.into_iter().enumerate().map(|(at, layout)| {
        let contents = [entry(layout, "module_layout"), entry(layout, "printk")].concat();
        (format!("basic-{at}"), [&[at as u8], contents.as_slice()].concat())
    });
    let extended = (0..4).map(|at| (format!("extended-{at}"), [&[0x80 + at], &b"\0\0\0\x01\0\0\0\x02|a\0b\0\0"[..]].concat()));
    basic.chain(extended).collect()
}
