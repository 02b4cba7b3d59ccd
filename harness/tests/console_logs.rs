//! Logs of kernels in trouble, one to a file: `tests/console/*.log`, a header with what triage should find, an empty
//! line, and the log.
//!
//! `MODRIG_UPDATE=1 cargo test --test console_logs` writes the headers anew, for a person to read the difference.
//! `MODRIG_RECORD=NAME` makes those logs of `tests/console/splats.c` anew first whose name has this part, `.` for all.

#[path = "console_logs/record.rs"]
mod record;

use std::{
    collections::BTreeSet,
    env,
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use modrig::{
    console::Console,
    triage::{Event, Severity, Triage},
};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console")
}

/// The logs, by name.
fn logs() -> Vec<PathBuf> {
    let entries = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
    files.sort();
    files
}

fn triage(log: &str) -> Vec<Event> {
    let mut triage = Triage::default();
    log.lines().for_each(|line| triage.line(line));
    triage.finish();
    triage.events().to_vec()
}

/// What the header should say: `SOURCE` stays as it is, the rest comes from the events.
fn header(source: &str, events: &[Event]) -> String {
    let mut text = format!("SOURCE: {source}\n");
    for event in events {
        let kind = serde_json::to_string(&event.kind).unwrap();
        let _ = writeln!(text, "TITLE: {}\nTYPE: {}", event.title, kind.trim_matches('"'));
        for (name, value) in [("FUNCTION", &event.function), ("MODULE", &event.module)] {
            if let Some(value) = value {
                let _ = writeln!(text, "{name}: {value}");
            }
        }
        if let Some(damage) = event.damage {
            let _ = writeln!(text, "DAMAGE: {}", format!("{damage:?}").to_lowercase());
        }
        if event.times > 1 {
            let _ = writeln!(text, "TIMES: {}", event.times);
        }
        let _ = writeln!(text, "LINES: {} from {}", event.lines.len(), event.line);
    }
    text
}

#[test]
fn every_log_has_the_events_that_its_header_tells() {
    if let Ok(part) = env::var("MODRIG_RECORD") {
        record::all(&part);
    }
    let mut different = String::new();
    let files = logs();
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        let (expected, log) = text.split_once("\n\n").expect("a header, an empty line, and a log");
        let expected = format!("{expected}\n");
        let source = expected.lines().find_map(|line| line.strip_prefix("SOURCE: ")).expect("where the log comes from");
        let seen = header(source, &triage(log));
        if seen == expected {
            continue;
        }
        if env::var_os("MODRIG_UPDATE").is_some() {
            fs::write(file, format!("{seen}\n{log}")).unwrap();
        }
        let _ = writeln!(different, "{}\n{}", file.file_name().unwrap().display(), difference(&expected, &seen));
    }
    assert!(different.is_empty(), "headers differ (- expected, + seen):\n{different}");
    assert!(files.len() >= 60, "{} logs", files.len());
}

/// Lines that only one of the texts has.
fn difference(expected: &str, seen: &str) -> String {
    let only = |a: &str, b: &str, mark: &str| {
        a.lines().filter(|line| !b.lines().any(|other| other == *line)).fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "  {mark} {line}");
            text
        })
    };
    only(expected, seen, "-") + &only(seen, expected, "+")
}

/// A log without its header.
fn log(name: &str) -> String {
    let text = fs::read_to_string(directory().join(name)).unwrap();
    text.split_once("\n\n").unwrap().1.to_owned()
}

/// The names in the first column of the table in docs/triage.md.
fn documented() -> BTreeSet<String> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/triage.md")).unwrap();
    let names = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    names.map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn every_kind_has_a_log_and_a_row_in_the_document() {
    let texts = logs().into_iter().map(|file| fs::read_to_string(file).unwrap());
    let heads: Vec<String> = texts.map(|text| text.split_once("\n\n").unwrap().0.to_owned()).collect();
    let kinds = heads.iter().flat_map(|head| head.lines()).filter_map(|line| line.strip_prefix("TYPE: "));
    assert_eq!(kinds.map(str::to_owned).collect::<BTreeSet<_>>(), documented());
}

