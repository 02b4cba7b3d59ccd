//! The byte formats of the Linux kernel-module mechanism: bytes in, values out.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

pub mod alias;
pub mod index;
pub mod proc_modules;
