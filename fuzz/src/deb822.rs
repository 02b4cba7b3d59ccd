//! Target `deb822`: the bytes as a package index or another control file, with versions in it.

use std::cmp::Ordering;

use debfile::control::{Stanza, compare_versions, stanzas};

use crate::{
    Seed,
    promises::{as_text, check_cut_text, check_same},
};

/// Reads the text, writes what was read and reads that; then compares the versions in it.
pub fn check(data: &[u8]) {
    let text = as_text(data);
    check_cut_text(&text, stanzas);
    let all: Vec<Stanza> = stanzas(&text).collect();
    assert!(all.iter().all(|stanza| !stanza.is_empty()));
    let written: String = all.iter().map(write).collect();
    check_same(stanzas(&written), all.iter().cloned());
    let versions: Vec<&str> = all.iter().filter_map(|stanza| Some(stanza.get("version")?.as_str())).take(8).collect();
    check_order(&versions);
}

fn write(stanza: &Stanza) -> String {
    let fields = stanza.iter().map(|(name, value)| format!("{name}: {}\n", value.replace('\n', "\n ")));
    fields.chain(["\n".to_owned()]).collect()
}

/// An order is one: a sort would otherwise depend on where it began.
fn check_order(versions: &[&str]) {
    for a in versions {
        assert_eq!(compare_versions(a, a), Ordering::Equal);
        for b in versions {
            assert_eq!(compare_versions(a, b), compare_versions(b, a).reverse(), "{a} {b}");
            let follow = |c: &&&str| compare_versions(a, b).is_le() && compare_versions(b, c).is_le();
            assert!(versions.iter().filter(follow).all(|c| compare_versions(a, c).is_le()), "{a} {b}");
        }
        // The end sorts after `~` and before all else, and a zero before a number is nothing.
        assert!(compare_versions(&format!("1{a}~"), &format!("1{a}")).is_lt() || a.contains(['-', ':', '~']));
        assert_eq!(compare_versions(&format!("x1{a}"), &format!("x01{a}")), Ordering::Equal);
    }
}

/// Stanzas as an archive has them, odd ones, and versions.
pub fn seeds() -> Vec<Seed> {
    crate::texts([
        ("packages", "Package: a\nVersion: 6.1.4-1\nDepends: b,\n c (= 1)\nSize: 3\n\nPackage: d\nVersion: 1:2~rc1-1+b1\n"),
        ("odd", "# head\n\nno field\n stray\nA:\n# note\n .\n\tx:y\na: again\n\n \n\nlast: one"),
        ("versions", "Version: 0\n\nVersion: 00\n\nVersion: 1a~\n\nVersion: 99999999999999999999999\n\nVersion: 1.+-~:\n"),
    ])
}
