//! Programs that the kernel calls in place of modprobe.
fn main() {}
