//! What we, the kernel and both together say of a case.

use std::fmt;

use modfile::check::{Effect, Finding, Verdict};
use serde::{Deserialize, Serialize};

use crate::errno::Errno;

/// What a canary's init returns: the kernel has accepted and run the module.
pub const ACCEPTED: i64 = -(libc::ENOTNAM as i64);

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
    /// It had accepted the module, and init returned this, with which loaders fail, too.
    Init(i64),
    /// It accepts the module, but for the signature, and this is what it says of that.
    Signature(i64),
}

/// How the two answers go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Both take it.
    AgreeAccept,
    /// Both refuse it for the same reason: errno and log are what we say.
    AgreeReject,
    /// Both refuse it, the kernel for another reason.
    OtherReason,
    /// The kernel does not take it, for what no file shows: a symbol that it does not have.
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
    pub const ALL: [Self; 10] = [
        Self::AgreeAccept,
        Self::AgreeReject,
        Self::OtherReason,
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

    /// Whether the kernel died.
    pub const fn is_crash(self) -> bool {
        matches!(self, Self::Ran | Self::CrashFlagged | Self::CrashMissed)
    }

    /// How it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AgreeAccept => "agree-accept",
            Self::AgreeReject => "agree-reject",
            Self::OtherReason => "other-reason",
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
            (_, Answer::Init(_)) => Self::of(ours, &Answer::Returned(ACCEPTED, String::new())),
            (_, Answer::Signature(_)) => Self::Beyond,
            (Verdict::Danger(_), Answer::Crashed(_) | Answer::Ran(_)) => Self::CrashFlagged,
            (Verdict::Accept, Answer::Ran(_)) => Self::Ran,
            (_, Answer::Crashed(_) | Answer::Ran(_)) => Self::CrashMissed,
            (Verdict::Danger(_), Answer::Returned(..)) => Self::Warned,
            (Verdict::Accept, Answer::Returned(result, _)) if has_accepted(*result) => Self::AgreeAccept,
            (Verdict::Reject(_), Answer::Returned(result, _)) if has_accepted(*result) => Self::Stricter,
            (_, Answer::Returned(result, log)) if is_beyond(*result, log) => Self::Beyond,
            (Verdict::Reject(finding), Answer::Returned(result, log)) => match finding.effect {
                Effect::Rejects { errno, log: ours } if *result == -i64::from(errno) && log.contains(ours) => {
                    Self::AgreeReject
                }
                _ => Self::OtherReason,
            },
            (Verdict::Accept, Answer::Returned(..)) => Self::Laxer,
        }
    }
}

/// What loaders of 5.10 to 7.3 fail with.
const REFUSALS: [i32; 15] = [
    libc::EPERM,
    libc::ENOENT,
    libc::ENOEXEC,
    libc::ENOMEM,
    libc::EACCES,
    libc::EFAULT,
    libc::EBUSY,
    libc::EEXIST,
    libc::EINVAL,
    libc::ENOSPC,
    libc::EOPNOTSUPP,
    libc::EBADMSG,
    libc::ENOPKG,
    libc::EKEYREJECTED,
    libc::ENOKEY,
];

/// Whether a kernel that returns this has taken the module: init ran, or there was none. Init itself may return any number
/// when its code is broken.
pub(super) fn has_accepted(result: i64) -> bool {
    result >= 0 || !REFUSALS.iter().any(|errno| result == -i64::from(*errno))
}

/// What a kernel says when it refuses a module for what is no matter of its structure: the kernel has no such symbol, or
/// another version of it; it is of another build; a parameter has no such type.
const BEYOND: [&str; 7] = [
    "Unknown symbol",
    "disagrees about version of symbol",
    "no symbol version for",
    "version magic",
    "exports duplicate symbol",
    "from namespace",
    "is blacklisted",
];

