//! Files that appear whole or not at all, whenever their writer is killed.

use std::{
    fs::{self, Metadata},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::error::{Context as _, Result};

/// How the names of files begin that are being written.
const DRAFT: &str = ".draft-";

/// Links that are followed from one to the next: as many as the kernel's.
const LINKS_MAX: usize = 40;

/// Writes a file that anybody may read, and its directory if there is none.
///
/// A symbolic link stays, and the file that it leads to is replaced. What is there and cannot be replaced without harm, a
/// device or a pipe, is written to; so is our own standard output, whatever it is.
///
/// # Errors
/// It cannot be written; then the file that was there before is still there.
pub fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    let written = match fs::metadata(file) {
        Ok(about) if is_ours(&about) => print(bytes),
        Ok(about) if !about.is_file() && !about.is_dir() => {
            fs::OpenOptions::new().write(true).open(file).and_then(|mut stream| stream.write_all(bytes))
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => replace(&target(file), bytes),
    };
    written.context(|| format!("cannot write `{}`", file.display()))
}

/// Whether what is written to this name goes to our standard output, as with `/dev/stdout`.
pub fn is_stdout(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|about| is_ours(&about))
}

fn is_ours(about: &Metadata) -> bool {
    let of = |about: &Metadata| (about.dev(), about.ino());
    fs::metadata("/proc/self/fd/1").is_ok_and(|ours| of(&ours) == of(about))
}

/// Behind what was said before. To open it by name would begin at the start of a file once more.
fn print(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush())
}

fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let readable = fs::Permissions::from_mode(0o644);
    let mut draft = tempfile::Builder::new().prefix(DRAFT).permissions(readable).tempfile_in(directory)?;
    draft.write_all(bytes)?;
    draft.persist(file)?;
    Ok(())
}

/// Where links lead, also to what is not there yet.
fn target(file: &Path) -> PathBuf {
    let mut target = file.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(link) = fs::read_link(&target) else { break };
        target = target.with_file_name("").join(link);
    }
    target
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

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::symlink, thread};

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn what_is_no_regular_file_is_written_to_and_stays() {
        let desk = tempfile::tempdir().unwrap();
        let (pipe, link) = (desk.path().join("pipe"), desk.path().join("link"));
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        symlink("pipe", &link).unwrap();
        for name in [&pipe, &link] {
            let reader = thread::spawn({
                let pipe = pipe.clone();
                move || fs::read(pipe).unwrap()
            });
            write(name, b"page").unwrap();
            // What has replaced it would end the reader, too.
            assert!(!fs::metadata(&pipe).unwrap().is_file());
            assert_eq!(reader.join().unwrap(), b"page");
        }
        assert_eq!(fs::read_dir(desk.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_link_stays_and_what_it_leads_to_is_replaced() {
        let desk = tempfile::tempdir().unwrap();
        let place = |name: &str| desk.path().join(name);
        fs::create_dir(place("there")).unwrap();
        symlink("there/page", place("link")).unwrap();
        symlink(place("link"), place("other")).unwrap();
        // First the file is not there yet, then it is.
        for text in ["one", "two"] {
            write(&place("other"), text.as_bytes()).unwrap();
            assert!(place("link").is_symlink() && place("other").is_symlink());
            assert_eq!(fs::read_to_string(place("there/page")).unwrap(), text);
        }
        assert_eq!(fs::read_dir(place("there")).unwrap().count(), 1);
        symlink("circle", place("circle")).unwrap();
        write(&place("circle"), b"page").unwrap_err();
        assert!(place("circle").is_symlink());
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let desk = tempfile::tempdir().unwrap();
        let file = desk.path().join("new/page");
        write(&file, b"one").unwrap();
        let inode = fs::metadata(&file).unwrap().ino();
        write(&file, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_ne!(fs::metadata(&file).unwrap().ino(), inode, "it was overwritten in place");
        let error = write(desk.path(), b"page").unwrap_err();
        assert!(
            error.chain().starts_with("cannot write `") && error.chain().contains("directory"),
            "{}",
            error.chain()
        );
    }
}
