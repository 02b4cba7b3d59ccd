//! What two outcomes amount to, and how a difference is shown.

use std::fmt::Write as _;

use super::{
    case::{Case, Found, Outcome},
    tool::{End, Said},
};

/// Lines of a difference that are shown of each side, at each place.
const LINES_SHOWN: usize = 6;

/// Places of a difference that are shown.
const PLACES_SHOWN: usize = 4;

/// Longest line that is shown whole, characters.
const WIDTH_SHOWN: usize = 160;

/// What a case has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The same, byte for byte.
    Same,
    /// Not the same: where and how, for a person.
    Differs(String),
    /// kmod crashed or hung, and ours gave one clear error: how kmod ended, and what ours said.
    KmodDied(String),
}

/// Compares what both sides have made of a case.
pub fn judge(case: &Case, kmod: &Outcome, ours: &Outcome) -> Verdict {
    let calls = kmod.said.iter().zip(&ours.said).zip(&case.calls);
    let mut text = String::new();
    let mut deaths = Vec::new();
    for ((kmod, ours), call) in calls {
        match death(kmod) {
            Some(how) if is_clear_error(ours) => deaths.push(format!("{how}; ours: {}", in_text(&ours.err).trim_end())),
            how => {
                let parts = differences(kmod, ours);
                if !parts.is_empty() || !matches!(ours.end, End::Exit(_)) {
                    let _ = write!(text, "$ {call}\n{}{parts}", how.map(|how| format!("{how}\n")).unwrap_or_default());
                }
            }
        }
    }
    // What a tool leaves behind that died in the middle is no measure.
    if deaths.is_empty() {
        text.push_str(&differing_files(kmod, ours));
    }
    match (text.is_empty(), deaths.is_empty()) {
        (false, _) if text.starts_with('$') => Verdict::Differs(text),
        (false, _) => Verdict::Differs(format!("{}{text}", all_calls(case))),
        (true, false) => Verdict::KmodDied(deaths.join("\n")),
        (true, true) => Verdict::Same,
    }
}

fn all_calls(case: &Case) -> String {
    case.calls.iter().map(|call| format!("$ {call}\n")).collect()
}

fn death(said: &Said) -> Option<String> {
    match said.end {
        End::Exit(_) => None,
        End::Signal(number) => Some(format!("kmod died of signal {number}")),
        End::Late(limit) => Some(format!("kmod was not ready after {} s", limit.as_secs())),
    }
}

/// depmod goes on after an error about one module, and that is no failure of it.
fn is_clear_error(said: &Said) -> bool {
    let has = |word: &[u8]| memchr::memmem::find(&said.err, word).is_some();
    let lines = said.err.iter().filter(|byte| **byte == b'\n').count();
    let code_fits = said.end == End::Exit(1) || said.end == End::Exit(0) && said.err.starts_with(b"depmod: ");
    code_fits && lines < 7 && (has(b": ERROR: ") || has(b": FATAL: "))
}

fn differences(kmod: &Said, ours: &Said) -> String {
    let mut text = String::new();
    if kmod.end != ours.end {
        let _ = writeln!(text, "-{:?}\n+{:?}", kmod.end, ours.end);
    }
    for (name, kmod, ours) in [("stdout", &kmod.out, &ours.out), ("stderr", &kmod.err, &ours.err)] {
        if kmod != ours {
            let _ = write!(text, "{name}:\n{}", difference(kmod, ours));
        }
    }
    text
}

fn differing_files(kmod: &Outcome, ours: &Outcome) -> String {
    let mut text = String::new();
    for (who, these, others) in [("kmod", kmod, ours), ("ours", ours, kmod)] {
        let only = these.files.keys().filter(|place| !others.files.contains_key(*place));
        let only: Vec<String> = only.map(|place| place.display().to_string()).collect();
        if !only.is_empty() {
            let _ = writeln!(text, "only {who} writes {}", only.join(", "));
        }
    }
    for (place, kmod) in &kmod.files {
        if let Some(ours) = ours.files.get(place).filter(|ours| *ours != kmod) {
            let _ = write!(text, "{}:\n{}", place.display(), differing_file(kmod, ours));
        }
    }
    text
}

fn differing_file(kmod: &Found, ours: &Found) -> String {
    let mut text = String::new();
    if kmod.mode != ours.mode {
        let _ = writeln!(text, "-mode {:04o}\n+mode {:04o}", kmod.mode, ours.mode);
    }
    if kmod.bytes != ours.bytes {
        text.push_str(&difference(&kmod.bytes, &ours.bytes));
    }
    text
}

