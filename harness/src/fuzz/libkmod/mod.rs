//! What libkmod, the library under kmod's tools, makes of broken modules.
//!
//! It dies of some of them, and needs a newer C library than this machine may have. So it is asked by a child: this very
//! program, run by the loader and the libraries that came with kmod. One that dies, or takes too long, is replaced.
//!
//! ```text
//! Reader ── standard input: how many cases ─▶ child ── the same socket: done ─▶ Reader
//!    └──── standard output: the tray, a file in memory with the cases' files and, from the child, a record of each
//! ```

mod child;
mod reading;
pub(super) mod report;

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::{
        fd::OwnedFd,
        unix::{
            fs::FileExt as _,
            net::UnixStream,
            process::{CommandExt as _, ExitStatusExt as _},
        },
    },
    path::PathBuf,
    process::{Child, Command},
    time::Duration,
};

use rustix::fs::{MemfdFlags, memfd_create};

pub(crate) use self::child::run_if_called;
pub use self::reading::{Call, Outcome, Reading};
use crate::{
    compare::REFERENCE,
    error::{Blame, Context as _, Error, Result},
    interrupt,
    kernel::Store,
    pace,
    peers::{Kmod, Peers},
    process,
};

/// The name under which this program is the child.
const NAME: &str = "modrig-libkmod";

/// How many cases the tray holds.
const TRAY_CASES: usize = 32;

/// Bytes of the record that the child keeps of a case: the number of the call that it has begun, of the call that was the
/// first to fail, two zeros, and the errno of that, in the machine's byte order. Numbers count from 1; one more than the last
/// call means that all are done.
const RECORD: usize = 8;

/// Where the length of each case's file begins, u32 in the machine's byte order; the files follow, one behind the other.
const LENGTHS: usize = TRAY_CASES * RECORD;
const FILES: usize = LENGTHS + TRAY_CASES * 4;

/// What one case may take, on an idle machine. All that libkmod does with one takes 20 us.
const LIMIT: Duration = Duration::from_secs(2);

/// Cases after which a child is replaced: some ways to refuse a module leave memory behind.
const SERVED_MAX: usize = 50_000;

/// Bytes of what a child says that are looked at, from the end.
const WORDS_MAX: u64 = 4096;

/// libkmod on this machine.
#[derive(Debug, Clone)]
pub struct Libkmod {
    kmod: Kmod,
    /// This program, which is also the child.
    program: PathBuf,
}

impl Libkmod {
    /// Fetches it where it is not in the cache, and sees whether it works here.
    ///
    /// # Errors
    /// The archive does not give it, or it does not run on this machine.
    pub fn obtain(store: &Store) -> Result<Self> {
        // Not by the file's name: it may have been replaced since we were started.
        let program = PathBuf::from(format!("/proc/{}/exe", std::process::id()));
        Self::by(Kmod::obtain(store, &Peers::embedded()?, REFERENCE)?, program)
    }

    /// The same, but where it cannot be had, the user is told, and nothing is given.
    ///
    /// # Errors
    /// The user asked to stop.
    pub fn obtain_or_say(store: &Store) -> Result<Option<Self>> {
        match Self::obtain(store) {
            Ok(libkmod) => Ok(Some(libkmod)),
            Err(error) if error.blame() == Blame::Interrupted => Err(error),
            Err(error) => {
                let help = error.advice().map_or_else(String::new, |help| format!(" ({help})"));
                store.progress.say(format!("libkmod is not asked: {}{help}", error.chain()));
                Ok(None)
            }
        }
    }

    /// That of a kmod, asked by a `modrig`.
    ///
    /// # Errors
    /// It does not run on this machine.
    pub fn by(kmod: Kmod, program: PathBuf) -> Result<Self> {
        let libkmod = Self { kmod, program };
        libkmod.start().map(|_| libkmod.clone())
    }

    /// Version of its package.
    pub fn version(&self) -> &str {
        &self.kmod.version
    }

