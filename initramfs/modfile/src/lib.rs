//! The byte formats of the Linux kernel-module mechanism: bytes in, values out.
//!
//! ```text
//! bytes ──▶ elf ──▶ modinfo    `key=value` strings of a module
//!            │ └──▶ symbols    what it exports, needs, and with which checksums
//!            └────▶ edit       the same module under another name
//! write ──▶ bytes              a module made from its parts, for tests and seeds
//! ```
//! Nothing here touches a file or panics on bad input: every byte is fetched through one bounds-checked gate,
//! and every count is bounded by the file's size. The layouts, with sources, are drawn in `docs/formats.md`.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod bytes;
pub mod edit;
pub mod elf;
mod error;
pub mod modinfo;
pub mod symbols;
pub mod write;

pub use error::Error;
