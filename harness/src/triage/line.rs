//! A line of a log without what the console, dmesg or a log daemon put before it.

/// The kernel's own words: without priority, time stamp, processor or task, host name.
pub(super) fn text(line: &str) -> &str {
    let line = line.trim_end_matches(['\r', '\n']);
    let line = after_daemon(line);
    let line = line.strip_prefix('<').and_then(|rest| bracketed(rest, '>', is_number)).unwrap_or(line);
    let Some(mut rest) = line.strip_prefix('[').and_then(|rest| bracketed(rest, ']', is_time)) else { return line };
    // CONFIG_PRINTK_CALLER: `[    1.2][  T123] text` or `[    1.2] [  T123] text`.
    if let Some(caller) = rest.trim_start_matches(' ').strip_prefix('[').and_then(|r| bracketed(r, ']', is_caller)) {
        rest = caller;
    }
    rest.strip_prefix(' ').unwrap_or(rest)
}

/// What follows a bracketed part that is what it should be.
fn bracketed(rest: &str, end: char, is_right: fn(&str) -> bool) -> Option<&str> {
    let (inside, rest) = rest.split_once(end)?;
    is_right(inside.trim_start()).then_some(rest)
}

fn is_number(inside: &str) -> bool {
    !inside.is_empty() && inside.len() < 4 && inside.bytes().all(|byte| byte.is_ascii_digit())
}

/// `1.234567`, or `Fri Nov 27 01:51:43 2026` of `dmesg -T`.
fn is_time(inside: &str) -> bool {
    let uptime = inside.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && inside.contains('.');
    let date = inside.len() >= 20 && inside.matches(':').count() == 2 && inside.ends_with(|c: char| c.is_ascii_digit());
    uptime || date
}

/// `T123` or `C0`.
fn is_caller(inside: &str) -> bool {
    inside.strip_prefix(['T', 'C']).is_some_and(is_number_of_any_length)
}

fn is_number_of_any_length(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `Nov 27 01:51:43 host kernel: text`, as journald and syslog write it.
fn after_daemon(line: &str) -> &str {
    let begins_with_time = line.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    match line.split_once(" kernel: ") {
        Some((before, rest)) if begins_with_time && before.len() < 80 && before.contains(':') => rest,
        _ => line,
    }
}

/// The letters of `Tainted: G      D W  OE`, without G, which says that no letter P is there.
pub(super) fn taint_letters(text: &str) -> impl Iterator<Item = char> {
    let words = text.split_once("Tainted: ").map_or("", |(_, rest)| rest);
    let letters = words.split_whitespace().take_while(|word| word.bytes().all(|byte| byte.is_ascii_uppercase()));
    letters.flat_map(str::chars).filter(|letter| *letter != 'G')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_told_from_what_loggers_add() {
        for (line, expected) in [
            ("[    1.234567] hello: init", "hello: init"),
            ("[    1.234567]  frame+0x1/0x2", " frame+0x1/0x2"),
            ("<4>[   12.345678] hello", "hello"),
            ("[12345.678901][  T812] hello", "hello"),
            ("[    1.234567] [    C0] hello", "hello"),
            ("[Fri Nov 27 01:51:43 2026] hello", "hello"),
            ("Nov 27 01:51:43 host kernel: [ 1.0] hello", "hello"),
            ("2026-11-27T01:51:43+0000 host kernel: hello", "hello"),
            ("[ BUG: Invalid wait context ]", "[ BUG: Invalid wait context ]"),
            ("[<ffffffff81000000>] f+0x1/0x2", "[<ffffffff81000000>] f+0x1/0x2"),
            ("hello\r", "hello"),
        ] {
            assert_eq!(text(line), expected);
        }
    }

    #[test]
    fn taint_letters_end_with_the_release() {
        let letters = |text| taint_letters(text).collect::<String>();
        assert_eq!(letters("CPU: 0 PID: 1 Comm: x Tainted: G      D    OE      6.1.0-56-cloud-amd64 #1"), "DOE");
        assert_eq!(letters("CPU: 0 UID: 0 PID: 1 Comm: x Tainted: P           O        7.3.4 #1 PREEMPT"), "PO");
        assert_eq!(letters("Tainted: [O]=OOT_MODULE, [E]=UNSIGNED_MODULE"), "");
        assert_eq!(letters("Comm: x Not tainted 6.1.0"), "");
    }
}
