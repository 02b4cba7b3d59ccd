//! One scenario's statement on a terminal.

use std::fmt::Write as _;

use super::{Behaviour, Holds, all, results::Results};
use crate::{kernel::version_of, scenario::Scenario};

/// All that is known about what a scenario shows: its own statement first.
pub fn details(scenario: &Scenario, results: &Results) -> String {
    let mut text = format!("{}\n", scenario.path());
    for behaviour in all().iter().filter(|one| one.shown_by.iter().any(|shown| shown.path() == scenario.path())) {
        text += &paragraph(behaviour, results);
    }
    let machine = [("modules", scenario.modules.join(" ")), ("machine", scenario.machine.to_string())];
    for (what, value) in machine.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(text, "  {what}: {value}");
    }
    text
}

fn paragraph(behaviour: &Behaviour, results: &Results) -> String {
    let claim = &behaviour.claim;
    let mut text = format!("  \"{}\"\n    {}\n", claim.statement, claim.source);
    for change in claim.changes() {
        let _ = writeln!(text, "    {change}\n      {}", change.source);
    }
    if let Some(note) = claim.note {
        let _ = writeln!(text, "    note: {note}");
    }
    let words: Vec<String> =
        results.kernels.iter().map(|(name, release)| on(behaviour, name, release, results)).collect();
    let _ = writeln!(text, "    {}", words.join(", "));
    text
}

fn on(behaviour: &Behaviour, kernel: &str, release: &str, results: &Results) -> String {
    match behaviour.on(kernel, version_of(if release.is_empty() { kernel } else { release }), results) {
        Holds::Yes => format!("{kernel} holds"),
        Holds::Changed => format!("{kernel} changed"),
        Holds::Unshown(why) => format!("{kernel} cannot be shown ({why})"),
        Holds::NotRun => format!("{kernel} not run"),
        Holds::Failed(why) => format!("{kernel} FAILED ({why})"),
    }
}
