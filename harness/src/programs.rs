//! The guest's programs, built static by this crate's build script and carried inside `modrig`, so that one
//! file is all a user needs.

/// PID 1.
pub const AGENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/modrig-agent"));
/// What the kernel calls in place of modprobe when a scenario wants to see the call itself.
pub const HELPER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/modrig-helper"));
/// insmod, rmmod, lsmod, modinfo, modprobe and depmod.
pub const MODUTILS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/modutils"));
