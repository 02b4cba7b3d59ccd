//! Why a load failed: the kernel's own words of this very call, held against the module's file, the module directory
//! and the machine.
//!
//! An [`Explainer`] is set up before the load, so that the log read after it is this load's. What follows is a list of
//! [`Note`]s, which a tool prints after its usual message. Nothing here changes what a load does.

use std::{
    cell::OnceCell,
    fmt, fs,
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

use modfile::{alias::module_name, elf::Elf, modinfo::Modinfo};

use crate::{
    compress::unpack,
    kmsg,
    log::{Log, Priority},
    state::State,
    sys::Refusal,
    tree::Tree,
};

mod parameters;
mod policy;
mod symbols;
mod version;

pub(crate) use parameters::unknown as unknown_parameters;

/// Log records shown of one load; a flood explains nothing.
const RECORDS_MAX: usize = 10;

/// Bytes of log read after a load.
const LOG_BYTES_MAX: usize = 64 << 10;

/// One line of an explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// What the kernel logged meanwhile.
    Log(String),
    /// What it means.
    Why(String),
    /// What to do.
    Try(String),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(text) => write!(f, "log: {text}"),
            Self::Why(text) => write!(f, "why: {text}"),
            Self::Try(text) => write!(f, "try: {text}"),
        }
    }
}

/// The kernel's log from now on; without it, an explanation has to do with the rest.
struct Watch(Option<kmsg::Reader>);

impl Watch {
    /// Begins at the log's end.
    fn begin() -> Self {
        Self(kmsg::Reader::open().ok())
    }

    /// What was logged since the last call.
    fn records(&mut self) -> Vec<String> {
        self.0.as_mut().and_then(|log| log.new_records(LOG_BYTES_MAX).ok()).unwrap_or_default()
    }
}

/// Explains loads to whoever wants to know: who asks for it, and who sits at a terminal. Scripts get what kmod prints.
#[derive(Default)]
pub struct Explainer {
    watch: Option<Watch>,
    notes: Vec<Note>,
}

impl Explainer {
    /// `asked` with an option; `-q` and the system log keep it silent.
    pub fn new(asked: bool, log: &Log) -> Self {
        let is_wanted = asked || (std::io::stderr().is_terminal() && log.heeds(Priority::Error) && !log.syslog);
        Self { watch: is_wanted.then(Watch::begin), notes: Vec::new() }
    }

    /// Looks into a load that was tried with these parameters.
    pub fn look(&mut self, path: &Path, params: &str, result: Result<(), Refusal>, tree: &Tree) {
        let Some(watch) = &mut self.watch else { return };
        let log = watch.records();
        self.notes = match result {
            Ok(()) if params.is_empty() => Vec::new(),
            Ok(()) => fs::read(path).and_then(unpack).map_or(Vec::new(), |module| unknown_parameters(&module, params)),
            Err(refusal) => explain(&Attempt { path, refusal, log: &log, tree, root: Path::new("/") }),
        };
    }

    /// Says what the last look has shown.
    pub fn tell(&mut self, log: &Log) {
        self.notes.drain(..).for_each(|note| log.note(note));
    }
}

/// A load that failed, and everything that may tell why.
pub struct Attempt<'a> {
    /// The module's file.
    pub path: &'a Path,
    /// What the kernel returned.
    pub refusal: Refusal,
    /// What it logged meanwhile.
    pub log: &'a [String],
    /// Where other modules are found.
    pub tree: &'a Tree,
    /// The machine's `/`.
    pub root: &'a Path,
}

/// What explanations look at: the attempt, and what the file says.
struct Case<'a> {
    attempt: &'a Attempt<'a>,
    name: String,
    bytes: &'a [u8],
    /// None where the file is no module.
    elf: Option<Elf<'a>>,
    modinfo: Modinfo<'a>,
    /// The kernel's own list of symbols, some ten MiB: read when the first symbol is not found in the indexes.
    kallsyms: OnceCell<String>,
}