/// A watchdog shall not have to wait for a report's end.
#[test]
fn a_fault_is_noticed_with_the_first_lines_of_its_report() {
    let mut faults = 0;
    for file in logs() {
        let text = log(file.file_name().unwrap().to_str().unwrap());
        for event in triage(&text).iter().filter(|event| event.severity >= Severity::Fault) {
            let mut early = Triage::default();
            // `cut here`, a text of the report's own, and its header.
            text.lines().take(event.line + 3).for_each(|line| early.line(line));
            let noticed = |seen: &Event| seen.line == event.line && event.title.starts_with(&seen.title[..8]);
            assert!(early.events().iter().any(noticed), "{}: {}", file.display(), event.title);
            faults += 1;
        }
    }
    assert!(faults > 80, "{faults}");
}

/// Whatever a guest prints: no panic, and no more than a record may have.
#[test]
fn damaged_logs_give_bounded_events_with_printable_titles() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for file in logs() {
        let mut bytes = log(file.file_name().unwrap().to_str().unwrap()).into_bytes();
        for _ in 0..bytes.len() / 40 {
            let at = random(bytes.len());
            bytes[at] = b"\n\0\xff[]+x: 0"[random(10)];
        }
        let mut console = Console::default();
        for piece in bytes.chunks(1 + random(700)) {
            console.feed(piece);
        }
        console.finish();
        assert!(console.events().len() <= 150);
        for event in console.events() {
            assert!(event.title.len() < 800 && !event.title.contains(char::is_control), "{:?}", event.title);
            assert!((1..=200).contains(&event.lines.len()));
        }
    }
}

/// Runs `modrig triage` with these arguments and this input: its output and its exit code.
fn modrig_triage(args: &[&str], input: &str) -> (String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_modrig"));
    command.arg("triage").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may refuse its arguments without reading.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (String::from_utf8(said).unwrap(), output.status.code())
}

#[test]
fn modrig_triage_tells_one_line_for_each_event_and_fails_if_one_is_trouble() {
    let (text, code) = modrig_triage(&["-"], &log("gpf_6_1.log"));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "-:1: info: taint O: out-of-tree module [splats]");
    assert_eq!(lines[2], "-:3: fault: general protection fault in gpf [splats]");
    assert_eq!((lines.len(), code), (3, Some(1)));

    let (text, code) = modrig_triage(&["--json", "-"], &log("gpf_6_1.log"));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&json[0]["events"][2]["kind"], code), (&"general-protection".into(), Some(1)));

    assert_eq!(modrig_triage(&["-"], &log("nothing_to_see.log")), (String::new(), Some(0)));
    let (text, code) = modrig_triage(&["not-there.log"], "");
    assert!(text.starts_with("error: cannot read `not-there.log`: "), "{text}");
    assert_eq!(code, Some(2));
}

#[test]
fn an_allow_list_makes_an_event_no_trouble() {
    let directory = tempfile::tempdir().unwrap();
    let list = directory.path().join("allow.toml");
    let list = list.to_str().unwrap();
    fs::write(list, "[[allow]]\ntitle = 'general protection fault in g*'\nreason = 'known'\nsource = 'us'\n").unwrap();
    let (text, code) = modrig_triage(&["--allow", list, "-"], &log("gpf_6_1.log"));
    assert!(text.ends_with("general protection fault in gpf [splats] (allowed: known)\n"), "{text}");
    assert_eq!(code, Some(0));
    fs::write(list, "[[allow]]\ntitel = 'x'\n").unwrap();
    let (text, code) = modrig_triage(&["--allow", list, "-"], "");
    assert!(text.contains("the allow list `") && text.contains("titel"), "{text}");
    assert_eq!(code, Some(2));
}

#[test]
fn a_trace_tells_whether_a_module_was_at_work() {
    let oops = |frames: &str| {
        let log = "BUG: TASK stack guard page was hit at ffffc900005dfff8 (stack is ffffc900005e0000..ffffc900005e4000)\n\
                   Oops: stack guard page: 0000 [#1] SMP NOPTI\nRIP: 0010:kmalloc+0x9/0x300\nModules linked in: deep(OE+)\n\
                   Call Trace:\n <TASK>\n";
        triage(&format!("{log}{frames} </TASK>\n"))[0].is_in_a_module()
    };
    assert!(oops(" kmalloc_large+0x3a6/0x420\n deep_again+0x33/0x40 [deep]\n deep_again+0x33/0x40 [deep]\n"));
    assert!(!oops(" load_module+0x3a6/0x420\n ? deep_again+0x33/0x40 [deep]\n"), "a stale entry of the stack");
}
