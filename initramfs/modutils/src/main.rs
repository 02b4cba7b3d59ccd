//! The module tools as one multi-call program.
fn main() {}
