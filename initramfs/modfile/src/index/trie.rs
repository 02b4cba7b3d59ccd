//! The binary indexes of depmod, `modules.*.bin`: a Patricia trie from keys to values with priorities.
//!
//! ```text
//! u32 magic, u32 version, u32 root       all numbers big endian
//! node:  prefix, NUL                     the part of the key on the way to this node's values and children
//!        u8 first, u8 last, u32 each     one reference for each next character from first to last; 0 is none
//!        u32 count, count * (u32 priority, value, NUL)
//! reference: where the node lies, and in the upper bits which of its three parts are there
//! ```
//! Keys are ASCII and may be patterns. Every traversal pays for the bytes it reads from a purse as large as the file:
//! the nodes of a sound trie lie apart, so only one that leads back into itself can use it up.

use alloc::{vec, vec::Vec};
use core::cell::Cell;

pub use super::builder::Builder;
use crate::{Error, alias, bytes::Bytes};

pub(super) const MAGIC: u32 = 0xb007_f457;
pub(super) const VERSION: u32 = 0x0002_0001;
pub(super) const HEADER_BYTES: usize = 12;
pub(super) const HAS_PREFIX: u32 = 0x8000_0000;
pub(super) const HAS_VALUES: u32 = 0x4000_0000;
pub(super) const HAS_CHILDREN: u32 = 0x2000_0000;
pub(super) const OFFSET: u32 = 0x0fff_ffff;

/// The characters at which a key stops being literal text.
const WILDCARDS: [u8; 3] = *b"*?[";

/// One value of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    /// Its rank: depmod stores the module's number in order, and the lowest comes first.
    pub priority: u32,
    /// A module's name, or in `modules.dep.bin` its line.
    pub text: &'a [u8],
}

/// A trie in memory; only what a lookup needs is read and checked.
#[derive(Clone, Copy, Debug)]
pub struct Trie<'a> {
    bytes: Bytes<'a>,
    root: u32,
}

impl<'a> Trie<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// The bytes are no index, or one of a format that only another kmod knows.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let bytes = Bytes::new(bytes);
        let word = |at| number(bytes, at, "file ends inside the index header");
        if word(0)? != MAGIC {
            return Err(bytes.error("not an index of depmod (magic)", 0));
        }
        if word(4)? >> 16 != VERSION >> 16 {
            return Err(bytes.error("index of another format (version)", 4));
        }
        Ok(Self { bytes, root: word(8)? })
    }

    /// The first value of exactly this key.
    ///
    /// # Errors
    /// The trie is damaged on the way to it.
    pub fn lookup(&self, key: impl AsRef<[u8]>) -> Result<Option<Value<'a>>, Error> {
        let (reader, mut rest) = (self.reader(1), key.as_ref());
        let mut next = reader.node(self.root)?;
        while let Some(node) = next {
            let Some(after) = rest.strip_prefix(node.prefix) else { return Ok(None) };
            let Some((&character, after)) = after.split_first() else { return reader.values(&node).next().transpose() };
            rest = after;
            next = reader.node(node.reference(character))?;
        }
        Ok(None)
    }

    /// The values of all keys that match `key` as patterns, in the order in which kmod takes them: by priority, and
    /// against the order of the search where that is equal.
    ///
    /// A key that is no pattern matches itself. A backslash escapes after the first wildcard only.
    ///
    /// # Errors
    /// The trie is damaged where the search leads.
    pub fn matching(&self, key: impl AsRef<[u8]>) -> Result<Vec<Value<'a>>, Error> {
        let key = key.as_ref();
        // A wildcard in the key itself leads through the same nodes twice, as a pattern and as a character.
        let wildcards = key.iter().filter(|character| WILDCARDS.contains(character)).count();
        let mut found = Vec::new();
        self.reader(1 + wildcards as u64).search(self.root, key, &mut found)?;
        found.reverse();
        found.sort_by_key(|value| value.priority);
        Ok(found)
    }

    /// Calls `each` with every key and value, in the order of `modprobe --showconfig`.
    ///
    /// # Errors
    /// The trie is damaged; `each` has seen what lies before.
    pub fn entries(&self, mut each: impl FnMut(&[u8], Value<'a>)) -> Result<(), Error> {
        let reader = self.reader(1);
        let Some(root) = reader.node(self.root)? else { return Ok(()) };
        reader.walk(root, root.prefix.to_vec(), Order::ValuesFirst, |key, node| {
            reader.values(node).try_for_each(|value| {
                each(key, value?);
                Ok(())
            })
        })
    }

    fn reader(&self, times: u64) -> Reader<'a> {
        Reader { bytes: self.bytes, purse: Cell::new(self.bytes.len().saturating_mul(times)) }
    }
}

