//! `lsmod`: the table of loaded modules.

use std::io;

use modfile::proc_modules;

use crate::{
    Tool,
    getopt::{Long, Spec},
    log::Priority,
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
    ],
};

const HELP: &str = "Usage:
\tlsmod [options]
Options:
\t-s, --syslog   messages go to the system log
\t-v, --verbose  more messages
\t-V, --version  show the version
\t-h, --help     show this text
";

/// Runs the tool; the exit code.
pub fn run(tool: &Tool, arguments: Vec<String>) -> u8 {
    let mut log = tool.log(Priority::Error);
    let operands = match tool.read(&SPEC, HELP, arguments, |letter, _| match letter {
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
    match table(&State::new("/")) {
        Ok(table) => {
            crate::output(table);
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
pub fn table(state: &State) -> io::Result<String> {
    let text = state.proc_modules()?;
    let rows = proc_modules::parse(&text).filter_map(Result::ok).map(|module| row(state, &module));
    Ok(std::iter::once("Module                  Size  Used by\n".to_owned()).chain(rows).collect())
}

fn row(state: &State, module: &proc_modules::ProcModule) -> String {
    let name = &module.name;
    let size = state.coresize(name).unwrap_or_else(|_| i64::try_from(module.size).unwrap_or(i64::MAX));
    // Without a count kmod prints the number of the error that it got instead.
    let count = state.refcnt(name).unwrap_or(-libc::ENOENT);
    let holders = state.holders(name).unwrap_or_default().join(",");
    let blank = if holders.is_empty() { "" } else { " " };
    format!("{name:<19} {size:>8}  {count}{blank}{holders}\n")
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
            "upper 16384 0 - Live 0x0\nlower 16384 1 upper, Live 0x0 (OE)\n\
             a_name_longer_than_nineteen 123456789 - - Live 0x0\n",
        );
        let expected = "\
Module                  Size  Used by
upper                  16384  0
lower                   1234  1 upper
a_name_longer_than_nineteen 123456789  -2
";
        assert_eq!(table(&root.state()).unwrap(), expected);
    }
}
