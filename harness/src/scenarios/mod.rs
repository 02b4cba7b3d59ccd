//! The scenarios. A file is a group; its table comes first, then one function per row.
//!
//! A scenario sees [`crate::guest`], [`crate::behaviour`] and [`crate::errno`] only. To add one: a function, a row,
//! and a file in `guest-modules/` if it needs a new situation (docs/adding-a-scenario.md).

mod damage;
mod duplicates;
mod faults;
mod files;
mod helper;
mod hotplug;
mod insert;
mod inspect;
mod licences;
mod limits;
mod livepatch;
mod media;
mod mutex;
mod on_demand;
mod parameters;
mod policy;
mod request_module;
mod shown;
mod smp;
mod states;
mod stub;
mod symbols;
mod tools;
mod traces;
mod triggers;
mod unload;
mod versions;

use crate::scenario::Scenario;

/// All scenarios, by group.
pub fn all() -> impl Iterator<Item = &'static Scenario> {
    [
        insert::ALL,
        inspect::ALL,
        parameters::ALL,
        duplicates::ALL,
        versions::ALL,
        symbols::ALL,
        licences::ALL,
        states::ALL,
        files::ALL,
        damage::ALL,
        faults::ALL,
        traces::ALL,
        unload::ALL,
        request_module::ALL,
        stub::ALL,
        smp::ALL,
        media::ALL,
        hotplug::ALL,
        helper::ALL,
        triggers::ALL,
        on_demand::ALL,
        policy::ALL,
        limits::ALL,
        livepatch::ALL,
        shown::ALL,
        mutex::ALL,
        tools::ALL,
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_scenario_has_a_name_of_its_own_and_a_claim() {
        let mut seen = BTreeSet::new();
        for scenario in all() {
            assert!(seen.insert(scenario.path()), "{} twice", scenario.path());
            assert!(!scenario.claim.statement.is_empty(), "{} says not what it tests", scenario.path());
        }
        assert!(seen.len() >= 30, "{}", seen.len());
    }

    #[test]
    fn stock_modules_are_kept_and_asked_for_where_they_are() {
        for scenario in all() {
            for module in scenario.stock {
                assert!(crate::kernel::KEPT.contains(module), "{}: {module}", scenario.path());
                assert!(scenario.machine.drivers, "{} runs on a kernel without stock modules", scenario.path());
            }
        }
    }

    #[test]
    fn every_module_a_scenario_names_has_a_source() {
        for scenario in all() {
            for module in scenario.modules {
                assert!(crate::module::SOURCES.iter().any(|(name, _)| name == module), "{}: {module}", scenario.path());
            }
        }
    }
}
