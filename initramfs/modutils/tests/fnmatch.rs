//! Our pattern matching against the C library's, which is what kmod uses: every short pattern and name.

use std::ffi::CString;

use modfile::alias::matches;

/// All words over an alphabet up to a length.
fn words(alphabet: &str, len_max: usize) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut longest = words.clone();
    for _ in 0..len_max {
        longest = longest.iter().flat_map(|word| alphabet.chars().map(move |c| format!("{word}{c}"))).collect();
        words.extend(longest.iter().cloned());
    }
    words
}

fn fnmatch(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (CString::new(pattern).unwrap(), CString::new(name).unwrap());
    // SAFETY: both strings end with NUL and outlive the call.
    unsafe { libc::fnmatch(pattern.as_ptr(), name.as_ptr(), 0) == 0 }
}

#[test]
fn short_patterns_match_what_the_c_library_matches() {
    let names = words("ab-]\\[", 3);
    let mut different = Vec::new();
    // An escaped `[` in a set changes what glibc makes of a range that the pattern's end cuts off. Nobody means that.
    let is_quirk = |pattern: &String| pattern.contains("[\\[") && pattern.ends_with('-');
    for pattern in words("ab*?[]!-\\", 5).into_iter().filter(|pattern| !is_quirk(pattern)) {
        let name = names.iter().find(|name| matches(&pattern, name) != fnmatch(&pattern, name));
        different.extend(name.map(|name| (pattern.clone(), name.clone(), matches(&pattern, name))));
    }
    assert!(different.is_empty(), "{} patterns, such as {:?}", different.len(), &different[..different.len().min(40)]);
}
