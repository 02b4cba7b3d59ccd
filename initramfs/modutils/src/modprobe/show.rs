//! What modprobe only prints: the configuration with the indexes as if they were configuration (`-c`), and the
//! symbol versions of a file.

use modfile::{
    Error,
    elf::Elf,
    parts::{Fault, HEADER_BYTES, Table},
    symbols::{self, Version},
};

use super::Session;
use crate::{
    compress::{MAGIC_BYTES, unpack},
    json::Value,
    log::Failure,
    sys::Refusal,
};

impl Session<'_> {
    pub(super) fn show_config(&mut self) -> Result<(), Failure> {
        if self.options.json {
            let mut text = Vec::new();
            self.config_json().write(&mut text);
            let _ = self.out.write_all(&text);
            return Ok(());
        }
        let directives: Vec<_> = self.config.directives().collect();
        for directive in directives {
            self.print(format_args!("{directive}"));
        }
        self.print(format_args!("\n# End of configuration files. Dumping indexes now:\n"));
        let _ = self.tree.alias_lines().iter().try_for_each(|lines| self.out.write_all(lines));
        Ok(())
    }

    fn config_json(&self) -> Value {
        let config = self.config;
        let [aliases, symbols] = self.tree.alias_pairs();
        let softdeps = config.softdeps.iter().map(|softdep| {
            let names = |names: &[String]| Value::list(names.iter().map(String::as_str));
            Value::object([
                ("pattern", softdep.pattern.as_str().into()),
                ("pre", names(&softdep.pre)),
                ("post", names(&softdep.post)),
            ])
        });
        Value::object([
            ("blacklist", Value::list(config.blacklist.iter().map(String::as_str))),
            ("install", pairs(["pattern", "command"], &config.install)),
            ("remove", pairs(["pattern", "command"], &config.remove)),
            ("alias", pairs(["pattern", "module"], &config.aliases)),
            ("options", pairs(["module", "options"], &config.options)),
            ("softdep", Value::List(softdeps.collect())),
            ("weakdep", pairs(["pattern", "modules"], &config.weakdeps)),
            (
                "index",
                Value::object([
                    ("alias", pairs(["pattern", "module"], &aliases)),
                    ("symbols", pairs(["symbol", "module"], &symbols)),
                ]),
            ),
        ])
    }

    /// The lines about a file, or kmod's number for why there are none.
    fn versions(&self, bytes: Vec<u8>, what: &str) -> Result<Vec<String>, i32> {
        let bytes = unpack(bytes).map_err(|error| {
            self.log.error(error);
            libc::EINVAL
        })?;
        if bytes.len() < MAGIC_BYTES {
            return Err(libc::EINVAL);
        }
        let start = &bytes[..bytes.len().min(HEADER_BYTES)];
        if let Err(Fault::NotElf) = Table::of(start, bytes.len() as u64) {
            return Err(libc::ENOEXEC);
        }
        let lines =
            Elf::parse(&bytes).and_then(|elf| if what == "symbols" { exports(&elf) } else { modversions(&elf) });
        lines.map_err(|_| libc::EINVAL)?.ok_or(libc::ENODATA)
    }

    /// Prints the `symbols` that a file exports or the `modversions` it was built with.
    pub(super) fn show_versions(&mut self, file: &str, what: &str) -> Result<(), Failure> {
        if file.ends_with('/') || std::fs::metadata(file).is_err() {
            return Err(self.fail(format_args!("Module {file} not found.")));
        }
        let lines = match std::fs::read(file) {
            Err(error) => Err(Refusal::from(error)),
            Ok(bytes) => self.versions(bytes, what).map_err(|errno| Refusal(-i64::from(errno))),
        };
        let lines = lines.map_err(|why| self.fail(format_args!("could not get {what} of {file}: {why}")))?;
        lines.iter().for_each(|line| self.print(format_args!("{line}")));
        Ok(())
    }
}

/// None if there is no table of them, which is an error. An empty table is none.
fn exports(elf: &Elf<'_>) -> Result<Option<Vec<String>>, Error> {
    let exports = symbols::exports(elf)?;
    let lines = exports.iter().map(|export| line(export.crc.unwrap_or(0), export.name)).collect::<Vec<_>>();
    Ok(if lines.is_empty() && elf.section("__ksymtab_strings")?.is_none() { None } else { Some(lines) })
}

/// As for exports.
fn modversions(elf: &Elf<'_>) -> Result<Option<Vec<String>>, Error> {
    let lines: Vec<_> =
        symbols::versions(elf)?.map(|version| Ok(version_line(&version?))).collect::<Result<_, Error>>()?;
    Ok(if lines.is_empty() && elf.section("__versions")?.is_none() { None } else { Some(lines) })
}

/// PowerPC has a dot before the names of functions, which are known without it.
fn version_line(version: &Version<'_>) -> String {
    line(version.crc, version.name.strip_prefix(b".").unwrap_or(version.name))
}

/// Objects of two members.
fn pairs([first, second]: [&str; 2], list: &[(String, String)]) -> Value {
    let object = |(one, other): &(String, String)| {
        Value::object([(first, one.as_str().into()), (second, other.as_str().into())])
    };
    Value::List(list.iter().map(object).collect())
}

fn line(crc: u32, name: &[u8]) -> String {
    format!("0x{crc:08x}\t{}", String::from_utf8_lossy(name))
}
