//! The harness of modrig: boots real kernels in QEMU and watches what happens to modules.
//!
//! Code map, in the order data flows; a module may use those above it, not below:
//!
//! - [`error`], [`process`], [`interrupt`], [`progress`], [`cache`]: the ground everything stands on
//! - [`kernel`]: the matrix; fetching, verifying and unpacking kernels
//! - [`module`]: guest modules, built by each kernel's own kbuild

pub mod cache;
pub mod console;
pub mod error;
pub mod interrupt;
pub mod kernel;
pub mod module;
pub mod process;
pub mod programs;
pub mod progress;
pub mod vm;
