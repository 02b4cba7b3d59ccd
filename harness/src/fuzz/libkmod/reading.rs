//! What libkmod can say of a module.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::errno::Errno;

/// What libkmod is asked, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Call {
    /// The strings of `.modinfo`, and who signed it.
    Info,
    /// The checksums it was built with.
    Versions,
    /// What it exports.
    Symbols,
    /// What it needs.
    DependencySymbols,
}

impl Call {
    pub(super) const ALL: [Self; 4] = [Self::Info, Self::Versions, Self::Symbols, Self::DependencySymbols];

    /// The call that a record names.
    pub(super) fn of(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// The function's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "kmod_module_get_info",
            Self::Versions => "kmod_module_get_versions",
            Self::Symbols => "kmod_module_get_symbols",
            Self::DependencySymbols => "kmod_module_get_dependency_symbols",
        }
    }
}

/// What libkmod made of a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reading {
    /// All calls gave what they are for, or that there is none.
    Took,
    /// The first call that failed, and with which errno.
    Refused(Call, i32),
    /// It died in this call, with this title.
    Died(Call, String),
    /// A call did not come back in time.
    Late(Call),
}

/// The same in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It reads the module.
    Took,
    /// It reports an error.
    Refused,
    /// It died.
    Died,
    /// It was stopped.
    Late,
}

impl Outcome {
    /// Whether libkmod is at fault, whatever the module is like.
    pub const fn is_fault(self) -> bool {
        matches!(self, Self::Died | Self::Late)
    }

    /// How it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Took => "took",
            Self::Refused => "refused",
            Self::Died => "died",
            Self::Late => "late",
        }
    }
}

impl Reading {
    /// In one word.
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Took => Outcome::Took,
            Self::Refused(..) => Outcome::Refused,
            Self::Died(..) => Outcome::Died,
            Self::Late(_) => Outcome::Late,
        }
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Took => f.write_str("takes it"),
            Self::Refused(call, errno) => write!(f, "{} gives {}", call.name(), Errno(*errno)),
            Self::Died(call, title) => write!(f, "dies in {}: {title}", call.name()),
            Self::Late(call) => write!(f, "{} does not come back", call.name()),
        }
    }
}
