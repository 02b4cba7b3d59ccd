//! Debian's control format (deb822) and version order: what package indexes and apt's sources are written in.

use std::{borrow::Cow, cmp::Ordering, collections::BTreeMap, ops::Range};

/// One stanza: a part of a file's text, which is read when it is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stanza<'a> {
    text: &'a str,
}

impl<'a> Stanza<'a> {
    fn at(text: &'a str, place: &Range<usize>) -> Self {
        Self { text: &text[place.clone()] }
    }

    /// The value of a field, whose name may be written in any case; of several fields with that name the last one's.
    pub fn get(self, name: &str) -> Option<Cow<'a, str>> {
        let (_, start) = self.starts().filter(|(other, _)| other.eq_ignore_ascii_case(name)).last()?;
        Some(value(start))
    }

    /// Name and value of each field. A continued field keeps its lines, joined by newlines.
    pub fn fields(self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
        self.starts().map(|(name, start)| (name, value(start)))
    }

    /// The name of each field, and all of the stanza behind its colon.
    fn starts(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut at = 0;
        self.text.split_inclusive('\n').filter_map(move |line| {
            let start = at;
            at += line.len();
            let name = name(line)?;
            Some((name, &self.text[start + name.len() + 1..]))
        })
    }
}

/// The name of the field that begins on this line.
fn name(line: &str) -> Option<&str> {
    let (name, _) = line.split_once(':').filter(|_| !line.starts_with([' ', '\t', '#']))?;
    Some(name)
}

/// The value that a text begins with. Lines that belong to no field, and comments, are passed over.
fn value(text: &str) -> Cow<'_, str> {
    let mut lines = text.split_inclusive('\n');
    let first = lines.next().unwrap_or_default().trim();
    let more = lines.take_while(|line| name(line).is_none()).filter(|line| line.starts_with([' ', '\t']));
    more.fold(first.into(), |value, line| value + "\n" + line.trim())
}

/// The stanzas of a file, in order; lines that belong to none, and comments, are skipped.
pub fn stanzas(text: &str) -> impl Iterator<Item = Stanza<'_>> {
    places(text).map(|place| Stanza::at(text, &place))
}

/// Where they are: between lines that are blank.
fn places(text: &str) -> impl Iterator<Item = Range<usize>> {
    let (mut lines, mut at) = (text.split_inclusive('\n'), 0);
    std::iter::from_fn(move || {
        let (start, mut has_field) = (at, false);
        for line in lines.by_ref() {
            let end = at;
            at += line.len();
            if !line.trim_start().is_empty() {
                has_field = has_field || name(line).is_some();
            } else if has_field {
                return Some(start..end);
            }
        }
        has_field.then_some(start..at)
    })
}

/// The packages of a suite by name, of each the newest: an archive may keep several versions.
#[derive(Debug, Clone, Default)]
pub struct Index {
    text: String,
    packages: BTreeMap<String, Range<usize>>,
}

impl Index {
    /// Of the text of a `Packages` file. A stanza without a name is passed over.
    pub fn new(text: String) -> Self {
        let version = |place: &Range<usize>| Stanza::at(&text, place).get("version").unwrap_or_default();
        let mut packages = BTreeMap::<String, Range<usize>>::new();
        for place in places(&text) {
            let Some(name) = Stanza::at(&text, &place).get("package") else { continue };
            let known = packages.get(&*name);
            if known.is_none_or(|known| compare_versions(&version(known), &version(&place)).is_lt()) {
                packages.insert(name.into_owned(), place);
            }
        }
        Self { text, packages }
    }

    /// The package with that name.
    pub fn get(&self, package: &str) -> Option<Stanza<'_>> {
        Some(Stanza::at(&self.text, self.packages.get(package)?))
    }

    /// All packages, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Stanza<'_>)> {
        self.packages.iter().map(|(name, place)| (name.as_str(), Stanza::at(&self.text, place)))
    }
}

/// Order of two package versions as dpkg sees them (deb-version(7)): epoch, then upstream, then revision.
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    fn parts(version: &str) -> (u64, &str, &str) {
        let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
        (epoch.parse().unwrap_or(0), upstream, revision)
    }
    let ((epoch_a, upstream_a, revision_a), (epoch_b, upstream_b, revision_b)) = (parts(a), parts(b));
    epoch_a
        .cmp(&epoch_b)
        .then_with(|| compare_parts(upstream_a, upstream_b))
        .then_with(|| compare_parts(revision_a, revision_b))
}

/// Runs of other characters and runs of digits in turns; `~` sorts before the end, letters before other signs.
fn compare_parts(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    while !(a.is_empty() && b.is_empty()) {
        let (text_a, text_b) = (take(&mut a, |c| !c.is_ascii_digit()), take(&mut b, |c| !c.is_ascii_digit()));
        let (digits_a, digits_b) = (take(&mut a, |c| c.is_ascii_digit()), take(&mut b, |c| c.is_ascii_digit()));
        let order = weights(text_a).cmp(weights(text_b)).then(number(digits_a).cmp(&number(digits_b)));
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

/// What a run of other characters compares by; its end has a place among them.
fn weights(text: &str) -> impl Iterator<Item = i64> {
    text.chars().map(weight).chain([0])
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
        let text =
            "# head\n\nPackage: a\nDepends: b,\n c (= 1)\nnothing\n# note\n\t. \nSize: 3\n\n \n stray\n\npackage: d";
        let read: Vec<Stanza<'_>> = stanzas(text).collect();
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].get("depends").unwrap(), "b,\nc (= 1)\n.");
        assert_eq!(read[0].get("Size").unwrap(), "3");
        assert_eq!(read[0].get("nothing"), None);
        assert_eq!(read[1].fields().collect::<Vec<_>>(), [("package", "d".into())]);
    }

    #[test]
    fn the_last_of_equal_fields_counts() {
        let stanza = stanzas("A: 1\n 2\na: 3\n 4\nB:\n5").next().unwrap();
        assert_eq!(stanza.get("a").unwrap(), "3\n4");
        assert_eq!(stanza.get("b").unwrap(), "");
    }

    #[test]
    fn what_is_one_line_is_the_inputs_own() {
        let values: Vec<_> = stanzas("A:  b \nC: d\n e\n").next().unwrap().fields().collect();
        assert!(matches!(values[..], [("A", Cow::Borrowed("b")), ("C", Cow::Owned(_))]));
    }

    #[test]
    fn of_several_versions_the_index_has_the_newest() {
        let stanza = |name: &str, version: &str| format!("Package: {name}\nVersion: {version}\n\n");
        let text =
            [stanza("b", "1.9"), stanza("b", "1.10"), stanza("b", "1.2"), stanza("a", "1"), "Version: 7\n".into()];
        let index = Index::new(text.concat());
        assert_eq!(index.get("b").unwrap().get("version").unwrap(), "1.10");
        assert_eq!(index.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(index.get("c"), None);
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
