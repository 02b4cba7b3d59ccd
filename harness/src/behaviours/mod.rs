//! Statement by statement: what holds on which kernel, and what shows it. Made from the tables and the results of a run.

pub mod page;
pub mod results;
pub mod terminal;
mod text;

use crate::{
    behaviour::Version,
    claim::Claim,
    literature::{self, Evidence},
    scenario::Scenario,
    scenarios,
};
use results::{Outcome, Results};

/// A statement with what shows it.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// Its place on the page: the path of the scenario that carries it, or its first words.
    pub id: String,
    /// The statement.
    pub claim: Claim,
    /// Scenarios that would fail if it were otherwise; at least one.
    pub shown_by: Vec<&'static Scenario>,
}

/// What a kernel does about a statement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holds {
    /// It holds.
    Yes,
    /// What the tables say holds in its place.
    Changed,
    /// It cannot be shown, for this reason.
    Unshown(String),
    /// Nothing has been run.
    NotRun,
    /// A scenario says that the tables are wrong, or could not tell.
    Failed(String),
}

/// All statements that scenarios show, those that scenarios carry first.
pub fn all() -> Vec<Behaviour> {
    let carried = scenarios::all().map(|scenario| Behaviour {
        id: scenario.path().replace("::", "-"),
        claim: scenario.claim,
        shown_by: vec![scenario],
    });
    let others = literature::all().filter_map(|statement| match statement.evidence {
        Evidence::Scenarios(paths) => {
            let shown_by = scenarios::all().filter(|scenario| paths.contains(&&*scenario.path())).collect();
            Some(Behaviour { id: text::anchor(&statement.claim), claim: statement.claim, shown_by })
        }
        Evidence::Nothing(_) => None,
    });
    carried.chain(others).collect()
}

/// The statements that nothing shows, each with the reason.
pub fn untestable() -> impl Iterator<Item = (&'static Claim, &'static str)> {
    literature::all().filter_map(|statement| match statement.evidence {
        Evidence::Nothing(reason) => Some((&statement.claim, reason)),
        Evidence::Scenarios(_) => None,
    })
}

impl Behaviour {
    /// The group of what shows it.
    pub fn subject(&self) -> &'static str {
        self.shown_by.first().map_or("", |scenario| scenario.group)
    }

    /// What is so on a kernel, by the results of a run. One failure outweighs everything, and one pass all skips.
    pub fn on(&self, kernel: &str, version: Version, results: &Results) -> Holds {
        let outcomes = self.shown_by.iter().map(|scenario| match results.of(&scenario.path(), kernel) {
            Some(Outcome::Passed) => self.claim.changed_on(version).map_or(Holds::Yes, |_| Holds::Changed),
            Some(Outcome::Skipped(why)) => Holds::Unshown(why.clone()),
            Some(Outcome::Failed(why)) => Holds::Failed(format!("{}: {why}", scenario.path())),
            None => Holds::NotRun,
        });
        let rank = |holds: &Holds| match holds {
            Holds::Failed(_) => 0,
            Holds::Yes | Holds::Changed => 1,
            Holds::NotRun => 2,
            Holds::Unshown(_) => 3,
        };
        outcomes.min_by_key(rank).unwrap_or(Holds::NotRun)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn statements_name_scenarios_that_exist_and_are_made_once() {
        let mut seen = BTreeMap::new();
        for statement in literature::all() {
            let Evidence::Scenarios(paths) = statement.evidence else { continue };
            assert!(!paths.is_empty(), "{}", statement.claim.statement);
            for path in paths {
                assert!(scenarios::all().any(|scenario| scenario.path() == *path), "no scenario is called {path}");
            }
        }
        let claims = all().into_iter().map(|behaviour| behaviour.claim).chain(untestable().map(|(claim, _)| *claim));
        for claim in claims {
            let twice = seen.insert((claim.source, claim.statement), ());
            assert!(twice.is_none(), "{}: `{}` is made twice", claim.source, claim.statement);
        }
    }

    #[test]
    fn a_failure_is_never_covered_by_a_pass() {
        let mut behaviour = all().remove(0);
        behaviour.shown_by = scenarios::all().take(3).collect();
        let paths: Vec<String> = behaviour.shown_by.iter().map(|scenario| scenario.path()).collect();
        let outcomes = [Outcome::Passed, Outcome::Failed("why".into()), Outcome::Skipped("no".into())];
        let mut results = Results::default();
        for (path, outcome) in paths.iter().zip(outcomes) {
            results.insert(path, "6.1", outcome);
        }
        assert_eq!(behaviour.on("6.1", (6, 1), &results), Holds::Failed(format!("{}: why", paths[1])));
        results.insert(&paths[1], "6.1", Outcome::Skipped("no".into()));
        assert_eq!(behaviour.on("6.1", (6, 1), &results), Holds::Yes);
        assert_eq!(behaviour.on("7.3", (7, 3), &results), Holds::NotRun);
    }
}
