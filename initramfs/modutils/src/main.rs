//! The module tools as one multi-call program.
#![no_main]

use std::{
    ffi::{CStr, c_char, c_int},
    io::Write as _,
};

/// The C entry point instead of Rust's: the kernel starts modprobe without open files, and Rust's runtime
/// would then open `/dev/null` and abort where, early in a boot, there is none. It also keeps SIGPIPE fatal.
#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, arguments: *const *const c_char) -> c_int {
    // SAFETY: the C runtime passes that many pointers to NUL-terminated strings, which live as long as we do.
    let arguments = (0..count as usize).map(|at| unsafe { CStr::from_ptr(*arguments.add(at)) });
    let Ok(arguments) = arguments.map(|argument| argument.to_str().map(String::from)).collect() else {
        let _ = writeln!(std::io::stderr(), "modutils: an argument is not UTF-8");
        return 1;
    };
    modutils::run(arguments).into()
}
