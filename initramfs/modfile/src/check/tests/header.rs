//! The ELF header, the first section header, and the table of names.

use super::*;

#[test]
fn each_field_of_the_header_that_is_looked_at_is_enoexec() {
    let header = |at, bytes, value| put(&sound(), at, bytes, value);
    expect([
        ("another magic", header(3, 1, u64::from(b'G')), "reject magic"),
        ("an executable", header(0x10, 2, 2), "reject type"),
        ("of 32-bit x86", header(0x12, 2, 3), "reject machine"),
        ("section headers of 63 bytes", header(0x3a, 2, 63), "reject header-size"),
        ("of a magic and a type", put(&header(3, 1, 0), 0x10, 2, 2), "reject magic"),
        ("63 bytes", sound()[..63].to_vec(), "reject file-short"),
        ("64 bytes", sound()[..64].to_vec(), "reject headers-outside"),
        ("nothing", vec![], "reject file-short"),
    ]);
    // In the loader's order, whichever is in the file's way first.
    let all = put(&put(&put(&header(3, 1, 0), 0x10, 2, 2), 0x12, 2, 3), 0x3a, 2, 63);
    assert_eq!(found(&all), ["magic: file", "type: file", "machine: file", "header-size: file"]);
}

#[test]
fn section_headers_are_in_the_file() {
    let file = sound();
    let (at, count) = (get(&file, 0x28, 8), get(&file, 0x3c, 2));
    let outside = "reject headers-outside";
    expect([
        ("a byte less", file[..file.len() - 1].to_vec(), outside),
        ("one more", put(&file, 0x3c, 2, count + 1), outside),
        ("beyond all", put(&file, 0x28, 8, u64::MAX), outside),
        ("none at the end", put(&put(&file, 0x3c, 2, 0), 0x28, 8, file.len() as u64), outside),
        ("none", put(&file, 0x3c, 2, 0), "reject names-index"),
        (
            "none a byte before the end",
            put(&put(&file, 0x3c, 2, 0), 0x28, 8, file.len() as u64 - 1),
            "reject names-index, since 6.12 danger section-0-outside",
        ),
        ("a byte further", put(&file, 0x28, 8, at + 1), outside),
    ]);
}

#[test]
fn the_first_section_header_is_of_no_section() {
    let first = |field, value| set(&sound(), "", field, value);
    let wrong = "reject section-0";
    expect([
        ("a type", first(TYPE, 1), wrong),
        ("a size", first(SIZE, 1), wrong),
        ("an address", first(ADDR, 1), wrong),
        ("something else", first(INFO, 1), "accept"),
    ]);
}

#[test]
fn the_header_says_where_names_are() {
    let index = |index| put(&sound(), 0x3e, 2, index);
    let count = get(&sound(), 0x3c, 2);
    expect([
        ("nowhere", index(0), "reject names-index"),
        ("in the last section", index(count - 1), "accept"),
        ("in one more", index(count), "reject names-index"),
        ("in a reserved one", index(0xff00), "reject names-index"),
    ]);
}

#[test]
fn names_of_sections_are_a_table_of_strings() {
    let names = |field, value| set(&sound(), ".shstrtab", field, value);
    let (size, len) = (field(&sound(), ".shstrtab", SIZE), sound().len() as u64);
    let outside = "reject names-outside, since 6.12 reject contents-outside";
    expect([
        ("of another type", names(TYPE, SHT_PROGBITS.into()), "accept, since 6.12 reject names-type"),
        ("beyond the file", names(OFFSET, len - size + 1), outside),
        ("empty", names(SIZE, 0), "danger names-empty, since 5.17 reject names-empty"),
        ("without NUL at the end", names(SIZE, size - 1), "reject names-end"),
        ("a NUL alone", names(SIZE, 1), "reject name-outside"),
    ]);
    // Where there are none, none is beyond them.
    assert_eq!(found(&names(SIZE, size - 1))[0], "names-end: section 9");
    assert!(!found(&names(SIZE, size - 1)).iter().any(|finding| finding.starts_with("name-outside")));
}
