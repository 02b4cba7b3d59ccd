//! Guests kept as their cases have left them, by case: to be reopened, or run again when there is none.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde::{Deserialize, Serialize};

use crate::{
    cache::{Cache, Digest},
    error::{Context as _, Error, Result},
    guest::Guest,
    machine::Machine,
    report::Record,
    vm::{Host, Trouble, Vm, keep::Facts},
};

/// What the cache calls them.
pub const KIND: &str = "kept";
const ABOUT: &str = "about.json";

/// How many guests of failing cases a run may still keep. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Keep(Option<Arc<AtomicUsize>>);

impl Keep {
    /// So many; the default is that none is asked for.
    pub fn at_most(count: usize) -> Self {
        Self(Some(Arc::new(AtomicUsize::new(count))))
    }

    /// Whether guests shall be kept at all.
    pub fn is_asked(&self) -> bool {
        self.0.is_some()
    }

    /// Takes the right to keep one more, if there is one left.
    fn take(&self) -> bool {
        let less = |left: usize| left.checked_sub(1);
        self.0.as_ref().is_some_and(|left| left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok())
    }
}

/// A guest that was kept.
#[derive(Debug)]
pub struct Kept {
    place: PathBuf,
    /// What its case came to.
    pub record: Record,
    facts: Facts,
}

#[derive(Serialize, Deserialize)]
struct About {
    record: Record,
    facts: Facts,
}

/// Keeps the guest of a case, in the place of an older one of the same case. Says what came of it, in words: a guest
/// that cannot be kept is no reason to lose a verdict.
pub fn store(cache: &Cache, keep: &Keep, host: &Host, record: &Record, guest: &mut Guest) -> String {
    if !keep.take() {
        return "not kept: as many guests as --keep allows are kept already".into();
    }
    let key = key(&record.path(), &record.modutils);
    let write = |place: &std::path::Path| {
        let facts = guest.vm().keep(host, place).map_err(Trouble::into_error)?;
        let about = About { record: record.clone(), facts };
        let failed = || format!("cannot write `{}`", place.join(ABOUT).display());
        fs::write(place.join(ABOUT), serde_json::to_vec(&about).context(failed)?).context(failed)
    };
    match cache.replace(KIND, key.as_str(), write) {
        Ok(place) => format!("kept in {}", place.display()),
        Err(error) => format!("not kept: {}", error.chain()),
    }
}

/// Forgets the guest of a case that has come to another end since.
pub fn forget(cache: &Cache, record: &Record) {
    cache.remove(KIND, key(&record.path(), &record.modutils).as_str());
}

/// The guest of a case, `kernel::group::scenario`, with these module tools.
pub fn find(cache: &Cache, case: &str, tools: &str) -> Option<Kept> {
    read(cache.find(KIND, key(case, tools).as_str())?)
}

/// All that are kept, the last one first.
pub fn all(cache: &Cache) -> Vec<Kept> {
    let places = cache.entries_of(KIND).into_iter().map(|entry| cache.root().join(KIND).join(entry.key));
    let mut kept: Vec<Kept> = places.filter_map(read).collect();
    kept.sort_by_key(|kept| std::cmp::Reverse(kept.record.ended));
    kept
}

impl Kept {
    /// The guest itself, running on if it can.
    ///
    /// # Errors
    /// It was kept by another QEMU, or is damaged.
    pub fn reopen(&self, host: &Host, machine: Machine) -> Result<Guest> {
        Vm::reopen(host, machine, &self.place, &self.facts).map(Guest::new).map_err(Trouble::into_error)
    }
}

fn read(place: PathBuf) -> Option<Kept> {
    let About { record, facts } = serde_json::from_slice(&fs::read(place.join(ABOUT)).ok()?).ok()?;
    Some(Kept { place, record, facts })
}

fn key(case: &str, tools: &str) -> Digest {
    Digest::of([case, tools])
}

/// The kernel and the scenario's path of a case as it is printed everywhere.
///
/// # Errors
/// It is not of the form `kernel::group::scenario`.
pub fn parts(case: &str) -> Result<(&str, &str)> {
    let wrong = || Error::usage(format!("`{case}` is no case")).help("a case is named KERNEL::GROUP::SCENARIO");
    let (rest, _) = case.rsplit_once("::").ok_or_else(wrong)?;
    let (kernel, _) = rest.rsplit_once("::").filter(|(kernel, _)| !kernel.is_empty()).ok_or_else(wrong)?;
    Ok((kernel, &case[kernel.len() + 2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_names_its_kernel_and_scenario() {
        assert_eq!(parts("6.1::stub::removes_itself").unwrap(), ("6.1", "stub::removes_itself"));
        assert_eq!(parts("./a::b/vmlinux::stub::x").unwrap(), ("./a::b/vmlinux", "stub::x"));
        for wrong in ["stub::removes_itself", "removes_itself", "::stub::x", ""] {
            assert!(parts(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_more_are_kept_than_allowed() {
        let keep = Keep::at_most(2);
        assert_eq!([0; 3].map(|_| keep.clone().take()), [true, true, false]);
        assert!(keep.is_asked() && !Keep::default().is_asked() && !Keep::default().take());
    }
}
