//! Binary indexes, byte for byte as depmod of kmod 34 writes them.
//!
//! The keys are sorted first. Then each node is a range of them, its prefix is what they share, and the nodes can be
//! written one after the other: a node, then its children by character, each with all that is below it.

use alloc::{vec, vec::Vec};
use core::{cmp::Reverse, ops::Range};

use super::trie::{HAS_CHILDREN, HAS_PREFIX, HAS_VALUES, HEADER_BYTES, MAGIC, OFFSET, VERSION};
use crate::Error;

/// Keys and values on their way into a trie.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    /// All keys and values.
    text: Vec<u8>,
    entries: Vec<Entry>,
    /// How long the file can become at most.
    bound: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    key: Range<u32>,
    value: Range<u32>,
    priority: u32,
}

/// An entry among those to sort: eight characters of its key, and which it is.
type Item = (u64, u32);

/// A node not written yet.
struct Pending {
    /// Its keys, by position in sorted order.
    keys: Range<usize>,
    /// How much of them has been written above it.
    depth: usize,
    /// Where its reference goes.
    slot: usize,
}

impl Builder {
    /// Adds a value of a key. Of equal priorities the one added last comes first.
    ///
    /// # Errors
    /// The key is not ASCII, key or value holds a NUL, or the index would outgrow the format's 256 MiB. The error's
    /// offset is that of the character in its text.
    pub fn insert(&mut self, key: &[u8], value: &[u8], priority: u32) -> Result<(), Error> {
        refuse(key, |character| !character.is_ascii(), "key of an index is not ASCII")?;
        refuse(key, |character| character == 0, "key of an index holds a NUL")?;
        refuse(value, |character| character == 0, "value of an index holds a NUL")?;
        // Each entry adds at most two nodes, one of them with a table of children.
        self.bound += key.len() + value.len() + 4 * 128 + 32;
        if self.bound > OFFSET as usize {
            return Err(Error::new("index is too large for its format", self.bound as u64));
        }
        let key = self.keep(key);
        let value = match self.entries.last() {
            // A module's aliases come one after the other.
            Some(last) if self.slice(&last.value) == value => last.value.clone(),
            _ => self.keep(value),
        };
        self.entries.push(Entry { key, value, priority });
        Ok(())
    }

    fn keep(&mut self, text: &[u8]) -> Range<u32> {
        let start = self.text.len() as u32;
        self.text.extend_from_slice(text);
        start..self.text.len() as u32
    }

    fn slice(&self, range: &Range<u32>) -> &[u8] {
        &self.text[range.start as usize..range.end as usize]
    }

    fn key(&self, entry: u32) -> &[u8] {
        self.slice(&self.entries[entry as usize].key)
    }

    /// The file.
    pub fn build(&self) -> Vec<u8> {
        let sorted = self.sorted();
        let shared = self.shared(&sorted);
        let out = Vec::with_capacity(HEADER_BYTES + 2 * self.text.len());
        let mut writer = Writer { builder: self, sorted: &sorted, shared: &shared, todo: vec![], out };
        [MAGIC, VERSION, 0].iter().for_each(|number| writer.out.extend(number.to_be_bytes()));
        writer.todo.push(Pending { keys: 0..sorted.len(), depth: 0, slot: 8 });
        while let Some(pending) = writer.todo.pop() {
            writer.node(pending);
        }
        writer.out
    }

    /// The entries by key; those of one key by priority, the last added first.
    fn sorted(&self) -> Vec<u32> {
        let mut items: Vec<Item> = (0..self.entries.len() as u32).map(|entry| (0, entry)).collect();
        let mut todo = vec![(0..items.len(), 0)];
        while let Some((range, depth)) = todo.pop() {
            // Eight characters at once: most comparisons are between two numbers that lie side by side.
            let group = &mut items[range.clone()];
            group.iter_mut().for_each(|item| item.0 = chunk(self.key(item.1), depth));
            group.sort_unstable_by_key(|item| item.0);
            let mut start = range.start;
            for equal in group.chunk_by_mut(|left, right| left.0 == right.0) {
                let range = start..start + equal.len();
                start = range.end;
                match (equal, range) {
                    ([_], _) => {}
                    // The last character is none, so these keys have ended.
                    ([(characters, _), ..], range) if *characters as u8 != 0 => todo.push((range, depth + 8)),
                    (equal, _) => {
                        equal.sort_unstable_by_key(|item| (self.entries[item.1 as usize].priority, Reverse(item.1)));
                    }
                }
            }
        }
        items.into_iter().map(|item| item.1).collect()
    }

