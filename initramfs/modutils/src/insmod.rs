//! `insmod`: loads one file, without its dependencies and without any configuration.

use std::{ffi::OsString, os::unix::ffi::OsStrExt as _, path::Path};

use crate::{
    Tool,
    explain::Explainer,
    getopt::{Long, Spec},
    load::{load, unpacking_fault},
    log::Priority,
    params,
    state::State,
    sys::{IGNORE_MODVERSIONS, IGNORE_VERMAGIC, Refusal},
    tree::Tree,
};

const SPEC: Spec = Spec {
    short: "fsvVh",
    long: &[
        Long("force", false, 'f'),
        Long("=force-modversion", false, 'M'),
        Long("=force-vermagic", false, 'W'),
        Long("=explain", false, 'X'),
        Long("syslog", false, 's'),
        Long("verbose", false, 'v'),
        Long("version", false, 'V'),
        Long("help", false, 'h'),
    ],
};

const HELP: &str = "Usage:
\tinsmod [options] FILE [PARAMETER=VALUE...]
Options:
\t-f, --force             load in spite of symbol versions and version magic
\t    --force-modversion  load in spite of symbol versions
\t    --force-vermagic    load in spite of version magic
\t    --explain           when a load fails, say why; at a terminal this is done anyway
\t-s, --syslog            messages go to the system log
\t-v, --verbose           more messages
\t-V, --version           show the version
\t-h, --help              show this text
";

/// Runs the tool; the exit code.
pub fn run(tool: &Tool, arguments: Vec<OsString>) -> u8 {
    let (mut log, mut flags, mut explain) = (tool.log(Priority::Error), 0, false);
    let operands = match tool.read_bytes(&SPEC, HELP, arguments, |letter, _| match letter {
        'f' => flags |= IGNORE_MODVERSIONS | IGNORE_VERMAGIC,
        'M' => flags |= IGNORE_MODVERSIONS,
        'W' => flags |= IGNORE_VERMAGIC,
        'X' => explain = true,
        's' => log.syslog = true,
        'v' => log.level += 1,
        _ => {}
    }) {
        Ok(operands) => operands,
        Err(code) => return code,
    };
    let [file, parameters @ ..] = &operands[..] else {
        log.error("missing filename.");
        return 1;
    };
    if file == "-" {
        log.error("this tool does not support loading from stdin!");
        return 1;
    }
    if let Err(error) = std::fs::metadata(file) {
        let words = Refusal::from(error).to_string();
        log.error_bytes(&[b"could not load module ", file.as_bytes(), b": ", words.as_bytes()]);
        return 1;
    }
    let Ok(parameters) =
        parameters.iter().map(|parameter| parameter.clone().into_string()).collect::<Result<Vec<_>, _>>()
    else {
        log.error("a parameter is not UTF-8.");
        return 1;
    };
    let (path, params) = (Path::new(file), params::join(&parameters));
    let mut explainer = Explainer::new(explain, &log);
    let result = load(&State::new("/"), path, &params, flags);
    explainer.look(path, &params, result, &Tree::running());
    if let Err(error) = result {
        // The number alone would say that the parameters are wrong.
        if let Some(fault) = error.is(libc::EINVAL).then(|| unpacking_fault(path)).flatten() {
            log.error(fault);
        }
        log.error_bytes(&[b"could not insert module ", file.as_bytes(), b": ", words(error).as_bytes()]);
    }
    explainer.tell(&log);
    u8::from(result.is_err())
}

/// What an error means for a load, where the general words would mislead.
fn words(error: Refusal) -> String {
    [
        (libc::ENOEXEC, "Invalid module format"),
        (libc::ENOENT, "Unknown symbol in module"),
        (libc::ESRCH, "Module has wrong symbol version"),
        (libc::EINVAL, "Invalid parameters"),
    ]
    .into_iter()
    .find(|(errno, _)| error.is(*errno))
    .map_or_else(|| error.to_string(), |(_, words)| words.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_number_becomes_kmods_words() {
        for (value, expected) in [
            (-libc::ENOEXEC, "Invalid module format"),
            (-libc::ENOENT, "Unknown symbol in module"),
            (-libc::ESRCH, "Module has wrong symbol version"),
            (-libc::EINVAL, "Invalid parameters"),
            (-libc::EEXIST, "File exists"),
            (-256, "Unknown error 256"),
            (-65280, "Unknown error 65280"),
        ] {
            assert_eq!(words(Refusal(value.into())), expected);
        }
    }
}
