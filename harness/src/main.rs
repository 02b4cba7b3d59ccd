//! The modrig program.
fn main() {}
