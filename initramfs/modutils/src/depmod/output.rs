//! Writing the indexes into their directory.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
    time::SystemTime,
};

use super::{Sources, cause};
use crate::log::{Log, Priority};

/// Writes one index after the other, each beside its place to be moved there, so that a reader finds the old or the
/// new one. None where an error has been told.
pub(super) fn write(directory: &Path, sources: &Sources<'_>) -> Option<()> {
    let log = sources.log;
    let created = fs::DirBuilder::new().recursive(true).mode(0o755).create(directory);
    if let Err(error) = created {
        let why = cause(&error);
        log.fail(Priority::Fatal, format_args!("could not create directory {}: {why}", directory.display()));
        return None;
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let suffix = format!("{}.{}.{}", std::process::id(), now.subsec_micros(), now.as_secs());
    let mut result = Some(());
    for (name, make) in super::FILES {
        let temporary = format!("{name}.{suffix}");
        let Some(file) = create(log, directory, &temporary) else {
            result = None;
            continue;
        };
        let written = make(sources).map_err(|error| log.fail(Priority::Fatal, error)).ok();
        let written = written.and_then(|contents| fill(log, file, name, &contents));
        let placed = written.and_then(|()| place(log, directory, &temporary, name));
        if placed.is_none() {
            let _ = fs::remove_file(directory.join(&temporary));
            return None;
        }
    }
    result
}

fn create(log: &Log, directory: &Path, name: &str) -> Option<fs::File> {
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(directory.join(name));
    file.inspect_err(|error| {
        // The numbers are those of the call: O_WRONLY | O_CREAT | O_EXCL and the mode.
        let (directory, why) = (directory.display(), cause(error));
        log.error(format_args!("openat({directory}, {name}, 301, 644): {why}"));
    })
    .ok()
}

fn fill(log: &Log, mut file: fs::File, name: &str, contents: &[u8]) -> Option<()> {
    let written = file.write_all(contents);
    let complain = |error: &std::io::Error| {
        log.error(format_args!("Could not create index '{name}'. Output is truncated: {}", cause(error)));
    };
    written.inspect_err(complain).ok()
}

fn place(log: &Log, directory: &Path, temporary: &str, name: &str) -> Option<()> {
    let moved = fs::rename(directory.join(temporary), directory.join(name));
    moved
        .map_err(|error| {
            let (directory, why) = (directory.display(), cause(&error));
            let call = format_args!("renameat({directory}, {temporary}, {directory}, {name}): {why}");
            log.fail(Priority::Fatal, call)
        })
        .ok()
}

/// Writes the text indexes to standard output. None where an error has been told.
pub(super) fn show(sources: &Sources<'_>) -> Option<()> {
    let texts = super::FILES.iter().filter(|(name, _)| !name.ends_with(".bin"));
    let contents = texts.map(|(_, make)| make(sources)).collect::<Result<Vec<_>, _>>();
    print(sources.log, &contents.map_err(|error| sources.log.fail(Priority::Fatal, error)).ok()?.concat())
}

/// Writes to standard output. None where an error has been told.
pub(super) fn print(log: &Log, text: &[u8]) -> Option<()> {
    let mut stdout = std::io::stdout();
    let written = stdout.write_all(text).and_then(|()| stdout.flush());
    written.inspect_err(|error| log.error(format_args!("could not write to standard output: {}", cause(error)))).ok()
}
