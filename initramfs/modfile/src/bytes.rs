//! The gate through which every byte of an input is fetched.

use core::ops::Range;

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
    #[inline]
    pub(crate) fn part(self, offset: u64, len: u64, what: &'static str) -> Result<Self, Error> {
        let range = usize::try_from(offset).ok().zip(usize::try_from(len).ok());
        let data = range
            .and_then(|(from, len)| self.data.get(from..from.checked_add(len)?))
            .ok_or(self.error(what, offset))?;
        Ok(Self { data, start: self.start.saturating_add(offset) })
    }

    /// The bytes from `offset` up to the next NUL, without it.
    #[inline]
    pub(crate) fn string(self, offset: u64, what: &'static str) -> Result<&'a [u8], Error> {
        usize::try_from(offset)
            .ok()
            .and_then(|from| self.data.get(from..))
            .and_then(|rest| rest.get(..nul(rest)?))
            .ok_or(self.error(what, offset))
    }

    /// An error at `offset` of these bytes.
    pub(crate) const fn error(self, what: &'static str, offset: u64) -> Error {
        Error::new(what, self.start.saturating_add(offset))
    }
}

/// Where the first NUL is. Names are about 20 bytes long, so that eight at a time beat both one by one and a search
/// that first makes itself ready.
#[inline]
pub(crate) fn nul(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let mut start = 0;
    while let Some(block) = bytes.get(start..).and_then(<[u8]>::first_chunk::<8>) {
        let block = u64::from_le_bytes(*block);
        // The lowest bit set is that of the first zero byte: a borrow can only set bits above it.
        let zeros = block.wrapping_sub(ONES) & !block & (ONES << 7);
        if zeros != 0 {
            return Some(start + zeros.trailing_zeros() as usize / 8);
        }
        start += 8;
    }
    let rest = bytes.get(start..)?;
    Some(start + rest.iter().position(|byte| *byte == 0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_nul_is_found_wherever_it_is() {
        for len in 0..20 {
            let mut bytes = [0x80, 1].repeat(10);
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
}
