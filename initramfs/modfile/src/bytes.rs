//! The gate through which every byte of an input is fetched.

use core::{hint::select_unpredictable, ops::Range};

use crate::Error;

/// Input bytes, with the position they have in the file so that errors can name it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes<'a> {
    data: &'a [u8],
    start: u64,
}

impl<'a> Bytes<'a> {
    pub(crate) const fn new(data: &'a [u8]) -> Self {
        Self { data, start: 0 }
    }

    pub(crate) const fn all(self) -> &'a [u8] {
        self.data
    }

    /// Where they lie in the file.
    pub(crate) const fn start(self) -> u64 {
        self.start
    }

    pub(crate) const fn len(self) -> u64 {
        self.data.len() as u64
    }

    /// Where these bytes lie in the file.
    pub(crate) const fn range(self) -> Range<u64> {
        self.start..self.start + self.len()
    }

    /// The part at `offset`, or the error `what` when it does not lie wholly inside.
    #[inline(always)]
    pub(crate) fn part(self, offset: u64, len: u64, what: &'static str) -> Result<Self, Error> {
        let range = usize::try_from(offset).ok().zip(usize::try_from(len).ok());
        let data = range
            .and_then(|(from, len)| self.data.get(from..from.checked_add(len)?))
            .ok_or_else(|| self.error(what, offset))?;
        Ok(Self { data, start: self.start.saturating_add(offset) })
    }

    /// The bytes from `offset` up to the next NUL, without it.
    pub(crate) fn string(self, offset: u64, what: &'static str) -> Result<&'a [u8], Error> {
        self.text(offset).ok_or(self.error(what, offset))
    }

    /// The same for those that have a better place to name in the error.
    #[inline(always)]
    pub(crate) fn text(self, offset: u64) -> Option<&'a [u8]> {
        let rest = self.data.get(usize::try_from(offset).ok()?..)?;
        rest.get(..nul(rest)?)
    }

    /// An error at `offset` of these bytes.
    #[cold]
    pub(crate) const fn error(self, what: &'static str, offset: u64) -> Error {
        Error::new(what, self.start.saturating_add(offset))
    }
}

/// Where the first NUL is. Names are about 20 bytes long, each of another length, and a loop's end would be foreseen
/// wrongly for nearly every one: the first 32 bytes are searched without a branch.
#[inline(always)]
pub(crate) fn nul(bytes: &[u8]) -> Option<usize> {
    let found = bytes.first_chunk().and_then(nul_in_block);
    if found.is_some() { found } else { find(bytes, 0) }
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const TOPS: u64 = ONES << 7;

/// The first NUL of a block; None also where a byte from 0x80 on comes before it.
#[inline(always)]
fn nul_in_block(block: &[u8; 32]) -> Option<usize> {
    let (words, _) = block.as_chunks::<8>();
    // Only a zero, or a byte from 0x80 on, has its top bit set after this; a borrow only reaches bytes after a zero.
    let marks = |at: usize| words.get(at).map_or(0, |word| u64::from_le_bytes(*word)).wrapping_sub(ONES) & TOPS;
    // The first of two words with a mark, and how many bits of the block come before it.
    let first = |one: (u64, u32), other: (u64, u32)| {
        let is_one = one.0 != 0;
        (select_unpredictable(is_one, one.0, other.0), select_unpredictable(is_one, one.1, other.1))
    };
    let (word, before) = first(first((marks(0), 0), (marks(1), 64)), first((marks(2), 128), (marks(3), 192)));
    let at = (before + word.trailing_zeros()) as usize / 8;
    (block.get(at) == Some(&0)).then_some(at)
}

/// The first place of a byte, eight bytes at a time.
#[inline(never)]
pub(crate) fn find(bytes: &[u8], byte: u8) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    let wanted = ONES * u64::from(byte);
    let in_words = words.iter().enumerate().find_map(|(i, word)| {
        let word = u64::from_le_bytes(*word) ^ wanted;
        // The lowest bit set is that of the first zero byte: a borrow can only set bits above it.
        let zeros = word.wrapping_sub(ONES) & !word & TOPS;
        (zeros != 0).then(|| 8 * i + zeros.trailing_zeros() as usize / 8)
    });
    in_words.or_else(|| Some(8 * words.len() + rest.iter().position(|other| *other == byte)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_nul_is_found_wherever_it_is() {
        for len in 0..100 {
            let mut bytes = [0xff, 1].repeat(50);
            bytes.truncate(len);
            assert_eq!(nul(&bytes), None);
            for at in 0..len {
                bytes[at] = 0;
                bytes[at + 1..].fill(0);
                assert_eq!(nul(&bytes), Some(at), "of {len}");
                bytes.truncate(len);
                bytes[at..].fill(1);
            }
        }
    }

    #[test]
    fn the_first_of_any_byte_is_found_wherever_it_is() {
        for byte in [0, 1, b'=', 0x7f, 0x80, 0xff] {
            for len in 0..40 {
                let mut bytes = [byte ^ 1, byte ^ 0x80].repeat(len);
                assert_eq!(find(&bytes, byte), None);
                for at in (0..2 * len).rev() {
                    bytes[at] = byte;
                    assert_eq!(find(&bytes, byte), Some(at), "{byte} of {len}");
                }
            }
        }
    }
}
