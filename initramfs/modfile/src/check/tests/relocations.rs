//! Relocations: which are applied, and whether they can be.

use super::*;

/// `sh_flags`: for a live patch.
const SHF_RELA_LIVEPATCH: u64 = 0x10_0000;
const SHT_REL: u64 = 9;

/// A module with 16 bytes of data, section 3, relocated so; symbol 1 is at its beginning.
fn data(bytes: [u8; 16], entries: &[(u64, u32, u32, i64)]) -> Vec<u8> {
    module(|draft| {
        let section = draft.data(".data", bytes);
        draft.symbol("symbol", section, 0);
        draft.relocate(section, entries);
    })
}

#[test]
fn relocations_are_of_known_types_and_within_their_section() {
    let one = |offset, kind| data([0; 16], &[(offset, kind, 1, 0)]);
    let outside = "danger relocation-outside";
    expect([
        ("64 bits", one(8, R_64), "accept"),
        ("a byte beyond", one(9, R_64), outside),
        ("64 bits, relative", one(8, R_PC64), "accept"),
        ("a byte beyond", one(9, R_PC64), outside),
        ("32 bits, relative", one(12, R_PC32), "accept"),
        ("a byte beyond", one(13, R_PC32), outside),
        ("32 bits of a call", one(12, R_PLT32), "danger call-target"),
        ("a byte beyond", one(13, R_PLT32), outside),
        ("32 bits", one(12, R_32), "reject relocation-overflow"),
        ("a byte beyond", one(13, R_32), outside),
        ("32 bits, signed", one(12, R_32S), "accept"),
        ("a byte beyond", one(13, R_32S), outside),
        ("beyond all", one(u64::MAX, R_64), outside),
        // R_X86_64_GOT32
        ("an unknown type", one(0, 3), "reject relocation-type"),
        ("of nothing", one(17, R_NONE), "danger reference-none"),
    ]);
}

#[test]
fn what_is_relocated_is_zero() {
    let with = |at: usize, kind| {
        let mut bytes = [0; 16];
        bytes[at] = 1;
        data(bytes, &[(8, kind, 1, 0)])
    };
    let nonzero = "reject relocation-nonzero";
    expect([
        ("the byte before", with(7, R_64), "accept"),
        ("the first byte", with(8, R_64), nonzero),
        ("the last byte", with(15, R_64), nonzero),
        ("the last byte of four", with(11, R_PC32), nonzero),
        ("the byte behind", with(12, R_PC32), "accept"),
        ("what is not written", with(8, R_NONE), "danger reference-none"),
    ]);
    let zeros = module(|draft| {
        let section = draft.writer.section(".bss", SHT_NOBITS, SHF_ALLOC | SHF_WRITE, vec![]);
        draft.symbol("symbol", section, 0);
        draft.relocate(section, &[(8, R_64, 1, 0)]);
        draft.constants(".rodata", [0xff; 16]);
    });
    expect([("what has no bytes", set(&zeros, ".bss", SIZE, 16), "accept")]);
}

#[test]
fn nothing_is_relocated_twice() {
    let twice = |one, other| data([0; 16], &[one, other]);
    expect([
        ("behind 64 bits", twice((0, R_64, 1, 0), (8, R_64, 1, 0)), "accept"),
        ("behind 32 bits", twice((8, R_PC32, 1, 0), (12, R_PC32, 1, 0)), "accept"),
        ("within 32 bits", twice((8, R_PC32, 1, 0), (11, R_PC32, 1, 0)), "danger relocation-twice"),
        ("within 64 bits", twice((0, R_64, 1, 0), (4, R_PC32, 1, 0)), "danger relocation-twice"),
        ("the same", twice((8, R_64, 1, 0), (8, R_64, 1, 0)), "danger relocation-twice"),
        ("in another order", twice((11, R_PC32, 1, 0), (8, R_PC32, 1, 0)), "danger relocation-twice"),
        ("behind one of nothing", twice((8, R_NONE, 1, 0), (8, R_64, 1, 0)), "danger reference-none"),
    ]);
    // The second is to blame, as the loader comes to them.
    let at = |one, other| found(&twice(one, other))[0].clone();
    for (one, other) in [(8, 11), (11, 8)] {
        assert_eq!(at((one, R_PC32, 1, 0), (other, R_PC32, 1, 0)), "relocation-twice: section 4 (.rela), entry 1");
    }
}

