//! Virtual machines: QEMU, watched.

pub mod accel;
