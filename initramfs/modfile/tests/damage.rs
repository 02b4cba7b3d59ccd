//! Every format cut short and with its numbers out of range: an error or less output, never a panic, and never more
//! than the bytes have room for.

mod common;

use std::ops::Range;

use common::module;
use modfile::{
    Error, command_line, depmod_d, edit,
    elf::{Elf, Layout, SHT_NOBITS},
    index::{
        self,
        trie::{Builder, Trie},
    },
    modinfo::Modinfo,
    modprobe_d, param, parts, proc_modules, signature, symbols,
};

/// All readers of a module one after the other, as a tool would call them, and how many things they give.
fn read_module(bytes: &[u8]) -> Result<usize, Error> {
    let elf = Elf::parse(bytes)?;
    let mut count = 0;
    for section in elf.sections() {
        count += 1 + elf.relocations(section?.index)?.count();
    }
    count += Modinfo::of(&elf)?.entries().count() + Modinfo::of(&elf)?.parameters().len();
    count += symbols::exports(&elf)?.len() + symbols::needs(&elf)?.len();
    for version in symbols::versions(&elf)? {
        version?;
        count += 1;
    }
    for parameter in param::parameters(&elf)? {
        parameter?;
        count += 1;
    }
    Ok(count)
}

/// Where `.modinfo` lies, as they find it who do not read the whole file.
fn find_modinfo(bytes: &[u8]) -> Result<Option<Range<u64>>, parts::Fault> {
    let part = |range: Range<u64>| &bytes[range.start as usize..range.end as usize];
    let table = parts::Table::of(&bytes[..bytes.len().min(parts::HEADER_BYTES)], bytes.len() as u64)?;
    let headers = part(table.range.clone());
    let found = table.find(headers, part(table.names(headers)?), b".modinfo")?;
    Ok(found.inspect(|range| assert!(part(range.clone()).len() <= bytes.len())))
}

fn edit_module(bytes: &[u8]) -> [Result<Vec<u8>, Error>; 5] {
    [
        edit::rename(bytes, "full", "less"),
        edit::hide_versions(bytes),
        edit::hide_modinfo(bytes, "alias"),
        edit::change_version(bytes, "taken"),
        edit::rename_version(bytes, "taken"),
    ]
}

/// Calls `check` with the bytes changed in one place: every number of 1, 2, 4 and 8 bytes set to its extremes.
fn each_extreme(bytes: &[u8], is_big: bool, mut check: impl FnMut(&[u8])) {
    let mut changed = bytes.to_vec();
    for size in [1, 2, 4, 8] {
        let max = u64::MAX >> (64 - 8 * size);
        for at in (0..=bytes.len() - size).step_by(size) {
            for value in [0, 1, max - 1, max] {
                let field = if is_big { &value.to_be_bytes()[8 - size..] } else { &value.to_le_bytes()[..size] };
                changed[at..at + size].copy_from_slice(field);
                check(&changed);
            }
            changed[at..at + size].copy_from_slice(&bytes[at..at + size]);
        }
    }
}

#[test]
fn a_module_cut_anywhere_is_an_error() {
    for layout in Layout::ALL {
        let bytes = module(layout).build();
        assert_eq!(read_module(&bytes), Ok(30), "{layout:?}");
        for len in 0..bytes.len() {
            assert!(find_modinfo(&bytes[..len]).is_err());
            let error = read_module(&bytes[..len]).expect_err("the section table is the end of the file");
            assert!(error.offset <= bytes.len() as u64, "{layout:?} cut to {len}: {error}");
            assert!(edit_module(&bytes[..len]).iter().all(Result::is_err), "{layout:?} cut to {len}");
        }
    }
}

#[test]
fn a_modules_numbers_at_their_extremes_do_no_harm() {
    for layout in Layout::ALL {
        let mut errors = 0;
        each_extreme(&module(layout).build(), layout.is_big, |bytes| {
            let _ = find_modinfo(bytes);
            match read_module(bytes) {
                Ok(count) => assert!(count <= bytes.len()),
                Err(_) => errors += 1,
            }
        });
        assert!(errors > 1000, "{layout:?}: only {errors}");
    }
}

/// The edits read what the readers read; here it matters that they write inside the file.
#[test]
fn edits_of_a_damaged_module_keep_its_size() {
    let bytes = module(Layout::ELF64_LE).build();
    each_extreme(&bytes, false, |bytes| {
        assert!(edit_module(bytes).iter().flatten().all(|edited| edited.len() == bytes.len()));
    });
}

