//! Debian's control format (deb822) and version order: what package indexes and apt's sources are written in.

use std::{cmp::Ordering, collections::BTreeMap};

/// One stanza: field names in lower case. A continued field keeps its lines, joined by newlines.
pub type Stanza = BTreeMap<String, String>;

/// The packages of a suite, by name.
pub type Index = BTreeMap<String, Stanza>;

/// The stanzas of a file, in order; lines that belong to none, and comments, are skipped.
pub fn stanzas(text: &str) -> impl Iterator<Item = Stanza> {
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    std::iter::from_fn(move || {
        let mut stanza = Stanza::new();
        let mut last = String::new();
        for line in lines.by_ref() {
            if line.trim().is_empty() {
                if stanza.is_empty() {
                    continue;
                }
                return Some(stanza);
            }
            if line.starts_with([' ', '\t']) {
                if let Some(value) = stanza.get_mut(&last) {
                    value.push('\n');
                    value.push_str(line.trim());
                }
            } else if let Some((name, value)) = line.split_once(':') {
                last = name.to_ascii_lowercase();
                stanza.insert(last.clone(), value.trim().to_owned());
            }
        }
        (!stanza.is_empty()).then_some(stanza)
    })
}

/// Order of two package versions as dpkg sees them (deb-version(7)): epoch, then upstream, then revision.
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    let parts = |version: &str| {
        let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
        (epoch.parse().unwrap_or(0u64), upstream.to_owned(), revision.to_owned())
    };
    let ((epoch_a, upstream_a, revision_a), (epoch_b, upstream_b, revision_b)) = (parts(a), parts(b));
    epoch_a
        .cmp(&epoch_b)
        .then_with(|| compare_parts(&upstream_a, &upstream_b))
        .then_with(|| compare_parts(&revision_a, &revision_b))
}

/// Runs of other characters and runs of digits in turns; `~` sorts before the end, letters before other signs.
fn compare_parts(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    while !(a.is_empty() && b.is_empty()) {
        let (text_a, text_b) = (take(&mut a, |c| !c.is_ascii_digit()), take(&mut b, |c| !c.is_ascii_digit()));
        let weights = |text: &str| text.chars().map(weight).chain([0]).collect::<Vec<_>>();
        let (digits_a, digits_b) = (take(&mut a, |c| c.is_ascii_digit()), take(&mut b, |c| c.is_ascii_digit()));
        let order = weights(text_a).cmp(&weights(text_b)).then(number(digits_a).cmp(&number(digits_b)));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// Digits as something that compares as the number does: without zeros in front the longer one is the larger.
fn number(digits: &str) -> (usize, &str) {
    let digits = digits.trim_start_matches('0');
    (digits.len(), digits)
}

fn take<'a>(text: &mut &'a str, wanted: impl Fn(char) -> bool) -> &'a str {
    let end = text.find(|c| !wanted(c)).unwrap_or(text.len());
    let (taken, rest) = text.split_at(end);
    *text = rest;
    taken
}

fn weight(c: char) -> i64 {
    match c {
        '~' => -1,
        c if c.is_ascii_alphabetic() => i64::from(u32::from(c)),
        c => i64::from(u32::from(c)) + 256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stanzas_are_read_with_comments_and_continued_fields() {
        let text = "# head\n\nPackage: a\nDepends: b,\n c (= 1)\n# note\nSize: 3\n\n\nPackage: d\n";
        let read: Vec<Stanza> = stanzas(text).collect();
        assert_eq!(read.len(), 2);
        assert_eq!(read[0]["depends"], "b,\nc (= 1)");
        assert_eq!(read[0]["size"], "3");
        assert_eq!(read[1]["package"], "d");
    }

    #[test]
    fn versions_sort_as_dpkg_sorts_them() {
        let sorted = [
            "5.10.9-1",
            "5.10.162-1",
            "5.10.162-1+b1",
            "6.1~rc1-1",
            "6.1-1",
            "6.1.192-2",
            "7.3.4-1~bpo13+1",
            "7.3.4-1",
            "1:1-1",
            "1:18446744073709551615",
            "1:18446744073709551616",
        ];
        for pair in sorted.windows(2) {
            assert_eq!(compare_versions(pair[0], pair[1]), Ordering::Less, "{pair:?}");
        }
        assert_eq!(compare_versions("1.0-1", "1.0-1"), Ordering::Equal);
    }
}
