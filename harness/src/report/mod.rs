//! Records of cases, and what is made from them.

pub mod terminal;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    cache::Digest,
    error::{Blame, Context as _, Error, Result},
    guest::Step,
    triage::Event,
    vm::accel::Accel,
};

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Verdict {
    /// The kernel does what the scenario says.
    Passed,
    /// It does something else, or died of it.
    Failed {
        /// What was expected and what was seen.
        why: String,
        /// The kernel's log around it.
        log: String,
    },
    /// The case makes no sense here.
    Skipped {
        /// Why.
        why: String,
    },
    /// The rig failed, so nothing is known about the kernel.
    Broken {
        /// What failed.
        why: String,
        /// What to do about it.
        help: Option<String>,
    },
}

impl Verdict {
    /// The rig failed with this error.
    pub fn broken(error: &Error) -> Self {
        if error.blame() == Blame::Interrupted {
            return Self::Skipped { why: "interrupted".into() };
        }
        Self::Broken { why: error.chain(), help: error.advice().map(str::to_owned) }
    }

    /// One word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed { .. } => "failed",
            Self::Skipped { .. } => "skipped",
            Self::Broken { .. } => "broken",
        }
    }
}

/// Everything about one case, as written to its file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Version of this form, [`Record::VERSION`].
    pub version: u32,
    /// Name of the kernel, as on the command line.
    pub kernel: String,
    /// What it ran on, such as `microvm` or `pc, 2 processors`.
    #[serde(default)]
    pub machine: String,
    /// `uname -r`, when the kernel could be had.
    pub release: Option<String>,
    /// Subject of the scenario.
    pub group: String,
    /// Name of the scenario.
    pub scenario: String,
    /// Who made the statement it tests.
    pub source: String,
    /// The statement.
    pub claim: String,
    /// How it ended.
    pub verdict: Verdict,
    /// What the console showed that a healthy kernel does not print.
    pub events: Vec<Event>,
    /// What was done in the guest, and what came of it.
    pub steps: Vec<Step>,
    /// The kernel's log since the guest was restored, cut in the middle beyond [`Record::LOG_BYTES_MAX`].
    pub log: String,
    /// When it ended.
    pub ended: DateTime<Utc>,
    /// From restoring the guest to the verdict, milliseconds.
    pub duration_ms: u64,
    /// What ran the guest's instructions.
    pub accel: Accel,
    /// Version of QEMU.
    pub qemu: String,
    /// Digest of the saved guest: kernel, image, machine, QEMU.
    pub guest_digest: Option<Digest>,
    /// The guest's module tools: whose, and their version.
    pub modutils: String,
    /// The command that runs exactly this case again.
    pub rerun: String,
    /// The command that reopens the guest as the case left it, where that was kept.
    pub resume: Option<String>,
}

impl Record {
    /// Counted up when a reader of older records would misunderstand.
    pub const VERSION: u32 = 2;

    /// Longest log kept, bytes. A case's own log is about 1 KiB, an oops 4 KiB.
    pub const LOG_BYTES_MAX: usize = 32 << 10;

    /// `kernel::group::scenario`.
    pub fn path(&self) -> String {
        format!("{}::{}::{}", self.kernel, self.group, self.scenario)
    }

    /// Writes the record into a directory, as one file that appears whole or not at all.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn store(&self, directory: &Path) -> Result<PathBuf> {
        let safe = self.path().replace(['/', ':'], "_");
        let file = directory.join(format!("{safe}.json"));
        let failed = || format!("cannot write the record `{}`", file.display());
        fs::create_dir_all(directory).context(failed)?;
        let mut whole = tempfile::NamedTempFile::new_in(directory).context(failed)?;
        whole.write_all(&serde_json::to_vec_pretty(self).context(failed)?).context(failed)?;
        whole.persist(&file).context(failed)?;
        Ok(file)
    }
}
