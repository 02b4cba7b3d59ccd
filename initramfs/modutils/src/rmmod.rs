//! `rmmod`: unloads modules by name, without their dependencies and without any configuration.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

use crate::{
    Tool,
    getopt::{Long, Spec},
    log::{Log, Priority},
    state::State,
    sys::{Refusal, delete_module, strerror},
    tree::Tree,
};

const SPEC: Spec = Spec {
    short: "fsvVh",
    long: &[
        Long("force", false, 'f'),
        Long("syslog", false, 's'),
        Long("verbose", false, 'v'),
        Long("version", false, 'V'),
        Long("help", false, 'h'),
    ],
};

const HELP: &str = "Usage:
\trmmod [options] MODULE...
Options:
\t-f, --force    unload although it is used or has no exit function; the machine may crash
\t-s, --syslog   messages go to the system log
\t-v, --verbose  more messages
\t-V, --version  show the version
\t-h, --help     show this text
";

/// Runs the tool; the exit code.
pub fn run(tool: &Tool, arguments: Vec<OsString>) -> u8 {
    let (mut log, mut force) = (tool.log(Priority::Error), false);
    let operands = match tool.read_bytes(&SPEC, HELP, arguments, |letter, _| match letter {
        'f' => force = true,
        's' => log.syslog = true,
        'v' => log.level += 1,
        _ => {}
    }) {
        Ok(operands) => operands,
        Err(code) => return code,
    };
    if operands.is_empty() {
        log.error("missing module name.");
        return 1;
    }
    let (state, tree) = (State::new("/"), Tree::running());
    let mut code = 0;
    for operand in &operands {
        let Some(name) = name(operand) else {
            let words = strerror(libc::ENOENT);
            log.error_bytes(&[b"could not use module ", operand.as_bytes(), b": ", words.as_bytes()]);
            return 1;
        };
        code |= u8::from(!remove(&log, &state, &tree, operand, name, force));
    }
    code
}

fn remove(log: &Log, state: &State, tree: &Tree, operand: &OsStr, name: Vec<u8>, force: bool) -> bool {
    // A name that is not text is no module's.
    let name = match String::from_utf8(name) {
        Ok(name) => name,
        Err(error) => {
            log.error_bytes(&[b"Module ", error.as_bytes(), b" is not currently loaded"]);
            return false;
        }
    };
    if let Some(obstacle) = (!force).then(|| obstacle(log, state, tree, &name)).flatten() {
        log.error(obstacle);
        return false;
    }
    match delete_module(&name, force) {
        Ok(()) => true,
        Err(refusal) => {
            log.error(format_args!("could not remove '{name}': {refusal}"));
            let words = refusal.to_string();
            log.error_bytes(&[b"could not remove module ", operand.as_bytes(), b": ", words.as_bytes()]);
            false
        }
    }
}

/// The module that an operand names. A file may be given instead: its own name then counts, without the directory;
/// None if it has none, as `/`.
fn name(operand: &OsStr) -> Option<Vec<u8>> {
    let mut name = operand.as_bytes();
    if Path::new(operand).exists() {
        name = name.rsplit(|byte| *byte == b'/').next().filter(|file| !file.is_empty())?;
    }
    // Of what is no file, a slash is a letter like others.
    let name = name.split(|byte| *byte == b'.').next().unwrap_or_default();
    Some(name.iter().map(|byte| if *byte == b'-' { b'_' } else { *byte }).collect())
}

/// What stands in the way of unloading a module, as far as can be seen beforehand.
fn obstacle(log: &Log, state: &State, tree: &Tree, name: &str) -> Option<String> {
    if tree.is_builtin(name) {
        return Some(format!("Module {name} is builtin."));
    }
    if state.of(name).is_none() {
        return Some(format!("Module {name} is not currently loaded"));
    }
    let holders = state.holders(name).unwrap_or_else(|error| {
        log.error(format_args!("could not open '/sys/module/{name}/holders': {}", Refusal::from(error)));
        Vec::new()
    });
    if !holders.is_empty() {
        return Some(format!("Module {name} is in use by: {}", holders.join(" ")));
    }
    match state.refcnt(name) {
        Ok(0) => None,
        Ok(..0) => Some(format!("Module {name} is already being unloaded")),
        Ok(_) => Some(format!("Module {name} is in use")),
        Err(_) => Some("Module unloading is not supported".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Root;

    #[test]
    fn obstacles_have_kmods_words() {
        let root = Root::new();
        root.tree("modules.builtin", "kernel/fixed-in.ko\n");
        root.loaded("free", "live", Some(0), &[]);
        root.loaded("counted", "live", Some(2), &[]);
        root.loaded("held", "live", Some(1), &["holder"]);
        root.loaded("going", "going", Some(-1), &[]);
        root.loaded("coming", "coming", Some(1), &[]);
        root.loaded("stuck", "live", None, &[]);
        for (name, expected) in [
            ("free", None),
            ("absent", Some("Module absent is not currently loaded")),
            ("fixed_in", Some("Module fixed_in is builtin.")),
            ("counted", Some("Module counted is in use")),
            ("held", Some("Module held is in use by: holder")),
            ("going", Some("Module going is already being unloaded")),
            ("coming", Some("Module coming is in use")),
            ("stuck", Some("Module unloading is not supported")),
        ] {
            let log = Log::new("rmmod", Priority::Error);
            assert_eq!(obstacle(&log, &root.state(), &root.indexes(), name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn a_file_may_be_given_for_a_name() {
        let root = Root::new();
        root.write("a-b.c.ko", "");
        let path = |below: &str| root.path(below).into_os_string();
        for (operand, expected) in [
            (path("a-b.c.ko"), Some("a_b")),
            ("x-y.z".into(), Some("x_y")),
            ("/nothing/x-y.ko".into(), Some("/nothing/x_y")),
            ("/".into(), None),
            ("".into(), Some("")),
        ] {
            assert_eq!(name(&operand).as_deref(), expected.map(str::as_bytes), "{}", operand.display());
        }
    }
}
