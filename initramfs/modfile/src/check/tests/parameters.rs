//! `__param`: the parameters of a module, their operations and what those set.

use super::*;

const BROKEN: &str = "danger table-pointer";

/// Where symbols of [`parameters`] are, and what they are.
#[derive(Clone, Copy)]
struct Symbols {
    /// 16 bytes of `.text`.
    function: u32,
    /// 16 bytes of `.data`.
    data: u32,
    /// 64 bytes of `.rodata`.
    constants: u32,
    /// A symbol of the kernel's.
    kernel: u32,
    /// A number.
    number: u32,
}

/// Relocations of a table or of what it points to: offset, type, symbol, addend.
type Pointers = Vec<(u64, u32, u32, i64)>;

/// A module with a table of so many parameters, section 6, and constants that they point to, section 5.
fn parameters(
    count: usize,
    kernels: &str,
    constants: [u8; 64],
    relocations: impl Fn(Symbols) -> (Pointers, Pointers),
) -> Vec<u8> {
    module(|draft| {
        let text = draft.code(".text", [0xcc; 16]);
        let data = draft.data(".data", [0; 16]);
        let rodata = draft.constants(".rodata", constants);
        let table = draft.constants("__param", vec![0; 40 * count]);
        let [function, data, constants] = [text, data, rodata].map(|section| draft.symbol("here", section, 0));
        let kernel = draft.symbol(kernels, SHN_UNDEF, 0);
        let number = draft.symbol("number", SHN_ABS, 0);
        let (pointers, others) = relocations(Symbols { function, data, constants, kernel, number });
        draft.relocate(table, &pointers);
        draft.relocate(rodata, &others);
    })
}

/// A `struct kernel_param` at a place: its name, the module, operations, and what they set.
fn parameter(at: u64, data: u32, operations: (u32, i64), argument: Option<(u32, u32, i64)>) -> Pointers {
    let mut pointers = vec![(at, R_64, data, 0), (at + 8, R_64, data, 0), (at + 16, R_64, operations.0, operations.1)];
    pointers.extend(argument.map(|(kind, symbol, addend)| (at + 32, kind, symbol, addend)));
    pointers
}

#[test]
fn operations_of_the_kernels_are_known_by_name_and_set_a_variable() {
    let named = |name: &str, addend, argument: fn(Symbols) -> Option<(u32, u32, i64)>| {
        parameters(1, name, [0; 64], |to| (parameter(0, to.data, (to.kernel, addend), argument(to)), vec![]))
    };
    let data = |to: Symbols| Some((R_64, to.data, 0));
    expect([
        ("of int", named("param_ops_int", 0, data), "accept"),
        ("another symbol", named("_printk", 0, data), BROKEN),
        ("behind those of int", named("param_ops_int", 8, data), BROKEN),
        ("another symbol and behind it", named("_printk", 8, data), BROKEN),
        ("which set nothing", named("param_ops_int", 0, |_| None), BROKEN),
        ("which set half a pointer", named("param_ops_int", 0, |to| Some((R_PC32, to.data, 0))), BROKEN),
        ("which set code", named("param_ops_int", 0, |to| Some((R_64, to.function, 0))), BROKEN),
        ("which set the kernel's", named("param_ops_int", 0, |to| Some((R_64, to.kernel, 0))), "accept"),
        ("which set a number", named("param_ops_int", 0, |to| Some((R_64, to.number, 0))), BROKEN),
        ("which set the middle of something", named("param_ops_int", 0, |to| Some((R_64, to.data, 4))), "accept"),
    ]);
}

#[test]
fn each_parameter_is_looked_at() {
    let second = |argument: fn(Symbols) -> Option<(u32, u32, i64)>| {
        parameters(2, "param_ops_int", [0; 64], |to| {
            let first = parameter(0, to.data, (to.kernel, 0), Some((R_64, to.data, 0)));
            ([first, parameter(40, to.data, (to.kernel, 0), argument(to))].concat(), vec![])
        })
    };
    assert!(found(&second(|to| Some((R_64, to.data, 0)))).is_empty());
    assert_eq!(found(&second(|_| None)), ["table-pointer: section 6 (__param), entry 1"]);
    let first = parameters(2, "param_ops_int", [0; 64], |to| {
        let second = parameter(40, to.data, (to.kernel, 0), Some((R_64, to.data, 0)));
        ([parameter(0, to.data, (to.kernel, 0), None), second].concat(), vec![])
    });
    assert_eq!(found(&first), ["table-pointer: section 6 (__param), entry 0"]);
    let without = parameters(1, "x", [0; 64], |to| (vec![(0, R_64, to.data, 0), (8, R_64, to.data, 0)], vec![]));
    assert_eq!(found(&without), ["table-pointer: section 6 (__param), entry 0"]);
}

