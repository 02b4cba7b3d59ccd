//! Campaigns side by side: Markdown, and a page of one file.

use std::{collections::BTreeMap, fmt::Write as _};

use askama::Template;

use super::{
    judge::Class,
    libkmod::report::Part,
    readings::Counts,
    state::State,
    tally::{Alone, Entry},
};
use crate::error::{Context as _, Result};

/// Rows of bugs that are shown one by one.
const BUGS_MAX: usize = 200;

/// The campaigns as people see them.
#[derive(Debug, Template)]
#[template(path = "fuzz.html")]
pub struct Report {
    css: &'static str,
    version: &'static str,
    summary: String,
    classes: [&'static str; Class::ALL.len()],
    campaigns: Vec<Campaign>,
    crashes: Vec<Crash>,
    bugs: Vec<Bug>,
    more_bugs: usize,
    libkmod: Part,
}

#[derive(Debug)]
struct Campaign {
    kernel: String,
    release: String,
    region: String,
    seed: u64,
    cases: u64,
    rate: String,
    counts: Vec<u64>,
    restores: u64,
    restore_ms: String,
}

/// One way in which kernels died.
#[derive(Debug, Default)]
struct Crash {
    title: String,
    /// How often on which kernel.
    kernels: BTreeMap<String, u64>,
    /// How often by class.
    classes: BTreeMap<&'static str, u64>,
    /// How the modules came out with libkmod.
    libkmod: Counts,
    /// What shows it: a command, and what is broken.
    shown: Vec<(String, String)>,
}

#[derive(Debug)]
struct Bug {
    class: &'static str,
    count: u64,
    ours: String,
    kernel: String,
    libkmod: String,
    command: String,
    remark: String,
}

impl Report {
    /// Of these campaigns.
    pub fn of(states: &[State]) -> Self {
        let total: u64 = states.iter().map(|state| state.tally.cases()).sum();
        let bugs: u64 = states
            .iter()
            .map(|state| {
                Class::ALL.iter().filter(|class| class.is_bug()).map(|class| state.tally.of(*class)).sum::<u64>()
            })
            .sum();
        let crashes = crashes(states);
        let mut rows: Vec<Bug> = states.iter().flat_map(bugs_of).collect();
        rows.sort_by(|one, other| (one.class, other.count).cmp(&(other.class, one.count)));
        let more_bugs = rows.len().saturating_sub(BUGS_MAX);
        rows.truncate(BUGS_MAX);
        Self {
            css: include_str!("../../templates/report.css"),
            version: env!("CARGO_PKG_VERSION"),
            summary: format!("{total} cases, {} ways to die, {bugs} rows of bugs", crashes.len()),
            classes: Class::ALL.map(Class::name),
            campaigns: states.iter().map(campaign).collect(),
            crashes,
            bugs: rows,
            more_bugs,
            libkmod: Part::of(states),
        }
    }

    /// As a page.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn html(&self) -> Result<String> {
        self.render().context(|| "cannot make the page")
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("# Kernel loader campaigns: {}\n\n", self.summary);
        let _ = writeln!(
            text,
            "| kernel | region | seed | cases | cases/s | {} | restores | median, ms |",
            self.classes.join(" | ")
        );
        let _ = writeln!(text, "|---|---|{}", "--:|".repeat(self.classes.len() + 5));
        for Campaign { kernel, region, seed, cases, rate, counts, restores, restore_ms, .. } in &self.campaigns {
            let counts: Vec<String> = counts.iter().map(u64::to_string).collect();
            let counts = counts.join(" | ");
            let _ = writeln!(
                text,
                "| {kernel} | {region} | {seed} | {cases} | {rate} | {counts} | {restores} | {restore_ms} |"
            );
        }
        let _ = writeln!(
            text,
            "\n## Ways to die\n\n| title | kernels | class | libkmod | what shows it |\n|---|---|---|---|---|"
        );
        for crash in &self.crashes {
            let shown: Vec<String> = crash.shown.iter().map(|(run, what)| format!("`{run}`: {}", cell(what))).collect();
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                cell(&crash.title),
                crash.on(),
                crash.as_classes(),
                crash.libkmod,
                shown.join("<br>")
            );
        }
        text += &self.libkmod.markdown();
        let _ = writeln!(text, "\n## Rows of bugs\n");
        if self.bugs.is_empty() {
            text.push_str("None.\n");
            return text;
        }
        let head = "| class | cases | our verdict | the kernel | libkmod | what shows it | |";
        let _ = writeln!(text, "{head}\n|---|--:|---|---|---|---|---|");
        for Bug { class, count, ours, kernel, libkmod, command, remark } in &self.bugs {
            let (ours, kernel) = (cell(ours), cell(kernel));
            let _ = writeln!(text, "| {class} | {count} | {ours} | {kernel} | {libkmod} | `{command}` | {remark} |");
        }
        if self.more_bugs > 0 {
            let _ = writeln!(text, "\n{} more are not shown.", self.more_bugs);
        }
        text
    }
}

