//! What modprobe asks of the kernel. A trait, so that tests and dry runs need neither a kernel nor rights.

use std::{
    io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{
    load::load,
    state::{InitState, State},
    sys::{Refusal, delete_module},
};

/// The kernel that has the modules, and the shell that runs the configuration's commands.
pub trait Kernel {
    /// Where a module is in its life, None if it is not loaded.
    fn state(&self, module: &str) -> Option<InitState>;
    /// How often a module is used, if that can be known.
    fn refcnt(&self, module: &str) -> Option<i32>;
    /// The modules that use a module; an error if it is not loaded.
    fn holders(&self, module: &str) -> io::Result<Vec<String>>;
    /// Loads a file; `flags` are `sys::IGNORE_*`.
    fn insert(&mut self, path: &Path, params: &str, flags: u32) -> Result<(), Refusal>;
    /// Unloads a module.
    fn remove(&mut self, module: &str, force: bool) -> Result<(), Refusal>;
    /// Lets time pass, so that a module's users may go.
    fn pause(&mut self, time: Duration);
    /// Runs a command for a module and waits for it; gives its exit code.
    fn run(&mut self, module: &str, command: &str) -> io::Result<i32>;
}

/// The running kernel.
pub struct Running {
    state: State,
    /// The options that a modprobe started by a command inherits.
    inherited_options: String,
}

impl Running {
    /// The kernel we run on. `inherited_options` go into the environment of commands.
    pub fn new(inherited_options: String) -> Self {
        Self { state: State::new(PathBuf::from("/")), inherited_options }
    }
}

impl Kernel for Running {
    fn state(&self, module: &str) -> Option<InitState> {
        self.state.of(module)
    }

    fn refcnt(&self, module: &str) -> Option<i32> {
        self.state.refcnt(module).ok()
    }

    fn holders(&self, module: &str) -> io::Result<Vec<String>> {
        self.state.holders(module)
    }

    fn insert(&mut self, path: &Path, params: &str, flags: u32) -> Result<(), Refusal> {
        load(&self.state, path, params, flags)
    }

    fn remove(&mut self, module: &str, force: bool) -> Result<(), Refusal> {
        delete_module(module, force)
    }

    fn pause(&mut self, time: Duration) {
        std::thread::sleep(time);
    }

    fn run(&mut self, module: &str, command: &str) -> io::Result<i32> {
        let mut shell = Command::new("/bin/sh");
        shell.arg0("sh");
        shell.args(["-c", command]).env("MODPROBE_MODULE", module);
        if !self.inherited_options.is_empty() {
            shell.env("MODPROBE_OPTIONS", &self.inherited_options);
        }
        match shell.status() {
            // Like system(3), which kmod uses: a death by signal counts as exit code 0.
            Ok(status) => Ok(status.code().unwrap_or(0)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(127),
            Err(error) => Err(error),
        }
    }
}
