//! Loading: from an operand to the kernel's answer for each step.

use std::{io, path::Path};

use modfile::alias::module_name;

use super::{Deed, Session};
use crate::{
    json::Value,
    log::{Failure, Priority},
    lookup::Module,
    plan::{self, Action, Step, Target},
    sys::Refusal,
    tree::absolute,
};

impl Session<'_> {
    /// Loads all modules that an operand stands for. As with kmod, the last one's result is the result.
    pub(super) fn insert(&mut self, operand: &str, params: Option<String>) -> Result<(), Failure> {
        let mut result = Ok(());
        for target in self.targets(operand, params)? {
            result = if self.options.resolve {
                self.show_resolved(operand, &target.module.name);
                Ok(())
            } else {
                self.insert_target(&target).map_err(|error| self.explain(&target.module.name, error))
            };
        }
        result
    }

    fn show_resolved(&mut self, operand: &str, module: &str) {
        if self.options.json {
            self.records
                .push(Value::object([("name", operand), ("module", module)].map(|(key, text)| (key, text.into()))));
        } else {
            self.print(format_args!("{module}"));
        }
    }

    fn targets(&self, operand: &str, params: Option<String>) -> Result<Vec<Target>, Failure> {
        if operand.starts_with('/') || operand.starts_with("./") {
            return self.file_target(operand, params).map(|target| vec![target]);
        }
        let modules = self.lookup(operand).unwrap_or_default();
        if modules.is_empty() {
            let directory = self.tree.directory().display();
            return Err(self.fail(format_args!("Module {operand} not found in directory {directory}")));
        }
        Ok(modules.into_iter().map(|module| Target { module, file: None, params: params.clone() }).collect())
    }

    fn file_target(&self, operand: &str, params: Option<String>) -> Result<Target, Failure> {
        let path = match std::fs::metadata(operand) {
            Ok(_) if operand.ends_with('/') => Err(io::Error::from_raw_os_error(libc::ENOENT)),
            found => found.map(|_| absolute(operand)),
        };
        let path = path.map_err(|error| {
            self.fail(format_args!("Failed to get module from path {operand}: {}", Refusal::from(error)))
        })?;
        Ok(Target { module: Module::named(module_name(operand)), file: Some(path), params })
    }

    fn insert_target(&mut self, target: &Target) -> Result<(), Refusal> {
        let name = &target.module.name;
        if !self.options.ignore_loaded && self.in_kernel(name) {
            return if self.options.first_time { Err(Refusal(-i64::from(libc::EEXIST))) } else { Ok(()) };
        }
        if self.config.blacklist.contains(name) && (target.module.alias.is_some() || self.options.use_blacklist) {
            return Ok(());
        }
        for step in plan::steps(self.tree, self.config, target, self.options.ignore_commands) {
            match self.take(&step) {
                // Somebody else was faster, which is as good, unless the user asked to be the first.
                Err(error) if error.is(libc::EEXIST) && !(self.options.first_time && step.module == target.module) => {}
                Err(error) if step.required => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn take(&mut self, step: &Step) -> Result<(), Refusal> {
        let name = &step.module.name;
        if !self.options.ignore_loaded && self.in_kernel(name) {
            return Err(Refusal(-i64::from(libc::EEXIST)));
        }
        let options = &step.options;
        match &step.action {
            Action::Install(command) => self.take_command(name, command, options),
            Action::Insert(Some(path)) => {
                self.show(Deed::Insmod { module: name, path, options });
                self.take_file(path, options)
            }
            Action::Insert(None) => {
                if self.tree.is_builtin(name) {
                    self.show(Deed::Builtin { module: name });
                }
                if self.is_dry_run() {
                    return Ok(());
                }
                self.log.error(format_args!("could not find module by name='{name}'"));
                Err(Refusal(-i64::from(libc::ENOENT)))
            }
        }
    }

    fn take_file(&mut self, path: &Path, options: &str) -> Result<(), Refusal> {
        if self.is_dry_run() {
            return Ok(());
        }
        let result = self.kernel.insert(path, options, self.options.flags);
        self.explainer.look(path, options, result, self.tree);
        match &result {
            Ok(()) => self.explainer.tell(self.log),
            // Of a soft dependency nothing else tells.
            Err(error) => {
                self.log.write(Priority::Info, format_args!("Failed to insert module '{}': {error}", path.display()));
            }
        }
        result
    }

    fn take_command(&mut self, name: &str, command: &str, options: &str) -> Result<(), Refusal> {
        self.show(Deed::Install { module: name, command, options });
        if self.is_dry_run() {
            return Ok(());
        }
        let command = command.replace("$CMDLINE_OPTS", options);
        let how = match self.kernel.run(name, &command) {
            Ok(0) => return Ok(()),
            Ok(code) => format!("Error running install command '{command}' for module {name}: retcode {code}"),
            Err(error) => {
                let words = Refusal::from(error);
                format!("Could not run install command '{command}' for module {name}: {words}")
            }
        };
        self.log.error(how);
        Err(Refusal(-i64::from(libc::EINVAL)))
    }

    fn explain(&mut self, name: &str, error: Refusal) -> Failure {
        let words = match error {
            _ if error.is(libc::EEXIST) => "Module already in kernel".into(),
            _ if error.is(libc::ENOENT) => "Unknown symbol in module, or unknown parameter (see dmesg)".into(),
            _ => error.to_string(),
        };
        self.log.error(format_args!("could not insert '{name}': {words}"));
        self.explainer.tell(self.log);
        Failure::Failed
    }
}
