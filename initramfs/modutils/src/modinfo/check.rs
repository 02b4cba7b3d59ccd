//! `--check`: what kernels would make of a file's structure, before one has to try.

use std::{fmt::Write as _, fs, path::Path};

use modfile::check::{self, Effect, Finding, Place, Places, Series};

use crate::{compress, json::Value};

/// So many findings of one kind are told of a file; the rest are counted.
const TOLD: usize = 10;

/// What the kernels of some series would make of a file.
pub(super) struct Report {
    file: String,
    kernels: Vec<(Series, &'static str)>,
    findings: Vec<Found>,
}

/// A finding, with what each kernel that minds does about it.
struct Found {
    place: Place,
    /// The same in words.
    place_text: String,
    first: Finding,
    effects: Vec<(Series, Effect)>,
}

/// Checks a file for kernels of these series.
///
/// # Errors
/// It cannot be read or unpacked; the reason, in words.
pub(super) fn report(path: &Path, series: &[Series]) -> Result<Report, String> {
    let unread = |error: std::io::Error| format!("cannot read '{}': {error}", path.display());
    let bytes = fs::read(path).and_then(compress::unpack).map_err(unread)?;
    let mut report = Report { file: path.display().to_string(), kernels: Vec::new(), findings: Vec::new() };
    let places = Places::of(&bytes);
    for series in series {
        let findings = check::findings(&bytes, *series);
        report.kernels.push((*series, word(findings.first().map(|finding| finding.effect))));
        findings.into_iter().for_each(|finding| report.add(*series, finding, &places));
    }
    Ok(report)
}

/// How a verdict is written.
const fn word(effect: Option<Effect>) -> &'static str {
    match effect {
        None | Some(Effect::Passes) => "accept",
        Some(Effect::Rejects { .. }) => "reject",
        Some(Effect::Endangers(_)) => "danger",
    }
}

impl Report {
    fn add(&mut self, series: Series, finding: Finding, places: &Places<'_>) {
        let known =
            self.findings.iter_mut().find(|it| it.place == finding.place && it.first.rule.name == finding.rule.name);
        match known {
            Some(known) => known.effects.push((series, finding.effect)),
            None => self.findings.push(Found {
                place: finding.place,
                place_text: places.text(finding.place),
                first: finding,
                effects: vec![(series, finding.effect)],
            }),
        }
    }

    /// Whether every kernel takes the file.
    pub(super) fn is_accepted(&self) -> bool {
        self.findings.is_empty()
    }

    /// For people: the verdict, then a line for each finding.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}: {}\n", self.file, self.verdict());
        for (at, found) in self.findings.iter().enumerate() {
            let is_same = |other: &&Found| other.first.rule.name == found.first.rule.name;
            let before = self.findings[..at].iter().filter(is_same).count();
            if before < TOLD {
                // Writing to a string does not fail.
                let _ = writeln!(text, "{}: {}", self.file, found.text(self.kernels.len()));
            } else if before == TOLD {
                let rest = self.findings[at..].iter().filter(is_same).count();
                let _ = writeln!(text, "{}: and {rest} more of `{}`", self.file, found.first.rule.name);
            }
        }
        text
    }

    /// `accept`, or `danger on 5.10 and 6.1, reject on 6.12`.
    fn verdict(&self) -> String {
        let mut words: Vec<&str> = self.kernels.iter().map(|(_, word)| *word).collect();
        words.dedup();
        if let [word] = words[..] {
            return word.into();
        }
        grouped(self.kernels.iter().copied())
            .iter()
            .map(|(word, on)| format!("{word} on {on}"))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// For programs: all findings.
    pub(super) fn json(&self) -> Value {
        let kernels = self.kernels.iter().map(|(series, word)| (series.to_string(), Value::from(*word)));
        Value::object([
            ("filename", Value::from(self.file.as_str())),
            ("verdicts", Value::object(kernels)),
            ("findings", Value::list(self.findings.iter().map(Found::json))),
        ])
    }
}

/// Neighbours of which the same holds, with their names.
fn grouped<T: PartialEq + Copy>(items: impl Iterator<Item = (Series, T)>) -> Vec<(T, String)> {
    let mut groups: Vec<(T, String)> = Vec::new();
    for (series, item) in items {
        match groups.last_mut() {
            Some((same, names)) if *same == item => names.push_str(&format!(" {series}")),
            _ => groups.push((item, series.to_string())),
        }
    }
    groups
}

impl Found {
    /// `section 5 (.strtab) holds the symbols' names, ...: 5.10 6.1 danger, ...; 7.2 ENOEXEC, "..." (since 6.13)`.
    fn text(&self, kernels: usize) -> String {
        let effects = grouped(self.effects.iter().copied());
        let is_all = effects.len() == 1 && self.effects.len() == kernels;
        let told = effects.iter().map(|(effect, on)| {
            let on = if is_all { String::new() } else { format!("{on}: ") };
            format!("{on}{}{}", told(*effect), self.since(*effect))
        });
        format!("{} {}; {}", self.place_text, self.first.rule.what, told.collect::<Vec<_>>().join("; "))
    }

    /// Since when kernels do that, if they did not always.
    fn since(&self, effect: Effect) -> String {
        let first = self.effects.iter().find(|(_, other)| *other == effect).map(|(series, _)| *series);
        let since = first.and_then(|series| self.first.rule.since(series));
        since.map(|since| format!(" (since {since})")).unwrap_or_default()
    }

    fn json(&self) -> Value {
        let kernels = self.effects.iter().map(|(series, effect)| {
            let (errno, log, risk) = match *effect {
                Effect::Rejects { errno, log } => (Some(i64::from(errno)), Some(log), None),
                Effect::Endangers(risk) => (None, None, Some(risk)),
                Effect::Passes => (None, None, None),
            };
            let members = [
                ("verdict", Value::from(word(Some(*effect)))),
                ("errno", errno.map(Value::Number).unwrap_or(Value::Null)),
                ("log", log.into()),
                ("risk", risk.into()),
                ("since", self.first.rule.since(*series).map(|since| since.to_string()).into()),
            ];
            (series.to_string(), Value::object(members))
        });
        Value::object([
            ("rule", Value::from(self.first.rule.name)),
            ("place", Value::from(self.place_text.as_str())),
            ("what", Value::from(self.first.rule.what)),
            ("kernels", Value::object(kernels)),
        ])
    }
}

fn told(effect: Effect) -> String {
    match effect {
        Effect::Passes => "passes".into(),
        Effect::Rejects { errno, log: "" } => format!("refused, {}", check::errno_name(errno)),
        Effect::Rejects { errno, log } => format!("refused, {}: \"{log}\"", check::errno_name(errno)),
        Effect::Endangers(risk) => format!("danger, {risk}"),
    }
}
