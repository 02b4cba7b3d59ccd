//! What the kernel and the tools answered, and what a scenario can expect of it.

use modrig_agent::wire::{Ending, How, JobId};

use crate::{
    check::{Check, Stop},
    errno::{Errno, describe},
};

/// Two texts are the same.
///
/// # Errors
/// They are not; the message shows both.
pub fn same(what: &str, seen: &str, expected: &str) -> Check {
    if seen == expected {
        return Ok(());
    }
    Err(Stop::failed(format!("{what}: expected `{expected}`, saw `{seen}`")))
}

/// A job that was begun.
#[derive(Debug)]
pub struct Running {
    pub(super) id: JobId,
    pub(super) pid: u32,
    pub(super) what: String,
    /// How many system calls it makes when none fails; 0 for a program.
    pub(super) calls: usize,
    pub(super) ending: Option<Ending>,
}

/// What a system call returned.
#[derive(Debug, Clone)]
pub struct Returned {
    pub(super) what: String,
    pub(super) how: How,
    pub(super) raw: Option<i64>,
}

impl Returned {
    /// It returned 0 or more, such as a descriptor.
    ///
    /// # Errors
    /// It did not.
    pub fn works(&self) -> Check {
        match self.raw {
            Some(0..) => Ok(()),
            _ => Err(Stop::failed(format!("{} should work, but returned {}", self.what, self.seen()))),
        }
    }

    /// It returned 0.
    ///
    /// # Errors
    /// It did not.
    pub fn succeeds(&self) -> Check {
        self.returns(0)
    }

    /// It returned this errno.
    ///
    /// # Errors
    /// It did not.
    pub fn fails_with(&self, errno: Errno) -> Check {
        self.returns(-i64::from(errno.0))
    }

    /// What it returned, if its process lived to see it.
    pub fn raw(&self) -> Option<i64> {
        self.raw
    }

    /// It returned this raw value, which need not be an errno.
    ///
    /// # Errors
    /// It did not.
    pub fn returns(&self, expected: i64) -> Check {
        same(&format!("{} returned", self.what), &self.seen(), &describe(expected))
    }

    /// Its process died of SIGKILL before the call returned to it.
    ///
    /// # Errors
    /// It did not.
    pub fn was_killed(&self) -> Check {
        self.died_of(libc::SIGKILL)
    }

    /// Its process died of this signal before the call returned to it.
    ///
    /// # Errors
    /// It did not.
    pub fn died_of(&self, signal: i32) -> Check {
        same(&format!("{} returned", self.what), &self.seen(), &format!("nothing: its process died of signal {signal}"))
    }

    fn seen(&self) -> String {
        match (self.raw, self.how) {
            (Some(raw), _) => describe(raw),
            (None, How::Signalled(signal)) => format!("nothing: its process died of signal {signal}"),
            (None, How::Exited(code)) => format!("nothing: its process exited with {code}"),
        }
    }
}

/// What a program did.
#[derive(Debug, Clone)]
pub struct Ran {
    pub(super) what: String,
    pub(super) ending: Ending,
}

impl Ran {
    /// Standard output.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.ending.stdout).into_owned()
    }

    /// Standard error.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.ending.stderr).into_owned()
    }

    /// How it ended.
    pub fn how(&self) -> How {
        self.ending.how
    }

    /// It exited with this code.
    ///
    /// # Errors
    /// It did not.
    pub fn exits_with(&self, code: i32) -> Check {
        if self.ending.how == How::Exited(code) {
            return Ok(());
        }
        Err(Stop::failed(format!(
            "{}: expected exit code {code}, saw {:?}: {}",
            self.what,
            self.ending.how,
            self.stderr()
        )))
    }

    /// It exited with 0 and said nothing on standard error.
    ///
    /// # Errors
    /// It did not.
    pub fn succeeds(&self) -> Check {
        self.exits_with(0)?;
        same(&format!("standard error of {}", self.what), &self.stderr(), "")
    }

    /// Standard output has a line with these words, apart from the second one, which is a size.
    ///
    /// # Errors
    /// It has not.
    pub fn prints_line_of(&self, words: &[&str]) -> Check {
        let without_size = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            words
                .iter()
                .enumerate()
                .filter(|(column, _)| *column != 1)
                .map(|(_, word)| word.clone())
                .collect::<Vec<_>>()
        };
        if self.stdout().lines().any(|line| without_size(line) == words) {
            return Ok(());
        }
        Err(Stop::failed(format!("{} should print a line of {words:?}; it prints: {}", self.what, self.stdout())))
    }

    /// It exited with 1 and this one line on standard error.
    ///
    /// # Errors
    /// It did not.
    pub fn fails_saying(&self, line: &str) -> Check {
        self.exits_with(1)?;
        same(&format!("standard error of {}", self.what), self.stderr().trim_end(), line)
    }

    /// Standard error has this line.
    ///
    /// # Errors
    /// It has not.
    pub fn says(&self, line: &str) -> Check {
        let stderr = self.stderr();
        if stderr.lines().any(|said| said == line) {
            return Ok(());
        }
        Err(Stop::failed(format!("{} should say `{line}`; it says: {stderr}", self.what)))
    }
}