#[test]
fn operations_of_the_modules_are_functions_or_null() {
    // struct kernel_param_ops: flags, set, get, free
    let operations = |place: i64, functions: &[(u64, u32)], garbage: Option<usize>| {
        let mut constants = [0; 64];
        garbage.into_iter().for_each(|at| constants[at] = 0xaa);
        parameters(1, "x", constants, |to| {
            let function = |(offset, kind): &(u64, u32)| (*offset, *kind, to.function, 0);
            (parameter(0, to.data, (to.constants, place), None), functions.iter().map(function).collect())
        })
    };
    expect([
        ("set", operations(0, &[(8, R_64)], None), "accept"),
        ("get", operations(0, &[(16, R_64)], None), "accept"),
        ("free", operations(0, &[(24, R_64)], None), "accept"),
        ("all", operations(0, &[(8, R_64), (16, R_64), (24, R_64)], None), "accept"),
        ("none", operations(0, &[], None), BROKEN),
        ("a function before them", operations(0, &[(0, R_64)], None), BROKEN),
        ("a function behind them", operations(0, &[(32, R_64)], None), BROKEN),
        ("one relative", operations(0, &[(8, R_64), (16, R_PC64)], None), BROKEN),
        ("at the end", operations(32, &[(40, R_64)], None), "accept"),
        ("beyond it", operations(40, &[(48, R_64)], None), BROKEN),
        ("flags", operations(0, &[(8, R_64), (16, R_64)], Some(0)), "accept"),
        ("no function and no null", operations(0, &[(8, R_64), (16, R_64)], Some(24)), BROKEN),
        ("its last byte", operations(0, &[(8, R_64), (16, R_64)], Some(31)), BROKEN),
        ("something behind", operations(0, &[(8, R_64), (16, R_64)], Some(32)), "accept"),
    ]);
}

/// What is special about an array: its elements, how many bytes each, and its pointers.
fn array(elements: u32, bytes: u32, change: impl Fn(Symbols, &mut Pointers, &mut Pointers)) -> Vec<u8> {
    let mut constants = [0; 64];
    constants[..4].copy_from_slice(&elements.to_le_bytes());
    constants[4..8].copy_from_slice(&bytes.to_le_bytes());
    parameters(1, "param_array_ops", constants, |to| {
        let mut table = parameter(0, to.data, (to.kernel, 0), Some((R_64, to.constants, 0)));
        // Where to count, operations of an element, the elements.
        let mut array = vec![(8, R_64, to.data, 0), (16, R_64, to.kernel, 0), (24, R_64, to.data, 0)];
        change(to, &mut table, &mut array);
        (table, array)
    })
}

#[test]
fn an_array_has_room_for_its_elements() {
    let of = |elements, bytes| array(elements, bytes, |_, _, _| ());
    expect([
        ("four of four bytes", of(4, 4), "accept"),
        ("five", of(5, 4), BROKEN),
        ("one of sixteen", of(1, 16), "accept"),
        ("one of seventeen", of(1, 17), BROKEN),
        ("none", of(0, 4), "accept"),
        ("more than 32 bits say", of(1 << 31, 4), BROKEN),
    ]);
}

#[test]
fn an_array_says_where_to_count_what_its_elements_are_and_where() {
    let count = |new: fn(Symbols) -> (u64, u32, u32, i64)| array(1, 4, move |to, _, array| array[0] = new(to));
    let elements = |new: fn(Symbols) -> (u64, u32, u32, i64)| array(1, 4, move |to, _, array| array[2] = new(to));
    let operations = |new: fn(Symbols) -> (u64, u32, u32, i64)| array(1, 4, move |to, _, array| array[1] = new(to));
    let without = |at: usize| {
        array(1, 4, move |_, _, array| {
            array.remove(at);
        })
    };
    expect([
        ("counting nowhere", without(0), "accept"),
        ("counting at the end", count(|to| (8, R_64, to.data, 12)), "accept"),
        ("counting beyond it", count(|to| (8, R_64, to.data, 13)), BROKEN),
        ("counting in code", count(|to| (8, R_64, to.function, 0)), BROKEN),
        ("counting by half a pointer", count(|to| (8, R_PC32, to.data, 0)), BROKEN),
        ("counting in the kernel", count(|to| (8, R_64, to.kernel, 0)), "accept"),
        ("counting at a number", count(|to| (8, R_64, to.number, 0)), "accept"),
        ("no operations", without(1), BROKEN),
        ("something else than operations", operations(|to| (16, R_64, to.data, 0)), BROKEN),
        ("operations by half a pointer", operations(|to| (16, R_PC32, to.kernel, 0)), BROKEN),
        ("no elements", without(2), BROKEN),
        ("elements up to the end", elements(|to| (24, R_64, to.data, 12)), "accept"),
        ("elements beyond it", elements(|to| (24, R_64, to.data, 13)), BROKEN),
        ("elements in code", elements(|to| (24, R_64, to.function, 0)), BROKEN),
        ("elements by half a pointer", elements(|to| (24, R_PC32, to.data, 0)), BROKEN),
        ("elements of the kernel's", elements(|to| (24, R_64, to.kernel, 0)), "accept"),
    ]);
}

#[test]
fn a_parameter_that_is_an_array_leads_to_one() {
    let argument = |new: fn(Symbols) -> (u64, u32, u32, i64)| array(1, 4, move |to, table, _| table[3] = new(to));
    expect([
        ("to one", argument(|to| (32, R_64, to.constants, 0)), "accept"),
        ("where nothing begins", argument(|to| (32, R_64, to.constants, 8)), BROKEN),
        ("by half a pointer", argument(|to| (32, R_PC32, to.constants, 0)), BROKEN),
        ("to something else", argument(|to| (32, R_64, to.data, 0)), BROKEN),
        ("to nothing", array(1, 4, |_, table, _| table.truncate(3)), BROKEN),
    ]);
}
