//! Records of cases, and what is made from them.

pub mod collection;
pub mod compare;
pub mod html;
pub mod junit;
pub mod markdown;
pub mod table;
pub mod terminal;

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    cache::Digest,
    error::{Blame, Context as _, Error, Result},
    guest::Step,
    triage::Event,
    vm::accel::Accel,
    whole,
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

    /// Why it is not passed.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Passed => None,
            Self::Failed { why, .. } | Self::Skipped { why } | Self::Broken { why, .. } => Some(why),
        }
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
    /// The command that leads to the guest as the case left it: that very one where it was kept, else one in which the
    /// case is run again.
    pub resume: Option<String>,
    /// Where that guest was kept, or why it was not; nothing when that was not asked for.
    pub kept: Option<String>,
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

    /// Whose module tools the guest had: `modrig`, `kmod` or `busybox`.
    pub fn tools(&self) -> &str {
        self.modutils.split(' ').next().unwrap_or_default()
    }

    /// What to type to see it again: a label and a command each.
    pub fn commands(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let resume = self.resume.as_deref().map(|command| ("look around in it", command));
        [("again", &*self.rerun)].into_iter().chain(resume)
    }

    /// Writes the record into a directory, as one file that appears whole or not at all.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn store(&self, directory: &Path) -> Result<PathBuf> {
        let safe = format!("{}@{}", self.path(), self.tools()).replace(['/', ':'], "_");
        let file = directory.join(format!("{safe}.json"));
        let text = serde_json::to_string_pretty(self).context(|| format!("cannot make JSON of {}", self.path()))?;
        whole::write(&file, text.as_bytes())?;
        Ok(file)
    }
}

/// How many cases ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// The kernel does what the scenario says.
    pub passed: usize,
    /// It does not.
    pub failed: usize,
    /// The rig failed.
    pub broken: usize,
    /// They make no sense there.
    pub skipped: usize,
}

impl Totals {
    /// Counts these.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut totals = Self::default();
        for record in records {
            *match record.verdict {
                Verdict::Passed => &mut totals.passed,
                Verdict::Failed { .. } => &mut totals.failed,
                Verdict::Broken { .. } => &mut totals.broken,
                Verdict::Skipped { .. } => &mut totals.skipped,
            } += 1;
        }
        totals
    }

    /// Each with its word.
    pub fn each(&self) -> [(&'static str, usize); 4] {
        [("passed", self.passed), ("failed", self.failed), ("broken", self.broken), ("skipped", self.skipped)]
    }

    /// `3 passed, 1 failed`: what there is any of.
    pub fn text(&self) -> String {
        let some = self.each().into_iter().filter(|(_, count)| *count > 0);
        some.map(|(word, count)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
    }

    /// What the cases amount to as a program's exit code. A finding outweighs a fault of the rig.
    pub fn exit_code(&self) -> u8 {
        match (self.failed, self.broken, self.passed + self.skipped) {
            (1.., _, _) => 1,
            (_, 1.., _) => 3,
            (_, _, 0) => 4,
            _ => 0,
        }
    }
}

/// `1 case`, `2 cases`.
pub fn cases(count: usize) -> String {
    format!("{count} {}", if count == 1 { "case" } else { "cases" })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{guest::Kind, triage::Triage};

    /// A record as a run leaves it, of a case that passed.
    pub(super) fn record(kernel: &str, scenario: &str) -> Record {
        Record {
            version: Record::VERSION,
            kernel: kernel.into(),
            machine: "microvm".into(),
            release: Some(format!("{kernel}.0-56-cloud-amd64")),
            group: "group".into(),
            scenario: scenario.into(),
            source: "an article".into(),
            claim: "it holds".into(),
            verdict: Verdict::Passed,
            events: Vec::new(),
            steps: Vec::new(),
            log: "target: init\n".into(),
            ended: DateTime::from_timestamp(1_790_000_000, 0).expect("a time"),
            duration_ms: 120,
            accel: Accel::Tcg,
            qemu: "7.2".into(),
            guest_digest: None,
            modutils: "modrig 0.1.0".into(),
            rerun: format!("modrig run -k {kernel} group::{scenario}"),
            resume: None,
            kept: None,
        }
    }

    /// The same of one that failed, with a log that means harm.
    pub(super) fn failed(kernel: &str, scenario: &str) -> Record {
        let verdict = Verdict::Failed { why: "expected this".into(), log: "<script>alert(1)</script>".into() };
        Record { verdict, ..record(kernel, scenario) }
    }

    #[test]
    fn a_finding_outweighs_a_fault_of_the_rig() {
        let broken = Verdict::Broken { why: String::new(), help: None };
        let broken = Record { verdict: broken, ..record("6.1", "b") };
        let code = |records: &[Record]| Totals::of(records).exit_code();
        assert_eq!(code(&[record("6.1", "a")]), 0);
        assert_eq!(code(&[record("6.1", "a"), broken.clone()]), 3);
        assert_eq!(code(&[broken, failed("6.1", "c")]), 1);
        assert_eq!(code(&[]), 4);
    }

    /// Names in the first column of each table of docs/records.md, by the table's heading.
    fn documented(heading: &str) -> BTreeSet<String> {
        let page = include_str!("../../../docs/records.md");
        let part = page.split("\n## ").find(|part| part.starts_with(heading)).expect("a part of the page");
        let first = part.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
        first.flat_map(|cell| cell.split('`').step_by(2).map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    fn keys(value: &impl Serialize) -> BTreeSet<String> {
        let value = serde_json::to_value(value).expect("JSON");
        value.as_object().expect("an object").keys().cloned().collect()
    }

    #[test]
    fn the_page_on_records_documents_what_is_in_them() {
        let mut triage = Triage::default();
        triage.line("[    1.000000] BUG: kernel NULL pointer dereference, address: 0000000000000000");
        assert_eq!(documented("# Records"), keys(&record("6.1", "a")));
        assert_eq!(documented("events"), keys(&triage.events()[0]));
        let broken = Verdict::Broken { why: String::new(), help: None };
        let verdicts = [Verdict::Passed, failed("6.1", "a").verdict, broken, Verdict::Skipped { why: String::new() }];
        assert_eq!(documented("verdict"), verdicts.iter().flat_map(keys).collect());
        let text = || "text".to_owned();
        let step = Step { result: text(), output: text(), error: text(), times: 2, ..Step::new(Kind::Run, text()) };
        assert_eq!(documented("steps"), keys(&step));
        assert_eq!(documented("One file of many records"), keys(&collection::Collection::of(Vec::new())));
    }
}
