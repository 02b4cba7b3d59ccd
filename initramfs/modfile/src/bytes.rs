//! The gate through which every byte of an input is fetched.

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

    pub(crate) const fn len(self) -> u64 {
        self.data.len() as u64
    }

    /// The part at `offset`, or the error `what` when it does not lie wholly inside.
    pub(crate) fn part(self, offset: u64, len: u64, what: &'static str) -> Result<Self, Error> {
        let range = usize::try_from(offset).ok().zip(usize::try_from(len).ok());
        let data = range
            .and_then(|(from, len)| self.data.get(from..from.checked_add(len)?))
            .ok_or(self.error(what, offset))?;
        Ok(Self { data, start: self.start.saturating_add(offset) })
    }

    /// The bytes from `offset` up to the next NUL, without it.
    pub(crate) fn string(self, offset: u64, what: &'static str) -> Result<&'a [u8], Error> {
        usize::try_from(offset)
            .ok()
            .and_then(|from| self.data.get(from..))
            .and_then(|rest| core::ffi::CStr::from_bytes_until_nul(rest).ok())
            .map(core::ffi::CStr::to_bytes)
            .ok_or(self.error(what, offset))
    }

    /// An error at `offset` of these bytes.
    pub(crate) const fn error(self, what: &'static str, offset: u64) -> Error {
        Error::new(what, self.start.saturating_add(offset))
    }
}
