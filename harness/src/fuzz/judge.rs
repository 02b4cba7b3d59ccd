//! What we, the kernel and both together say of a case.

use std::fmt;

use modfile::elf::Elf;
use serde::{Deserialize, Serialize};

use crate::errno::Errno;

/// What a canary's init returns: the kernel has accepted and run the module.
pub const ACCEPTED: i64 = -(libc::ENOTNAM as i64);

/// Our verdict on a module's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A kernel loads it.
    Accept,
    /// A kernel refuses it, for this reason.
    Reject(String),
    /// A kernel that loads it trips over this.
    Danger(String),
}

/// What a kernel made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// What `init_module` returned, and the kernel's first words about it.
    Returned(i64, String),
    /// The loader died, with this title.
    Crashed(String),
    /// It had accepted the module, and the module's own code died, with this title.
    Ran(String),
}

/// How the two answers go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Both take it.
    AgreeAccept,
    /// Both refuse it.
    AgreeReject,
    /// We take it, the kernel does not, for what no file shows: a symbol that it does not have.
    Beyond,
    /// We refuse it, the kernel takes it.
    Stricter,
    /// We warn, and this time nothing happened.
    Warned,
    /// The module's own code died, which no loader and no checker can know: a module may run any code.
    Ran,
    /// We warn, and the kernel died.
    CrashFlagged,
    /// A bug of ours: we take it, the kernel refuses it.
    Laxer,
    /// A bug of ours: the kernel died, and we did not warn.
    CrashMissed,
}

impl Class {
    /// All of them, bugs of ours last.
    pub const ALL: [Self; 9] = [
        Self::AgreeAccept,
        Self::AgreeReject,
        Self::Beyond,
        Self::Stricter,
        Self::Warned,
        Self::Ran,
        Self::CrashFlagged,
        Self::Laxer,
        Self::CrashMissed,
    ];

    /// Whether such a row is a bug of ours.
    pub const fn is_bug(self) -> bool {
        matches!(self, Self::Laxer | Self::CrashMissed)
    }

    /// How it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AgreeAccept => "agree-accept",
            Self::AgreeReject => "agree-reject",
            Self::Beyond => "beyond",
            Self::Stricter => "stricter",
            Self::Warned => "warned",
            Self::Ran => "ran-and-crashed",
            Self::CrashFlagged => "crash-flagged",
            Self::Laxer => "laxer",
            Self::CrashMissed => "crash-missed",
        }
    }

    /// The class of two answers.
    pub fn of(ours: &Verdict, kernel: &Answer) -> Self {
        match (ours, kernel) {
            (Verdict::Danger(_), Answer::Crashed(_) | Answer::Ran(_)) => Self::CrashFlagged,
            (Verdict::Accept, Answer::Ran(_)) => Self::Ran,
            (_, Answer::Crashed(_) | Answer::Ran(_)) => Self::CrashMissed,
            (Verdict::Danger(_), Answer::Returned(..)) => Self::Warned,
            (Verdict::Accept, Answer::Returned(result, _)) if has_accepted(*result) => Self::AgreeAccept,
            (Verdict::Reject(_), Answer::Returned(result, _)) if has_accepted(*result) => Self::Stricter,
            (Verdict::Reject(_), Answer::Returned(..)) => Self::AgreeReject,
            (Verdict::Accept, Answer::Returned(_, log)) if is_beyond(log) => Self::Beyond,
            (Verdict::Accept, Answer::Returned(..)) => Self::Laxer,
        }
    }
}

/// Whether a kernel that returns this has taken the module: init ran, or there was none.
fn has_accepted(result: i64) -> bool {
    result == ACCEPTED || result >= 0
}

/// What a kernel refuses a module for that is no fault of its structure: it has no such symbol, or another version of it,
/// or a parameter does not suit it.
const BEYOND: [&str; 3] = ["Unknown symbol", "disagrees about version of symbol", "no symbol version for"];

fn is_beyond(log: &str) -> bool {
    BEYOND.iter().any(|text| log.contains(text))
}

impl Verdict {
    /// Ours.
    pub fn of(image: &[u8]) -> Self {
        match Elf::parse(image) {
            Err(error) => Self::Reject(error.to_string()),
            Ok(elf) => match elf.sections().find_map(Result::err) {
                Some(error) => Self::Reject(error.to_string()),
                None => Self::Accept,
            },
        }
    }

    /// The reason, where there is one.
    pub fn reason(&self) -> &str {
        match self {
            Self::Accept => "",
            Self::Reject(why) | Self::Danger(why) => why,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept => f.write_str("accept"),
            Self::Reject(why) => write!(f, "reject: {why}"),
            Self::Danger(why) => write!(f, "danger: {why}"),
        }
    }
}

impl Answer {
    /// What the kernel died of, if it did.
    pub fn title(&self) -> Option<&str> {
        match self {
            Self::Crashed(title) | Self::Ran(title) => Some(title),
            Self::Returned(..) => None,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned(ACCEPTED, _) => f.write_str("accepted and ran"),
            Self::Returned(result, _) if *result >= 0 => f.write_str("accepted"),
            Self::Returned(result, log) => match i32::try_from(-result) {
                Ok(errno) if log.is_empty() => write!(f, "{}", Errno(errno)),
                Ok(errno) => write!(f, "{}: {log}", Errno(errno)),
                Err(_) => write!(f, "returned {result}"),
            },
            Self::Crashed(title) => f.write_str(title),
            Self::Ran(title) => write!(f, "accepted, then {title}"),
        }
    }
}
