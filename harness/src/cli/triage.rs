//! `modrig triage`: what a kernel's log tells, for whoever has one: a console's, dmesg's or the journal's.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anstream::print;
use anstyle::{AnsiColor, Style};
use clap::Args;
use serde::Serialize;

use crate::{
    console::Console,
    error::{Context as _, Error, Result},
    kernel::version_of,
    triage::{AllowList, Allowance, Damage, Event, Severity, Standing},
};

#[derive(Debug, Args)]
pub(super) struct TriageArgs {
    /// Logs of a console, of dmesg or of the journal; `-` is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Events that are no trouble, as docs/triage.md describes; beside the built-in list
    #[arg(long, value_name = "FILE")]
    allow: Option<PathBuf>,
    /// Show the lines of each event
    #[arg(short, long)]
    lines: bool,
    /// One JSON document: for each file its name, the kernel's release and the events
    #[arg(long)]
    json: bool,
}

/// What was found in one file.
#[derive(Debug, Serialize)]
struct Findings {
    file: String,
    /// As the log tells it, if it does.
    release: Option<String>,
    events: Vec<Event>,
}

/// Exit code 1 when there is trouble.
pub(super) fn run(args: &TriageArgs) -> Result<ExitCode> {
    let extra = args.allow.as_deref().map(allow_list).transpose()?.unwrap_or_default();
    let findings: Vec<Findings> = args.files.iter().map(|file| findings(file, &extra)).collect::<Result<_>>()?;
    if args.json {
        let text = serde_json::to_string_pretty(&findings).context(|| "cannot write JSON")?;
        print!("{text}\n");
    } else {
        findings.iter().for_each(|findings| print!("{}", told(findings, args.lines)));
    }
    let trouble = findings.iter().flat_map(|findings| &findings.events).any(Event::is_trouble);
    Ok(ExitCode::from(u8::from(trouble)))
}

fn allow_list(file: &Path) -> Result<AllowList> {
    let failed = || format!("the allow list `{}` cannot be read", file.display());
    let text = fs::read_to_string(file).map_err(|cause| Error::usage(failed()).because(cause))?;
    toml::from_str(&text).map_err(|cause| Error::usage(failed()).because(cause))
}

fn findings(file: &Path, extra: &AllowList) -> Result<Findings> {
    let failed = || format!("cannot read `{}`", file.display());
    let mut source: Box<dyn Read> = match file.to_str() {
        Some("-") => Box::new(io::stdin().lock()),
        _ => Box::new(File::open(file).map_err(|cause| Error::usage(failed()).because(cause))?),
    };
    let mut console = Console::default();
    let mut release = None;
    let mut chunk = [0; 1 << 16];
    loop {
        let count = source.read(&mut chunk).context(failed)?;
        if count == 0 {
            break;
        }
        console.feed(&chunk[..count]);
        release = release.or_else(|| release_in(&chunk[..count]));
    }
    // A last line need not have an end.
    console.feed(b"\n");
    console.allow(allowed(release.as_deref(), extra));
    console.finish();
    Ok(Findings { file: file.display().to_string(), release, events: console.events().to_vec() })
}

/// Of a log that does not tell its kernel, only rows for every kernel hold.
fn allowed(release: Option<&str>, extra: &AllowList) -> Vec<Allowance> {
    [AllowList::embedded(), extra].into_iter().flat_map(|list| list.on(release.map(version_of))).collect()
}

/// `6.1.0` of the banner `Linux version 6.1.0 (...`.
fn release_in(log: &[u8]) -> Option<String> {
    const BANNER: &[u8] = b"Linux version ";
    let start = memchr::memmem::find(log, BANNER)? + BANNER.len();
    let rest = String::from_utf8_lossy(&log[start..(start + 100).min(log.len())]).into_owned();
    rest.split(' ').next().map(str::to_owned)
}

/// One line for each event: `FILE:LINE: severity: title [module] (what else there is to say)`.
fn told(findings: &Findings, with_lines: bool) -> String {
    let mut text = String::new();
    for event in &findings.events {
        let style = style(event);
        let _ = write!(text, "{}:{}: {style}{}{style:#}: {}", findings.file, event.line, word(event), event.title);
        if let Some(module) = &event.module {
            let _ = write!(text, " [{module}]");
        }
        let _ = writeln!(text, "{}", remarks(event));
        if with_lines {
            event.lines.iter().for_each(|line| text += &format!("    {line}\n"));
        }
    }
    text
}

fn word(event: &Event) -> String {
    format!("{:?}", event.severity).to_lowercase()
}

fn style(event: &Event) -> Style {
    match event.severity {
        _ if !event.is_trouble() => Style::new(),
        Severity::Info | Severity::Warning => AnsiColor::Yellow.on_default(),
        Severity::Fault | Severity::Panic => AnsiColor::Red.on_default().bold(),
    }
}

fn remarks(event: &Event) -> String {
    let mut remarks = Vec::new();
    if event.times > 1 {
        remarks.push(format!("{} times", event.times));
    }
    match event.damage {
        Some(Damage::Truncated) => remarks.push("its end is missing".into()),
        Some(Damage::Interleaved) => remarks.push("other messages in its midst".into()),
        None => {}
    }
    if let Standing::Allowed(reason) = &event.standing {
        remarks.push(format!("allowed: {reason}"));
    }
    if remarks.is_empty() { String::new() } else { format!(" ({})", remarks.join("; ")) }
}
