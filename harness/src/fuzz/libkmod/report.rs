//! What libkmod made of campaigns' modules, as a part of their report.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use super::Reading;
use crate::fuzz::{
    judge::Class,
    readings::{Counts, Same},
    report::{cell, counts, shown},
    state::State,
};

/// The part.
#[derive(Debug)]
pub(in crate::fuzz) struct Part {
    /// What it comes to, in sentences.
    pub(in crate::fuzz) summary: Vec<String>,
    /// Names of the classes that there are.
    pub(in crate::fuzz) classes: Vec<&'static str>,
    pub(in crate::fuzz) campaigns: Vec<Campaign>,
    pub(in crate::fuzz) deaths: Vec<Death>,
}

/// How the cases of a campaign came out, by class.
#[derive(Debug)]
pub(in crate::fuzz) struct Campaign {
    /// Kernel, region and seed.
    pub(in crate::fuzz) name: String,
    pub(in crate::fuzz) counts: Vec<Counts>,
}

/// One way in which libkmod died, or did not come back.
#[derive(Debug, Default)]
pub(in crate::fuzz) struct Death {
    pub(in crate::fuzz) title: String,
    /// How often in the campaigns of which kernel.
    kernels: BTreeMap<String, u64>,
    /// How often by class.
    classes: BTreeMap<&'static str, u64>,
    /// What shows it: a command, and what is broken.
    pub(in crate::fuzz) shown: Vec<(String, String)>,
}

impl Part {
    pub(in crate::fuzz) fn of(states: &[State]) -> Self {
        let classes = Class::ALL.into_iter().filter(|class| states.iter().any(|state| state.tally.of(*class) > 0));
        let classes: Vec<Class> = classes.collect();
        let campaign = |state: &State| Campaign {
            name: format!("{}/{}/{}", state.kernel, state.region, state.seed),
            counts: classes.iter().map(|class| state.tally.readings.counts(|one| one == *class)).collect(),
        };
        Self {
            summary: summary(states),
            classes: classes.iter().map(|class| class.name()).collect(),
            campaigns: states.iter().map(campaign).collect(),
            deaths: deaths(states),
        }
    }

    pub(in crate::fuzz) fn markdown(&self) -> String {
        let mut text = format!("\n## libkmod\n\n{}\n", self.summary.join("\n"));
        let _ = writeln!(text, "\n| campaign | {} |", self.classes.join(" | "));
        let _ = writeln!(text, "|---|{}", "---|".repeat(self.classes.len()));
        for Campaign { name, counts } in &self.campaigns {
            let counts: Vec<String> = counts.iter().map(Counts::to_string).collect();
            let _ = writeln!(text, "| {} | {} |", cell(name), counts.join(" | "));
        }
        if !self.deaths.is_empty() {
            text.push_str("\n| libkmod | kernels | class | what shows it |\n|---|---|---|---|\n");
        }
        for death in &self.deaths {
            let shown: Vec<String> = death.shown.iter().map(|(run, what)| format!("`{run}`: {}", cell(what))).collect();
            let (title, shown) = (cell(&death.title), shown.join("<br>"));
            let _ = writeln!(text, "| {title} | {} | {} | {shown} |", death.on(), death.as_classes());
        }
        text
    }
}

impl Death {
    pub(in crate::fuzz) fn on(&self) -> String {
        counts(self.kernels.iter().map(|(kernel, count)| (kernel.as_str(), *count)))
    }

    pub(in crate::fuzz) fn as_classes(&self) -> String {
        counts(self.classes.iter().map(|(class, count)| (*class, *count)))
    }
}

fn summary(states: &[State]) -> Vec<String> {
    let versions: BTreeSet<&str> = states.iter().filter_map(|state| state.libkmod.as_deref()).collect();
    if versions.is_empty() {
        return vec!["It was not asked.".into()];
    }
    let sum = |is_wanted: fn(Class) -> bool| {
        let mut sum = Counts::default();
        states.iter().for_each(|state| sum.merge(&state.tally.readings.counts(is_wanted)));
        sum
    };
    let versions = versions.into_iter().collect::<Vec<_>>().join(", ");
    let mut summary = vec![format!("Of all modules, libkmod {versions}: {}.", sum(|_| true))];
    if states.iter().any(|state| Class::ALL.iter().any(|class| class.is_crash() && state.tally.of(*class) > 0)) {
        summary.push(format!("Of those that killed the kernel: {}.", sum(Class::is_crash)));
    }
    let refusals = same(states, |reading| matches!(reading, Reading::Refused(..)));
    if !refusals.is_empty() {
        let refusals = refusals
            .into_iter()
            .map(|(words, all)| format!("{words} ({})", all.iter().map(|(_, same)| same.count()).sum::<u64>()));
        summary.push(format!("Why it refuses: {}.", refusals.collect::<Vec<_>>().join(", ")));
    }
    summary
}

/// In which campaigns it made the same of modules.
fn same(states: &[State], is_wanted: impl Fn(&Reading) -> bool) -> BTreeMap<String, Vec<(&State, &Same)>> {
    let mut all: BTreeMap<String, Vec<(&State, &Same)>> = BTreeMap::new();
    for state in states {
        for same in state.tally.readings.iter().filter(|same| is_wanted(&same.reading)) {
            all.entry(same.reading.to_string()).or_default().push((state, same));
        }
    }
    all
}

fn deaths(states: &[State]) -> Vec<Death> {
    let faults = same(states, |reading| reading.outcome().is_fault());
    let death = |(title, all): (String, Vec<(&State, &Same)>)| {
        let mut death = Death { title, ..Death::default() };
        for (state, same) in all {
            *death.kernels.entry(state.kernel.clone()).or_default() += same.count();
            for (class, count) in &same.classes {
                *death.classes.entry(class.name()).or_default() += count;
            }
            death.shown.push(shown(state, same.index, same.alone.as_ref()));
        }
        death
    };
    faults.into_iter().map(death).collect()
}