impl Crash {
    /// `6.1 12, 7.3 1`.
    fn on(&self) -> String {
        counts(self.kernels.iter().map(|(kernel, count)| (kernel.as_str(), *count)))
    }

    fn as_classes(&self) -> String {
        counts(self.classes.iter().map(|(class, count)| (*class, *count)))
    }
}

pub(super) fn counts<'a>(of: impl Iterator<Item = (&'a str, u64)>) -> String {
    of.map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

fn campaign(state: &State) -> Campaign {
    Campaign {
        kernel: state.kernel.clone(),
        release: state.release.clone(),
        region: state.region.to_string(),
        seed: state.seed,
        cases: state.tally.cases(),
        rate: format!("{:.0}", state.rate()),
        counts: Class::ALL.iter().map(|class| state.tally.of(*class)).collect(),
        restores: state.restores.values().sum(),
        restore_ms: state.restore_ms().map_or_else(|| "-".into(), |ms| ms.to_string()),
    }
}

fn crashes(states: &[State]) -> Vec<Crash> {
    let mut crashes: BTreeMap<&str, Crash> = BTreeMap::new();
    for state in states {
        for entry in state.tally.entries.values() {
            let Some(title) = entry.kernel.title() else { continue };
            let crash = crashes.entry(title).or_insert_with(|| Crash { title: title.to_owned(), ..Crash::default() });
            *crash.kernels.entry(state.kernel.clone()).or_default() += entry.count;
            *crash.classes.entry(entry.class.name()).or_default() += entry.count;
            crash.libkmod.merge(&entry.libkmod);
            if let Some(Alone::Same(..)) = &entry.alone {
                crash.shown.push(shown(state, entry.index, entry.alone.as_ref()));
            }
        }
    }
    let mut crashes: Vec<Crash> = crashes.into_values().collect();
    crashes.sort_by_key(|crash| std::cmp::Reverse(crash.kernels.values().sum::<u64>()));
    crashes
}

fn bugs_of(state: &State) -> impl Iterator<Item = Bug> {
    let bugs = state.tally.entries.values().filter(|entry| entry.class.is_bug());
    bugs.map(|entry| {
        let (command, remark) = shown(state, entry.index, entry.alone.as_ref());
        let Entry { count, ours, kernel, libkmod, class, .. } = entry;
        let (class, ours, kernel, libkmod) = (class.name(), ours.clone(), kernel.to_string(), libkmod.to_string());
        Bug { class, count: *count, ours, kernel, libkmod, command, remark }
    })
}

/// What shows an answer: a command, and what is broken, or a remark.
pub(super) fn shown(state: &State, index: u64, alone: Option<&Alone>) -> (String, String) {
    let (case, remark) = match alone {
        Some(Alone::Same(case, labels)) => (case.clone(), labels.join("; ")),
        Some(Alone::Other) => (state.case(index), "not when it is run alone".into()),
        None => (state.case(index), "not run alone yet".into()),
    };
    (format!("modrig fuzz case {case} --run"), remark)
}

/// What a guest has said as a cell of a table.
pub(super) fn cell(text: &str) -> String {
    let text = text.replace('\n', " / ");
    let text: String = text.chars().take(300).collect();
    text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace('`', "'")
}

#[cfg(test)]
mod tests {
    use modfile::check::Verdict;

    use super::*;
    use crate::{
        cache::Digest,
        fuzz::{
            case::Region,
            judge::Answer,
            libkmod::{Call, Reading},
            tally::Row,
        },
    };

    #[test]
    fn what_a_guest_says_becomes_no_markup() {
        let mut state = State::new("6.1".into(), "6.1.0".into(), Region::Any, 1, Digest::of(["x"]));
        let evil = "<img src=x> | `rm`\nsecond line";
        let row = |index, kernel, libkmod| Row { index, ours: Verdict::Accept, kernel, libkmod: Some(libkmod) };
        state.tally.add(row(3, Answer::Returned(-8, evil.into()), Reading::Took));
        state.tally.add(row(4, Answer::Crashed(evil.into()), Reading::Died(Call::Info, evil.into())));
        state.libkmod = Some("34.2".into());
        let report = Report::of(&[state]);
        let (page, text) = (report.html().unwrap(), report.markdown());
        assert!(!page.contains("<img") && !text.contains("<img"));
        // Nor could it run as a script.
        assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'; img-src data:"), "{page}");
        assert!(text.contains("&lt;img src=x> \\| 'rm' / second line"), "{text}");
        assert!(
            text.contains("`modrig fuzz case 6.1/any/1/3 --run`")
                && page.contains("modrig fuzz case 6.1/any/1/4 --run")
        );
        for told in ["Of those that killed the kernel: died 1.", "Of all modules, libkmod 34.2: took 1, died 1."] {
            assert!(text.contains(told) && page.contains(told), "{text}");
        }
        assert!(report.summary.starts_with("2 cases, 1 ways to die, 2 rows of bugs"), "{}", report.summary);
    }
}
