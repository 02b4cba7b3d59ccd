//! The order in which kmod's hash tables list their keys, which is the order of `modules.symbols` and of modules
//! that no `modules.order` names.
//!
//! A table is an array of buckets, each sorted by key; the bucket is the low bits of Paul Hsieh's "SuperFastHash".

/// Buckets of the table of module names.
pub(super) const MODULE_BUCKETS: u32 = 512;
/// Buckets of the table of symbols.
pub(super) const SYMBOL_BUCKETS: u32 = 2048;

/// Sorts as a table with that many buckets lists its keys. `buckets` is a power of two.
pub(super) fn sort<T>(items: &mut [T], buckets: u32, key: impl Fn(&T) -> &[u8]) {
    items.sort_by_cached_key(|item| (hash(key(item)) & (buckets - 1), key(item).to_vec()));
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
