//! What is known of a campaign, and how it outlives us: one file, replaced as a whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    case::{CaseId, Region},
    tally::Tally,
};
use crate::{
    cache::Digest,
    error::{Context as _, Error, Result},
    whole,
};

/// The file in a campaign's folder.
pub const FILE: &str = "campaign.json";

/// For those who have none yet.
const BEGIN: &str = "`modrig fuzz kernel -k 6.1` runs a campaign";

/// Version of the file's form.
const VERSION: u32 = 2;

/// A campaign.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    version: u32,
    /// Name of the kernel.
    pub kernel: String,
    /// `uname -r`.
    pub release: String,
    /// What is broken.
    pub region: Region,
    /// From which, with its number, each case follows.
    pub seed: u64,
    /// The modules that are broken.
    pub bases: Digest,
    /// Version of the libkmod that was asked; none where it could not be had.
    pub libkmod: Option<String>,
    /// Which pieces are done.
    pub done: Pieces,
    /// What the cases gave.
    pub tally: Tally,
    /// How long it ran, in all.
    pub time: Duration,
    /// How often a guest was restored, by milliseconds that it took.
    pub restores: BTreeMap<u64, u64>,
}

/// What all versions of the file have.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl State {
    /// One that has not begun.
    pub fn new(kernel: String, release: String, region: Region, seed: u64, bases: Digest) -> Self {
        Self {
            version: VERSION,
            kernel,
            release,
            region,
            seed,
            bases,
            libkmod: None,
            done: Pieces::default(),
            tally: Tally::default(),
            time: Duration::ZERO,
            restores: BTreeMap::new(),
        }
    }

    /// Whether the cases of both are the same, and the libkmod, where it was asked.
    pub fn is_of(&self, other: &Self) -> bool {
        let cases = |state: &Self| (state.release.clone(), state.region, state.seed, state.bases.clone());
        let libkmods = self.libkmod.iter().chain(&other.libkmod).collect::<BTreeSet<_>>();
        cases(self) == cases(other) && libkmods.len() < 2
    }

    /// Reads the campaign in a folder.
    ///
    /// # Errors
    /// There is none, it is damaged, or it is of another version.
    pub fn read(place: &Path) -> Result<Self> {
        let file = place.join(FILE);
        let failed =
            |cause: String| Error::usage(format!("no campaign can be read from `{}`", file.display())).because(cause);
        let text = fs::read(&file).map_err(|cause| failed(cause.to_string()))?;
        let damaged = |cause| failed(format!("it is damaged: {cause}"));
        // The version first: another one has other fields.
        let Versioned { version } = serde_json::from_slice(&text).map_err(damaged)?;
        if version != VERSION {
            let error = failed(format!("a modrig of another version wrote it: {version}, not {VERSION}"));
            return Err(error.help("run the campaign again: remove its folder, or name another one with --place"));
        }
        serde_json::from_slice(&text).map_err(damaged)
    }

    /// The campaign in a folder, if one is there.
    ///
    /// # Errors
    /// As [`State::read`].
    pub fn find(place: &Path) -> Result<Option<Self>> {
        if !place.join(FILE).exists() {
            return Ok(None);
        }
        Self::read(place).map(Some).map_err(|error| error.help("name another folder with --place, or remove that one"))
    }

    /// Writes it; what was there stays until the new one is whole.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, place: &Path) -> Result<()> {
        whole::sweep(place);
        let text = serde_json::to_string(self).context(|| "cannot write JSON")?;
        whole::write(&place.join(FILE), text.as_bytes())
            .map_err(|error| error.help("name another folder with --place; if the disk is full, free some space"))
    }

    /// The campaigns in these folders, and in the folders in them.
    ///
    /// # Errors
    /// There is none, or one cannot be read.
    pub fn read_all(places: &[PathBuf]) -> Result<Vec<Self>> {
        let read = |place: &Path| {
            Self::read(place).map_err(|error| error.help("remove that folder, or name those that shall be read"))
        };
        let mut states = Vec::new();
        for place in places {
            if place.join(FILE).exists() {
                states.push(read(place)?);
                continue;
            }
            let entries = fs::read_dir(place).map_err(|cause| {
                Error::usage(format!("no campaigns can be read from `{}`", place.display())).because(cause).help(BEGIN)
            })?;
            let mut within: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
            within.sort();
            for place in within.iter().filter(|place| place.join(FILE).exists()) {
                states.push(read(place)?);
            }
        }
        match states.is_empty() {
            true => Err(Error::nothing_selected("no campaign is there").help(BEGIN)),
            false => Ok(states),
        }
    }

    /// The case of a number.
    pub fn case(&self, index: u64) -> CaseId {
        CaseId { kernel: self.kernel.clone(), region: self.region, seed: self.seed, index, only: Vec::new() }
    }

    /// Milliseconds that a restore took in the median.
    pub fn restore_ms(&self) -> Option<u64> {
        let half = self.restores.values().sum::<u64>().div_ceil(2);
        let mut seen = 0;
        self.restores.iter().find_map(|(ms, count)| {
            seen += count;
            (seen >= half).then_some(*ms)
        })
    }

    /// Cases in a second, restores and all.
    pub fn rate(&self) -> f64 {
        self.tally.cases() as f64 / self.time.as_secs_f64().max(1e-3)
    }
}

/// Numbers of pieces that are done: all below one, and some beyond it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pieces {
    below: u64,
    beyond: BTreeSet<u64>,
}

impl Pieces {
    /// Another one is done.
    pub fn add(&mut self, piece: u64) {
        self.beyond.insert(piece);
        while self.beyond.remove(&self.below) {
            self.below += 1;
        }
    }

    /// The first one from `from` on that is not done.
    pub fn next(&self, from: u64) -> u64 {
        let mut next = from.max(self.below);
        while self.beyond.contains(&next) {
            next += 1;
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_that_were_done_out_of_order_are_not_done_again() {
        let mut pieces = Pieces::default();
        for piece in [0, 3, 4, 1] {
            pieces.add(piece);
        }
        assert_eq!((pieces.next(0), pieces.next(3), pieces.next(9)), (2, 5, 9));
        pieces.add(2);
        assert_eq!(pieces, Pieces { below: 5, beyond: BTreeSet::new() });
    }

    #[test]
    fn a_file_of_another_version_is_an_error_that_says_what_to_do() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join(FILE), r#"{"version": 1, "kernel": "6.1"}"#).unwrap();
        let error = State::read(place.path()).unwrap_err();
        assert!(error.report().contains(&format!(
            "a modrig of another version wrote it: 1, not {VERSION}\nhelp: run the campaign again"
        )));
    }
}
