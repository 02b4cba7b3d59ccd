//! The byte formats of the Linux kernel-module mechanism: bytes in, values out.
//!
//! ```text
//! a .ko ──▶ elf ──▶ modinfo     `key=value` strings of a module
//!            │ ├──▶ symbols     what it exports, needs, and with which checksums
//!            │ └──▶ param       its parameters, as the kernel gets them
//!            ├────▶ edit        the same module under another name
//!            └────▶ parts       one section of a file that is not read whole
//!       ──▶ signature           who signed it
//!       ──▶ check               what a kernel's loader would make of it
//! write ──▶ a .ko               a module made from its parts, for tests and seeds
//! modules.* ─▶ index, alias     what depmod wrote, as text and as tries, and how names are matched
//! modprobe.d, /proc/cmdline ─▶ modprobe_d, command_line
//! /proc/modules ─▶ proc_modules
//! ```
//! Nothing here touches a file or panics on bad input: every byte of a module is fetched through one bounds-checked
//! gate, and every count is bounded by the file's size. The layouts, with sources, are drawn in `docs/formats.md`.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

pub mod alias;
mod bytes;
pub mod check;
pub mod command_line;
pub mod depmod_d;
pub mod edit;
pub mod elf;
mod error;
pub mod index;
mod lines;
pub mod modinfo;
pub mod modprobe_d;
pub mod param;
pub mod parts;
pub mod proc_modules;
pub mod signature;
pub mod symbols;
pub mod write;

pub use error::Error;