/// A short difference, kmod's lines with `-` and ours with `+`.
fn difference(kmod: &[u8], ours: &[u8]) -> String {
    let is_binary = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == 0).count() * 100 > bytes.len();
    if is_binary(kmod) && is_binary(ours) {
        let at = kmod.iter().zip(ours).take_while(|(a, b)| a == b).count();
        return format!("binary: {} bytes and {}, different from byte {at} on\n", kmod.len(), ours.len());
    }
    let (kmod, ours) = (lines(kmod), lines(ours));
    let mut text = String::new();
    let (mut at_kmod, mut at_ours, mut places) = (0, 0, 0);
    while let Some((skip, minus, plus)) = next_difference(&kmod[at_kmod..], &ours[at_ours..]) {
        (at_kmod, at_ours) = (at_kmod + skip, at_ours + skip);
        places += 1;
        if places > PLACES_SHOWN {
            let _ = writeln!(text, "... and so on: {} lines and {}", kmod.len(), ours.len());
            break;
        }
        let _ = writeln!(text, "@@ line {} @@", at_kmod + 1);
        show(&mut text, '-', &kmod[at_kmod..at_kmod + minus]);
        show(&mut text, '+', &ours[at_ours..at_ours + plus]);
        (at_kmod, at_ours) = (at_kmod + minus, at_ours + plus);
    }
    text
}

fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').collect()
}

/// How many lines are the same, then how many of each side are not, up to the next that both have.
fn next_difference(kmod: &[&[u8]], ours: &[&[u8]]) -> Option<(usize, usize, usize)> {
    let same = kmod.iter().zip(ours).take_while(|(a, b)| a == b).count();
    let (kmod, ours) = (&kmod[same..], &ours[same..]);
    if kmod.is_empty() && ours.is_empty() {
        return None;
    }
    let places = |sum: usize| (0..=sum).map(move |minus| (minus, sum - minus));
    let meets = |(minus, plus): &(usize, usize)| kmod.get(*minus).is_some_and(|line| ours.get(*plus) == Some(line));
    let (minus, plus) = (1..64).flat_map(places).find(meets).unwrap_or((kmod.len(), ours.len()));
    Some((same, minus, plus))
}

fn show(text: &mut String, sign: char, lines: &[&[u8]]) {
    for line in lines.iter().take(LINES_SHOWN) {
        let line = in_text(line);
        let end = if line.ends_with('\n') { "" } else { "\\ no newline" };
        let shown: String = line.trim_end_matches('\n').chars().take(WIDTH_SHOWN).collect();
        let _ = writeln!(text, "{sign}{shown}{end}");
    }
    if lines.len() > LINES_SHOWN {
        let _ = writeln!(text, "{sign}... {} more", lines.len() - LINES_SHOWN);
    }
}

fn in_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\0', "\\0")
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::PathBuf, time::Duration};

    use super::{super::words::Call, *};

    fn said(end: End, out: &str, err: &str) -> Said {
        Said { end, out: out.into(), err: err.into() }
    }

    fn verdict(kmod: Said, ours: Said) -> Verdict {
        let case = Case { name: "a/b/c".into(), input: vec![], calls: Call::parse("depmod -n"), is_long: false };
        let outcome = |said| Outcome { said: vec![said], files: BTreeMap::new() };
        judge(&case, &outcome(kmod), &outcome(ours))
    }

    #[test]
    fn what_is_the_same_is_the_same_and_all_else_is_shown_with_its_call() {
        let kmod = || said(End::Exit(0), "a\nb\nc\n", "");
        assert_eq!(verdict(kmod(), kmod()), Verdict::Same);
        let expected = "$ depmod -n\n-Exit(0)\n+Exit(1)\nstdout:\n@@ line 2 @@\n-b\n+x\n+y\n";
        assert_eq!(verdict(kmod(), said(End::Exit(1), "a\nx\ny\nc\n", "")), Verdict::Differs(expected.into()));
        let expected = "$ depmod -n\nstdout:\n@@ line 3 @@\n-c\n+c\\ no newline\n";
        assert_eq!(verdict(kmod(), said(End::Exit(0), "a\nb\nc", "")), Verdict::Differs(expected.into()));
    }

    #[test]
    fn a_crash_of_kmods_is_no_difference_when_ours_gives_one_clear_error() {
        let crash = || said(End::Signal(11), "", "");
        let text = "kmod died of signal 11; ours: depmod: ERROR: no".to_owned();
        assert_eq!(verdict(crash(), said(End::Exit(1), "", "depmod: ERROR: no\n")), Verdict::KmodDied(text));
        assert!(matches!(verdict(crash(), said(End::Exit(0), "x", "")), Verdict::Differs(_)));
        assert!(matches!(verdict(crash(), crash()), Verdict::Differs(_)), "ours must not crash");
        let late = || said(End::Late(Duration::from_secs(9)), "", "");
        assert!(matches!(verdict(late(), said(End::Exit(1), "", "depmod: FATAL: e\n")), Verdict::KmodDied(_)));
        assert!(matches!(verdict(late(), said(End::Exit(1), "", "")), Verdict::Differs(_)));
    }

    #[test]
    fn a_file_that_differs_is_named() {
        let case = Case { name: "a/b/c".into(), input: vec![], calls: Call::parse("depmod"), is_long: false };
        let outcome = |mode, text: &str| Outcome {
            said: vec![],
            files: BTreeMap::from([(PathBuf::from("m"), Found { mode, bytes: text.into() })]),
        };
        let verdict = judge(&case, &outcome(0o644, "a\n"), &outcome(0o600, "a\n"));
        assert_eq!(verdict, Verdict::Differs("$ depmod\nm:\n-mode 0644\n+mode 0600\n".into()));
    }
}
