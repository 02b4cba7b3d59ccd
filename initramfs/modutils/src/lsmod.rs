//! `lsmod`, and `kmod list`: the table of loaded modules.

use std::{ffi::OsString, io};

use modfile::proc_modules::{self, ProcModule};

use crate::{
    Tool,
    getopt::{Long, Spec},
    json::Value,
    log::{Log, Priority},
    state::State,
    sys::Refusal,
};

const SPEC: Spec = Spec {
    short: "svVh",
    long: &[
        Long("syslog", false, 's'),
        Long("verbose", false, 'v'),
        Long("version", false, 'V'),
        Long("help", false, 'h'),
        Long("=json", false, 'j'),
    ],
};

const HELP: &str = "Usage:
\tlsmod [options]
Options:
\t    --json     for programs, with state, taint and address
\t-s, --syslog   messages go to the system log
\t-v, --verbose  more messages
\t-V, --version  show the version
\t-h, --help     show this text
";

/// Runs the tool; the exit code.
pub fn run(tool: &Tool, arguments: Vec<OsString>) -> u8 {
    let mut log = tool.log(Priority::Error);
    let mut print: fn(&State, &Log) -> io::Result<Vec<u8>> = table;
    let operands = match tool.read_bytes(&SPEC, HELP, arguments, |letter, _| match letter {
        'j' => print = json,
        's' => log.syslog = true,
        'v' => log.level += 1,
        _ => {}
    }) {
        Ok(operands) => operands,
        Err(code) => return code,
    };
    if !operands.is_empty() {
        log.error("too many arguments provided.");
        return 1;
    }
    match print(&State::new("/"), &log) {
        Ok(text) => {
            crate::output(text);
            0
        }
        Err(error) => {
            let refusal = Refusal::from(error);
            log.error(format_args!("could not open /proc/modules: {refusal}"));
            log.error(format_args!("could not get list of modules: {refusal}"));
            1
        }
    }
}

/// The table in kmod's layout. Names and their order are from `/proc/modules`, the rest from `/sys/module`, so
/// that the users come in another order than in `/proc/modules`.
pub fn table(state: &State, log: &Log) -> io::Result<Vec<u8>> {
    let text = state.proc_modules()?;
    let mut table = b"Module                  Size  Used by\n".to_vec();
    for line in text.lines() {
        // Nothing but the name has to be as expected.
        if let Some(name) = line.split_ascii_whitespace().next() {
            table.extend(row(state, log, name, line).into_bytes());
        }
    }
    Ok(table)
}

fn row(state: &State, log: &Log, name: &str, line: &str) -> String {
    let listed = || line.split_ascii_whitespace().nth(1)?.parse().ok();
    // Of a module that has gone meanwhile, its line counts no more.
    let size = state.coresize(name).ok().or_else(|| state.of(name).and_then(|_| listed()));
    // Without a count kmod prints the number of the error that it got instead.
    let count = state.refcnt(name).unwrap_or(-libc::ENOENT);
    let holders = state.holders(name).unwrap_or_else(|error| {
        log.error(format_args!("could not open '/sys/module/{name}/holders': {}", Refusal::from(error)));
        Vec::new()
    });
    let holders = holders.join(",");
    let blank = if holders.is_empty() { "" } else { " " };
    format!("{name:<19} {:>8}  {count}{blank}{holders}\n", size.unwrap_or(-i64::from(libc::ENOENT)))
}

/// All that the kernel says, from `/proc/modules` alone.
fn json(state: &State, _: &Log) -> io::Result<Vec<u8>> {
    let text = state.proc_modules()?;
    let modules = proc_modules::parse(&text).collect::<Result<Vec<_>, _>>().map_err(io::Error::other)?;
    let mut out = Vec::new();
    Value::list(modules.iter().map(object)).write(&mut out);
    Ok(out)
}

fn object(module: &ProcModule<&str>) -> Value {
    let life = match module.state {
        proc_modules::State::Live => "live",
        proc_modules::State::Loading => "coming",
        proc_modules::State::Unloading => "going",
    };
    // A number of 64 bits is more than every reader of JSON keeps.
    let address = (module.address != 0).then(|| format!("{:#x}", module.address));
    Value::object([
        ("name", module.name.into()),
        ("size", i64::try_from(module.size).unwrap_or(i64::MAX).into()),
        ("refcount", module.refcnt.into()),
        ("holders", Value::list(module.users.iter().copied())),
        ("permanent", module.permanent.into()),
        ("state", life.into()),
        ("taint", module.taint.into()),
        ("address", address.into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Root;

    #[test]
    fn the_table_has_kmods_layout() {
        let root = Root::new();
        root.loaded("lower", "live", Some(1), &["upper"]);
        root.loaded("upper", "live", Some(0), &[]);
        root.loaded("a_name_longer_than_nineteen", "live", None, &[]);
        root.write("sys/module/lower/coresize", "1234\n");
        root.write(
            "proc/modules",
            "upper 16384 0 - Live 0x0\ngone 1 0 - Live 0x0\nlower 16384 1 upper, Live 0x0 (OE)\n\
             a_name_longer_than_nineteen 123456789 - - Live 0x0\n",
        );
        let expected = "\
Module                  Size  Used by
upper                  16384  0
gone                      -2  -2
lower                   1234  1 upper
a_name_longer_than_nineteen 123456789  -2
";
        assert_eq!(
            String::from_utf8(table(&root.state(), &Log::new("lsmod", Priority::Error)).unwrap()).unwrap(),
            expected
        );
    }

    #[test]
    fn a_program_gets_what_the_kernel_says() {
        let root = Root::new();
        root.write("proc/modules", "a 16384 1 b,[permanent], Loading 0xffffffffc0000000 (OE+)\nb 1 - - Live 0x0\n");
        let expected = r#"[
  {
    "name": "a",
    "size": 16384,
    "refcount": 1,
    "holders": [
      "b"
    ],
    "permanent": true,
    "state": "coming",
    "taint": "OE",
    "address": "0xffffffffc0000000"
  },
  {
    "name": "b",
    "size": 1,
    "refcount": null,
    "holders": [],
    "permanent": false,
    "state": "live",
    "taint": "",
    "address": null
  }
]
"#;
        assert_eq!(
            String::from_utf8(json(&root.state(), &Log::new("lsmod", Priority::Error)).unwrap()).unwrap(),
            expected
        );
    }
}
