//! Which events are no trouble: those that a scenario wants, and those that a stock kernel prints by itself.

use std::sync::LazyLock;

use modfile::alias::matches;
use serde::Deserialize;

use super::{Event, Standing};
use crate::behaviour::Version;

/// Events that are allowed on some kernels: `allow.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowList {
    /// The rows.
    #[serde(default)]
    pub allow: Vec<Allowance>,
}

/// One row of an allow list.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    /// First kernel series it holds for, `[6, 12]`; every older one too when it is missing.
    pub since: Option<Version>,
    /// Last one; every newer one too when it is missing.
    pub until: Option<Version>,
    /// The event's title; `*` stands for any text.
    pub title: String,
    /// Why it is no trouble.
    pub reason: String,
    /// Where that is known from: a commit, a file, a thread.
    pub source: String,
}

impl AllowList {
    /// The list that is part of this program.
    pub fn embedded() -> &'static Self {
        static LIST: LazyLock<AllowList> =
            LazyLock::new(|| toml::from_str(include_str!("allow.toml")).expect("a test has read it"));
        &LIST
    }

    /// The rows for a kernel. Of one that is not known, those for every kernel.
    pub fn on(&self, version: Option<Version>) -> Vec<Allowance> {
        let holds = |row: &&Allowance| {
            row.since.is_none_or(|since| version.is_some_and(|version| since <= version))
                && row.until.is_none_or(|until| version.is_some_and(|version| version <= until))
        };
        self.allow.iter().filter(holds).cloned().collect()
    }
}

/// What one guest may print.
#[derive(Debug, Default)]
pub struct Policy {
    allowed: Vec<Allowance>,
    expected: Vec<&'static str>,
}

impl Policy {
    /// Allows these.
    pub fn allow(&mut self, rows: Vec<Allowance>) {
        self.allowed = rows;
    }

    /// Wants an event with this title; `*` stands for any text.
    pub fn expect(&mut self, title: &'static str) {
        self.expected.push(title);
    }

    /// Whether an event is trouble. One whose title is not complete is none as long as it may become what is wanted.
    pub fn standing(&self, event: &Event, undecided: bool) -> Standing {
        let is = |pattern: &str| matches(pattern, &event.title) || (undecided && pattern.starts_with(&event.title));
        if self.expected.iter().any(|title| is(title)) {
            return Standing::Expected;
        }
        let row = self.allowed.iter().find(|row| is(&row.title));
        row.map_or(Standing::Unexpected, |row| Standing::Allowed(row.reason.clone()))
    }

    /// Wanted events that are not among these.
    pub fn missing<'a>(&'a self, events: &'a [Event]) -> impl Iterator<Item = &'static str> {
        let came = |title: &str| events.iter().any(|event| matches(title, &event.title));
        self.expected.iter().copied().filter(move |title| !came(title))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_holds_for_its_kernels_and_titles() {
        let text = "[[allow]]\nsince = [6, 1]\nuntil = [6, 12]\ntitle = 'WARNING in f*'\nreason = 'r'\nsource = 's'\n";
        let list: AllowList = toml::from_str(text).unwrap();
        let held = |version| list.on(version).len();
        assert_eq!([held(Some((5, 10))), held(Some((6, 1))), held(Some((6, 12))), held(Some((7, 3)))], [0, 1, 1, 0]);
        assert_eq!(held(None), 0);
        let mut triage = super::super::Triage::default();
        triage.line("WARNING: f.c:1 at f_init+0x1/0x2 [f], CPU#0: x/1");
        let mut policy = Policy::default();
        assert_eq!(policy.standing(&triage.events()[0], false), Standing::Unexpected);
        policy.allow(list.on(Some((6, 1))));
        assert_eq!(policy.standing(&triage.events()[0], false), Standing::Allowed("r".into()));
    }

    #[test]
    fn every_row_of_the_list_says_why_and_where_from() {
        for row in &AllowList::embedded().allow {
            assert!(row.reason.len() > 10 && row.source.len() > 5, "{row:?}");
            assert!(!row.title.starts_with('*'), "a title that allows everything: {row:?}");
        }
    }
}
