//! Records from any number of places made one: shards of a run, or a file that was merged before.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Record;
use crate::error::{Context as _, Error, Result};

/// What to do where there is nothing to report on.
const WHERE_FROM: &str = "`modrig run` writes records; its --records DIR says where";

/// All records of some places, each case once.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Collection {
    /// Version of the records, [`Record::VERSION`].
    pub version: u32,
    /// One for each case, by kernel, scenario and module tools.
    pub records: Vec<Record>,
    /// How many records gave way to a newer one of the same case.
    pub replaced: usize,
    /// Files that are not read, and why.
    pub refused: Vec<Refused>,
}

/// A file among the records that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Which file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl Collection {
    /// Records of one run, as they came.
    pub fn of(records: Vec<Record>) -> Self {
        let mut collection = Self { version: Record::VERSION, ..Self::default() };
        collection.add(records);
        collection
    }

    /// Reads directories with their subdirectories, and files that [`Collection::to_json`] made. Of two records of one
    /// case the newer one stays. A file that is no record of this version is not fatal, but named in the result.
    ///
    /// # Errors
    /// A place cannot be read, or has no record at all.
    pub fn read(places: &[PathBuf]) -> Result<Self> {
        let mut whole = Self::of(Vec::new());
        for place in places {
            let files = files_in(place)?;
            let mut found = Vec::new();
            for file in &files {
                match read(file) {
                    Ok(part) => {
                        found.extend(part.records);
                        whole.replaced += part.replaced;
                        whole.refused.extend(part.refused);
                    }
                    Err(why) => whole.refused.push(Refused { file: file.clone(), why }),
                }
            }
            if found.is_empty() {
                return Err(nothing_in(place, &whole.refused));
            }
            whole.add(found);
        }
        Ok(whole)
    }

    /// Writes all of it as one JSON file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).context(|| "cannot make JSON of the records")
    }

    /// The newer of two records of one case stays; of equally old ones the later.
    fn add(&mut self, records: Vec<Record>) {
        let before = self.records.len() + records.len();
        let mut cases: BTreeMap<_, Record> = BTreeMap::new();
        for record in self.records.drain(..).chain(records) {
            let case = (record.path(), record.tools().to_owned());
            if cases.get(&case).is_none_or(|other| other.ended <= record.ended) {
                cases.insert(case, record);
            }
        }
        self.records = cases.into_values().collect();
        self.replaced += before - self.records.len();
    }
}

fn nothing_in(place: &Path, refused: &[Refused]) -> Error {
    let error = Error::nothing_selected(format!("there are no records in `{}`", place.display()));
    match refused.iter().find(|refused| refused.file.starts_with(place)) {
        Some(Refused { file, why }) => error.because(format!("`{}` is none: {why}", file.display())),
        None => error,
    }
    .help(WHERE_FROM)
}

/// The JSON files of a directory and those below it, sorted; a file is itself.
fn files_in(place: &Path) -> Result<Vec<PathBuf>> {
    let failed = || format!("cannot read records from `{}`", place.display());
    let kind = fs::metadata(place).map_err(|cause| Error::usage(failed()).because(cause).help(WHERE_FROM))?;
    if kind.is_file() {
        return Ok(vec![place.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(place).context(failed)? {
        let entry = entry.context(failed)?;
        if entry.file_type().context(failed)?.is_dir() {
            files.extend(files_in(&entry.path())?);
        } else if entry.path().extension().is_some_and(|extension| extension == "json") {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// One record, or all of a merged file; else what is wrong with it.
fn read(file: &Path) -> Result<Collection, String> {
    let bytes = fs::read(file).map_err(|error| error.to_string())?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| format!("it is damaged: {error}"))?;
    let Some(version) = value.get("version").and_then(Value::as_u64) else {
        return Err("it is no record".into());
    };
    let (ours, theirs) = (u64::from(Record::VERSION), format!("record version {version}"));
    if version != ours {
        let (age, advice) = if version > ours { ("a newer", "use that one") } else { ("an older", "run again") };
        return Err(format!("{age} modrig wrote it: {theirs}, this one reads {ours}; {advice}"));
    }
    let collection = if value.get("records").is_some() {
        serde_json::from_value(value)
    } else {
        serde_json::from_value(value).map(|record| Collection::of(vec![record]))
    };
    collection.map_err(|error| format!("it is damaged: {error}"))
}
