//! What tests of whole calls share: a system in a directory, and what a call left as one text.

use std::{fs, path::Path, process::Output};

/// The release whose modules the system has.
pub(crate) const RELEASE: &str = "6.1.0-test";

/// A system's root; `{root}` and `{tree}` in arguments and expectations are it and its module directory.
pub(crate) struct Root(tempfile::TempDir);

impl Root {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn tree(&self, path: &str, bytes: impl AsRef<[u8]>) {
        self.write(&format!("lib/modules/{RELEASE}/{path}"), bytes);
    }

    pub(crate) fn fill(&self, text: &str) -> String {
        let root = self.path().display().to_string();
        text.replace("{tree}", &format!("{root}/lib/modules/{RELEASE}")).replace("{root}", &root)
    }
}

/// Standard output and standard error, then the exit code.
pub(crate) fn transcript(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().map_or("killed".into(), |code| code.to_string());
    format!("{}{}= {code}", text(&output.stdout), text(&output.stderr))
}
