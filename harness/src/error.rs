//! The one error of the harness: what failed, where, and what to do about it.

use std::{error::Error as StdError, fmt, io, sync::Arc};

/// What to do where a disk is full.
pub const FULL: &str = "free some space, or name another place with --cache or MODRIG_CACHE (for records: --records)";

/// A failure of the rig or of what the user gave it; never a verdict about a kernel.
///
/// Cheap to clone, because one failed build or fetch is the reason of many broken cases.
#[derive(Debug, Clone)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    what: String,
    help: Option<String>,
    cause: Option<Arc<dyn StdError + Send + Sync>>,
    blame: Blame,
}

/// Who has to act on an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The command line or a file of the user's is wrong.
    Usage,
    /// The machine, the archive or modrig itself is.
    Rig,
    /// What the user selects does not exist, so that nothing would run.
    Selection,
    /// Ctrl-C.
    Interrupted,
}

/// Result of the harness.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of the rig. `what` names the thing and the place, lower case, no full stop.
    pub fn new(what: impl Into<String>) -> Self {
        Self(Box::new(Inner { what: what.into(), help: None, cause: None, blame: Blame::Rig }))
    }

    /// An error of the command line.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(what).blamed(Blame::Usage)
    }

    /// A selection that is empty.
    pub fn nothing_selected(what: impl Into<String>) -> Self {
        Self::new(what).blamed(Blame::Selection)
    }

    /// The user asked to stop.
    pub fn interrupted() -> Self {
        Self::new("interrupted").blamed(Blame::Interrupted)
    }

    /// What the user can do, as one sentence or command.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// The error underneath.
    pub fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.cause = Some(Arc::from(cause.into()));
        self
    }

    fn blamed(mut self, blame: Blame) -> Self {
        self.0.blame = blame;
        self
    }

    /// Who has to act.
    pub fn blame(&self) -> Blame {
        self.0.blame
    }

    /// The advice, if there is one.
    pub fn advice(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// The whole story on one line: what, then each cause after a colon.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl Error {
    /// For a person, at the program's end: the story, and what to do.
    pub fn report(&self) -> String {
        match self.advice() {
            Some(help) => format!("error: {}\nhelp: {help}", self.chain()),
            None => format!("error: {}", self.chain()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.what)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as &(dyn StdError + 'static))
    }
}

/// Adds "what and where" to any error on its way up.
pub trait Context<T> {
    /// Wraps the error, if there is one, under `what()`. Blame and advice of an [`Error`] stay.
    fn context<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T>;
}

impl<T, E: Into<Box<dyn StdError + Send + Sync>>> Context<T> for std::result::Result<T, E> {
    fn context<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|cause| {
            let cause = cause.into();
            let mut error = Error::new(what());
            if let Some(inner) = cause.downcast_ref::<Error>() {
                error.0.blame = inner.0.blame;
                error.0.help.clone_from(&inner.0.help);
            }
            let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
            if cause.downcast_ref::<io::Error>().is_some_and(|cause| full.contains(&cause.kind())) {
                error = error.help(FULL);
            }
            error.because(cause)
        })
    }
}