/// One traversal.
struct Reader<'a> {
    bytes: Bytes<'a>,
    /// How many bytes it may still read.
    purse: Cell<u64>,
}

/// A node whose values have not been looked at yet.
#[derive(Clone, Copy)]
struct Node<'a> {
    prefix: &'a [u8],
    first: u8,
    children: &'a [u8],
    count: u32,
    values: Bytes<'a>,
}

impl<'a> Node<'a> {
    const EMPTY: Self = Self { prefix: &[], first: 0, children: &[], count: 0, values: Bytes::new(&[]) };

    fn reference(&self, character: u8) -> u32 {
        let slot = character.checked_sub(self.first).and_then(|slot| self.children.get(4 * usize::from(slot)..));
        slot.and_then(<[u8]>::first_chunk).map_or(0, |field| u32::from_be_bytes(*field))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    ValuesFirst,
    ChildrenFirst,
}

/// A node on the way from the root of a walk.
struct Step<'a> {
    node: Node<'a>,
    /// The next child.
    slot: u8,
    /// How long the key was before it.
    parent_len: usize,
}

impl<'a> Reader<'a> {
    /// The node, or None where the reference is none.
    fn node(&self, reference: u32) -> Result<Option<Node<'a>>, Error> {
        let start = u64::from(reference & OFFSET);
        if start == 0 {
            return Ok(None);
        }
        let outside = "index node lies outside the file";
        let mut rest = self.bytes.part(start, self.bytes.len().saturating_sub(start), outside)?;
        let mut node = Node::EMPTY;
        if reference & HAS_PREFIX != 0 {
            node.prefix = rest.string(0, "prefix of an index node is not terminated")?;
            rest = self.pay(rest, node.prefix.len() + 1)?;
        }
        if reference & HAS_CHILDREN != 0 {
            (node.first, node.children) = children(rest)?;
            rest = self.pay(rest, 2 + node.children.len())?;
        }
        if reference & HAS_VALUES != 0 {
            node.count = number(rest, 0, VALUES_OUTSIDE)?;
            node.values = self.pay(rest, 4)?;
        }
        Ok(Some(node))
    }

    /// What comes after the first `len` bytes, which are known to be there.
    fn pay(&self, bytes: Bytes<'a>, len: usize) -> Result<Bytes<'a>, Error> {
        let left = self.purse.get().checked_sub(len as u64);
        self.purse.set(left.ok_or(bytes.error("index leads back into itself", 0))?);
        bytes.part(len as u64, bytes.len().saturating_sub(len as u64), "index node lies outside the file")
    }

    /// The values of a node, up to and with the first damaged one.
    fn values(&self, node: &Node<'a>) -> impl Iterator<Item = Result<Value<'a>, Error>> {
        let (mut rest, mut left) = (Some(node.values), node.count);
        core::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let value = self.value(rest.take()?);
            Some(value.map(|(value, after)| {
                rest = Some(after);
                value
            }))
        })
    }

    fn value(&self, bytes: Bytes<'a>) -> Result<(Value<'a>, Bytes<'a>), Error> {
        let priority = number(bytes, 0, VALUES_OUTSIDE)?;
        let text = bytes.string(4, VALUES_OUTSIDE)?;
        Ok((Value { priority, text }, self.pay(bytes, 4 + text.len() + 1)?))
    }

    /// Follows the key from the root, with a side trip into the patterns that begin at each character.
    fn search(&self, root: u32, mut key: &[u8], found: &mut Vec<Value<'a>>) -> Result<(), Error> {
        let mut next = self.node(root)?;
        while let Some(node) = next {
            let literal = node.prefix.iter().position(|character| WILDCARDS.contains(character));
            let Some(rest) = key.strip_prefix(&node.prefix[..literal.unwrap_or(node.prefix.len())]) else {
                return Ok(());
            };
            if let Some(literal) = literal {
                return self.patterns(node, node.prefix[literal..].to_vec(), rest, found);
            }
            for wildcard in WILDCARDS {
                if let Some(child) = self.node(node.reference(wildcard))? {
                    self.patterns(child, [&[wildcard], child.prefix].concat(), rest, found)?;
                }
            }
            let Some((&character, rest)) = rest.split_first() else {
                return self.values(&node).try_for_each(|value| {
                    found.push(value?);
                    Ok(())
                });
            };
            key = rest;
            next = self.node(node.reference(character))?;
        }
        Ok(())
    }

    /// The values of all patterns in a subtree that the rest of a key matches. `pattern` is the part of them that has
    /// been read, with the node's prefix.
    fn patterns(&self, root: Node<'a>, pattern: Vec<u8>, rest: &[u8], found: &mut Vec<Value<'a>>) -> Result<(), Error> {
        self.walk(root, pattern, Order::ChildrenFirst, |pattern, node| {
            if node.count > 0 && alias::matches_bytes(pattern, rest) {
                self.values(node).try_for_each(|value| {
                    found.push(value?);
                    Ok(())
                })?;
            }
            Ok(())
        })
    }

    /// Visits every node of a subtree with the key that leads there. Not by recursion: a damaged file shall not decide
    /// how deep the stack grows.
    fn walk(
        &self,
        root: Node<'a>,
        mut key: Vec<u8>,
        order: Order,
        mut visit: impl FnMut(&[u8], &Node<'a>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut path = vec![Step { node: root, slot: 0, parent_len: 0 }];
        while let Some(step) = path.last_mut() {
            let Step { node, slot, parent_len } = *step;
            if slot == 0 && order == Order::ValuesFirst {
                visit(&key, &node)?;
            }
            if usize::from(slot) == node.children.len() / 4 {
                if order == Order::ChildrenFirst {
                    visit(&key, &node)?;
                }
                key.truncate(parent_len);
                path.pop();
                continue;
            }
            step.slot += 1;
            let character = node.first + slot;
            if let Some(child) = self.node(node.reference(character))? {
                path.push(Step { node: child, slot: 0, parent_len: key.len() });
                key.push(character);
                key.extend_from_slice(child.prefix);
            }
        }
        Ok(())
    }
}

