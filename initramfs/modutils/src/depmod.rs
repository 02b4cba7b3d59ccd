//! `depmod`: works out which module needs which, and writes the indexes that modprobe reads.
//!
//! ```text
//! command    the tool: options, messages, exit code
//! config     depmod.d ─▶ what is searched, and which of two files wins (regex)
//! scan       directories ─▶ places of modules;  order: of modules.order
//! read       their files, over all processors ─▶ facts (what a file says of itself);  cache: facts of earlier runs
//! graph      facts, kernel's own symbols ─▶ who needs whom, in kmod's order (hash)
//! text       all that ─▶ modules.dep, .alias, .softdep, .weakdep, .symbols, .devname
//! binary     all that, and the lists of built-in modules ─▶ modules.*.bin
//! document   all that ─▶ JSON
//! output     writes them
//! ```

mod binary;
mod cache;
mod command;
mod config;
mod document;
mod facts;
mod graph;
mod hash;
mod kernel;
mod order;
mod output;
mod place;
mod read;
mod regex;
mod scan;
mod text;

use std::{borrow::Cow, collections::HashMap, fmt, io, path::Path};

use modfile::elf::Elf;

use crate::{
    compress,
    log::{Log, Priority},
    sys::strerror,
};
use facts::Facts;
use graph::{Finding, Graph, Lookup};
use place::Place;

pub use binary::Unwritable;
pub use command::run;

/// A file's name and its contents.
pub type File = (&'static str, Vec<u8>);

/// Why there is no index.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A module's file is damaged.
    #[error("cannot read module `{path}`")]
    Damaged {
        /// As it was given.
        path: String,
        /// What is wrong with it.
        #[source]
        cause: modfile::Error,
    },
    /// A module's file cannot be unpacked.
    #[error("cannot unpack module `{path}`")]
    Packed {
        /// As it was given.
        path: String,
        /// What is wrong with it.
        #[source]
        cause: io::Error,
    },
    /// Modules need each other.
    #[error("{0}")]
    Cycles(Cycles),
    /// A name does not fit into a binary index.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
}

/// Rings of modules of which each needs the next and the last the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycles(pub Vec<Vec<String>>);

impl fmt::Display for Cycles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ring in &self.0 {
            writeln!(f, "Cycle detected: {} -> {}", ring.join(" -> "), ring[0])?;
        }
        let mut modules: Vec<&String> = self.0.iter().flatten().collect();
        modules.sort_unstable();
        modules.dedup();
        write!(f, "Found {} modules in dependency cycles!", modules.len())
    }
}

/// The indexes of these modules, given as paths relative to `/lib/modules/RELEASE` with contents, and of what came with
/// the kernel of `modules.order`, `modules.builtin` and `modules.builtin.modinfo`. Of several modules with one name,
/// kmod's rule picks one: the last below `updates/`, or else the first.
///
/// # Errors
/// A damaged module, modules that need each other, or a name that is not ASCII.
pub fn index(modules: &[(String, &[u8])], lists: &[(String, &[u8])]) -> Result<Vec<File>, Error> {
    let directory = Path::new("");
    let places = modules.iter().map(|(path, _)| Place::new(directory, format!("/{path}").as_bytes()));
    let mut places = scan::choose_from(&config::Config::preset(), places);
    if let Some((_, text)) = lists.iter().find(|(name, _)| name == "modules.order") {
        order::by_text(text, &mut places);
    }
    let contents: HashMap<&[u8], &[u8]> = modules.iter().map(|(path, bytes)| (path.as_bytes(), *bytes)).collect();
    let read = |place: Place| {
        let path = || String::from_utf8_lossy(place.listed()).into_owned();
        let bytes = compress::unpack(contents[place.listed()].to_vec())
            .map_err(|cause| Error::Packed { path: path(), cause })?;
        let elf = Elf::parse(&bytes).map_err(|cause| Error::Damaged { path: path(), cause })?;
        Ok(Module { facts: Facts::of(&elf, false), place })
    };
    let modules = places.into_iter().map(read).collect::<Result<Vec<_>, Error>>()?;
    let index = Index::new(&modules, &Lookup::MODULES, |_| ()).map_err(Error::Cycles)?;
    let log = Log::new("depmod", Priority::Fatal);
    let sources = Sources { index: &index, log: &log, warns: false, lists: Lists::Given(lists) };
    FILES.iter().map(|(name, make)| Ok((*name, make(&sources)?))).collect()
}

