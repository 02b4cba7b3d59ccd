//! How a step of a scenario can end other than well.

use crate::{error::Error, vm::Trouble};

/// Result of a step, and of a whole scenario.
pub type Check<T = ()> = Result<T, Stop>;

/// Why a scenario ends before its last line.
#[derive(Debug, Clone)]
pub enum Stop {
    /// The kernel did something else than expected.
    Failed {
        /// What was expected and what was seen, in one line.
        why: String,
        /// The kernel's log around it.
        log: String,
    },
    /// The case cannot run here, and why.
    Skipped(String),
    /// The rig failed.
    Broken(Error),
}

impl Stop {
    /// A failure without a log yet; the runner adds it.
    pub fn failed(why: impl Into<String>) -> Self {
        Self::Failed { why: why.into(), log: String::new() }
    }
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Guest { what, log, .. } => Self::Failed { why: what, log },
            Trouble::Rig(error) => Self::Broken(error),
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}
