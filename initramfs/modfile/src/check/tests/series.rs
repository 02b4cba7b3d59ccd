//! Which kernel a file is checked for, what it says, and where.

use super::{super::rule::Stage, *};

#[test]
fn a_series_is_read_from_a_release() {
    let read = |release| Series::of_release(release).map(|series| format!("{series}"));
    assert_eq!(read("6.1.0-56-cloud-amd64").as_deref(), Some("6.1"));
    assert_eq!(read("7.3").as_deref(), Some("7.3"));
    assert_eq!(read("6.12.118+deb13").as_deref(), Some("6.12"));
    for wrong in ["", "6", "six.one", "6.", "6.x"] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
}

#[test]
fn struct_module_is_that_of_another_module_of_the_kernels() {
    let file = module(|draft| {
        let text = draft.code(".text", [0xcc; 32]);
        let init = draft.symbol("init_module", text, 0);
        let exit = draft.symbol("cleanup_module", text, 16);
        let other = draft.symbol("other", text, 8);
        draft.relocate(1, &[(128, R_64, init, 0), (256, R_64, exit, 0), (512, R_64, other, 0)]);
    });
    let known = Kernel::that_loads(Series::new(7, 3), &file);
    assert_eq!(known.series, Series::new(7, 3));
    assert_eq!(known.module, Some(StructModule { size: 1024, init: Some(128), exit: Some(256) }));
    assert_eq!(Kernel::that_loads(Series::new(7, 3), &object(|_| ())).module, None);
    assert_eq!(Kernel::that_loads(Series::new(7, 3), b"no module").module, None);
    assert_eq!(Kernel::from(Series::new(6, 1)).module, None);
}

#[test]
fn the_errno_and_the_words_in_the_log_are_those_of_the_series() {
    let told = |file: &[u8], series| match check(file, series) {
        Verdict::Reject(Finding { effect: Effect::Rejects { errno, log }, .. }) => (errno_name(errno), log),
        other => panic!("{other:?}"),
    };
    let (old, new) = (Series::new(5, 16), Series::new(5, 17));
    let other_type = put(&sound(), 0x10, 2, 2);
    // One line stands for all that is wrong with the headers,
    assert_eq!(told(&other_type, old), ("ENOEXEC", "Module has invalid ELF structures"));
    assert_eq!(told(&other_type, new), ("ENOEXEC", "Invalid ELF header type"));
    let name = set(&sound(), ".text", NAME, 1 << 20);
    assert_eq!(told(&name, old), ("ENOEXEC", "Module has invalid ELF structures"));
    // but not for what is found wrong later,
    let nothing = object(|draft| {
        draft.constants(".modinfo", [0]);
    });
    assert_eq!([old, new].map(|series| told(&nothing, series)), [("ENOEXEC", "No module found in object"); 2]);
    // and nothing is said of a file that is no file of a module's size.
    assert_eq!([old, new].map(|series| told(&sound()[..55], series)), [("ENOEXEC", ""); 2]);
}

#[test]
fn rules_say_what_kernels_do_and_since_when() {
    let rule = |name| *RULES.iter().find(|rule| rule.name == name).unwrap();
    let since = |name, series| rule(name).since(series);
    let (v5_10, v6_12, v6_13) = (Series::new(5, 10), Series::new(6, 12), Series::new(6, 13));
    assert_eq!(since("strtab-end", v6_12), None);
    assert_eq!(since("strtab-end", v6_13), Some(v6_13));
    assert_eq!(since("strtab-end", Series::new(7, 3)), Some(v6_13));
    assert_eq!(rule("strtab-begin").effect(v6_12), Effect::Passes);
    assert!(rule("strtab-begin").effect(v6_13).is_rejection());
    assert!(!rule("strtab-end").effect(v5_10).is_rejection());

    let errnos = [
        ("symbol-nameless", "ENOENT"),
        ("magic", "ENOEXEC"),
        ("percpu", "ENOMEM"),
        ("duplicate-name", "EEXIST"),
        ("relocation-livepatch", "EINVAL"),
    ];
    for (name, errno) in errnos {
        let effect = rule(name).effect(Series::new(7, 3));
        assert!(matches!(effect, Effect::Rejects { errno: number, .. } if errno_name(number) == errno), "{name}");
    }
    assert_eq!(errno_name(1), "an error");
}

#[test]
fn findings_are_the_same_if_rule_place_and_effect_are() {
    let finding = |rule, place, effect| Finding { rule, place, effect, order: (Stage::Header, 0) };
    let (magic, other) = (RULES[1], RULES[2]);
    let one = finding(magic, Place::File, Effect::Passes);
    assert_eq!(one, Finding { order: (Stage::Init, 7), ..one });
    assert_ne!(one, finding(other, Place::File, Effect::Passes));
    assert_ne!(one, finding(magic, Place::Section(1), Effect::Passes));
    assert_ne!(one, finding(magic, Place::File, Effect::Endangers("")));
}

#[test]
fn all_that_is_wrong_is_found_and_the_first_decides() {
    let file = set(&set_byte(&sound(), THIS_MODULE, 512, 1), ".note", OFFSET, 0x7fff_ffff);
    assert_eq!(
        found(&file),
        ["contents-outside: section 4 (.note)", "this-module-contents: section 1 (.gnu.linkonce.this_module)"]
    );
    expect([("both", file, "reject contents-outside")]);
}

#[test]
fn places_are_shown_with_their_names() {
    let file = sound();
    let places = Places::of(&file);
    for (place, text) in [
        (Place::File, "file"),
        (Place::Section(0), "section 0"),
        (Place::Section(3), "section 3 (.text)"),
        (Place::Section(100), "section 100"),
        (Place::Symbol(0), "symbol 0"),
        (Place::Symbol(2), "symbol 2 (called)"),
        (Place::Symbol(100), "symbol 100"),
        (Place::Entry { section: 5, index: 7 }, "section 5 (.rela.text), entry 7"),
        (Place::Entry { section: 100, index: 7 }, "section 100, entry 7"),
    ] {
        assert_eq!(places.text(place), text);
    }
    // Signed, they are the same.
    let trailer = [&[0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 3][..], b"~Module signature appended~\n"].concat();
    let signed = [&file[..], b"sig", &trailer].concat();
    assert_eq!(Places::of(&signed).text(Place::Symbol(1)), "symbol 1 (init_module)");
    assert_eq!(Places::of(b"no module").text(Place::Symbol(1)), "symbol 1");
}
