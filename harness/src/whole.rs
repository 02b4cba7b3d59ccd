//! Files that appear whole or not at all, whenever their writer is killed.

use std::{fs, io::Write as _, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use crate::error::{Context as _, Result};

/// How the names of files begin that are being written.
const DRAFT: &str = ".draft-";

/// Writes a file that anybody may read, and its directory if there is none.
///
/// # Errors
/// It cannot be written; then what was there before is still there.
pub fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    let failed = || format!("cannot write `{}`", file.display());
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(directory).context(failed)?;
    let readable = fs::Permissions::from_mode(0o644);
    let mut draft =
        tempfile::Builder::new().prefix(DRAFT).permissions(readable).tempfile_in(directory).context(failed)?;
    draft.write_all(bytes).context(failed)?;
    draft.persist(file).context(failed)?;
    Ok(())
}

/// Removes what writers that were killed have left in a directory.
pub fn sweep(directory: &Path) {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    let drafts = files.filter(|file| file.file_name().as_encoded_bytes().starts_with(DRAFT.as_bytes()));
    for draft in drafts {
        // Another process may be writing one; that takes a moment.
        let age = draft.metadata().and_then(|about| about.modified()).ok().and_then(|time| time.elapsed().ok());
        if age.is_some_and(|age| age > Duration::from_secs(10)) {
            let _ = fs::remove_file(draft.path());
        }
    }
}
