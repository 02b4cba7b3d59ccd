//! A statement about modules: who made it, for which kernel, and what became of it since.

use std::fmt;

use crate::behaviour::{Source, Turn, Version};

/// Where a statement was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Literature {
    /// An article of 2008 on a stub module whose init calls modprobe and then fails.
    StubModule,
    /// An article on how busybox's module tools reach the system calls.
    Busybox,
    /// An article on request_module, and on DEFINE_MUTEX.
    RequestModule,
    /// An article on request_module, exec_modprobe and kmod.
    ExecModprobe,
    /// A series on the module framework.
    Framework,
    /// The manual pages of kmod, whose tools ours stand in for.
    Kmod,
    /// The kernel itself, its documentation, or the message of the commit that brought it: newer than the articles.
    Kernel,
}

impl Literature {
    /// All of them, in the order of the kernels they describe.
    pub const ALL: [Self; 7] = [
        Self::ExecModprobe,
        Self::StubModule,
        Self::Framework,
        Self::Busybox,
        Self::RequestModule,
        Self::Kmod,
        Self::Kernel,
    ];

    /// A short name, for links.
    pub const fn key(self) -> &'static str {
        match self {
            Self::StubModule => "stub",
            Self::Busybox => "busybox",
            Self::RequestModule => "request-module",
            Self::ExecModprobe => "exec-modprobe",
            Self::Framework => "framework",
            Self::Kmod => "kmod",
            Self::Kernel => "kernel",
        }
    }

    /// What it is called.
    pub const fn title(self) -> &'static str {
        match self {
            Self::StubModule => "stub module article",
            Self::Busybox => "busybox module tools article",
            Self::RequestModule => "request_module article",
            Self::ExecModprobe => "request_module and exec_modprobe article",
            Self::Framework => "module framework series",
            Self::Kmod => "kmod's manual pages",
            Self::Kernel => "kernel source and documentation",
        }
    }

    /// The kernel it was written for, if it was one.
    pub const fn kernel(self) -> Option<&'static str> {
        match self {
            Self::StubModule => Some("2.6.17"),
            Self::RequestModule => Some("4.1"),
            Self::ExecModprobe => Some("2.2"),
            Self::Framework => Some("2.6.32"),
            Self::Busybox | Self::Kmod | Self::Kernel => None,
        }
    }
}

impl fmt::Display for Literature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kernel() {
            Some(kernel) => write!(f, "{} ({kernel})", self.title()),
            None => f.write_str(self.title()),
        }
    }
}

/// A release of the kernel as people write it, such as 4.14 or 2.6.30.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release([u32; 3]);

impl Release {
    /// Reads `major.minor` or `major.minor.patch`; anything else does not compile where the text is a constant.
    pub const fn of(text: &str) -> Self {
        let (bytes, mut parts, mut part, mut at) = (text.as_bytes(), [0; 3], 0, 0);
        while at < bytes.len() {
            match bytes[at] {
                b'.' => part += 1,
                digit @ b'0'..=b'9' => parts[part] = parts[part] * 10 + (digit - b'0') as u32,
                _ => panic!("a release is digits and dots"),
            }
            at += 1;
        }
        Self(parts)
    }

    /// The release of a version.
    pub const fn from((major, minor): Version) -> Self {
        Self([major, minor, 0])
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([major, minor, patch]) = self;
        match patch {
            0 => write!(f, "{major}.{minor}"),
            _ => write!(f, "{major}.{minor}.{patch}"),
        }
    }
}

/// What holds in the place of a statement.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    /// First release it holds for; the statement never was quite so where there is none.
    pub since: Option<Release>,
    /// An older series whose kernel in the matrix has it by a backport.
    pub backport: Option<Version>,
    /// What brought it, or what shows it.
    pub source: Source,
    /// What holds now, in words.
    pub now: &'static str,
    /// `what` of the fact that says the same to scenarios.
    pub fact: Option<&'static str>,
}

impl Change {
    /// Whether it holds on a kernel.
    pub fn is_on(&self, version: Version) -> bool {
        self.since.is_none_or(|since| since <= Release::from(version)) || self.backport == Some(version)
    }
}

