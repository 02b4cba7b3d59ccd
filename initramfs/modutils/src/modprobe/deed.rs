//! What modprobe does, or would do, as it is shown: in kmod's words, or for programs.

use std::{
    io::{self, Write},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

use crate::json::Value;

/// One thing done.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed<'a> {
    /// A file is loaded.
    Insmod { module: &'a str, path: &'a Path, options: &'a str },
    /// A command of the configuration is run in place of a load.
    Install { module: &'a str, command: &'a str, options: &'a str },
    /// Nothing has to be done.
    Builtin { module: &'a str },
    /// A module is unloaded.
    Rmmod { module: &'a str },
    /// A command of the configuration is run in place of unloading.
    Remove { module: &'a str, command: &'a str },
}

impl Deed<'_> {
    /// As kmod shows it. Where there may be options, there is a blank for them.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            // Not through the formatter: paths are not always text.
            Self::Insmod { path, options, .. } => {
                let parts = [b"insmod ", path.as_os_str().as_bytes(), b" ", options.as_bytes(), b"\n"];
                parts.iter().try_for_each(|part| out.write_all(part))
            }
            Self::Install { command, options, .. } => writeln!(out, "install {command} {options}"),
            Self::Builtin { module } => writeln!(out, "builtin {module}"),
            Self::Rmmod { module } => writeln!(out, "rmmod {module}"),
            Self::Remove { command, .. } => writeln!(out, "remove {command}"),
        }
    }

    /// As an object: what is done to which module, and with what.
    pub(super) fn json(&self) -> Value {
        let (action, module) = match *self {
            Self::Insmod { module, .. } => ("insmod", module),
            Self::Install { module, .. } => ("install", module),
            Self::Builtin { module } => ("builtin", module),
            Self::Rmmod { module } => ("rmmod", module),
            Self::Remove { module, .. } => ("remove", module),
        };
        let mut members = vec![("action", Value::from(action)), ("module", module.into())];
        match self {
            Self::Insmod { path, options, .. } => {
                members.push(("path", path.as_os_str().as_bytes().into()));
                members.push(("options", options.trim_end().into()));
            }
            Self::Install { command, options, .. } => {
                members.push(("command", (*command).into()));
                members.push(("options", options.trim_end().into()));
            }
            Self::Remove { command, .. } => members.push(("command", (*command).into())),
            Self::Builtin { .. } | Self::Rmmod { .. } => {}
        }
        Value::object(members)
    }
}
