//! What modprobe only prints: the configuration with the indexes as if they were configuration (`-c`), and the
//! symbol versions of a file.

use modfile::{alias::normalise, elf::Elf, index, symbols};

use super::Session;
use crate::log::Failure;

impl Session<'_> {
    pub(super) fn show_config(&mut self) -> Result<(), Failure> {
        let directives: Vec<_> = self.config.directives().collect();
        for directive in directives {
            self.print(format_args!("{directive}"));
        }
        self.print(format_args!("\n# End of configuration files. Dumping indexes now:\n"));
        for text in [self.tree.alias_text(), self.tree.symbol_text()] {
            let normal = |(pattern, module)| Some((normalise(pattern)?, module));
            let mut aliases: Vec<_> = index::aliases(text).filter_map(normal).collect();
            // The order of the binary index, which kmod walks.
            aliases.sort_by(|one, other| one.0.cmp(&other.0));
            let lines: Vec<_> = aliases.iter().map(|(pattern, module)| format!("alias {pattern} {module}\n")).collect();
            let _ = self.out.write_all(lines.concat().as_bytes()).and_then(|()| self.out.flush());
        }
        Ok(())
    }
    /// Prints the `symbols` that a file exports or the `modversions` it was built with.
    pub(super) fn show_versions(&mut self, file: &str, what: &str) -> Result<(), Failure> {
        let bytes = std::fs::read(file).map_err(|_| self.fail(format_args!("Module {file} not found.")))?;
        let versions = if what == "symbols" { exports(&bytes) } else { modversions(&bytes) };
        let lines = versions.and_then(|lines| if lines.is_empty() { Err("it has none".into()) } else { Ok(lines) });
        let lines = lines.map_err(|why| self.fail(format_args!("could not get {what} of {file}: {why}")))?;
        self.print(format_args!("{}", lines.join("\n")));
        Ok(())
    }
}

fn exports(bytes: &[u8]) -> Result<Vec<String>, String> {
    let exports = Elf::parse(bytes).and_then(|elf| symbols::exports(&elf)).map_err(|error| error.to_string())?;
    Ok(exports.iter().map(|export| line(export.crc.unwrap_or(0), export.name)).collect())
}

fn modversions(bytes: &[u8]) -> Result<Vec<String>, String> {
    let lines = Elf::parse(bytes).and_then(|elf| {
        symbols::versions(&elf)?.map(|version| version.map(|version| line(version.crc, version.name))).collect()
    });
    lines.map_err(|error| error.to_string())
}

fn line(crc: u32, name: &[u8]) -> String {
    format!("0x{crc:08x}\t{}", String::from_utf8_lossy(name))
}