    /// One that answers, as long as this thread lives.
    pub const fn reader(&self) -> Reader<'_> {
        Reader { libkmod: self, process: None }
    }

    fn start(&self) -> Result<Process> {
        let failed = || format!("cannot ask libkmod {}", self.version());
        let (line, theirs) = UnixStream::pair().context(failed)?;
        line.set_read_timeout(Some(LIMIT)).context(failed)?;
        let (tray, words) = (memory("tray").context(failed)?, memory("words").context(failed)?);
        let program = self.kmod.beside(NAME, &self.program);
        let mut command = Command::new(&program[0]);
        // Without the user's settings of kmod's messages, and of the loader.
        command.args(&program[1..]).env_clear().process_group(0).stdin(OwnedFd::from(theirs));
        command.stdout(tray.try_clone().context(failed)?).stderr(words.try_clone().context(failed)?);
        process::tie(&mut command);
        let child = command.spawn().context(failed)?;
        // Ours of its descriptors: when it dies, the line shall end.
        drop(command);
        let mut process = Process { child, line, tray, words, served: 0 };
        match process.wait() {
            Ok(Heard::Done) => Ok(process),
            Ok(Heard::Late) => Err(Error::new(failed()).because("it does not start")),
            Ok(Heard::Dead) => Err(Error::new(failed()).because(process.last_words())),
            Err(error) => Err(error),
        }
    }
}

/// A file that is in memory only.
fn memory(name: &str) -> io::Result<File> {
    Ok(File::from(memfd_create(name, MemfdFlags::CLOEXEC)?))
}

/// Gives libkmod's answers, by one child after the other. It belongs to the thread that asks.
#[derive(Debug)]
pub struct Reader<'a> {
    libkmod: &'a Libkmod,
    process: Option<Process>,
}

impl Reader<'_> {
    /// What libkmod makes of each of these files.
    ///
    /// # Errors
    /// No child can be started, or one gives up for a reason of its own.
    pub fn ask(&mut self, images: &[&[u8]]) -> Result<Vec<Reading>> {
        let mut readings = Vec::new();
        while readings.len() < images.len() {
            let rest = &images[readings.len()..];
            readings.extend(self.ask_some(&rest[..rest.len().min(TRAY_CASES)])?);
        }
        Ok(readings)
    }

    /// The answers to the first of them, up to one that the child does not survive.
    fn ask_some(&mut self, images: &[&[u8]]) -> Result<Vec<Reading>> {
        let mut process = match self.process.take() {
            Some(process) if process.served < SERVED_MAX => process,
            _ => self.libkmod.start()?,
        };
        let failed = || "cannot ask libkmod";
        process.put(images).context(failed)?;
        let heard = process.wait()?;
        let records = process.records(images.len()).context(failed)?;
        let mut readings: Vec<Reading> = records.iter().map_while(Record::reading).collect();
        match (records.get(readings.len()), heard) {
            (None, _) => {}
            (Some(record), Heard::Late) => readings.push(Reading::Late(record.call())),
            (Some(record), _) => readings.push(process.death(record.call())?),
        }
        if heard == Heard::Done {
            self.process = Some(process);
        }
        Ok(readings)
    }
}

/// What a child keeps of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Record {
    begun: u8,
    failed: u8,
    errno: i32,
}

impl Record {
    const DONE: u8 = Call::ALL.len() as u8 + 1;

    fn bytes(self) -> [u8; RECORD] {
        let [a, b, c, d] = self.errno.to_ne_bytes();
        [self.begun, self.failed, 0, 0, a, b, c, d]
    }

    const fn from(bytes: [u8; RECORD]) -> Self {
        let [begun, failed, _, _, a, b, c, d] = bytes;
        Self { begun, failed, errno: i32::from_ne_bytes([a, b, c, d]) }
    }

    /// What came of the case, if it is done.
    fn reading(&self) -> Option<Reading> {
        (self.begun == Self::DONE).then(|| match Call::of(self.failed) {
            Some(call) => Reading::Refused(call, self.errno),
            None => Reading::Took,
        })
    }

    /// The call that is at work; the first, before it.
    fn call(&self) -> Call {
        Call::of(self.begun).unwrap_or(Call::Info)
    }
}

/// What came of waiting for a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Done,
    Dead,
    Late,
}

/// A child. It is gone when this is.
#[derive(Debug)]
struct Process {
    child: Child,
    line: UnixStream,
    tray: File,
    words: File,
    served: usize,
}