impl Case<'_> {
    fn has_logged(&self, text: &str) -> bool {
        self.attempt.log.iter().any(|record| record.contains(text))
    }

    /// What stands between these texts in the first record that has both.
    fn logged<'s>(&'s self, before: &str, after: &str) -> Option<&'s str> {
        self.attempt.log.iter().find_map(|record| {
            let (_, rest) = record.split_once(before)?;
            rest.split_once(after).map(|(between, _)| between)
        })
    }

    fn is(&self, errno: i32) -> bool {
        self.attempt.refusal.is(errno)
    }

    fn state(&self) -> State {
        State::new(self.attempt.root)
    }

    fn root(&self, path: &str) -> PathBuf {
        self.attempt.root.join(path)
    }
}

/// What the kernel logged, in its order. Where that is too much, what names the module stays: meanwhile others log, too.
fn told(attempt: &Attempt<'_>) -> Vec<Note> {
    let name = module_name(&attempt.path.to_string_lossy());
    let mut places: Vec<usize> = (0..attempt.log.len()).collect();
    places.sort_by_key(|place| !attempt.log[*place].contains(&name));
    places.truncate(RECORDS_MAX);
    places.sort_unstable();
    places.into_iter().map(|place| Note::Log(attempt.log[place].clone())).collect()
}

/// The log, then what can be said about it; the last resort is that the module's own init refused.
pub fn explain(attempt: &Attempt<'_>) -> Vec<Note> {
    let mut notes = told(attempt);
    if attempt.log.len() > RECORDS_MAX {
        notes.push(Note::Log(format!("... and {} more", attempt.log.len() - RECORDS_MAX)));
    }
    let bytes = match fs::read(attempt.path).and_then(unpack) {
        Ok(bytes) => bytes,
        Err(error) => {
            notes.push(Note::Why(format!("{} cannot be read: {error}", attempt.path.display())));
            return notes;
        }
    };
    let elf = Elf::parse(&bytes);
    let modinfo = elf.as_ref().ok().and_then(|elf| Modinfo::of(elf).ok()).unwrap_or(Modinfo::new(&[]));
    let name = match modinfo.name() {
        Some(name) => String::from_utf8_lossy(name).into_owned(),
        None => module_name(&attempt.path.display().to_string()),
    };
    let case = Case { attempt, name, bytes: &bytes, elf: elf.ok(), modinfo, kallsyms: OnceCell::new() };
    let rules: [fn(&Case<'_>) -> Vec<Note>; 5] =
        [version::explain, symbols::explain, parameters::explain, policy::explain, presence];
    let before = notes.len();
    for rule in rules {
        notes.extend(rule(&case));
    }
    if notes.len() == before {
        notes.push(Note::Why(last_resort(&case)));
    }
    notes
}

/// A module of that name is there already, on its way in or out.
fn presence(case: &Case<'_>) -> Vec<Note> {
    let name = &case.name;
    if case.is(libc::EEXIST) {
        return vec![Note::Why(format!("a module called {name} is loaded; `rmmod {name}` unloads it"))];
    }
    match case.state().of(name) {
        Some(state) if case.is(libc::EBUSY) => {
            let doing = match state {
                crate::state::InitState::Going => "being unloaded",
                crate::state::InitState::Coming => "being loaded by somebody else, or stuck there",
                crate::state::InitState::Live => "loaded",
            };
            vec![Note::Why(format!("a module called {name} is {doing}"))]
        }
        _ => Vec::new(),
    }
}

fn last_resort(case: &Case<'_>) -> String {
    let (name, value) = (&case.name, case.attempt.refusal.0);
    match value {
        _ if case.is(libc::ENODEV) => format!("{name} found no device to work with: its init function returned ENODEV"),
        -4095..0 => format!("nothing else is wrong with it: {name}'s own init function returned {value}"),
        _ => format!("{name}'s init function returned {value}, which is no error number; it is not loaded"),
    }
}

#[cfg(test)]
mod tests;
