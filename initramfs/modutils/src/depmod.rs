//! `depmod`: works out which module needs which, and writes the text indexes that modprobe reads.
//!
//! ```text
//! command  the tool: options, messages, exit code
//! tree     files below /lib/modules/RELEASE ─▶ Module (what the file says of itself)
//! graph    Modules ─▶ who needs whom, in kmod's order
//! text     both ─▶ modules.dep, .alias, .softdep, .weakdep, .symbols, .devname
//! ```
//! Not done yet: compressed modules, the configuration of `depmod.d`, checks against a kernel's symbols
//! (`-e`, `-E`, `-F`), binary indexes.

mod command;
mod graph;
mod hash;
mod text;
mod tree;

use std::{collections::HashMap, fmt};

use modfile::{alias::module_name, elf::Elf, symbols};

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
    /// Modules need each other.
    #[error("{0}")]
    Cycles(Cycles),
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

/// The text indexes of these modules, given as paths relative to `/lib/modules/RELEASE` with contents, for a tree
/// without `modules.order`. Of several modules with one name, kmod's rule picks one: the last below `updates/`, or
/// else the first.
///
/// # Errors
/// A damaged module, or modules that need each other.
pub fn index(modules: &[(String, &[u8])]) -> Result<Vec<File>, Error> {
    let paths = tree::choose(modules.iter().map(|(path, _)| path.clone()));
    let contents: HashMap<&str, &[u8]> = modules.iter().map(|(path, bytes)| (path.as_str(), *bytes)).collect();
    let damaged = |path: &str, cause| Error::Damaged { path: path.to_owned(), cause };
    let read = |path: String| Module::read(&path, contents[path.as_str()]).map_err(|cause| damaged(&path, cause));
    let modules = paths.into_iter().map(read).collect::<Result<_, _>>()?;
    Ok(Index::new(modules, |_| ()).map_err(Error::Cycles)?.files())
}

/// What depmod keeps of a module's file.
struct Module {
    path: String,
    name: String,
    modinfo: Vec<u8>,
    /// NUL-terminated names: one allocation instead of one for each of a kernel's 200 000.
    exports: Vec<u8>,
    needs: Vec<u8>,
}

impl Module {
    fn read(path: &str, bytes: &[u8]) -> Result<Self, modfile::Error> {
        let elf = Elf::parse(bytes)?;
        Ok(Self {
            modinfo: elf.section(".modinfo")?.map_or(Vec::new(), |section| section.data.to_vec()),
            exports: join(symbols::exports(&elf)?.iter().map(|export| export.name)),
            needs: join(symbols::needs(&elf)?.iter().map(|need| need.name)),
            ..Self::unread(path)
        })
    }

    /// A module of which only the path is known: kmod lists it without dependencies.
    fn unread(path: &str) -> Self {
        Self { path: path.to_owned(), name: module_name(path), modinfo: vec![], exports: vec![], needs: vec![] }
    }

    fn exports(&self) -> impl Iterator<Item = &[u8]> {
        split(&self.exports)
    }

    fn needs(&self) -> impl Iterator<Item = &[u8]> {
        split(&self.needs)
    }
}

fn join<'a>(names: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut joined = Vec::new();
    for name in names {
        joined.extend_from_slice(name);
        joined.push(0);
    }
    joined
}

fn split(names: &[u8]) -> impl Iterator<Item = &[u8]> {
    names.split(|byte| *byte == 0).filter(|name| !name.is_empty())
}

/// Everything that the files are written from.
struct Index {
    modules: Vec<Module>,
    /// For each module the positions of those that it needs.
    dependencies: Vec<Vec<usize>>,
    /// Exported symbols with the position of their owner.
    symbols: Vec<(Vec<u8>, usize)>,
}

impl Index {
    /// Of modules in the order that the files shall have. `tell` gets each need as it is found.
    fn new(modules: Vec<Module>, mut tell: impl FnMut(Need<'_>)) -> Result<Self, Cycles> {
        let graph = graph::Graph::new(&modules);
        for (module, links) in modules.iter().zip(&graph.links) {
            for link in links {
                tell(Need { user: &module.path, symbol: link.symbol, owner: &modules[link.to].path });
            }
        }
        let dependencies = graph.dependencies(&modules)?;
        let symbols = graph.owners.iter().map(|(name, owner)| (name.to_vec(), *owner)).collect();
        Ok(Self { modules, dependencies, symbols })
    }

    fn files(&self) -> Vec<File> {
        text::files(self)
    }
}

/// That one file needs another, and for which symbol first.
struct Need<'a> {
    user: &'a str,
    symbol: &'a [u8],
    owner: &'a str,
}
