//! POSIX extended regular expressions, by the C library: `depmod.d` names kernels with them.

use std::{ffi::CString, mem::MaybeUninit, ptr};

/// Whether the text has a part that matches. False for a pattern that is none.
pub(super) fn matches(pattern: &[u8], text: &str) -> bool {
    let (Ok(pattern), Ok(text)) = (CString::new(pattern), CString::new(text)) else { return false };
    let mut compiled = MaybeUninit::<libc::regex_t>::uninit();
    // SAFETY: the place is large enough for what regcomp writes, and the pattern ends with NUL.
    if unsafe { libc::regcomp(compiled.as_mut_ptr(), pattern.as_ptr(), libc::REG_EXTENDED | libc::REG_NOSUB) } != 0 {
        return false;
    }
    // SAFETY: regcomp succeeded, so that this is a compiled expression; no places for matches are asked for.
    let found = unsafe { libc::regexec(compiled.as_ptr(), text.as_ptr(), 0, ptr::null_mut(), 0) } == 0;
    // SAFETY: the expression is not used after this.
    unsafe { libc::regfree(compiled.as_mut_ptr()) };
    found
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_are_extended_and_not_anchored() {
        for (pattern, expected) in [
            ("6.1", true),
            ("^6\\.(1|2)\\.0-[a-z]+$", true),
            ("^1", false),
            ("", true),
            ("(", false),
            ("[", false),
            ("6\0", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), "6.1.0-test"), expected, "{pattern}");
        }
    }
}
