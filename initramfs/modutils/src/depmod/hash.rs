//! The order in which kmod's hash tables list their keys, which is the order of `modules.symbols` and of modules
//! that no `modules.order` names; and a quick hash for tables of our own.
//!
//! A table of kmod's is an array of buckets, each sorted by key; the bucket is the low bits of Paul Hsieh's
//! "SuperFastHash".

use std::hash::Hasher;

/// Buckets of the table of module names.
pub(super) const MODULE_BUCKETS: u32 = 512;
/// Buckets of the table of symbols.
pub(super) const SYMBOL_BUCKETS: u32 = 2048;

/// Items in the order in which a table with that many buckets lists their keys. `buckets` is a power of two.
pub(super) fn sorted<T>(items: impl Iterator<Item = T>, buckets: u32, key: impl Fn(&T) -> &[u8]) -> Vec<T> {
    let mut items: Vec<(u32, T)> = items.map(|item| (hash(key(&item)) & (buckets - 1), item)).collect();
    items.sort_unstable_by(|(left, l), (right, r)| left.cmp(right).then_with(|| key(l).cmp(key(r))));
    items.into_iter().map(|(_, item)| item).collect()
}

/// A hash for tables whose keys nobody chooses to our harm: the eight-byte words multiplied into each other.
#[derive(Default)]
pub(super) struct Quick(u64);

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.write_u64(word.first_chunk().map_or(0, |word| u64::from_le_bytes(*word)));
        }
        let rest = words.remainder();
        self.write_u64(rest.iter().rev().fold(rest.len() as u64, |word, byte| word << 8 | u64::from(*byte)));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    /// The number of bytes that will follow: they end with it already.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        // Multiplying leaves the low bits poor, and tables take those.
        self.0.rotate_left(26)
    }
}

fn hash(key: &[u8]) -> u32 {
    let half = |pair: &[u8]| u32::from(u16::from_le_bytes([pair[0], pair[1]]));
    // kmod up to 34.2 reads a lone byte as `char`, which is signed on x86.
    let signed = |byte: u8| byte as i8 as u32;
    let mut hash = key.len() as u32;
    let mut blocks = key.chunks_exact(4);
    for block in &mut blocks {
        hash = hash.wrapping_add(half(block));
        hash = (hash << 16) ^ ((half(&block[2..]) << 11) ^ hash);
        hash = hash.wrapping_add(hash >> 11);
    }
    match blocks.remainder() {
        rest @ [_, _, last] => {
            hash = hash.wrapping_add(half(rest));
            hash ^= hash << 16;
            hash ^= signed(*last) << 18;
            hash = hash.wrapping_add(hash >> 11);
        }
        rest @ [_, _] => {
            hash = hash.wrapping_add(half(rest));
            hash ^= hash << 11;
            hash = hash.wrapping_add(hash >> 17);
        }
        [last] => {
            hash = hash.wrapping_add(signed(*last));
            hash ^= hash << 10;
            hash = hash.wrapping_add(hash >> 1);
        }
        _ => {}
    }
    avalanche(hash)
}

fn avalanche(mut hash: u32) -> u32 {
    hash ^= hash << 3;
    hash = hash.wrapping_add(hash >> 5);
    hash ^= hash << 4;
    hash = hash.wrapping_add(hash >> 17);
    hash ^= hash << 25;
    hash.wrapping_add(hash >> 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_in_the_order_of_the_table() {
        let names = ["low", "middle", "top", "crc16", "a", "ab", "abc", "abcd", ""];
        let sorted = sorted(names.into_iter(), MODULE_BUCKETS, |name| name.as_bytes());
        assert_eq!(sorted, ["", "middle", "top", "crc16", "abcd", "ab", "a", "abc", "low"]);
    }
}
