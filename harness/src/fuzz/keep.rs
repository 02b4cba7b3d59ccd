//! One file of each way in which a kernel's loader died, kept where a test that has no kernel finds it.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use modfile::check::{Series, Verdict};
use modrig_fuzz::crashes::{self, Crash, TABLE};

use super::{
    Setup,
    judge::{Answer, Class},
    state::State,
    tally::{Alone, Entry},
};
use crate::{
    cache::Digest,
    error::{Context as _, Error, Result},
    run::Rig,
    whole,
};

/// What was kept.
#[derive(Debug, Default)]
pub struct Kept {
    /// Files that were not there before.
    pub new: Vec<Crash>,
    /// Campaigns of other guest modules than those of today, whose cases cannot be made any more: kernel, region and seed.
    pub outdated: Vec<String>,
}

/// A file that might be kept.
struct Found {
    crash: Crash,
    image: Vec<u8>,
    base: Arc<[u8]>,
    /// The lowest is kept.
    rank: (bool, bool, usize, usize),
}

/// Adds to a folder a file for each way to die that it has none of, and its line to the table there.
///
/// Only what died in the loader, and again when it was run alone, counts; what a module's own code does is no matter of the
/// file.
///
/// # Errors
/// The modules cannot be made, or the folder cannot be read or written.
pub fn keep(rig: &Rig, campaigns: &[State], folder: &Path) -> Result<Kept> {
    let mut table = read(folder)?;
    let mut kept = Kept::default();
    let mut best: BTreeMap<String, Found> = BTreeMap::new();
    for state in campaigns {
        let setup = Setup::prepare(rig, &state.kernel, state.region)?;
        if setup.bases.digest != state.bases {
            kept.outdated.push(format!("{}/{}/{}", state.kernel, state.region, state.seed));
            continue;
        }
        for found in state.tally.entries.values().filter_map(|entry| found(&setup, &state.release, entry)) {
            let is_better = best.get(&found.crash.file).is_none_or(|other| found.rank < other.rank);
            if is_better && table.iter().all(|known| known.file != found.crash.file) {
                best.insert(found.crash.file.clone(), found);
            }
        }
    }
    for Found { crash, image, base, .. } in best.into_values() {
        whole::write(&folder.join(&crash.base), &base)?;
        whole::write(&folder.join(&crash.file), &image)?;
        kept.new.push(crash);
    }
    if !kept.new.is_empty() {
        table.extend(kept.new.iter().cloned());
        whole::write(&folder.join(TABLE), crashes::table(&table).as_bytes())?;
    }
    Ok(kept)
}

/// The table in a folder; empty where there is none.
fn read(folder: &Path) -> Result<Vec<Crash>> {
    let file = folder.join(TABLE);
    if !file.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(&file).context(|| format!("cannot read `{}`", file.display()))?;
    crashes::parse(&text).map_err(|line| Error::usage(format!("`{}`: `{line}` has not six columns", file.display())))
}

/// The file of cases that are alike, if the loader dies of it alone.
fn found(setup: &Setup<'_>, release: &str, entry: &Entry) -> Option<Found> {
    let (Answer::Crashed(title), Some(Alone::Same(case, _))) = (&entry.kernel, &entry.alone) else { return None };
    let broken = setup.case(case);
    let series = Series::of_release(release)?;
    let changed: Vec<String> = broken.labels.iter().map(ToString::to_string).collect();
    let crash = Crash {
        file: format!("{series}-{}", slug(title)),
        base: format!("{series}-{}-{:.8}", broken.base, Digest::of([&broken.valid]).to_string()),
        release: release.to_owned(),
        title: title.clone(),
        case: case.to_string(),
        changed: changed.join("; "),
    };
    // One that we flag: the test shall hold. What we had missed is worth more than what we always knew. Then the smallest.
    let is_flagged = matches!(setup.verdict(&broken.image), Verdict::Danger(_));
    let rank = (!is_flagged, entry.class != Class::CrashMissed, changed.len(), broken.image.len());
    Some(Found { crash, image: broken.image, base: broken.valid, rank })
}

/// What a title is when a pointer led nowhere: it depends on the number alone which of them.
const STRAY: [&str; 3] = [
    "BUG: unable to handle kernel paging request in ",
    "BUG: unable to handle kernel NULL pointer dereference in ",
    "general protection fault in ",
];

/// A title as a file's name, the same for all in which a pointer led nowhere in the same function: `strcmp`.
fn slug(title: &str) -> String {
    let title = STRAY.iter().find_map(|stray| title.strip_prefix(stray)).unwrap_or(title);
    let name = title.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_', "-").to_ascii_lowercase();
    let words: Vec<&str> = name.split('-').filter(|word| !word.is_empty()).collect();
    words.join("-").chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_becomes_the_name_of_a_file_in_the_folder() {
        let check = |title: &str, name: &str| assert_eq!(slug(title), name);
        check("BUG: unable to handle kernel paging request in strcmp", "strcmp");
        check("general protection fault in strcmp", "strcmp");
        check("double fault in __fentry__", "double-fault-in-__fentry__");
        check("../../etc/\tx\n", "etc-x");
    }

    #[test]
    fn a_table_reads_as_it_was_written_whatever_a_guest_said() {
        let crash = |title: &str| Crash {
            file: "6.1-x".into(),
            base: "6.1-accepted-00112233".into(),
            release: "6.1.0".into(),
            title: title.into(),
            case: "6.1/any/1/2:0".into(),
            changed: "cut to 5 bytes".into(),
        };
        assert_eq!(crashes::parse(&crashes::table(&[crash("one\ttwo\nthree")])), Ok(vec![crash("one two three")]));
        assert_eq!(crashes::parse("# a remark\n6.1-x\tno more"), Err("6.1-x\tno more".into()));
    }
}
