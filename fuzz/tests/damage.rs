//! The builder of broken modules: what it says it breaks it breaks, and it can break everything.

use std::collections::BTreeSet;

use modfile::elf::Layout;
use modrig_fuzz::{
    damage::{Damage, Label, Region, Value, apply, places},
    plan::{Parameter, Plan},
    signing::Signing,
};

fn plan(layout: Layout) -> Plan {
    Plan {
        modinfo: vec![("license".into(), "GPL".into())],
        exports: vec![("given".into(), Some(7))],
        needs: vec![("taken".into(), false)],
        versions: vec![("taken".into(), 1)],
        parameters: vec![Parameter { name: "n".into(), permissions: 0o644, ops: "ops".into(), is_own_type: true }],
        signing: Some(Signing::example()),
        ..Plan::named("m", layout)
    }
}

#[test]
fn each_region_of_a_module_has_places_that_lie_inside_and_apart() {
    for layout in Layout::ALL {
        let module = plan(layout).build();
        let places = places(&module);
        let regions: BTreeSet<_> = places.iter().map(|place| place.region).collect();
        assert_eq!(regions.len(), 10, "{layout:?}: {regions:?}");
        assert!(places.iter().all(|place| place.at + place.size <= module.len()));
    }
}

#[test]
fn a_damage_changes_what_its_label_says_and_nothing_else() {
    for layout in Layout::ALL {
        let module = plan(layout).build();
        for place in places(&module) {
            let mut broken = module.clone();
            let label = place.set(&mut broken, Value::Flip(0)).expect("a bit turned over is a change");
            let changed: Vec<_> = (0..module.len()).filter(|at| module[*at] != broken[*at]).collect();
            assert!(changed.len() == 1 && (place.at..place.at + place.size).contains(&changed[0]), "{label}");
        }
    }
}

#[test]
fn a_label_names_the_number_and_both_its_values() {
    let module = plan(Layout::ELF64_LE).build();
    let damage = |region, which, value| Damage::Number { region, which, value };
    let damages = [
        damage(Region::Header, 11, Value::Max),
        damage(Region::Sections, 12, Value::Zero),
        Damage::Cut { keep: 0x8000 },
    ];
    let (broken, labels) = apply(&module, &damages);
    let texts: Vec<_> = labels.iter().map(Label::to_string).collect();
    let count = format!("{:#x}", module[60]);
    let expected = [format!("Header 0/0 e_shnum: {count} -> 0xffff"), format!("cut to {} bytes", module.len() / 2)];
    assert_eq!([texts[0].clone(), texts[2].clone()], expected);
    assert!(texts[1].starts_with("Sections 0/1 sh_flags: 0x2 -> 0x0"), "{}", texts[1]);
    assert_eq!(broken.len(), module.len() / 2);
}

/// What is broken need not be ours: places are found in whatever can be read.
#[test]
fn what_cannot_be_read_has_no_places() {
    assert!(places(b"\x7fELF").is_empty());
    assert_eq!(apply(b"x", &[Damage::Number { region: Region::Header, which: 0, value: Value::Max }]).0, b"x");
}