    /// For each key how many characters it shares with the one before.
    fn shared(&self, sorted: &[u32]) -> Vec<u32> {
        let pairs = sorted.windows(2).map(|pair| {
            let (left, right) = (self.key(pair[0]), self.key(pair[1]));
            left.iter().zip(right).take_while(|(left, right)| left == right).count() as u32
        });
        core::iter::once(0).chain(pairs).collect()
    }
}

/// The nodes on their way into the file.
struct Writer<'b> {
    builder: &'b Builder,
    sorted: &'b [u32],
    shared: &'b [u32],
    /// The last one is the next to be written.
    todo: Vec<Pending>,
    out: Vec<u8>,
}

impl<'b> Writer<'b> {
    /// Writes a node and its reference, and notes its children.
    fn node(&mut self, Pending { keys, depth, slot }: Pending) {
        let (at, len) = (self.out.len(), self.key_len(&keys, depth));
        let own = keys.clone().take_while(|key| self.key(*key).len() == len).count();
        let (own, below) = (keys.start..keys.start + own, keys.start + own..keys.end);
        let mut flags = 0;
        if len > depth {
            flags |= HAS_PREFIX;
            let prefix = &self.key(keys.start)[depth..len];
            self.out.extend_from_slice(prefix);
            self.out.push(0);
        }
        if !below.is_empty() {
            flags |= HAS_CHILDREN;
            self.children(below, len);
        }
        if !own.is_empty() {
            flags |= HAS_VALUES;
            self.values(own);
        }
        self.out[slot..slot + 4].copy_from_slice(&(at as u32 | flags).to_be_bytes());
    }

    /// How long a node's key is: as far as all below it are the same. The root's is empty, even where they share more.
    fn key_len(&self, keys: &Range<usize>, depth: usize) -> usize {
        if depth == 0 {
            return 0;
        }
        let common = self.shared[keys.clone()].iter().skip(1).min();
        common.map_or_else(|| self.key(keys.start).len(), |common| *common as usize)
    }

    /// Writes the table of children with room for their references, below a node whose key has this length.
    fn children(&mut self, keys: Range<usize>, len: usize) {
        let (first, last) = (self.key(keys.start)[len], self.key(keys.end - 1)[len]);
        self.out.extend([first, last]);
        let table = self.out.len();
        self.out.resize(table + 4 * (usize::from(last - first) + 1), 0);
        let mut end = keys.end;
        for start in keys.clone().rev() {
            if start == keys.start || self.shared[start] as usize == len {
                let slot = table + 4 * usize::from(self.key(start)[len] - first);
                self.todo.push(Pending { keys: start..end, depth: len + 1, slot });
                end = start;
            }
        }
    }

    fn values(&mut self, keys: Range<usize>) {
        self.out.extend((keys.len() as u32).to_be_bytes());
        for entry in &self.sorted[keys] {
            let entry = &self.builder.entries[*entry as usize];
            self.out.extend(entry.priority.to_be_bytes());
            self.out.extend_from_slice(self.builder.slice(&entry.value));
            self.out.push(0);
        }
    }

    /// The key at a position of the sorted order.
    fn key(&self, at: usize) -> &'b [u8] {
        self.builder.key(self.sorted[at])
    }
}

fn refuse(text: &[u8], bad: impl Fn(u8) -> bool, what: &'static str) -> Result<(), Error> {
    match text.iter().position(|character| bad(*character)) {
        Some(at) => Err(Error::new(what, at as u64)),
        None => Ok(()),
    }
}

/// The eight characters at `depth` as a number that compares as they do; NULs after the key's end.
fn chunk(key: &[u8], depth: usize) -> u64 {
    let rest = key.get(depth..).unwrap_or_default();
    match rest.first_chunk() {
        Some(characters) => u64::from_be_bytes(*characters),
        None => rest.iter().rev().fold(0, |number, character| number >> 8 | u64::from(*character) << 56),
    }
}