#[test]
fn damage_to_the_header_is_named() {
    let bytes = module(Layout::ELF64_LE).build();
    for (at, new, expected) in [
        (0, &b"MZ"[..], "not an ELF file (magic)"),
        (4, &[3], "neither 32-bit nor 64-bit (EI_CLASS)"),
        (5, &[0], "neither little nor big endian (EI_DATA)"),
        (16, &[2], "not a relocatable object (e_type)"),
        (40, &[0xff; 8], "section table lies outside the file"),
        (58, &[40], "wrong size of a section header (e_shentsize)"),
        (60, &[0xff, 0xff], "too many sections (e_shnum)"),
        (62, &[99], "no section holds the section names (e_shstrndx)"),
    ] {
        let mut bytes = bytes.clone();
        bytes[at..at + new.len()].copy_from_slice(new);
        let error = read_module(&bytes).unwrap_err();
        // A table that is not there is told by its own place.
        let place = if at == 40 { u64::MAX } else { at as u64 };
        assert_eq!((error.what, error.offset), (expected, place));
    }
}

/// What is damaged is refused, or is not there: nothing else is taken in its place.
#[test]
fn damage_to_a_section_or_symbol_is_named() {
    for layout in Layout::ALL {
        let bytes = module(layout).build();
        let section = |name| Elf::parse(&bytes).unwrap().section(name).unwrap().unwrap();
        let set = |at: u64, new: &[u8]| {
            let mut bytes = bytes.clone();
            bytes[at as usize..][..new.len()].copy_from_slice(new);
            bytes
        };
        let names = Elf::parse(&bytes).unwrap().names_range();
        let unended = set(names.end - 1, b"x");
        let error = Elf::parse(&unended).unwrap().sections().find_map(Result::err).unwrap();
        assert_eq!(error.what, "section's name lies outside the table of names", "{layout:?}");
        let header = |index: u16| {
            Elf::table_range(&bytes).unwrap().start + (usize::from(index) * layout.section_header_size()) as u64
        };
        assert_eq!(error.offset, header(section(".shstrtab").index), "{layout:?}");

        let far = edit::set_field(&bytes, "__versions", edit::Field::Offset, 0x7fff_ffff).unwrap();
        let error = Elf::parse(&far).unwrap().sections().find_map(Result::err).unwrap();
        let expected = ("section lies outside the file", header(section("__versions").index));
        assert_eq!((error.what, error.offset), expected, "{layout:?}");

        // The second parameter's name is what the third relocation points to.
        let (relocations, word) = (section(".rel__param"), layout.word_size());
        let nameless = set(relocations.offset + 2 * relocations.entry_size + word as u64, &vec![0; word]);
        let read: Vec<_> = param::parameters(&Elf::parse(&nameless).unwrap()).unwrap().collect();
        let expected = ("parameter's name cannot be found", section("__param").offset + 5 * word as u64);
        assert!(read[0].is_ok());
        assert_eq!(read[1].map_err(|error| (error.what, error.offset)), Err(expected), "{layout:?}");

        let longer = set(names.start + u64::from(name_at(&bytes, b".modinfo\0")) + 8, b"x");
        assert_eq!(Elf::parse(&longer).unwrap().section(".modinfo"), Ok(None), "{layout:?}");
        assert_eq!(find_modinfo(&longer), Ok(None), "{layout:?}");

        let nobits = edit::set_field(&bytes, ".modinfo", edit::Field::Type, SHT_NOBITS.into()).unwrap();
        let found = Elf::parse(&nobits).unwrap().section(".modinfo").unwrap().unwrap();
        assert_eq!((found.data, found.size), (&[][..], section(".modinfo").size), "{layout:?}");

        let table = Elf::table_range(&bytes).unwrap().start;
        let header = table + u64::from(section(".symtab").index) * layout.section_header_size() as u64;
        let far = set(header + 8 + 4 * layout.word_size() as u64 + if layout.is_big { 0 } else { 2 }, &[1, 1]);
        let error = Elf::parse(&far).unwrap().symbol_table().unwrap_err();
        assert_eq!(error.what, "symbol table names no string table (sh_link)", "{layout:?}");

        let nameless = set(section(".symtab").offset + layout.symbol_size() as u64, &[0xff; 4]);
        let first = Elf::parse(&nameless).unwrap().symbol_table().unwrap().iter().next().unwrap();
        assert_eq!(first.unwrap_err().what, "symbol's name lies outside the string table", "{layout:?}");
    }
}