#[test]
fn relocations_name_symbols_that_exist() {
    let of = |symbol| data([0; 16], &[(8, R_64, symbol, 0)]);
    expect([
        ("the last", of(1), "accept"),
        ("one more", of(2), "danger relocation-symbol"),
        ("none", of(0), "danger reference-none"),
    ]);
}

#[test]
fn tables_of_relocations_have_addends() {
    let table = |name: &str, field, value| {
        let file = module(|draft| {
            let section = draft.data(".data", [0; 16]);
            draft.relocate_as(name, section, &[(0, 99, 0, 0)]);
        });
        set(&file, name, field, value)
    };
    let (rela, live) = (4, SHF_RELA_LIVEPATCH);
    expect([
        ("with addends", table(".rela", TYPE, rela), "reject relocation-type"),
        ("without", table(".rela", TYPE, SHT_REL), "reject relocation-rel"),
        ("something else", table(".rela", TYPE, 1), "accept"),
        ("of a live patch", table(".klp.rela.vmlinux..text", FLAGS, live), "accept"),
        ("the same without addends", set(&table(".klp.rela.x", FLAGS, live), ".klp.rela.x", TYPE, SHT_REL), "accept"),
        ("with another name", table(".rela", FLAGS, live), "reject relocation-livepatch"),
        ("with the name alone", table(".klp.rela.x", FLAGS, 0), "reject relocation-type"),
    ]);
}

#[test]
fn the_loader_goes_from_table_to_table_and_from_entry_to_entry() {
    let file = module(|draft| {
        let text = draft.code(".text", [0; 64]);
        let data = draft.data(".data", [0; 16]);
        draft.symbol("lock", data, 0);
        draft.relocate(text, &[(0, R_64, 1, 0), (8, R_64, 1, 0), (16, R_64, 1, 0), (1 << 56, R_64, 1, 0)]);
        draft.relocate(data, &[(0, R_32, 1, 0)]);
    });
    expect([("beyond the first, and not fitting in the second", file, "danger relocation-outside")]);

    let entries = [(0, R_64, 1, 0), (4, R_PC32, 1, 0), (8, 99, 1, 0)];
    expect([
        ("twice, then unknown", data([0; 16], &entries), "danger relocation-twice"),
        ("unknown, then twice", data([0; 16], &[entries[2], entries[0], entries[1]]), "reject relocation-type"),
    ]);
    let tables = |twice: u16| {
        let file = module(|draft| {
            let data = draft.data(".data", [0; 16]);
            let other = draft.data(".other", [0; 16]);
            draft.symbol("symbol", data, 0);
            let (first, second) = if twice == 1 { (data, other) } else { (other, data) };
            draft.relocate_as(".first", first, &entries[..2]);
            draft.relocate_as(".second", second, &entries[..2]);
        });
        set(&file, if twice == 1 { ".second" } else { ".first" }, TYPE, SHT_REL)
    };
    expect([
        ("twice, then a table without addends", tables(1), "danger relocation-twice"),
        ("a table without addends, then twice", tables(2), "reject relocation-rel"),
    ]);
}

#[test]
fn a_relocation_is_found_whatever_the_order() {
    let file = |order: [usize; 3]| {
        module(|draft| {
            let data = draft.data(".data", [0; 16]);
            let table = draft.constants("_ftrace_events", [0; 24]);
            let symbol = draft.symbol("event", data, 0);
            draft.relocate(table, &order.map(|entry| (8 * entry as u64, R_64, symbol, 0)));
        })
    };
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        // The table is constant here: all else is as it is to be.
        assert_eq!(found(&file(order)), ["not-writable: section 4 (_ftrace_events)"], "{order:?}");
    }
}
