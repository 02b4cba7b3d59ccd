//! The module tools as one multi-call program.
#![no_main]

use std::{
    ffi::{CStr, OsStr, c_char, c_int},
    os::unix::ffi::OsStrExt as _,
};

/// The C entry point instead of Rust's: the kernel starts modprobe without open files, and Rust's runtime
/// would then open `/dev/null` and abort where, early in a boot, there is none. It also keeps SIGPIPE fatal.
#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, arguments: *const *const c_char) -> c_int {
    // SAFETY: the C runtime passes that many pointers to NUL-terminated strings, which live as long as we do.
    let arguments = (0..count as usize).map(|at| unsafe { CStr::from_ptr(*arguments.add(at)) });
    modutils::run(arguments.map(|argument| OsStr::from_bytes(argument.to_bytes()).into()).collect()).into()
}
