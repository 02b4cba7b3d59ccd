//! What the kernel says about loaded modules: `/sys/module/NAME` and `/proc/modules`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Where a module is in its life, as `/sys/module/NAME/initstate` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitState {
    /// Usable.
    Live,
    /// Its init function runs, or has yet to.
    Coming,
    /// Its exit function runs.
    Going,
}

/// The kernel's view of its modules.
#[derive(Clone, Debug)]
pub struct State {
    root: PathBuf,
}

impl State {
    /// With `proc` and `sys` below a directory, `/` but for tests.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// A module's state, None if it is not loaded.
    pub fn of(&self, module: &str) -> Option<InitState> {
        match fs::read_to_string(self.file(module, "initstate")) {
            Ok(state) => match state.trim_end() {
                "live" => Some(InitState::Live),
                "coming" => Some(InitState::Coming),
                "going" => Some(InitState::Going),
                _ => None,
            },
            // The directory comes before its files: between the two, the module is on its way.
            Err(_) => self.directory(module).is_dir().then_some(InitState::Coming),
        }
    }

    /// How often a module is used; an error on a kernel that cannot unload modules.
    pub fn refcnt(&self, module: &str) -> io::Result<i32> {
        number(&self.file(module, "refcnt"))
    }

    /// The bytes of memory a module takes.
    pub fn coresize(&self, module: &str) -> io::Result<i64> {
        number(&self.file(module, "coresize"))
    }

    /// The modules that use a module, in the directory's order.
    pub fn holders(&self, module: &str) -> io::Result<Vec<String>> {
        fs::read_dir(self.file(module, "holders"))?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    /// `/proc/modules` as text.
    pub fn proc_modules(&self) -> io::Result<String> {
        fs::read_to_string(self.root.join("proc/modules"))
    }

    /// The compression that the kernel itself can undo, such as `xz`.
    pub fn compression(&self) -> Option<String> {
        let text = fs::read_to_string(self.root.join("sys/module/compression")).ok()?;
        Some(text.trim_end().into())
    }

    fn directory(&self, module: &str) -> PathBuf {
        self.root.join("sys/module").join(module)
    }

    fn file(&self, module: &str, name: &str) -> PathBuf {
        self.directory(module).join(name)
    }
}

fn number<T: std::str::FromStr>(path: &Path) -> io::Result<T> {
    fs::read_to_string(path)?.trim_end().parse().map_err(|_| io::ErrorKind::InvalidData.into())
}