/// Where a name lies in the table of names.
fn name_at(bytes: &[u8], name: &[u8]) -> u32 {
    let names = Elf::parse(bytes).unwrap().names_range();
    let table = &bytes[names.start as usize..names.end as usize];
    table.windows(name.len()).position(|window| window == name).unwrap() as u32
}

/// The bytes that sign a file: a PKCS#7 message with all that is read of one, without the rest.
fn signature() -> Vec<u8> {
    let der = |tag: u8, parts: &[&[u8]]| [&[tag, parts.concat().len() as u8][..], &parts.concat()].concat();
    let common_name = der(0x30, &[&[6, 3, 0x55, 4, 3], &der(0x0c, &[b"Key"])]);
    let issuer_and_serial = der(0x30, &[&der(0x30, &[&der(0x31, &[&common_name])]), &[2, 1, 7]]);
    let hash = der(0x30, &[&[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]]);
    let info = der(0x30, &[&[2, 1, 1], &issuer_and_serial, &hash, &hash, &der(4, &[b"12345678"])]);
    let signed = der(0x30, &[&[2, 1, 1], &der(0x31, &[]), &der(0x30, &[&[6, 1, 42]]), &der(0x31, &[&info])]);
    let signed_data = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
    let message = der(0x30, &[&signed_data, &der(0xa0, &[&signed])]);
    let trailer = [0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, message.len() as u8];
    [&message, &trailer[..], b"~Module signature appended~\n"].concat()
}

#[test]
fn a_damaged_signature_is_none_or_has_fewer_names() {
    let file = &signature();
    let found = signature::of(file).unwrap();
    assert_eq!((found.signer, found.key_id, found.hash), (&b"Key"[..], &[7][..], signature::Hash::Named("sha256")));
    assert_eq!(found.signature, b"12345678");
    let check = |bytes: &[u8]| {
        let read =
            signature::of(bytes).map_or(0, |found| found.signer.len() + found.key_id.len() + found.signature.len());
        assert!(read <= bytes.len());
    };
    for len in 0..file.len() {
        assert_eq!(signature::of(&file[..len]), None, "cut to {len}");
        check(&file[file.len() - len..]);
    }
    each_extreme(file, true, check);
}

#[test]
fn a_damaged_line_of_proc_modules_is_an_error_or_a_shorter_one() {
    let line = "loop_a 16384 1 loop_b,[permanent], Live 0xffffffffc0000000 (OE)";
    for len in 0..line.len() {
        if let Ok(module) = proc_modules::parse_line(&line[..len]) {
            assert!(len >= line.find(" (").unwrap() - 15, "the address is the last part that must be there: {len}");
            assert_eq!(module.users, ["loop_b"]);
        }
    }
    for (line, is_good) in [
        ("a 18446744073709551615 9223372036854775807 - Live 0xffffffffffffffff", true),
        ("a 0 -9223372036854775808 - Live 0x0", true),
        ("a 18446744073709551616 0 - Live 0x0", false),
        ("a -1 0 - Live 0x0", false),
        ("a 0 9223372036854775808 - Live 0x0", false),
        ("a 0 0 - Live 0x10000000000000000", false),
        ("a 0 0 - Live 0x", false),
        ("\0 0 0 - Live 0x0", true),
        ("a 0 0 ,,,, Live 0x0 (", false),
    ] {
        assert_eq!(proc_modules::parse_line(line).is_ok(), is_good, "{line}");
    }
}

