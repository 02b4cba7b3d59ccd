//! Target `pattern`: a pattern, a line break, a name: whether they match, as the C library decides it; and how names are
//! normalised.

use std::ffi::CString;

use modfile::alias::{matches, module_name, normalise};

use crate::{Seed, promises::as_text};

/// Asks both and checks what the functions promise.
pub fn check(data: &[u8]) {
    let text = as_text(data);
    let (pattern, name) = text.split_once('\n').unwrap_or((&text, ""));
    let matched = matches(pattern, name);
    // The C library takes exponential time for many stars.
    if pattern.len() <= 32 && pattern.matches('*').count() <= 4 && !is_quirk(pattern) && name.len() <= 64 {
        assert_eq!(fnmatch(pattern, name).unwrap_or(matched), matched, "{pattern:?} {name:?}");
    }
    if let Some(normal) = normalise(pattern) {
        assert!(!normal.rsplit(']').next().is_some_and(|end| end.contains('[')), "a bracket without a partner");
        assert_eq!(normal.len(), pattern.len());
        assert_eq!(normalise(&normal).as_ref(), Some(&normal));
    }
    let module = module_name(name);
    assert!(!module.contains(['/', '.', '-']));
    assert_eq!(module_name(&module), module);
}

/// What nobody means. An escaped `[` in a set changes what glibc makes of a range that the pattern's end cuts off. And it knows
/// `[:digit:]`, `[=a=]` and `[.a.]` in a set, all of whose `]` are one too many for [`normalise`], and so for libkmod.
fn is_quirk(pattern: &str) -> bool {
    let is_cut_off = pattern.contains("[\\[") && pattern.ends_with('-');
    is_cut_off || ["[:", "[=", "[."].iter().any(|start| pattern.contains(start))
}

/// None where C has no such strings.
fn fnmatch(pattern: &str, name: &str) -> Option<bool> {
    let (pattern, name) = (CString::new(pattern).ok()?, CString::new(name).ok()?);
    // SAFETY: both strings end with NUL and outlive the call.
    Some(unsafe { libc::fnmatch(pattern.as_ptr(), name.as_ptr(), 0) } == 0)
}

/// Each kind of wildcard.
pub fn seeds() -> Vec<Seed> {
    crate::texts([
        ("literal", "usb-storage\nusb-storage"),
        ("stars", "pci:v*d*sv*\npci:v00008086d0000100Esv00"),
        ("set", "x[0-9]?[!a-c]\\*\nx1/d*"),
        ("path", "a]\nkernel/net/foo-bar.baz.ko.xz"),
        ("open", "a[b\na[b"),
    ])
}