/// `since 4.13: it waits for a slot`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.since {
            Some(since) => write!(f, "since {since}")?,
            None => f.write_str("never quite so")?,
        }
        if let Some((major, minor)) = self.backport {
            write!(f, ", and in {major}.{minor}'s updates")?;
        }
        write!(f, ": {}", self.now)
    }
}

/// A statement and its history.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    /// Who made it.
    pub source: Literature,
    /// The statement, as it was made.
    pub statement: &'static str,
    /// What it leaves out, and holds on every kernel.
    pub note: Option<&'static str>,
    changes: [Option<Change>; 3],
}

impl Claim {
    /// A statement that still holds.
    pub const fn new(source: Literature, statement: &'static str) -> Self {
        Self { source, statement, note: None, changes: [None; 3] }
    }

    /// Adds what the statement leaves out.
    pub const fn note(mut self, note: &'static str) -> Self {
        self.note = Some(note);
        self
    }

    /// Says that it holds no longer: since this release, by this source, another statement does. May be said again
    /// for a later release.
    pub const fn until(self, release: &str, source: Source, now: &'static str) -> Self {
        self.changed(Change { since: Some(Release::of(release)), backport: None, source, now, fact: None })
    }

    /// Says that it holds no longer: since a fact's turn, another statement does.
    pub const fn until_fact(self, turn: Turn, now: &'static str) -> Self {
        let since = Some(Release::from(turn.since));
        self.changed(Change { since, backport: None, source: turn.source, now, fact: Some(turn.what) })
    }

    /// Says that it holds for no kernel of the matrix as it was made.
    pub const fn never(self, source: Source, now: &'static str) -> Self {
        self.changed(Change { since: None, backport: None, source, now, fact: None })
    }

    /// Says that the last change is in an older series of the matrix, too.
    pub const fn backported(mut self, series: Version) -> Self {
        let mut at = self.changes.len();
        while at > 0 {
            at -= 1;
            if let Some(change) = &mut self.changes[at] {
                change.backport = Some(series);
                return self;
            }
        }
        panic!("a backport is of a change")
    }

    /// The statement, and what holds in its place on a kernel: what a scenario looks for there.
    pub fn on(&self, version: Version) -> String {
        match self.changed_on(version) {
            Some(change) => format!("{}; {change}", self.statement),
            None => self.statement.to_owned(),
        }
    }

    const fn changed(mut self, change: Change) -> Self {
        let mut at = 0;
        while self.changes[at].is_some() {
            at += 1;
        }
        self.changes[at] = Some(change);
        self
    }

    /// What became of it, oldest first.
    pub fn changes(&self) -> impl DoubleEndedIterator<Item = &Change> {
        self.changes.iter().flatten()
    }

    /// What holds in its place on a kernel; nothing while it still holds.
    pub fn changed_on(&self, version: Version) -> Option<&Change> {
        self.changes().rev().find(|change| change.is_on(version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_change_before_a_kernel_holds_on_it() {
        const CLAIM: Claim = Claim::new(Literature::RequestModule, "the 51st fails")
            .until("2.6.30", Source::Code("kmod.c"), "the 51st waits")
            .until("6.5", Source::Code("kmod.c"), "the 51st is killed")
            .backported((6, 1));
        let on = |version| CLAIM.changed_on(version).map(|change| change.now);
        assert_eq!(on((2, 4)), None);
        assert_eq!(on((5, 10)), Some("the 51st waits"));
        assert_eq!(on((6, 1)), Some("the 51st is killed"));
        assert_eq!(on((6, 2)), Some("the 51st waits"));
        assert_eq!(on((6, 5)), Some("the 51st is killed"));
        assert_eq!(CLAIM.on((5, 10)), "the 51st fails; since 2.6.30: the 51st waits");
        assert_eq!(
            CLAIM.changes().map(|change| change.since.unwrap().to_string()).collect::<Vec<_>>(),
            ["2.6.30", "6.5"]
        );
    }
}
