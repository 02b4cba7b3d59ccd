//! The program as a user runs it, with a directory and a cache of its own.

#![allow(dead_code, reason = "no test binary uses all of it")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use modrig::{report::Record, run::Rig};
use tempfile::TempDir;

use crate::common::{KERNEL, Twin, names_in};

/// A directory to run in; nothing of the environment's own settings is seen there.
pub(crate) struct Desk(pub(crate) TempDir);

impl Desk {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    pub(crate) fn modrig(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_modrig"));
        command.args(args).current_dir(self.0.path()).stdin(Stdio::null());
        for name in ["MODRIG_QEMU", "MODRIG_MIRROR", "MODRIG_SECURITY_MIRROR"] {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn records(&self) -> PathBuf {
        self.path("target/modrig/records")
    }
}

pub(crate) fn run(mut command: Command) -> Ran {
    command.output().unwrap().into()
}

/// What a finished program has said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Ran {
    /// It ended with this code, and said all of these.
    #[track_caller]
    pub(crate) fn ends(&self, code: i32, texts: &[&str]) {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        for text in texts {
            assert!(self.out.contains(text) || self.err.contains(text), "no `{text}` in\n{}\n{}", self.out, self.err);
        }
    }
}

impl Desk {
    /// `modrig run` on one kernel in a cache of a test's own.
    pub(crate) fn run_in(&self, cache: &Twin, args: &[&str]) -> Command {
        let mut command = self.modrig(&["run", "-k", KERNEL]);
        command.args(args).env("MODRIG_CACHE", cache.path());
        command
    }
}

pub(crate) fn start(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

pub(crate) fn twin() -> Twin {
    Twin::of(&Rig::open().unwrap())
}

/// Waits until something holds; panics when it does not within a minute.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "this never held: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn only_record(desk: &Desk) -> Record {
    let names = names_in(&desk.records());
    assert_eq!(names.len(), 1, "{names:?}");
    record(&desk.records().join(&names[0]))
}

pub(crate) fn record(file: &Path) -> Record {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

pub(crate) fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
}
