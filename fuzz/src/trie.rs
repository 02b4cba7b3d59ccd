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
    entries.iter().take(4).try_for_each(|(key, values)| check_matching(trie, entries, key, values))
}

/// A key is looked for among patterns as `fnmatch` would, and in the order of priorities.
fn check_matching(trie: &Trie<'_>, entries: &Entries<'_>, key: &[u8], values: &[Value<'_>]) -> Result<(), Error> {
    let found = trie.matching(key)?;
    assert!(found.is_sorted_by_key(|value| value.priority));
    let hits = entries.iter().filter(|(pattern, _)| is_match(pattern, key)).flat_map(|(_, values)| values);
    // A key with wildcards may be found as itself, too, which no name of a device ever is.
    let has_wildcard = key.iter().any(|byte| WILDCARDS.contains(byte));
    let is_other = |value: &&Value<'_>| !has_wildcard || values.iter().all(|own| own.text.as_ptr() != value.text.as_ptr());
    let order = |value: &&Value<'_>| (value.priority, value.text.as_ptr());
    let (mut found, mut expected): (Vec<_>, Vec<_>) = (found.iter().filter(is_other).collect(), hits.filter(is_other).collect());
    found.sort_by_key(order);
    expected.sort_by_key(order);
    if has_wildcard {
        // Such a key leads to a pattern that begins like it by two ways.
        found.dedup_by_key(|value| order(value));
    }
    assert_eq!(found, expected, "{}", key.escape_ascii());
    Ok(())
}

const WILDCARDS: &[u8] = b"*?[";

/// Up to the first wildcard a key is literal text, from there on a pattern.
fn is_match(pattern: &[u8], key: &[u8]) -> bool {
    let literal = pattern.iter().position(|byte| WILDCARDS.contains(byte)).unwrap_or(pattern.len());
    let (literal, pattern) = pattern.split_at(literal);
    let Some(rest) = key.strip_prefix(literal) else { return false };
    match (str::from_utf8(pattern), str::from_utf8(rest)) {
        (Ok(pattern), Ok(rest)) => alias::matches(pattern, rest),
        // Matching is by bytes, and the pattern is the key itself here: only keys that were damaged are no text.
        _ => pattern == rest,
    }
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
