//! Target `deb822`: the bytes as a package index or another control file, with versions in it.

use std::cmp::Ordering;

use debfile::control::{Stanza, compare_versions, stanzas};

use crate::{
    Seed,
    promises::{as_text, check_cut_text},
};

/// Reads the text, writes what was read and reads that; then compares the versions in it.
pub fn check(data: &[u8]) {
    let text = as_text(data);
    let all: Vec<Stanza> = stanzas(&text).collect();
    check_cut_text(&text, &all, stanzas);
    assert!(all.iter().all(|stanza| !stanza.is_empty()));
    let mut written = String::with_capacity(2 * text.len());
    all.iter().for_each(|stanza| write(stanza, &mut written));
    let mut again = stanzas(&written);
    assert!(all.iter().all(|before| again.next().as_ref() == Some(before)) && again.next().is_none());
    let versions: Vec<&str> = all.iter().filter_map(|stanza| Some(stanza.get("version")?.as_str())).take(8).collect();
    check_order(&versions);
}

fn write(stanza: &Stanza, out: &mut String) {
    for (name, value) in stanza {
        out.extend([name, ": "]);
        for (at, line) in value.split('\n').enumerate() {
            out.extend([if at == 0 { "" } else { "\n " }, line]);
        }
        out.push('\n');
    }
    out.push('\n');
}

/// An order is one: a sort would otherwise depend on where it began.
fn check_order(versions: &[&str]) {
    let orders: Vec<[Ordering; 8]> = versions
        .iter()
        .map(|a| std::array::from_fn(|b| versions.get(b).map_or(Ordering::Equal, |b| compare_versions(a, b))))
        .collect();
    for (a, name) in versions.iter().enumerate() {
        assert_eq!(orders[a][a], Ordering::Equal);
        for b in 0..versions.len() {
            assert_eq!(orders[a][b], orders[b][a].reverse(), "{name} {}", versions[b]);
            let follows = |c: &usize| orders[a][b].is_le() && orders[b][*c].is_le();
            assert!((0..versions.len()).filter(follows).all(|c| orders[a][c].is_le()), "{name} {}", versions[b]);
        }
        check_rules(name);
    }
}

/// The end sorts after `~` and before all else, and a zero before a number is nothing.
fn check_rules(version: &str) {
    assert!(compare_versions(&format!("1{version}~"), &format!("1{version}")).is_lt() || version.contains(['-', ':', '~']));
    assert_eq!(compare_versions(&format!("x1{version}"), &format!("x01{version}")), Ordering::Equal);
}

/// Stanzas as an archive has them, odd ones, and versions.
pub fn seeds() -> Vec<Seed> {
    crate::texts([
        ("packages", "Package: a\nVersion: 6.1.4-1\nDepends: b,\n c (= 1)\nSize: 3\n\nPackage: d\nVersion: 1:2~rc1-1+b1\n"),
        ("odd", "# head\n\nno field\n stray\nA:\n# note\n .\n\tx:y\na: again\n\n \n\nlast: one"),
        ("versions", "Version: 0\n\nVersion: 00\n\nVersion: 1a~\n\nVersion: 99999999999999999999999\n\nVersion: 1.+-~:\n"),
    ])
}
