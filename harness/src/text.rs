//! Texts of any length made fit for a record: bounded, and honest about what was left out.

use std::fmt;

/// At most about `max` bytes: a longer text loses its middle, and says how much that was.
///
/// Cut at line ends where the text has lines, so that what stays reads as it was.
pub fn cut(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let head = &text[..floor(text, max / 2)];
    let head = head.rfind('\n').map_or(head, |end| &head[..=end]);
    let tail = &text[ceil(text, text.len() - max / 2)..];
    let tail = tail.find('\n').filter(|end| end + 1 < tail.len()).map_or(tail, |end| &tail[end + 1..]);
    let left_out = text.len() - head.len() - tail.len();
    let head_end = if head.ends_with('\n') { "" } else { "\n" };
    format!("{head}{head_end}... {left_out} bytes left out ...\n{tail}")
}

/// How a value of any size looks to `{:?}`: its beginning, at most `max` bytes, without making the rest.
pub fn beginning(value: &impl fmt::Debug, max: usize) -> String {
    struct Bounded(String, usize);
    impl fmt::Write for Bounded {
        fn write_str(&mut self, part: &str) -> fmt::Result {
            let room = self.1.saturating_sub(self.0.len());
            self.0.push_str(&part[..floor(part, room.min(part.len()))]);
            if part.len() > room { Err(fmt::Error) } else { Ok(()) }
        }
    }
    let mut text = Bounded(String::new(), max);
    match fmt::write(&mut text, format_args!("{value:?}")) {
        Ok(()) => text.0,
        Err(fmt::Error) => text.0 + "...",
    }
}

/// Bytes as text where they are text; a file of another kind is told by its size.
pub fn of_bytes(bytes: &[u8], max: usize) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => cut(text, max),
        _ => format!("({} bytes that are no text)", bytes.len()),
    }
}

/// The last place at or before `at` where the text can be cut.
fn floor(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The first place at or after `at` where the text can be cut.
fn ceil(text: &str, at: usize) -> usize {
    (at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_loses_its_middle_and_says_so() {
        let text: String = (0..1000).map(|line| format!("line {line}\n")).collect();
        let short = cut(&text, 100);
        assert!(short.len() < 150, "{short}");
        assert!(short.starts_with("line 0\n") && short.ends_with("line 999\n"), "{short}");
        assert!(short.contains("\n... 8796 bytes left out ...\n"), "{short}");
        assert_eq!(cut("short", 100), "short");
    }

    #[test]
    fn a_text_without_lines_is_cut_between_characters() {
        let short = cut(&"\u{e9}".repeat(1000), 101);
        assert_eq!(short.matches('\u{e9}').count(), 50, "{short}");
    }

    #[test]
    fn of_a_large_value_only_the_beginning_is_made() {
        assert_eq!(beginning(&vec![1; 1 << 20], 10), "[1, 1, 1, ...");
        assert_eq!(beginning(&Some("x"), 10), "Some(\"x\")");
    }

    #[test]
    fn bytes_are_text_or_a_size() {
        assert_eq!(of_bytes(b"Live\n", 10), "Live\n");
        assert_eq!(of_bytes(b"\x7fELF\0", 10), "(5 bytes that are no text)");
        assert_eq!(of_bytes(b"\xff", 10), "(1 bytes that are no text)");
    }
}
