//! docs/behaviours.md.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{
    Behaviour, Holds, all,
    results::Results,
    text::{anchor, capitalised, cited, heading_anchor, slug, wrapped},
    untestable,
};
use crate::{
    behaviour,
    claim::{Change, Claim, Literature},
    kernel::version_of,
};

/// The whole page, as Markdown. Whatever it says of a kernel comes from these results.
pub fn markdown(results: &Results) -> String {
    let behaviours = all();
    let mut text = introduction(results);
    text += &failures(&behaviours, results);
    text += &overview(&behaviours, results);
    text += &by_release(&behaviours);
    for source in Literature::ALL {
        text += &chapter(source, &behaviours, results);
    }
    text += &facts();
    text += &impossible();
    text.lines().map(wrapped).collect()
}

const HOW_TO_READ: &str = "\
# What holds on which kernel

Statement by statement: what articles on the kernel's modules say, for the kernel they were written for, and what the
kernels of the matrix do. `modrig behaviours --write` makes this page from the tables of scenarios and from the results
of a run of all of them (`harness/results.tsv`); a test fails when it is not what they give.

- **holds**: a scenario tests it, and passed. The scenario's name follows; `modrig run NAME` shows it again, and
  `modrig list NAME` tells what is known about it.
- **changed**: another statement holds since the release that is named, a scenario tests that one, and passed. A commit
  is cited with its subject; where none was found it is the source file.
- **cannot be shown**: no scenario can test it on this kernel, for the reason that is given. What none can test on any
  kernel is in [a list of its own](#what-cannot-be-shown-and-why).
- **FAILED**: a scenario says that this page is wrong.

";

fn introduction(results: &Results) -> String {
    let mut text = HOW_TO_READ.to_owned();
    text += "| kernel | release |\n|---|---|\n";
    for (name, release) in &results.kernels {
        let _ = writeln!(text, "| {name} | {release} |");
    }
    text
}

/// What contradicts the tables, first of all.
fn failures(behaviours: &[Behaviour], results: &Results) -> String {
    let mut text = String::new();
    for behaviour in behaviours {
        for (kernel, why) in verdicts(behaviour, results).into_iter().filter_map(|(kernel, holds)| match holds {
            Holds::Failed(why) => Some((kernel, why)),
            _ => None,
        }) {
            let _ = writeln!(text, "- **FAILED on {kernel}**: {} ({why})", link(behaviour));
        }
    }
    if text.is_empty() { text } else { format!("\n## FAILED: this page is wrong\n\n{text}") }
}

fn overview(behaviours: &[Behaviour], results: &Results) -> String {
    let mut text = "\n## Overview\n\n| source | for | statements | hold everywhere | changed | cannot be shown |\n\
                    |---|---|--:|--:|--:|--:|\n"
        .to_owned();
    for source in Literature::ALL {
        let of_source: Vec<&Behaviour> = behaviours.iter().filter(|one| one.claim.source == source).collect();
        let count = |wanted: fn(&Holds) -> bool, everywhere: bool| {
            let fits = |one: &&&Behaviour| {
                let verdicts = verdicts(one, results);
                let fitting = verdicts.iter().filter(|(_, holds)| wanted(holds)).count();
                if everywhere { fitting == verdicts.len() } else { fitting > 0 }
            };
            of_source.iter().filter(fits).count()
        };
        let never = untestable().filter(|(claim, _)| claim.source == source).count();
        let _ = writeln!(
            text,
            "| [{}](#{}) | {} | {} | {} | {} | {never} |",
            source.title(),
            heading_anchor(&source.to_string()),
            source.kernel().unwrap_or(""),
            of_source.len() + never,
            count(|holds| *holds == Holds::Yes, true),
            count(|holds| *holds == Holds::Changed, false),
        );
    }
    text
}

/// All changes, oldest first.
fn by_release(behaviours: &[Behaviour]) -> String {
    let mut changes: Vec<(&Behaviour, &Change)> = behaviours
        .iter()
        .flat_map(|behaviour| behaviour.claim.changes().map(move |change| (behaviour, change)))
        .collect();
    changes.sort_by_key(|(_, change)| change.since);
    let mut text = "\n## What changed, by release\n\n".to_owned();
    for (behaviour, change) in changes {
        let since = change.since.map_or_else(|| "never".to_owned(), |since| since.to_string());
        let _ = writeln!(text, "- **{since}**: {}. Now: {} ({}).", link(behaviour), change.now, cited(change.source));
    }
    text
}

fn chapter(source: Literature, behaviours: &[Behaviour], results: &Results) -> String {
    let of_source: Vec<&Behaviour> = behaviours.iter().filter(|one| one.claim.source == source).collect();
    let mut subjects: Vec<&str> = Vec::new();
    for subject in crate::scenarios::all().map(|scenario| scenario.group) {
        if subjects.last() != Some(&subject) && of_source.iter().any(|one| one.subject() == subject) {
            subjects.push(subject);
        }
    }
    let mut text = format!("\n## {}\n", capitalised(&source.to_string()));
    for subject in subjects {
        let _ = writeln!(text, "\n### {}: {subject}\n", capitalised(source.title()));
        for behaviour in of_source.iter().filter(|one| one.subject() == subject) {
            text += &entry(behaviour, results);
        }
    }
    text
}

fn entry(behaviour: &Behaviour, results: &Results) -> String {
    let claim = &behaviour.claim;
    let mut text = format!("- <a id=\"{}\"></a>\n  **{}.**\n", behaviour.id, capitalised(claim.statement));
    for change in claim.changes() {
        let _ = writeln!(text, "  {}{} ({}).", capitalised(&change.to_string()), fact_of(change), cited(change.source));
    }
    text += &note(claim);
    let paths: Vec<String> = behaviour.shown_by.iter().map(|scenario| format!("`{}`", scenario.path())).collect();
    let _ = writeln!(text, "  _{}:_ {}", summary(behaviour, results), paths.join(", "));
    text
}

fn note(claim: &Claim) -> String {
    claim.note.map_or_else(String::new, |note| format!("  Note: {note}.\n"))
}

fn fact_of(change: &Change) -> String {
    change.fact.map_or_else(String::new, |what| format!(", see [the fact](#{})", slug(what)))
}

/// `Holds on 5.10 and 6.1; changed on 7.3`.
fn summary(behaviour: &Behaviour, results: &Results) -> String {
    let verdicts = verdicts(behaviour, results);
    let mut kinds: Vec<&Holds> = verdicts.iter().map(|(_, holds)| holds).collect();
    kinds.sort();
    kinds.dedup();
    let parts: Vec<String> = kinds
        .iter()
        .map(|kind| {
            let kernels: Vec<&str> =
                verdicts.iter().filter(|(_, one)| one == *kind).map(|(kernel, _)| *kernel).collect();
            let whole = kernels.len() == verdicts.len();
            let kernels = if whole { "all kernels".to_owned() } else { kernels.join(", ") };
            match kind {
                Holds::Yes => format!("holds on {kernels}"),
                Holds::Changed => format!("changed on {kernels}"),
                Holds::Unshown(why) => format!("cannot be shown on {kernels} ({why})"),
                Holds::NotRun => format!("not run on {kernels}"),
                Holds::Failed(why) => format!("**FAILED** on {kernels} ({why})"),
            }
        })
        .collect();
    parts.join("; ")
}

fn verdicts<'a>(behaviour: &Behaviour, results: &'a Results) -> Vec<(&'a str, Holds)> {
    let on = |(name, release): &'a (String, String)| {
        (name.as_str(), behaviour.on(name, version_of(if release.is_empty() { name } else { release }), results))
    };
    results.kernels.iter().map(on).collect()
}

