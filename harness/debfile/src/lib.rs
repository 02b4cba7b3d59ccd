//! The formats of a Debian archive: bytes in, values out.
//!
//! [`control`] is the text of package indexes and of apt's sources, [`deb`] a package's file. A library of its own, so
//! that what reads foreign bytes can be fuzzed without the rest of the harness.

pub mod control;
pub mod deb;