/// A module: where it lies and what it says.
struct Module {
    place: Place,
    facts: Facts,
}

/// Everything that the indexes of modules are written from.
struct Index<'a> {
    modules: &'a [Module],
    /// For each module the positions of those that it needs.
    dependencies: Vec<Vec<usize>>,
    /// Exported symbols with the position of their owner.
    symbols: Vec<(&'a [u8], usize)>,
}

impl<'a> Index<'a> {
    /// Of modules in the order that the files shall have. `tell` gets what is found on the way.
    fn new(modules: &'a [Module], lookup: &Lookup<'a>, tell: impl FnMut(Finding<'a>)) -> Result<Self, Cycles> {
        let graph = Graph::new(modules, lookup, tell);
        Ok(Self { modules, dependencies: graph.dependencies(modules)?, symbols: graph.symbols() })
    }
}

/// What the files are made from.
struct Sources<'a> {
    index: &'a Index<'a>,
    log: &'a Log,
    /// Whether patterns that a module has twice are told of.
    warns: bool,
    lists: Lists<'a>,
}

/// Where the lists of built-in modules are.
enum Lists<'a> {
    /// Files of this directory.
    In(&'a Path),
    /// Names and contents; one that is not there counts as empty.
    Given(&'a [(String, &'a [u8])]),
}

impl Sources<'_> {
    /// Makes an index from a list that came with the kernel. Without the list it is an empty file, as with kmod.
    fn of_list(&self, name: &str, make: fn(&[u8], &Log) -> Result<Vec<u8>, Unwritable>) -> Result<Vec<u8>, Unwritable> {
        let list = match self.lists {
            Lists::In(directory) => binary::input(self.log, directory, name).map(Cow::Owned),
            Lists::Given(lists) => {
                let text = lists.iter().find(|(there, _)| there == name).map_or(&[][..], |(_, text)| text);
                Some(Cow::Borrowed(text))
            }
        };
        list.map_or(Ok(vec![]), |list| make(&list, self.log))
    }

    fn devname(&self) -> Vec<u8> {
        text::devname(self.index, |module, node| {
            let (name, node) = (&module.place.name, String::from_utf8_lossy(node));
            self.log.error(format_args!(
                "Module '{name}' has devname ({node}) but lacks major and minor information. Ignoring."
            ));
        })
    }
}

type Make = fn(&Sources<'_>) -> Result<Vec<u8>, Unwritable>;

/// All files, in the order in which kmod writes them.
const FILES: [(&str, Make); 11] = [
    ("modules.dep", |from| Ok(text::dep(from.index))),
    ("modules.dep.bin", |from| binary::dep(from.index, from.log)),
    ("modules.alias", |from| Ok(text::alias(from.index))),
    ("modules.alias.bin", |from| binary::alias(from.index, from.log, from.warns)),
    ("modules.softdep", |from| Ok(text::softdep(from.index))),
    ("modules.weakdep", |from| Ok(text::weakdep(from.index))),
    ("modules.symbols", |from| Ok(text::symbols(from.index))),
    ("modules.symbols.bin", |from| binary::symbols(from.index, from.log)),
    ("modules.builtin.bin", |from| from.of_list("modules.builtin", binary::builtin)),
    ("modules.builtin.alias.bin", |from| from.of_list("modules.builtin.modinfo", binary::builtin_alias)),
    ("modules.devname", |from| Ok(from.devname())),
];

/// The system's words for an error.
fn cause(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), strerror)
}
