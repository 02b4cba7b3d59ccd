//! Unloading: the module, what uses it if asked, and what it alone needed.

use std::time::Duration;

use super::{Deed, Session};
use crate::{
    log::{Failure, Priority},
    lookup::Module,
    plan::{command, softdeps},
    sys::Refusal,
};

/// What is different for a module that the user did not name.
#[derive(Clone, Copy)]
struct How {
    remove_holders: bool,
    ignore_builtin: bool,
}

impl Session<'_> {
    /// Unloads all modules that an operand stands for.
    pub(super) fn remove(&mut self, operand: &str) -> Result<(), Failure> {
        // As with kmod, a name that cannot be one fails without a word.
        let modules = self.lookup(operand).ok_or(Failure::Failed)?;
        if modules.is_empty() {
            return Err(self.fail(format_args!("Module {operand} not found.")));
        }
        let how = How { remove_holders: self.options.remove_holders, ignore_builtin: false };
        modules.iter().try_for_each(|module| self.remove_with_friends(&module.name, how))
    }

    fn remove_with_friends(&mut self, name: &str, how: How) -> Result<(), Failure> {
        let config = self.config;
        let ((pre, post), command) = if self.options.ignore_commands {
            Default::default()
        } else {
            (softdeps(self.tree, config, name), command(&config.remove, name))
        };
        let look = command.is_none() && !self.options.ignore_loaded;
        if look && !self.is_removable(name, how)? {
            return Ok(());
        }
        self.remove_softdeps(&post)?;
        if how.remove_holders {
            for holder in self.holders(name).into_iter().rev() {
                self.remove_with_friends(&holder, How { remove_holders: false, ignore_builtin: true })?;
            }
        }
        if look && self.options.wait_ms == 0 && self.kernel.refcnt(name).is_some_and(|count| count > 0) {
            return Err(self.fail(format_args!("Module {name} is in use.")));
        }
        match command {
            Some(command) => self.remove_by_command(name, command)?,
            None => {
                // A holder may have been its last user, and has then taken it along as a dependency. kmod 34
                // deletes it a second time, fails, and leaves its dependencies.
                if !(how.remove_holders && look && self.kernel.state(name).is_none()) {
                    self.remove_one(name)?;
                }
                self.remove_unused_dependencies(name);
            }
        }
        self.remove_softdeps(&pre)
    }

    /// The modules that use a module. One that is not loaded has none, and kmod says so: where there is a command to
    /// run it does not ask before.
    fn holders(&self, name: &str) -> Vec<String> {
        self.kernel.holders(name).unwrap_or_else(|error| {
            let words = Refusal::from(error);
            self.log.error(format_args!("could not open '/sys/module/{name}/holders': {words}"));
            Vec::new()
        })
    }

    /// Whether there is something to unload; an error where its absence is one.
    fn is_removable(&self, name: &str, how: How) -> Result<bool, Failure> {
        match self.tree.is_builtin(name) {
            true if how.ignore_builtin => Ok(false),
            true => Err(self.fail(format_args!("Module {name} is builtin."))),
            false if self.kernel.state(name).is_some() => Ok(true),
            false if self.options.first_time => Err(self.fail(format_args!("Module {name} is not in kernel."))),
            false => Ok(false),
        }
    }

    /// Soft dependencies may stay: only a message that ends the program counts.
    fn remove_softdeps(&mut self, modules: &[Module]) -> Result<(), Failure> {
        for module in modules.iter().rev() {
            let how = How { remove_holders: false, ignore_builtin: true };
            if let Err(Failure::Stop) = self.remove_with_friends(&module.name, how) {
                return Err(Failure::Stop);
            }
        }
        Ok(())
    }

    /// One pass, leaves first, as kmod does it: what a later module in the list still uses stays.
    fn remove_unused_dependencies(&mut self, name: &str) {
        for dependency in self.tree.dependencies(name) {
            if self.kernel.refcnt(&dependency) == Some(0) {
                // They were not asked for, so that their failure is only told.
                let _ = self.remove_one(&dependency);
            }
        }
    }

    fn remove_by_command(&mut self, name: &str, command: &str) -> Result<(), Failure> {
        let command = command.replace("$CMDLINE_OPTS", "");
        self.show(Deed::Remove { module: name, command: &command });
        if self.is_dry_run() {
            return Ok(());
        }
        match self.kernel.run(name, &command) {
            Ok(0) => Ok(()),
            _ => Err(self.fail(format_args!("Error running remove command for {name}"))),
        }
    }

    fn remove_one(&mut self, name: &str) -> Result<(), Failure> {
        self.show(Deed::Rmmod { module: name });
        if self.is_dry_run() {
            return Ok(());
        }
        let mut left = Duration::from_millis(self.options.wait_ms);
        let mut pause = Duration::from_millis(1);
        loop {
            match self.kernel.remove(name, self.options.force) {
                Err(refusal) if refusal.is(libc::EAGAIN) && !left.is_zero() => {
                    pause = pause.min(left);
                    self.kernel.pause(pause);
                    left -= pause;
                    pause *= 2;
                }
                result => return result.map_err(|refusal| self.refused(name, refusal)),
            }
        }
    }

    fn refused(&self, name: &str, refusal: Refusal) -> Failure {
        self.log.fail(Priority::Error, format_args!("could not remove '{name}': {refusal}"))
    }
}
