//! Module names and aliases: how kmod normalises them, and how a pattern matches.

use alloc::{borrow::Cow, string::String};

/// The module a file name stands for: the last path component up to its first dot, with `-` as `_`.
///
/// ```
/// assert_eq!(modfile::alias::module_name("kernel/net/foo-bar.baz.ko.xz"), "foo_bar");
/// ```
pub fn module_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split('.').next().unwrap_or(file).replace('-', "_")
}

/// `-` as `_` outside of `[...]`, where `-` is a range. None if a bracket has no partner.
///
/// ```
/// assert_eq!(modfile::alias::normalise("usb-x[0-9]").as_deref(), Some("usb_x[0-9]"));
/// assert_eq!(modfile::alias::normalise("usb]"), None);
/// ```
pub fn normalise(alias: &str) -> Option<Cow<'_, str>> {
    let (mut inside, mut normal) = (false, Cow::Borrowed(alias));
    for (at, byte) in alias.bytes().enumerate() {
        match byte {
            // Inside, a further `[` is an ordinary member of the set.
            b'[' => inside = true,
            b']' if !inside => return None,
            b']' => inside = false,
            b'-' if !inside => normal.to_mut().replace_range(at..=at, "_"),
            _ => {}
        }
    }
    (!inside).then_some(normal)
}

/// Whether `name` matches the shell pattern, as `fnmatch` without flags does: `*` and `?` match any byte,
/// also `/` and a leading dot. Time is at most the product of both lengths.
///
/// ```
/// assert!(modfile::alias::matches("pci:v*d[0-9]", "pci:v1/2d7"));
/// ```
pub fn matches(pattern: &str, name: &str) -> bool {
    matches_bytes(pattern.as_bytes(), name.as_bytes())
}

pub(crate) fn matches_bytes(pattern: &[u8], name: &[u8]) -> bool {
    // Of many patterns tried against one name most differ in the first byte.
    if let (Some(first), Some(byte)) = (pattern.first(), name.first())
        && first != byte
        && !b"*?[\\".contains(first)
    {
        return false;
    }
    let (mut at, mut read) = (0, 0);
    // After a mismatch only the last `*` has to take one byte more: an earlier one could win nothing.
    let mut retry: Option<(usize, usize)> = None;
    while let Some(&byte) = name.get(read) {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            retry = Some((at, read));
        } else if let Some(len) = pattern.get(at..).and_then(|rest| element(rest, byte)) {
            at += len;
            read += 1;
        } else if let Some((after_star, taken)) = retry {
            retry = Some((after_star, taken + 1));
            (at, read) = (after_star, taken + 1);
        } else {
            return false;
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|&byte| byte == b'*'))
}

/// The length of the pattern's first element, if it matches the byte.
fn element(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', rest @ ..] => match set(rest, byte) {
            Set::Closed { len, found } => found.then_some(1 + len),
            Set::Open => (byte == b'[').then_some(1),
            Set::Broken => None,
        },
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        // With nothing to escape it, glibc's fnmatch gives up.
        [b'\\'] => None,
        [literal, ..] => (*literal == byte).then_some(1),
    }
}

/// What follows a `[`, as the C library's fnmatch takes it.
enum Set {
    /// A set: its length up to and with its `]`, and whether it has the byte.
    Closed { len: usize, found: bool },
    /// No `]`: the `[` stands for itself.
    Open,
    /// The pattern ends inside a range or an escape: it matches nothing.
    Broken,
}

fn set(pattern: &[u8], byte: u8) -> Set {
    let negated = matches!(pattern.first(), Some(b'!' | b'^'));
    let start = usize::from(negated);
    let (mut at, mut found) = (start, false);
    loop {
        let rest = pattern.get(at..).unwrap_or_default();
        match rest.first() {
            None => return Set::Open,
            Some(b']') if at > start => return Set::Closed { len: at + 1, found: found != negated },
            Some(_) => {}
        }
        let Some((low, len)) = member(rest) else { return Set::Broken };
        at += len;
        found |= match pattern.get(at..).unwrap_or_default() {
            [b'-', rest @ ..] if rest.first() != Some(&b']') => {
                let Some((high, len)) = member(rest) else {
                    // The C library's code for a `[` in a set sees no range where nothing follows the dash.
                    return if low == b'[' && rest.is_empty() { Set::Open } else { Set::Broken };
                };
                at += 1 + len;
                (low..=high).contains(&byte)
            }
            _ => low == byte,
        };
    }
}

/// A byte of a set, and how much of the pattern it takes. None if the pattern ends there.
fn member(pattern: &[u8]) -> Option<(u8, usize)> {
    match pattern {
        [b'\\', escaped, ..] => Some((*escaped, 2)),
        [] | [b'\\'] => None,
        [plain, ..] => Some((*plain, 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_at_the_first_dot() {
        for (path, name) in [
            ("foo.ko", "foo"),
            ("./a-b.ko", "a_b"),
            ("/x/y.z/snd-hda.codec.ko.zst", "snd_hda"),
            ("plain", "plain"),
            ("", ""),
            ("dir/", ""),
        ] {
            assert_eq!(module_name(path), name, "{path}");
        }
    }

    #[test]
    fn only_dashes_outside_brackets_become_underscores() {
        for (alias, normal) in [
            ("a-b", Some("a_b")),
            ("a[b-c]-d", Some("a[b-c]_d")),
            ("[[-]-", Some("[[-]_")),
            ("a]", None),
            ("a[b", None),
            ("", Some("")),
        ] {
            assert_eq!(normalise(alias).as_deref(), normal, "{alias}");
        }
    }

    #[test]
    fn patterns_match_as_fnmatch_does() {
        for (pattern, name, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "acb", false),
            ("*a*b", "xxaxxb", true),
            ("*/x", "a/b/x", true),
            ("?", "/", true),
            ("[a-c]x", "bx", true),
            ("[a-c]x", "ax", true),
            ("[a-c]x", "cx", true),
            ("[a-c]x", "dx", false),
            ("[!a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[]a]", "]", true),
            ("[a-]", "-", true),
            ("[a-c-e]", "-", true),
            ("[a-c-e]", "d", false),
            ("[\\]]", "]", true),
            ("a[b", "a[b", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a\\", "a\\", false),
            ("a?", "a", false),
            ("**", "abc", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} against {name}");
        }
    }

    #[test]
    fn many_stars_stay_cheap() {
        assert!(!matches(&"*a".repeat(60), &"a".repeat(59)));
        assert!(matches(&"*a".repeat(60), &"a".repeat(4000)));
    }
}
