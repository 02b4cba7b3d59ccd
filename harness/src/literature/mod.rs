//! What the articles say beside the claims that scenarios carry: statement by statement, and what shows each of them.
//!
//! An article's file has the statements that no scenario names as its own claim: those that other scenarios show on
//! their way, and those that nothing here can show, with the reason.

mod busybox;
mod exec_modprobe;
mod framework;
mod kernel;
mod request_module;
mod stub_module;

use crate::claim::Claim;

/// A statement of an article.
#[derive(Debug, Clone, Copy)]
pub struct Statement {
    /// The statement, and what became of it.
    pub claim: Claim,
    /// What shows it.
    pub evidence: Evidence,
}

/// What shows a statement.
#[derive(Debug, Clone, Copy)]
pub enum Evidence {
    /// Scenarios, `group::name`, each of which would fail if it did not hold.
    Scenarios(&'static [&'static str]),
    /// Nothing, for this reason.
    Nothing(&'static str),
}

impl Claim {
    /// The statement is shown by these scenarios.
    pub const fn shown_by(self, scenarios: &'static [&'static str]) -> Statement {
        Statement { claim: self, evidence: Evidence::Scenarios(scenarios) }
    }

    /// The statement cannot be shown here.
    pub const fn untestable(self, reason: &'static str) -> Statement {
        Statement { claim: self, evidence: Evidence::Nothing(reason) }
    }
}

/// All of them, by the age of the kernel they were written for.
pub fn all() -> impl Iterator<Item = &'static Statement> {
    [exec_modprobe::ALL, stub_module::ALL, framework::ALL, busybox::ALL, request_module::ALL, kernel::ALL]
        .into_iter()
        .flatten()
}
