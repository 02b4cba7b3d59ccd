//! Target `deb822`: the bytes as a package index or another control file, with versions in it.

use std::{borrow::Cow, cmp::Ordering};

use debfile::control::{Stanza, compare_versions, stanzas};

use crate::{
    Seed,
    promises::{as_text, check_cut_text, check_same, gather},
};

/// Reads the text, writes what was read and reads that; then compares the versions in it.
pub fn check(data: &[u8]) {
    let text = as_text(data);
    let all = gather(stanzas(&text));
    check_cut_text(&text, &all, stanzas);
    let read = gather(fields(all.iter().copied()));
    let written = write(&read, 2 * text.len());
    let versions: Vec<&str> = gather(read.chunk_by(|a, b| a.0 == b.0).filter_map(version));
    assert!(all.iter().filter_map(|stanza| stanza.get("version")).eq(versions.iter().copied()));
    check_order(&versions[..versions.len().min(MOST)]);
    check_same(fields(stanzas(&written)), read.into_iter());
}

/// Number of the stanza, name and value.
type Field<'a> = (usize, &'a str, Cow<'a, str>);

fn fields<'a>(stanzas: impl Iterator<Item = Stanza<'a>>) -> impl Iterator<Item = Field<'a>> {
    stanzas.enumerate().flat_map(|(at, stanza)| stanza.fields().map(move |(name, value)| (at, name, value)))
}

/// Of a stanza's fields with one name the last counts.
fn version<'a>(stanza: &'a [Field<'_>]) -> Option<&'a str> {
    let field = stanza.iter().rfind(|(_, name, _)| name.eq_ignore_ascii_case("version"));
    field.map(|(_, _, value)| value.as_ref())
}

fn write(fields: &[Field<'_>], room: usize) -> String {
    let (mut out, mut last) = (String::with_capacity(room), 0);
    for (stanza, name, value) in fields {
        if *stanza > last {
            out.push('\n');
        }
        last = *stanza;
        out.extend([name, ": "]);
        for (at, line) in value.split('\n').enumerate() {
            out.extend([if at == 0 { "" } else { "\n " }, line]);
        }
        out.push('\n');
    }
    out
}

/// So many versions are compared with each other: three show whether they are in one order.
const MOST: usize = 4;

/// An order is one: a sort would otherwise depend on where it began.
fn check_order(versions: &[&str]) {
    let orders: Vec<[Ordering; MOST]> = versions
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
    let text = ["x01", version, "~"].concat();
    let (longer, shorter) = (&text[2..], &text[2..text.len() - 1]);
    assert!(compare_versions(longer, shorter).is_lt() || version.contains(['-', ':', '~']));
    let without_zero = ["x1", version].concat();
    assert_eq!(compare_versions(&without_zero, &text[..text.len() - 1]), Ordering::Equal);
}

/// Stanzas as an archive has them, odd ones, and versions.
pub fn seeds() -> Vec<Seed> {
    crate::texts([
        ("packages", "Package: a\nVersion: 6.1.4-1\nDepends: b,\n c (= 1)\nSize: 3\n\nPackage: d\nVersion: 1:2~rc1-1+b1\n"),
        ("odd", "# head\n\nno field\n stray\nA:\n# note\n .\n\tx:y\na: again\n\n \n\nlast: one"),
        ("versions", "Version: 0\n\nVersion: 00\n\nVersion: 1a~\n\nVersion: 99999999999999999999999\n\nVersion: 1.+-~:\n"),
    ])
}
