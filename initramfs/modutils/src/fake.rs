//! A directory that looks like a machine: `/sys/module`, `/proc/modules` and one module tree.

use std::{fs, path::PathBuf};

use crate::{state::State, tree::Tree};

/// The release whose modules the directory has.
pub(crate) const RELEASE: &str = "6.1.0-test";

pub(crate) struct Root(tempfile::TempDir);

impl Root {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes a file of the module tree.
    pub(crate) fn tree(&self, file: &str, text: &str) {
        self.write(&format!("lib/modules/{RELEASE}/{file}"), text);
    }

    /// Writes a file of the module tree that is no text.
    pub(crate) fn tree_bytes(&self, file: &str, bytes: &[u8]) {
        self.tree(file, "");
        fs::write(self.path(&format!("lib/modules/{RELEASE}/{file}")), bytes).unwrap();
    }

    /// Makes a module look loaded.
    pub(crate) fn loaded(&self, module: &str, state: &str, refcnt: Option<i32>, holders: &[&str]) {
        let file = |name: &str| format!("sys/module/{module}/{name}");
        self.write(&file("initstate"), &format!("{state}\n"));
        if let Some(refcnt) = refcnt {
            self.write(&file("refcnt"), &format!("{refcnt}\n"));
        }
        fs::create_dir_all(self.path(&file("holders"))).unwrap();
        for holder in holders {
            self.write(&format!("{}/{holder}", file("holders")), "");
        }
    }

    pub(crate) fn state(&self) -> State {
        State::new(self.0.path())
    }

    pub(crate) fn indexes(&self) -> Tree {
        Tree::at(self.path(&format!("lib/modules/{RELEASE}")))
    }
}