#[test]
fn a_text_index_cut_anywhere_gives_whole_fields_or_none() {
    let deps = "kernel/a.ko: kernel/b.ko\nkernel/b.ko:\n";
    let aliases = "# Comment\nalias x:* a\nalias symbol:f b\n";
    let builtin = "kernel/a.ko\nkernel/b.ko\n";
    let modinfo = "a.alias=x:*\0b.license=GPL\0";
    let starts = |text: &str, parts: &[&str]| parts.iter().all(|part| text.contains(part));
    for len in 0..=deps.len() {
        for dep in index::deps(&deps[..len]) {
            assert!(starts(deps, &[dep.path]) && dep.load_order().all(|path| deps.contains(path)));
        }
    }
    for len in 0..=aliases.len() {
        assert!(index::aliases(&aliases[..len]).all(|(pattern, module)| starts(aliases, &[pattern, module])));
    }
    for len in 0..=builtin.len() {
        assert!(index::builtins(&builtin[..len]).all(|path| starts(builtin, &[path])));
    }
    for len in 0..=modinfo.len() {
        let mut entries = index::builtin_modinfo(&modinfo[..len]);
        assert!(entries.all(|(module, key, value)| starts(modinfo, &[module, key, value])));
    }
    for odd in ["", "\n", ":", "alias", "alias ", "alias  ", "=", ".=", "\0", "\0\0=", "#", " ", "\r\n\t"] {
        assert!(index::deps(odd).chain(index::deps(odd)).all(|dep| dep.path.is_empty()));
        assert!(index::aliases(odd).all(|(pattern, _)| pattern.is_empty()), "{odd:?}");
        assert!(index::builtin_modinfo(odd).all(|(module, ..)| module.is_empty()), "{odd:?}");
    }
}

/// How many bytes are in what the readers of configuration make of a text.
fn read_configuration(text: &[u8]) -> usize {
    let mut count = 0;
    for (number, line) in modprobe_d::logical_lines(text) {
        assert!(number <= text.len() + 1);
        count += line.len();
        if let Ok(line) = std::str::from_utf8(&line) {
            let _ = modprobe_d::directive(line);
        }
    }
    let words = std::str::from_utf8(text).map_or(0, |text| command_line::words(text).count());
    count.max(words).max(depmod_d::parse(text).count())
}

#[test]
fn configuration_cut_or_changed_anywhere_stays_as_short_as_it_is() {
    let text =
        b"# comment\nalias a-[0-9] b\noptions \\\n  a x=\"1 2\" y\nsoftdep a pre: b post: c\ninstall a /bin/true\n\
        search updates built-in\noverride a * extra\nquiet modprobe.blacklist=a,b c.x=\"1 2\" \"c.y=3 4\" -- d.z=1\n";
    assert!(read_configuration(text) > 0);
    for len in 0..text.len() {
        assert!(read_configuration(&text[..len]) <= len);
    }
    let mut changed = text.to_vec();
    for at in 0..text.len() {
        for byte in *b"\0\t\n \"'\\#=.,:[]*\x80\xff" {
            changed[at] = byte;
            assert!(read_configuration(&changed) <= text.len());
        }
        changed[at] = text[at];
    }
}

/// Everything that can be asked of an index, and how many values that gives.
fn read_index(bytes: &[u8]) -> Result<usize, Error> {
    let trie = Trie::parse(bytes)?;
    let mut count = 0;
    trie.entries(|_, _| count += 1)?;
    for key in ["", "a", "ab", "x:1", "x:*", "*", "?[*", "\u{e9}"] {
        count += usize::from(trie.lookup(key)?.is_some()) + trie.matching(key)?.len();
    }
    Ok(count)
}

fn trie() -> Vec<u8> {
    let mut builder = Builder::default();
    for (at, key) in ["a", "ab", "abc", "x:*", "x:[0-9]", "x:?", "*", "symbol:f"].iter().enumerate() {
        builder.insert(key.as_bytes(), b"module", at as u32).unwrap();
        builder.insert(key.as_bytes(), b"other", at as u32).unwrap();
    }
    builder.build()
}

#[test]
fn a_damaged_trie_is_an_error_or_gives_what_it_has_room_for() {
    let bytes = trie();
    assert_eq!(read_index(&bytes), Ok(54));
    for len in 0..bytes.len() {
        let cut = read_index(&bytes[..len]);
        assert!(cut.is_err(), "cut to {len}: {cut:?}");
    }
    // Eight keys, each asked for in two ways, with up to three wildcards.
    let most = bytes.len() * 8 * 4;
    each_extreme(&bytes, true, |bytes| assert!(read_index(bytes).unwrap_or(0) <= most));
}

