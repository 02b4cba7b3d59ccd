//! The inputs of the fuzz targets that read a module's file: what mutation has made of our own modules.

use std::{fs, path::Path};

use super::{
    super::case::{Case, Put},
    RELEASE, case,
};
use crate::error::{Context as _, Result};

/// In the sources; a program that was taken elsewhere has no corpora with it.
const CORPORA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus");

/// Targets whose inputs are a module's file from the first byte to the last.
const TARGETS: &[&str] = &["elf", "modinfo", "param", "signature", "symbols"];

/// What modinfo says of each; none where there are no corpora.
pub(super) fn cases() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for target in TARGETS {
        let corpus = Path::new(CORPORA).join(target);
        if !corpus.is_dir() {
            continue;
        }
        let failed = || format!("cannot read the corpus `{}`", corpus.display());
        let mut inputs = fs::read_dir(&corpus).and_then(Iterator::collect::<Result<Vec<_>, _>>).context(failed)?;
        inputs.sort_by_key(fs::DirEntry::file_name);
        for input in inputs {
            let name = format!("corpora/modinfo/{target} {}", input.file_name().display());
            let module = ("module.ko".into(), Put::File(fs::read(input.path()).context(failed)?.into()));
            cases.push(case(name, RELEASE, "modinfo ./module.ko", &vec![module], &[]));
        }
    }
    Ok(cases)
}
