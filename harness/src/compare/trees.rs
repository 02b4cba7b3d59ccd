//! The whole module trees of real kernels: packed as they come, and unpacked once into the cache.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use super::{
    case::{Input, Put},
    made,
    tool::Tools,
};
use crate::{
    error::{Context as _, Error, Result},
    kernel::Store,
    peers::Peers,
};

/// Names in the list of peers.
const NAMES: [&str; 2] = ["tree-6.12", "tree-7.3"];

/// What depmod reads beside the modules.
const INPUTS: [&str; 3] = ["modules.order", "modules.builtin", "modules.builtin.modinfo"];

/// The modules of a kernel, all packed or all plain.
#[derive(Debug)]
pub struct Tree {
    /// `tree-6.12-xz`.
    pub name: String,
    /// What `uname -r` would print.
    pub release: String,
    /// What holds `lib/modules`; never to be written.
    pub root: PathBuf,
    /// The same with depmod's files; the modules are reached by a symbolic link.
    pub indexed: PathBuf,
    /// Paths of the modules below the release's directory, sorted.
    pub modules: Vec<String>,
}

impl Tree {
    /// Whether the modules are packed.
    pub(super) fn is_packed(&self) -> bool {
        self.name.ends_with("-xz")
    }

    /// `root`: the tree, to be read.
    pub(super) fn plain(&self) -> Input {
        vec![("root".into(), Put::Link(self.root.clone()))]
    }

    /// `root`: the tree with its indexes, to be read.
    pub(super) fn indexed(&self) -> Input {
        vec![("root".into(), Put::Link(self.indexed.clone()))]
    }

    /// The text of a file of depmod's.
    pub(super) fn index_text(&self, name: &str) -> Result<String> {
        let path = self.indexed.join("lib/modules").join(&self.release).join(name);
        fs::read_to_string(&path).context(|| format!("cannot read `{}`", path.display()))
    }
}

/// The trees that may have a case whose name contains one of the filters, fetched if need be. `place` is where their
/// indexes are written.
///
/// # Errors
/// The archive does not give them, or the disk is full.
pub(super) fn wanted(store: &Store, place: &Path, tools: &Tools, filters: &[String]) -> Result<Vec<Tree>> {
    let peers = Peers::embedded()?;
    let mut trees = Vec::new();
    // A filter that names one tree wants no other.
    let is_wanted = |name: &&&str| {
        filters.is_empty() || filters.iter().any(|filter| !filter.contains("tree-") || filter.contains(**name))
    };
    for name in NAMES.iter().filter(is_wanted) {
        trees.extend(both_packings(store, &peers, name, place, tools)?);
    }
    Ok(trees)
}

/// A tree as it comes and unpacked, in this order, with indexes below `place`.
///
/// # Errors
/// The archive does not give it, or the disk is full.
pub fn both_packings(store: &Store, peers: &Peers, name: &str, place: &Path, tools: &Tools) -> Result<[Tree; 2]> {
    let (release, packed) = store.obtain(peers, name)?;
    let plain = unpacked(store, &packed, &release)?;
    let tree = |packing: &str, root: PathBuf| {
        let name = format!("{name}-{packing}");
        let _spinner = store.progress.spinner(format!("{name}: index"));
        let indexed = place.join(&name);
        indexed_at(&root, &indexed, &release, tools)?;
        let modules = modules_of(&root, &release)?;
        Ok(Tree { name, release: release.clone(), root, indexed, modules })
    };
    Ok([tree("xz", packed)?, tree("plain", plain)?])
}

/// A root like `root`, with the real kmod's index files and a link to the modules.
fn indexed_at(root: &Path, place: &Path, release: &str, tools: &Tools) -> Result<()> {
    let failed = || format!("cannot make `{}`", place.display());
    let [from, to] = [root, place].map(|root| root.join("lib/modules").join(release));
    fs::create_dir_all(&to).context(failed)?;
    made::index(tools, root, place, release)?;
    INPUTS.iter().try_for_each(|name| fs::copy(from.join(name), to.join(name)).map(drop)).context(failed)?;
    symlink(from.join("kernel"), to.join("kernel")).context(failed)
}

fn modules_of(root: &Path, release: &str) -> Result<Vec<String>> {
    let directory = root.join("lib/modules").join(release);
    let mut modules = Vec::new();
    walk(&directory, Path::new("kernel"), &mut modules).context(|| format!("cannot read `{}`", directory.display()))?;
    modules.sort();
    Ok(modules)
}

fn walk(directory: &Path, below: &Path, modules: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(directory.join(below))? {
        let entry = entry?;
        let place = below.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => walk(directory, &place, modules)?,
            false => modules.push(place.display().to_string()),
        }
    }
    Ok(())
}

/// The tree with every module unpacked, made once.
fn unpacked(store: &Store, packed: &Path, release: &str) -> Result<PathBuf> {
    let key = packed.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    store.cache.entry("plain", key, |place| {
        let modules = modules_of(packed, release)?;
        let bar = store.progress.count(format!("{release}: unpack"), modules.len() as u64);
        let [from, to] = [packed, place].map(|root| root.join("lib/modules").join(release));
        fs::create_dir_all(&to).context(|| format!("cannot make `{}`", to.display()))?;
        for name in INPUTS {
            fs::copy(from.join(name), to.join(name)).context(|| format!("the tree has no `{name}`"))?;
        }
        unpack_all(&from, &to, &modules, || bar.inc(1))
    })
}

fn unpack_all(from: &Path, to: &Path, modules: &[String], on_end: impl Fn() + Sync) -> Result<()> {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(module) = modules.get(next.fetch_add(1, Ordering::SeqCst)) {
            unpack(&from.join(module), &to.join(module.trim_end_matches(".xz")))
                .context(|| format!("cannot unpack `{module}`"))?;
            on_end();
        }
        Ok::<(), Error>(())
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let all: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        all.into_iter().try_for_each(|one| one.join().expect("a worker gives its errors back"))
    })
}

fn unpack(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to.parent().unwrap_or(to))?;
    fs::write(to, modutils::compress::unpack(fs::read(from)?)?)
}