fn facts() -> String {
    let mut text =
        "\n## Facts that differ by kernel\n\nWhat scenarios ask instead of deciding by themselves; each value \
                    holds from its release up to the next.\n"
            .to_owned();
    for fact in behaviour::ALL {
        let _ = writeln!(text, "\n<a id=\"{}\"></a>**{}**\n", slug(fact.what()), capitalised(fact.what()));
        text += "| since | value | by |\n|---|---|---|\n";
        for row in fact.table() {
            let since =
                if row.since == (0, 0) { "before".to_owned() } else { format!("{}.{}", row.since.0, row.since.1) };
            let _ = writeln!(text, "| {since} | {} | {} |", row.value.replace('|', "\\|"), cited(row.source));
        }
    }
    text
}

fn impossible() -> String {
    let mut text = "\n## What cannot be shown, and why\n".to_owned();
    let sources: BTreeSet<Literature> = untestable().map(|(claim, _)| claim.source).collect();
    for source in Literature::ALL.into_iter().filter(|source| sources.contains(source)) {
        let _ = writeln!(text, "\n### Not shown: {source}\n");
        for (claim, reason) in untestable().filter(|(claim, _)| claim.source == source) {
            let _ = writeln!(text, "- <a id=\"{}\"></a>\n  **{}.**", anchor(claim), capitalised(claim.statement));
            for change in claim.changes() {
                let _ = writeln!(text, "  {} ({}).", capitalised(&change.to_string()), cited(change.source));
            }
            text += &note(claim);
            let _ = writeln!(text, "  _Cannot be shown:_ {reason}.");
        }
    }
    text
}

fn link(behaviour: &Behaviour) -> String {
    format!("[{}](#{})", behaviour.claim.statement, behaviour.id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Every place that something links to, and how often it is there.
    fn anchors(page: &str) -> BTreeMap<String, usize> {
        let named = page.split("<a id=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned);
        let headings = page.lines().filter(|line| line.starts_with('#'));
        let headings = headings.map(|line| heading_anchor(line.trim_start_matches('#').trim_start()));
        let mut anchors = BTreeMap::new();
        named.chain(headings).for_each(|anchor| *anchors.entry(anchor).or_default() += 1);
        anchors
    }

    #[test]
    fn each_link_in_the_page_leads_to_one_place() {
        let page = markdown(&Results::embedded().unwrap());
        let anchors = anchors(&page);
        let page = page.replace("\n  ", " ");
        let links = page.split("](#").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links {
            assert_eq!(anchors.get(link), Some(&1), "#{link}");
        }
        let twice: Vec<&String> = anchors.iter().filter(|(_, count)| **count > 1).map(|(anchor, _)| anchor).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    #[test]
    fn a_failure_stands_at_the_top() {
        let mut results = Results::embedded().unwrap();
        let path = crate::scenarios::all().next().unwrap().path();
        results.insert(&path, "6.1", super::super::results::Outcome::Failed("it did not".into()));
        let page = markdown(&results);
        let [failed, overview] = ["## FAILED: this page is wrong", "## Overview"].map(|heading| page.find(heading));
        assert!(failed.is_some() && failed < overview, "{page}");
        assert!(page.replace("\n  ", " ").contains(&format!("**FAILED** on 6.1 ({path}: it did not)")), "{page}");
    }
}