#[test]
fn every_reference_of_a_trie_may_lead_anywhere() {
    let mut bytes = trie();
    let most = bytes.len() * 8 * 4;
    for at in 8..bytes.len() - 3 {
        let old: [u8; 4] = bytes[at..at + 4].try_into().unwrap();
        for target in (0..bytes.len() as u32).step_by(29) {
            for flags in [0x2000_0000, 0xa000_0000, 0xe000_0000] {
                bytes[at..at + 4].copy_from_slice(&(target | flags).to_be_bytes());
                assert!(read_index(&bytes).unwrap_or(0) <= most);
            }
        }
        bytes[at..at + 4].copy_from_slice(&old);
    }
}

/// A trie of words and bytes after the magic number and the version.
fn crafted(parts: &[&[u8]]) -> Vec<u8> {
    [&[0xb0, 7, 0xf4, 0x57, 0, 2, 0, 1][..], &parts.concat()].concat()
}

#[test]
fn what_is_wrong_with_a_trie_is_named() {
    for (what, parts) in [
        ("index leads back into itself", &[&[0x20, 0, 0, 12][..], b"aa", &[0x20, 0, 0, 12]][..]),
        ("index leads back into itself", &[&[0x20, 0, 0, 12], b"aa", &[0x20, 0, 0, 18], b"bb", &[0x20, 0, 0, 12]]),
        ("index node lies outside the file", &[&[0x2f, 0xff, 0xff, 0xff]]),
        ("prefix of an index node is not terminated", &[&[0x80, 0, 0, 12], b"abc"]),
        ("children of an index node lie outside the file", &[&[0x20, 0, 0, 12], b"a"]),
        ("children of an index node lie outside the file", &[&[0x20, 0, 0, 12], b"az", &[0; 4]]),
        ("children of an index node are no range of ASCII characters", &[&[0x20, 0, 0, 12], b"ba", &[0; 4]]),
        ("children of an index node are no range of ASCII characters", &[&[0x20, 0, 0, 12], b"a\x80", &[0; 128]]),
        ("values of an index node lie outside the file", &[&[0x40, 0, 0, 12], &[0, 0]]),
        ("values of an index node lie outside the file", &[&[0x40, 0, 0, 12], &[0xff; 4], &[0; 4], b"module\0"]),
        ("values of an index node lie outside the file", &[&[0x40, 0, 0, 12], &[0, 0, 0, 1], &[0; 4], b"module"]),
    ] {
        let bytes = crafted(parts);
        let result = Trie::parse(&bytes).unwrap().entries(|_, _| {});
        assert_eq!(result.unwrap_err().what, what);
    }
}

/// Each node leads to the next one twice, so that there are 2^40 ways to the last.
#[test]
fn a_trie_whose_ways_meet_again_and_again_ends_soon() {
    let mut bytes = crafted(&[&[0x20, 0, 0, 12]]);
    for _ in 0..40 {
        let next = (0x2000_000a + bytes.len() as u32).to_be_bytes();
        bytes.extend([b"*+", &next[..], &next].concat());
    }
    bytes.extend(b"**\0\0\0\0");
    let trie = Trie::parse(&bytes).unwrap();
    assert_eq!(trie.entries(|_, _| {}).unwrap_err().what, "index leads back into itself");
    assert_eq!(trie.matching("a").unwrap_err().what, "index leads back into itself");
    assert_eq!(trie.lookup("+".repeat(50)), Ok(None));
}

/// As deep as the file is long: a reader that calls itself for each node would run out of stack.
#[test]
fn a_trie_may_be_a_hundred_thousand_nodes_deep() {
    let mut bytes = crafted(&[&[0x20, 0, 0, 12]]);
    for _ in 0..100_000 {
        let next = (0x2000_0006 + bytes.len() as u32).to_be_bytes();
        bytes.extend([b"**", &next[..]].concat());
    }
    bytes.extend(b"**\0\0\0\0");
    let trie = Trie::parse(&bytes).unwrap();
    assert_eq!(trie.entries(|_, _| {}), Ok(()));
    assert_eq!(trie.matching("a"), Ok(vec![]));
}

/// Keys that end inside one another make the builder's tree as deep as the longest is long.
#[test]
fn a_deep_trie_is_built_and_read_back() {
    let mut builder = Builder::default();
    for len in 0..2000 {
        builder.insert("a".repeat(len).as_bytes(), b"m", len as u32).unwrap();
    }
    let bytes = builder.build();
    let trie = Trie::parse(&bytes).unwrap();
    let mut lens = vec![];
    trie.entries(|key, _| lens.push(key.len())).unwrap();
    assert!(lens.into_iter().eq(0..2000));
}
