//! The one error of the format readers.

use core::fmt;

/// Which thing in the bytes is wrong, and where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error {
    /// What is wrong: lower case, no full stop.
    pub what: &'static str,
    /// Byte offset from the beginning of the input.
    pub offset: u64,
}

impl Error {
    pub(crate) const fn new(what: &'static str, offset: u64) -> Self {
        Self { what, offset }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {:#x})", self.what, self.offset)
    }
}

impl core::error::Error for Error {}