const VALUES_OUTSIDE: &str = "values of an index node lie outside the file";

fn number(bytes: Bytes<'_>, at: u64, what: &'static str) -> Result<u32, Error> {
    let field = bytes.part(at, 4, what)?.all();
    Ok(field.first_chunk().map_or(0, |field| u32::from_be_bytes(*field)))
}

/// The first child's character and the references of all.
fn children(node: Bytes<'_>) -> Result<(u8, &[u8]), Error> {
    let outside = "children of an index node lie outside the file";
    match *node.part(0, 2, outside)?.all() {
        [first, last @ 0..0x80] if first <= last => {
            let len = 4 * (u64::from(last - first) + 1);
            Ok((first, node.part(2, len, outside)?.all()))
        }
        _ => Err(node.error("children of an index node are no range of ASCII characters", 0)),
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String};

    use super::*;

    fn built(entries: &[(&str, &str, u32)]) -> Vec<u8> {
        let mut builder = Builder::default();
        for (key, value, priority) in entries {
            builder.insert(key.as_bytes(), value.as_bytes(), *priority).unwrap();
        }
        builder.build()
    }

    fn text(value: Value<'_>) -> &str {
        core::str::from_utf8(value.text).unwrap()
    }

    #[test]
    fn bytes_are_those_of_kmod() {
        let bytes = built(&[("ab", "m1", 0), ("abd", "m2", 0), ("abb_*", "m3", 0), ("ab", "m4", 0), ("a", "m5", 0)]);
        let expected = concat!(
            "b007f457 00020001 2000000c ",
            "6161 60000012 ",
            "6262 60000023 00000001 00000000 6d3500 ",
            "6264 c0000043 00000000 40000051 00000002 00000000 6d3400 00000000 6d3100 ",
            "5f2a00 00000001 00000000 6d3300 ",
            "00000001 00000000 6d3200",
        );
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected.replace(' ', ""));
        assert_eq!(built(&[]), b"\xb0\x07\xf4\x57\0\x02\0\x01\0\0\0\x0c");
    }

    #[test]
    fn an_index_does_not_outgrow_its_references() {
        let entry = 1 + 2 + 4 * 128 + 32;
        let mut builder = Builder::default();
        for _ in 0..OFFSET / entry {
            builder.insert(b"k", b"m1", 0).unwrap();
        }
        let error = builder.insert(b"k", b"m1", 0).unwrap_err();
        assert_eq!(error.what, "index is too large for its format");
    }

    #[test]
    fn a_lookup_gives_the_value_of_the_lowest_priority_added_last() {
        let bytes =
            built(&[("ab", "late", 9), ("ab", "old", 2), ("ab", "new", 2), ("abc", "longer", 0), ("", "no", 1)]);
        let trie = Trie::parse(&bytes).unwrap();
        for (key, expected) in
            [("ab", Some("new")), ("abc", Some("longer")), ("", Some("no")), ("a", None), ("b", None)]
        {
            assert_eq!(trie.lookup(key).unwrap().map(text), expected, "{key}");
        }
        let mut found = Vec::new();
        trie.entries(|key, value| found.push(format!("{} {}", core::str::from_utf8(key).unwrap(), text(value))))
            .unwrap();
        assert_eq!(found, [" no", "ab new", "ab old", "ab late", "abc longer"]);
    }

    /// What `modprobe --resolve-alias` of kmod 34.2 prints for built-in modules with these aliases.
    #[test]
    fn matches_come_in_the_order_of_kmod() {
        let aliases = [
            ("x:*", "m1"),
            ("x:[0-9]", "m2"),
            ("x:?", "m3"),
            ("x:1", "m4"),
            ("*", "m5"),
            ("x:1", "m6"),
            ("x:*1", "m7"),
            ("[x]:[!2]", "m8"),
            ("*:1*", "m1"),
            ("x:1\\2", "m2"),
            ("\\x:1", "m3"),
            ("y*z\\?", "m4"),
            ("y", "m5"),
        ];
        let bytes = built(&aliases.map(|(alias, module)| (alias, module, 0)));
        let trie = Trie::parse(&bytes).unwrap();
        for (key, expected) in [
            ("x:1", "m4 m6 m2 m3 m1 m7 m8 m5 m1"),
            ("x:12", "m1 m5 m1"),
            ("x:*", "m1 m3 m1 m8 m5"),
            ("y?z?", "m4 m5"),
            ("yaz\\?", "m5"),
            ("y", "m5 m5"),
            ("", "m5"),
            ("x:1\\2", "m2 m1 m5 m1"),
            ("x:[1]", "m1 m5"),
            ("*", "m5 m5"),
        ] {
            let found: Vec<_> = trie.matching(key).unwrap().into_iter().map(text).collect();
            assert_eq!(found.join(" "), expected, "{key}");
        }
    }

    #[test]
    fn priority_goes_before_order_among_matches() {
        let bytes = built(&[("a*", "third", 7), ("ab", "second", 5), ("?b", "first", 1)]);
        let found = Trie::parse(&bytes).unwrap().matching("ab").unwrap();
        assert_eq!(found.into_iter().map(text).collect::<Vec<_>>(), ["first", "second", "third"]);
    }

    /// Keys of few characters, so that they share beginnings in every way.
    #[test]
    fn every_key_that_went_in_comes_out() {
        let mut state = 1_u32;
        let mut random = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % below
        };
        let mut keys: Vec<(String, u32)> = Vec::new();
        for _ in 0..600 {
            let len = random(20);
            keys.push(((0..len).map(|_| ['a', 'b', '*', '\x7f'][random(4) as usize]).collect(), random(3)));
        }
        let entries: Vec<_> = keys.iter().map(|(key, priority)| (key.as_str(), key.as_str(), *priority)).collect();
        let bytes = built(&entries);
        let trie = Trie::parse(&bytes).unwrap();
        let mut found = Vec::new();
        trie.entries(|key, value| {
            assert_eq!(key, value.text);
            found.push((String::from(text(value)), value.priority));
        })
        .unwrap();
        keys.sort();
        assert_eq!(found, keys);
        for (key, _) in &keys {
            assert_eq!(trie.lookup(key).unwrap().map(text), Some(key.as_str()));
            let expected = keys.iter().filter(|(pattern, _)| alias::matches(pattern, key)).count();
            if !key.contains('*') {
                assert_eq!(trie.matching(key).unwrap().len(), expected, "{key}");
            }
        }
    }

    #[test]
    fn what_the_format_cannot_hold_is_refused() {
        let mut builder = Builder::default();
        let error = builder.insert("ab\u{e9}".as_bytes(), b"m", 0).unwrap_err();
        assert_eq!((error.what, error.offset), ("key of an index is not ASCII", 2));
        assert_eq!(builder.insert(b"\0", b"m", 0).unwrap_err().what, "key of an index holds a NUL");
        assert_eq!(builder.insert(b"a", b"m\0", 0).unwrap_err().what, "value of an index holds a NUL");
        assert_eq!(builder.build().len(), 12);
    }

    #[test]
    fn another_file_is_no_index() {
        for (bytes, expected) in [
            (&b""[..], "file ends inside the index header"),
            (b"\xb0\x07\xf4\x57\0\x02\0\x01\0\0\0", "file ends inside the index header"),
            (b"\x7fELF\0\x02\0\x01\0\0\0\x0c", "not an index of depmod (magic)"),
            (b"\xb0\x07\xf4\x57\0\x03\0\x01\0\0\0\x0c", "index of another format (version)"),
        ] {
            assert_eq!(Trie::parse(bytes).unwrap_err().what, expected);
        }
    }
}
