//! Target `trie`: the bytes as a binary index, or as lines `KEY VALUE` that one is made of.

use std::collections::BTreeMap;

use modfile::{
    Error, alias,
    index::trie::{Builder, Trie, Value},
};

use crate::{
    Seed,
    promises::{borrows, check_refusal},
};

const MAGIC: &[u8] = &[0xb0, 0x07, 0xf4, 0x57];

/// Reads the bytes, or builds an index from them and reads that, and checks what reader and builder promise.
pub fn check(data: &[u8]) {
    if data.starts_with(MAGIC) {
        check_refusal(check_file(data));
    } else {
        check_built(data);
    }
}

/// All entries by key.
type Entries<'a> = BTreeMap<Vec<u8>, Vec<Value<'a>>>;

/// Every question is answered as a reader who knows all entries would.
fn check_file(file: &[u8]) -> Result<(), Error> {
    let trie = Trie::parse(file)?;
    for key in ["", "a", "symbol:f", "*"] {
        let _ = (trie.lookup(key), trie.matching(key));
    }
    let (mut entries, mut count) = (Entries::new(), 0);
    trie.entries(|key, value| {
        assert!(borrows(file, value.text));
        count += 1;
        entries.entry(key.to_vec()).or_default().push(value);
    })?;
    // A value takes five bytes at least: its priority and a NUL.
    assert!(5 * count <= file.len());
    check_questions(&trie, &entries)
}

fn check_questions(trie: &Trie<'_>, entries: &Entries<'_>) -> Result<(), Error> {
    for (key, values) in entries.iter().take(64) {
        assert_eq!(trie.lookup(key)?, values.first().copied());
        // The beginning of a key is another key, or none.
        let start = &key[..key.len().saturating_sub(1)];
        assert_eq!(trie.lookup(start)?, entries.get(start).and_then(|values| values.first()).copied());
    }
    entries.keys().take(4).try_for_each(|key| check_matching(trie, entries, key))
}

/// A key is looked for among patterns as `fnmatch` would, and in the order of priorities.
fn check_matching(trie: &Trie<'_>, entries: &Entries<'_>, key: &[u8]) -> Result<(), Error> {
    let mut found = trie.matching(key)?;
    assert!(found.is_sorted_by_key(|value| value.priority));
    let order = |value: &Value<'_>| (value.priority, value.text.as_ptr());
    found.sort_by_key(order);
    let hits = |ways| entries.iter().filter(move |(pattern, _)| is_match(pattern, key, ways)).flat_map(|(_, values)| values);
    let mut expected: Vec<Value<'_>> = hits(1).copied().collect();
    expected.sort_by_key(order);
    if key.iter().any(|byte| WILDCARDS.contains(byte)) {
        // Where a wildcard has a node of its own, the same character leads to it, too. No device's name has one.
        assert!(expected.iter().all(|value| found.contains(value)), "{}", key.escape_ascii());
        assert!(found.iter().all(|value| hits(usize::MAX).any(|hit| hit == value)), "{}", key.escape_ascii());
    } else {
        assert_eq!(found, expected, "{}", key.escape_ascii());
    }
    Ok(())
}

const WILDCARDS: &[u8] = b"*?[";

/// Up to the first wildcard a key is literal text, from there on a pattern. Or up to another: one of so many `ways`.
fn is_match(pattern: &[u8], key: &[u8], ways: usize) -> bool {
    let is_wildcard = |at: &usize| pattern.get(*at).is_none_or(|byte| WILDCARDS.contains(byte));
    (0..=pattern.len()).filter(is_wildcard).take(ways).any(|at| {
        let (literal, pattern) = pattern.split_at(at);
        key.strip_prefix(literal).is_some_and(|rest| match (str::from_utf8(pattern), str::from_utf8(rest)) {
            (Ok(pattern), Ok(rest)) => alias::matches(pattern, rest),
            // Matching is by bytes, and the pattern is the key itself here: only keys that were damaged are no text.
            _ => pattern == rest,
        })
    })
}

/// What was put in comes out: the values of a key by priority, the last one added first.
fn check_built(data: &[u8]) {
    let (mut builder, mut expected) = (Builder::default(), BTreeMap::<_, Vec<_>>::new());
    for (at, line) in data.split(|byte| *byte == b'\n').enumerate() {
        let (key, value) = line.split_at(line.iter().position(|byte| *byte == b' ').unwrap_or(line.len()));
        let value = value.strip_prefix(b" ").unwrap_or(value);
        let priority = u32::from(value.first().copied().unwrap_or_default());
        match builder.insert(key, value, priority) {
            Ok(()) => expected.entry(key.to_vec()).or_default().push((priority, usize::MAX - at, value.to_vec())),
            Err(_) => assert!(!key.is_ascii() || key.contains(&0) || value.contains(&0)),
        }
    }
    let file = builder.build();
    let trie = Trie::parse(&file).expect("what the builder builds can be read");
    let mut entries = BTreeMap::<_, Vec<_>>::new();
    let each = |key: &[u8], value: Value<'_>| entries.entry(key.to_vec()).or_default().push((value.priority, value.text.to_vec()));
    assert_eq!(trie.entries(each), Ok(()));
    let expected = expected.into_iter().map(|(key, mut values)| {
        values.sort_unstable();
        (key, values.into_iter().map(|(priority, _, value)| (priority, value)).collect())
    });
    assert_eq!(entries, expected.collect());
    assert_eq!(check_file(&file), Ok(()));
}

/// Lines, and an index of them.
pub fn seeds() -> Vec<Seed> {
    let lines = "a m1\nab m2\nabc m3\nx:* m4\nx:[0-9] m5\nx:? m6\n* m7\nsymbol:f m8\nx:1 m9\na z\n";
    let mut builder = Builder::default();
    for (key, value) in lines.lines().filter_map(|line| line.split_once(' ')) {
        builder.insert(key.as_bytes(), value.as_bytes(), 1).expect("keys are ASCII");
    }
    vec![
        ("lines".to_owned(), lines.as_bytes().to_vec()),
        ("index".to_owned(), builder.build()),
        ("index-empty".to_owned(), Builder::default().build()),
    ]
}