fn is_beyond(result: i64, log: &str) -> bool {
    let signature = [libc::EBADMSG, libc::ENOPKG, libc::EKEYREJECTED];
    signature.iter().any(|errno| result == -i64::from(*errno)) || BEYOND.iter().any(|text| log.contains(text))
}

/// Our verdict in words: `reject: section 3 lies beyond the end of the file`.
pub fn words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Accept => "accept".into(),
        Verdict::Reject(Finding { rule, place, .. }) => format!("reject: {place} {}", rule.what),
        Verdict::Danger(Finding { rule, place, effect, .. }) => match effect {
            Effect::Endangers(how) => format!("danger: {place} {}: {how}", rule.what),
            _ => format!("danger: {place} {}", rule.what),
        },
    }
}

/// The same as a key, without the place: `reject magic`.
pub fn short(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Accept => "accept".into(),
        Verdict::Reject(finding) => format!("reject {}", finding.rule.name),
        Verdict::Danger(finding) => format!("danger {}", finding.rule.name),
    }
}

impl Answer {
    /// What the kernel died of, if it did.
    pub fn title(&self) -> Option<&str> {
        match self {
            Self::Crashed(title) | Self::Ran(title) => Some(title),
            Self::Returned(..) | Self::Init(_) | Self::Signature(_) => None,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned(ACCEPTED, _) => f.write_str("accepted and ran"),
            Self::Returned(result, _) if *result >= 0 => f.write_str("accepted"),
            Self::Returned(result, _) if has_accepted(*result) => write!(f, "accepted, and init returned {result}"),
            Self::Init(result) => write!(f, "accepted, and init returned {result}"),
            Self::Signature(result) => write!(f, "{} for the signature", Errno(-*result as i32)),
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

#[cfg(test)]
mod tests {
    use modfile::check::{self, Series};

    use super::*;

    fn returned(result: i64, log: &str) -> Answer {
        Answer::Returned(result, log.into())
    }

    #[test]
    fn two_answers_make_a_class() {
        let reject = check::check(&[0; 100], Series::new(6, 1));
        let refused = |errno: i32, log| returned(-i64::from(errno), log);
        assert_eq!(words(&reject), "reject: file does not begin with the ELF magic");
        let classes = [
            (Verdict::Accept, returned(ACCEPTED, ""), Class::AgreeAccept),
            (Verdict::Accept, returned(0, ""), Class::AgreeAccept),
            (Verdict::Accept, returned(-16_777_334, ""), Class::AgreeAccept),
            (Verdict::Accept, returned(-117, ""), Class::AgreeAccept),
            (Verdict::Accept, Answer::Init(-1), Class::AgreeAccept),
            (Verdict::Accept, Answer::Signature(-22), Class::Beyond),
            (Verdict::Accept, refused(libc::ENOMEM, ""), Class::Laxer),
            (Verdict::Accept, refused(libc::ENOENT, "m: Unknown symbol x (err -2)"), Class::Beyond),
            (Verdict::Accept, refused(libc::ENOEXEC, "Invalid ELF section header size"), Class::Laxer),
            (Verdict::Accept, Answer::Crashed("BUG".into()), Class::CrashMissed),
            (Verdict::Accept, Answer::Ran("BUG".into()), Class::Ran),
            (reject, refused(libc::ENOEXEC, "Invalid ELF header magic: != x"), Class::AgreeReject),
            (reject, refused(libc::ENOEXEC, "Invalid ELF header type: 2 != 1"), Class::OtherReason),
            (reject, refused(libc::EINVAL, "Invalid ELF header magic: != x"), Class::OtherReason),
            (reject, refused(libc::ENOENT, "m: Unknown symbol x (err -2)"), Class::Beyond),
            (reject, returned(ACCEPTED, ""), Class::Stricter),
            (reject, Answer::Crashed("BUG".into()), Class::CrashMissed),
        ];
        for (ours, kernel, class) in classes {
            assert_eq!(Class::of(&ours, &kernel), class, "{ours:?} {kernel:?}");
        }
    }
}
