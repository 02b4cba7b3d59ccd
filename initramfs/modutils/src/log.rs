//! Messages as kmod writes them, `PROGRAM: PRIORITY: TEXT`, to standard error or to the system log.

use std::{
    ffi::CString,
    io::Write as _,
    sync::atomic::{AtomicBool, Ordering},
};

/// How grave a message is, in the numbers of syslog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Printed, it ends the program.
    Fatal = libc::LOG_CRIT as isize,
    /// Something did not work.
    Error = libc::LOG_ERR as isize,
    /// Something may not be as meant.
    Warning = libc::LOG_WARNING as isize,
    /// What went on, for who asked.
    Info = libc::LOG_INFO as isize,
}

impl Priority {
    fn name(self) -> &'static str {
        match self {
            Self::Fatal => "FATAL",
            Self::Error => "ERROR",
            Self::Warning => "WARNING",
            Self::Info => "INFO",
        }
    }
}

/// Why a tool gives up on what it was doing; the message is out already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A fatal message was printed: do nothing more.
    Stop,
    /// This one failed; the next operand may still be tried.
    Failed,
}

/// Where messages go, and which of them.
#[derive(Debug)]
pub struct Log {
    program: String,
    /// Messages beyond this priority's number are dropped: `-v` raises it by one.
    pub level: i32,
    /// To the system log instead of standard error.
    pub syslog: bool,
    has_spoken: AtomicBool,
}

impl Log {
    /// Of a program, under its short name, up to a priority.
    pub fn new(program: &str, level: Priority) -> Self {
        Self { program: program.into(), level: level as i32, syslog: false, has_spoken: AtomicBool::new(false) }
    }

    /// Drops every message, as `-q` does.
    pub fn silence(&mut self) {
        self.level = libc::LOG_EMERG;
    }

    /// Writes a message. Without effect if the level is below it.
    pub fn write(&self, priority: Priority, text: impl std::fmt::Display) {
        if self.heeds(priority) {
            self.write_bytes(priority, text.to_string().as_bytes());
        }
    }

    fn write_bytes(&self, priority: Priority, text: &[u8]) {
        self.has_spoken.store(true, Ordering::Relaxed);
        if self.syslog {
            return to_syslog(priority, text);
        }
        // Nobody is left to be told if this fails. In one piece, since others may write to the same place.
        let start = format!("{}: {}: ", self.program, priority.name());
        let _ = std::io::stderr().write_all(&[start.as_bytes(), text, b"\n"].concat());
    }

    /// Whether any message was written.
    pub fn has_spoken(&self) -> bool {
        self.has_spoken.load(Ordering::Relaxed)
    }

    /// An error message.
    pub fn error(&self, text: impl std::fmt::Display) {
        self.write(Priority::Error, text);
    }

    /// An error message put together from bytes: what the user gave is repeated as it was.
    pub fn error_bytes(&self, parts: &[&[u8]]) {
        if self.heeds(Priority::Error) {
            self.write_bytes(Priority::Error, &parts.concat());
        }
    }

    /// Writes a message about what makes the caller give up. A fatal one that is silenced does not end the
    /// program: kmod then goes on to the next operand too.
    pub fn fail(&self, priority: Priority, text: impl std::fmt::Display) -> Failure {
        self.write(priority, text);
        if priority == Priority::Fatal && self.heeds(priority) { Failure::Stop } else { Failure::Failed }
    }

    /// Says something that is no message of kmod's, and so has no priority.
    pub fn note(&self, text: impl std::fmt::Display) {
        if self.syslog {
            return to_syslog(Priority::Warning, text.to_string().as_bytes());
        }
        let _ = std::io::stderr().write_all(format!("{}: {text}\n", self.program).as_bytes());
    }

    /// Whether messages of this priority are printed.
    pub fn heeds(&self, priority: Priority) -> bool {
        priority as i32 <= self.level
    }
}

/// The system log adds program and priority itself.
fn to_syslog(priority: Priority, text: &[u8]) {
    if let Ok(text) = CString::new(text) {
        // SAFETY: both strings end with NUL and outlive the call; the format takes one string.
        unsafe { libc::syslog(libc::LOG_DAEMON | priority as i32, c"%s".as_ptr(), text.as_ptr()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_fatal_message_that_is_seen_ends_the_work() {
        let mut log = Log::new("tool", Priority::Warning);
        assert_eq!(log.fail(Priority::Fatal, "shown"), Failure::Stop);
        assert_eq!(log.fail(Priority::Error, "shown"), Failure::Failed);
        log.silence();
        assert_eq!(log.fail(Priority::Fatal, "not shown"), Failure::Failed);
    }
}
