//! Module names and aliases: how kmod normalises them, and how a pattern matches.

use alloc::string::String;

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
pub fn normalise(alias: &str) -> Option<String> {
    let mut inside = false;
    let mut normal = String::with_capacity(alias.len());
    for character in alias.chars() {
        match character {
            // Inside, a further `[` is an ordinary member of the set.
            '[' => inside = true,
            ']' if !inside => return None,
            ']' => inside = false,
            _ => {}
        }
        normal.push(if character == '-' && !inside { '_' } else { character });
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
            Some((len, found)) => found.then_some(1 + len),
            None => (byte == b'[').then_some(1),
        },
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [literal, ..] => (*literal == byte).then_some(1),
    }
}

/// The length of a set up to and with its `]`, and whether it has the byte. None if it is not closed.
fn set(pattern: &[u8], byte: u8) -> Option<(usize, bool)> {
    let negated = matches!(pattern.first(), Some(b'!' | b'^'));
    let start = usize::from(negated);
    let (mut at, mut found) = (start, false);
    loop {
        let low = *pattern.get(at)?;
        if low == b']' && at > start {
            return Some((at + 1, found != negated));
        }
        let (low, len) = member(pattern.get(at..)?)?;
        at += len;
        match pattern.get(at..)? {
            [b'-', high, ..] if *high != b']' => {
                let (high, len) = member(pattern.get(at + 1..)?)?;
                at += 1 + len;
                found |= (low..=high).contains(&byte);
            }
            _ => found |= low == byte,
        }
    }
}

fn member(pattern: &[u8]) -> Option<(u8, usize)> {
    match pattern {
        [b'\\', escaped, ..] => Some((*escaped, 2)),
        [plain, ..] => Some((*plain, 1)),
        [] => None,
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
            ("[!a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[]a]", "]", true),
            ("[a-]", "-", true),
            ("[\\]]", "]", true),
            ("a[b", "a[b", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a\\", "a\\", true),
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
