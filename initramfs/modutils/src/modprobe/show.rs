//! `modprobe -c`: the configuration, and the indexes as if they were configuration.

use modfile::{alias::normalise, index};

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
}