impl Process {
    fn put(&mut self, images: &[&[u8]]) -> io::Result<()> {
        let mut head = vec![0; LENGTHS];
        images.iter().for_each(|image| head.extend_from_slice(&(image.len() as u32).to_ne_bytes()));
        self.tray.write_all_at(&head, 0)?;
        let mut offset = FILES as u64;
        for image in images {
            self.tray.write_all_at(image, offset)?;
            offset += image.len() as u64;
        }
        self.served += images.len();
        self.line.write_all(&[images.len() as u8])
    }

    fn records(&self, count: usize) -> io::Result<Vec<Record>> {
        let mut bytes = vec![0; count * RECORD];
        self.tray.read_exact_at(&mut bytes, 0)?;
        Ok(bytes.as_chunks().0.iter().map(|record| Record::from(*record)).collect())
    }

    /// Until the child says that it is done, dies, or makes no progress for longer than a case may take.
    fn wait(&mut self) -> Result<Heard> {
        let (mut waited, mut before) = (Duration::ZERO, None);
        loop {
            match self.line.read(&mut [0]) {
                Ok(0) => return Ok(Heard::Dead),
                Ok(_) => return Ok(Heard::Done),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    interrupt::check()?;
                    let now = self.records(TRAY_CASES).ok();
                    waited = if now == before { waited + LIMIT } else { Duration::ZERO };
                    before = now;
                    if waited > Duration::ZERO && waited >= LIMIT.mul_f64(pace::slowness(Some(self.child.id()))) {
                        return Ok(Heard::Late);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(Heard::Dead),
                Err(error) => return Err(error).context(|| "cannot wait for libkmod"),
            }
        }
    }

    /// What a child died of in this call.
    fn death(&mut self, call: Call) -> Result<Reading> {
        let status = self.child.wait().context(|| "cannot wait for libkmod")?;
        match status.signal() {
            Some(signal) => Ok(Reading::Died(call, title(signal, &self.last_words()))),
            None => Err(Error::new("what asks libkmod has given up").because(self.last_words())),
        }
    }

    /// The last line that a child has said.
    fn last_words(&self) -> String {
        let len = self.words.metadata().map_or(0, |metadata| metadata.len());
        let begin = len.saturating_sub(WORDS_MAX);
        let mut bytes = vec![0; (len - begin) as usize];
        let read = self.words.read_exact_at(&mut bytes, begin);
        let text = String::from_utf8_lossy(&bytes).replace(|c: char| c.is_control() && c != '\n', "\u{fffd}");
        read.ok().and_then(|()| text.lines().rfind(|line| !line.is_empty())).unwrap_or("it ended").to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a death is called, the same for all of its kind: an assertion by its function and text, without the line; else the
/// signal, and what the C library said before it.
fn title(signal: i32, words: &str) -> String {
    let name = signal_hook::low_level::signal_name(signal).map_or_else(|| format!("signal {signal}"), str::to_owned);
    match words.split_once(".c:").and_then(|(_, rest)| rest.split_once(": ")) {
        Some((_, assertion)) if signal == libc::SIGABRT => assertion.trim_end_matches('.').to_owned(),
        None if signal == libc::SIGABRT => format!("{name}: {words}"),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deaths_of_one_kind_have_one_title() {
        let check = |signal, words: &str, expected: &str| assert_eq!(title(signal, words), expected);
        let assertion = "modrig-libkmod: ../libkmod/libkmod-elf.c:208: some_function: Assertion `index != 0' failed.";
        check(libc::SIGABRT, assertion, "some_function: Assertion `index != 0' failed");
        check(libc::SIGABRT, "double free or corruption (out)", "SIGABRT: double free or corruption (out)");
        check(libc::SIGSEGV, "it ended", "SIGSEGV");
    }

    #[test]
    fn a_record_says_what_came_of_a_case_or_where_it_is() {
        let record = |begun, failed, errno| Record::from(Record { begun, failed, errno }.bytes());
        assert_eq!(record(Record::DONE, 0, 0).reading(), Some(Reading::Took));
        assert_eq!(record(Record::DONE, 2, libc::EINVAL).reading(), Some(Reading::Refused(Call::Versions, 22)));
        assert_eq!((record(3, 2, 22).reading(), record(3, 2, 22).call()), (None, Call::Symbols));
        assert_eq!(record(0, 0, 0).call(), Call::Info);
    }
}
