//! The guest's initramfs: our agent, our modutils, the modules, and nothing else.
//!
//! A newc archive, byte for byte the same for the same input: entries sorted, all times zero, inodes counted.

use std::{borrow::Cow, collections::BTreeMap, fs, io::Cursor, path::PathBuf};

use cpio::{NewcBuilder, newc::ModeFileType, write_cpio};
use modrig_agent::call::HELPERS;

use crate::{
    cache::{Cache, Digest},
    error::{Context as _, Error, Result},
    kernel::{Kernel, LISTS, StockFile},
    module::GuestModule,
    programs,
    toolset::{TOOLS, Toolset},
};

/// Where the programs lie. The agent makes `/sbin` a link to it, so that the kernel has no `/sbin/modprobe` to run while
/// it boots: it asks for up to 14 crypto algorithms then, which costs 60 to 100 ms under TCG and finds nothing.
const PROGRAMS: &str = "usr/sbin";

/// Names under which the helper is put into [`HELPERS`]; what each does stands in the agent's `helper.rs`.
const HELPER_NAMES: [&str; 11] =
    ["exit-0", "exit-1", "exit-2", "exit-255", "garbage", "hold", "hotplug", "kill-9", "record", "sleep-1", "storm"];

/// Mount points and what programs expect to exist.
const DIRECTORIES: [&str; 6] = ["dev", "mnt", "proc", "run", "sys", "tmp"];

/// An initramfs in the cache.
#[derive(Debug, Clone)]
pub struct Image {
    /// The file.
    pub path: PathBuf,
    /// Its SHA-256.
    pub digest: Digest,
}

/// Directory in the guest where a kernel's modules lie, as depmod and modprobe know it.
pub fn module_directory(release: &str) -> String {
    format!("/lib/modules/{release}")
}

/// Path of a module in the guest, below [`module_directory`].
pub fn module_path(name: &str) -> String {
    format!("extra/{name}.ko")
}

/// The kernel's directory of modules in an image.
#[derive(Debug, Clone, Default)]
pub struct Tree<'a> {
    /// Guest modules.
    pub modules: Vec<&'a GuestModule>,
    /// What came with the kernel: modules, and lists of them.
    pub stock: Vec<StockFile>,
}

impl Tree<'_> {
    /// Paths below [`module_directory`] and contents: the files, then depmod's indexes of them.
    fn files(&self) -> Result<Vec<(String, Cow<'_, [u8]>)>> {
        let guest = self.modules.iter().map(|module| (module_path(&module.name), &*module.bytes));
        let stock = self.stock.iter().map(|file| (file.path.clone(), &*file.bytes));
        let (lists, modules): (Vec<_>, Vec<_>) = guest.chain(stock).partition(|(path, _)| LISTS.contains(&&**path));
        let indexes = modutils::depmod::index(&modules, &lists)
            .map_err(|cause| Error::new("cannot index the modules of an image").because(cause))?;
        let indexes = indexes.into_iter().map(|(name, bytes)| (name.to_owned(), bytes.into()));
        Ok(lists.into_iter().chain(modules).map(|(path, bytes)| (path, bytes.into())).chain(indexes).collect())
    }
}

/// Packs the image for a kernel.
///
/// # Errors
/// depmod does not understand the modules, or the cache cannot be written.
pub fn pack(cache: &Cache, kernel: &Kernel, tools: &Toolset, tree: &Tree<'_>) -> Result<Image> {
    let bytes = archive(&kernel.release, tools, tree)?;
    let digest = Digest::of([&bytes]);
    let place = cache.entry("image", digest.as_str(), |place| {
        fs::write(place.join("initramfs"), &bytes).context(|| format!("cannot write the image `{}`", place.display()))
    })?;
    Ok(Image { path: place.join("initramfs"), digest })
}

/// An image that was packed before, if it is still there.
pub fn find(cache: &Cache, digest: &Digest) -> Option<Image> {
    let place = cache.find("image", digest.as_str())?;
    Some(Image { path: place.join("initramfs"), digest: digest.clone() })
}

/// The smallest archive that boots: this program as `/init`.
///
/// # Errors
/// The archive cannot be made.
pub fn only_init(program: &[u8]) -> Result<Vec<u8>> {
    write(&BTreeMap::from([("init".to_owned(), Entry::File(program, 0o755))]))
}

enum Entry<'a> {
    Directory,
    File(&'a [u8], u32),
    Link(String),
}

fn archive(release: &str, tools: &Toolset, tree: &Tree<'_>) -> Result<Vec<u8>> {
    let (directory, files) = (module_directory(release), tree.files()?);
    let mut entries = BTreeMap::new();
    let mut add = |path: &str, entry| {
        let path = path.trim_start_matches('/');
        let parents = path.match_indices('/').map(|(end, _)| path[..end].to_owned());
        for parent in parents {
            entries.entry(parent).or_insert(Entry::Directory);
        }
        entries.insert(path.to_owned(), entry);
    };
    for directory in DIRECTORIES {
        add(directory, Entry::Directory);
    }
    add("init", Entry::File(programs::AGENT, 0o755));
    add(&format!("{PROGRAMS}/{}", tools.program_name()), Entry::File(&tools.program, 0o755));
    for tool in TOOLS {
        add(&format!("{PROGRAMS}/{tool}"), Entry::Link(tools.program_name().into()));
    }
    for (path, bytes) in &tools.files {
        add(path, Entry::File(bytes, 0o755));
    }
    add(&format!("{PROGRAMS}/modrig-helper"), Entry::File(programs::HELPER, 0o755));
    for name in HELPER_NAMES {
        add(&format!("{HELPERS}/{name}"), Entry::Link(format!("/{PROGRAMS}/modrig-helper")));
    }
    for (path, bytes) in &files {
        add(&format!("{directory}/{path}"), Entry::File(bytes, 0o644));
    }
    write(&entries)
}

fn write(entries: &BTreeMap<String, Entry<'_>>) -> Result<Vec<u8>> {
    let inputs = entries.iter().map(|(path, entry)| {
        let (content, mode, kind): (&[u8], _, _) = match entry {
            Entry::Directory => (b"", 0o755, ModeFileType::Directory),
            Entry::File(bytes, mode) => (bytes, *mode, ModeFileType::Regular),
            Entry::Link(target) => (target.as_bytes(), 0o777, ModeFileType::Symlink),
        };
        (NewcBuilder::new(path).mode(mode).set_mode_file_type(kind), Cursor::new(content))
    });
    write_cpio(inputs, Vec::new()).context(|| "cannot write an archive")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_input_gives_the_same_bytes_with_parents_before_children() {
        let first = archive("6.1.0-x", &Toolset::ours(), &Tree::default()).unwrap();
        assert_eq!(first, archive("6.1.0-x", &Toolset::ours(), &Tree::default()).unwrap());
        let mut seen = Vec::new();
        let mut rest = &first[..];
        loop {
            let reader = cpio::NewcReader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                break;
            }
            let (name, mtime) = (reader.entry().name().to_owned(), reader.entry().mtime());
            assert_eq!(mtime, 0, "{name}");
            if let Some((parent, _)) = name.rsplit_once('/') {
                assert!(seen.iter().any(|earlier| earlier == parent), "{name} comes before {parent}");
            }
            seen.push(name);
            rest = reader.finish().unwrap();
        }
        for expected in ["init", "usr/sbin/modprobe", "lib/modules/6.1.0-x/modules.dep"] {
            assert!(seen.iter().any(|name| name == expected), "{expected} is missing in {seen:?}");
        }
    }
}
