//! The harness of modrig: boots real kernels in QEMU and watches what happens to modules.
//!
//! Code map, in the order data flows; a module may use those above it, not below:
//!
//! - [`error`], [`process`], [`interrupt`], [`progress`], [`text`], [`cache`]: the ground everything stands on
//! - [`kernel`]: the matrix; fetching, verifying and unpacking kernels
//! - [`peers`]: what our tools are compared with
//! - [`module`]: guest modules, built by each kernel's own kbuild
//! - [`toolset`]: whose module tools a guest has
//! - [`image`]: the initramfs (with [`programs`], the guest's own)
//! - [`behaviour`], [`triage`]: what differs by kernel; what in its log means trouble
//! - [`console`], [`vm`]: a QEMU process with its channels and watchdogs; saving and restoring it
//! - [`check`], [`errno`], [`guest`], [`claim`], [`mod@scenario`]: what a scenario sees
//! - [`scenarios`], [`literature`]: the scenarios; what else the articles say
//! - [`compare`]: our module tools beside the real kmod
//! - [`kept`], [`run`], [`suite`]: guests as their cases left them, one case, many cases
//! - [`fuzz`]: campaigns of broken modules against a kernel's loader
//! - [`report`], [`behaviours`], [`mod@bench`], [`cli`]: what people see

pub mod behaviour;
pub mod behaviours;
pub mod bench;
pub mod cache;
pub mod check;
pub mod claim;
pub mod cli;
pub mod compare;
pub mod console;
pub mod errno;
pub mod error;
pub mod fuzz;
pub mod guest;
pub mod image;
pub mod interrupt;
pub mod kept;
pub mod kernel;
pub mod literature;
pub mod machine;
pub mod media;
pub mod memo;
pub mod module;
pub mod pace;
pub mod peers;
pub mod process;
pub mod programs;
pub mod progress;
pub mod report;
pub mod run;
pub mod scenario;
pub mod scenarios;
pub mod suite;
pub mod text;
pub mod toolset;
pub mod triage;
pub mod vm;
pub mod whole;
