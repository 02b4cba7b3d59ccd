//! What loading a module amounts to: the list of steps, from the indexes and the configuration alone.
//!
//! Whether a step is still needed depends on what the steps before it did, so the loaded modules are asked
//! while walking the list (see [`crate::modprobe`]), not here.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
};

use modfile::alias::matches;

use crate::{
    config::Config,
    lookup::{Module, lookup},
    tree::Tree,
};

/// One module to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The module.
    pub module: Module,
    /// Its parameters.
    pub options: String,
    /// How it is loaded.
    pub action: Action,
    /// A soft dependency may fail; the module asked for and its dependencies may not.
    pub required: bool,
}

/// How a module is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// From a file; None if there is none, as for what is part of the kernel.
    Insert(Option<PathBuf>),
    /// By a command of the configuration, `$CMDLINE_OPTS` in it not replaced.
    Install(String),
}

/// The module a user asked for, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The module.
    pub module: Module,
    /// Its file, where the user named that; otherwise the index has it.
    pub file: Option<PathBuf>,
    /// Parameters, as one line.
    pub params: Option<String>,
}

/// All steps that load a module, in order: its dependencies, each between its soft ones, and itself.
pub fn steps(tree: &Tree, config: &Config, target: &Target, ignore_commands: bool) -> Vec<Step> {
    let mut list = List { tree, config, visited: HashSet::new(), modules: Vec::new(), no_command: HashMap::new() };
    list.add_with_dependencies(&target.module, ignore_commands);
    let dependencies = tree.dependencies(&target.module.name).into_iter().map(Module::named);
    let required: HashSet<_> = dependencies.chain([target.module.clone()]).collect();
    let List { modules, no_command, .. } = list;
    let step = |(module, path)| Step {
        options: options(config, &module, target),
        action: action(tree, config, &module, path, target, no_command[&module]),
        required: required.contains(&module),
        module,
    };
    modules.into_iter().map(step).collect()
}

/// A module's soft dependencies, before and after it. Only the first directive counts.
pub fn softdeps(tree: &Tree, config: &Config, module: &str) -> (Vec<Module>, Vec<Module>) {
    let find = |names: &[String]| {
        names.iter().flat_map(|name| lookup(tree, config, name).unwrap_or_default()).collect::<Vec<_>>()
    };
    match config.softdeps.iter().find(|softdep| matches(&softdep.pattern, module)) {
        Some(softdep) => (find(&softdep.pre), find(&softdep.post)),
        None => Default::default(),
    }
}

/// The first command whose pattern matches a module.
pub fn command<'a>(commands: &'a [(String, String)], module: &str) -> Option<&'a str> {
    commands.iter().find(|(pattern, _)| matches(pattern, module)).map(|(_, command)| command.as_str())
}

struct List<'a> {
    tree: &'a Tree,
    config: &'a Config,
    visited: HashSet<Module>,
    /// With the file, where the line that names the module as a dependency has told it.
    modules: Vec<(Module, Option<PathBuf>)>,
    /// Whether a module's install command is left out.
    no_command: HashMap<Module, bool>,
}

impl List<'_> {
    fn add_with_dependencies(&mut self, module: &Module, no_command: bool) {
        if !self.visited.insert(module.clone()) {
            return;
        }
        for (name, path) in self.tree.dependency_files(&module.name) {
            self.add_with_softdeps(&Module::named(name), Some(path));
        }
        if no_command {
            self.add(module, None, true);
        } else {
            self.add_with_softdeps(module, None);
        }
    }

    fn add_with_softdeps(&mut self, module: &Module, path: Option<PathBuf>) {
        let (pre, post) = softdeps(self.tree, self.config, &module.name);
        for before in &pre {
            self.add_with_dependencies(before, false);
        }
        // kmod takes an install command together with soft dependencies for a way to write the same thing
        // twice, so that the command of a module with both has no effect.
        self.add(module, path, !pre.is_empty() || !post.is_empty());
        for after in &post {
            self.add_with_dependencies(after, false);
        }
    }

    fn add(&mut self, module: &Module, path: Option<PathBuf>, no_command: bool) {
        self.modules.push((module.clone(), path));
        self.no_command.insert(module.clone(), no_command);
    }
}

/// A module's parameters: the configured ones, a blank whether or not something follows, and the user's.
fn options(config: &Config, module: &Module, target: &Target) -> String {
    let applies = |name: &str| name == module.name || module.alias.as_deref() == Some(name);
    let configured: Vec<_> =
        config.options.iter().filter(|(name, _)| applies(name)).map(|(_, options)| options.as_str()).collect();
    let given = target.params.as_deref().filter(|_| *module == target.module).unwrap_or_default();
    if configured.is_empty() { given.into() } else { format!("{} {given}", configured.join(" ")) }
}

fn action(
    tree: &Tree,
    config: &Config,
    module: &Module,
    path: Option<PathBuf>,
    target: &Target,
    no_command: bool,
) -> Action {
    match command(&config.install, &module.name) {
        Some(command) if !no_command => Action::Install(command.into()),
        _ => {
            let file = target.file.clone().filter(|_| *module == target.module);
            Action::Insert(file.or(path).or_else(|| tree.path(&module.name)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Root;

    fn target(name: &str, alias: Option<&str>, params: Option<&str>) -> Target {
        let module = Module { name: name.into(), alias: alias.map(String::from) };
        Target { module, file: None, params: params.map(String::from) }
    }

    fn softdep(pattern: &str, pre: &[&str], post: &[&str]) -> crate::config::Softdep {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        crate::config::Softdep { pattern: pattern.into(), pre: owned(pre), post: owned(post) }
    }

    /// Steps as words: the module, `?` if it may fail, `!` if a command loads it.
    fn names(root: &Root, config: &Config, target: &Target, ignore_commands: bool) -> String {
        let steps = steps(&root.indexes(), config, target, ignore_commands);
        let word = |step: &Step| {
            let soft = if step.required { "" } else { "?" };
            let command = if matches!(step.action, Action::Install(_)) { "!" } else { "" };
            format!("{}{soft}{command}", step.module.name)
        };
        steps.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    fn root() -> Root {
        let root = Root::new();
        root.tree("modules.dep", "a.ko: b.ko c.ko\nb.ko: c.ko\nc.ko:\nd.ko: c.ko\ne.ko:\n");
        root
    }

    #[test]
    fn dependencies_come_first_and_leaves_before_them() {
        assert_eq!(names(&root(), &Config::default(), &target("a", None, None), false), "c b a");
    }

    #[test]
    fn soft_dependencies_surround_their_module_and_may_fail() {
        let config =
            Config { softdeps: vec![softdep("b", &["d"], &["e"]), softdep("b", &[], &["a"])], ..Config::default() };
        assert_eq!(names(&root(), &config, &target("a", None, None), false), "c c d? b e? a");
    }

    #[test]
    fn a_loop_of_soft_dependencies_ends() {
        let config =
            Config { softdeps: vec![softdep("d", &["e"], &[]), softdep("e", &["d"], &["e"])], ..Config::default() };
        assert_eq!(names(&root(), &config, &target("d", None, None), false), "c e? d");
    }

    #[test]
    fn an_install_command_yields_to_soft_dependencies_and_to_the_option() {
        let install = vec![("c".into(), "true".into()), ("a".into(), "true".into()), ("b".into(), "true".into())];
        let config = Config { install, softdeps: vec![softdep("b", &["e"], &[])], ..Config::default() };
        assert_eq!(names(&root(), &config, &target("a", None, None), false), "c! e? b a!");
        assert_eq!(names(&root(), &config, &target("a", None, None), true), "c! e? b a");
    }

    #[test]
    fn options_are_by_name_and_by_alias() {
        let options = [("a", "x=1"), ("net_1", "y=2"), ("c", "z=3")];
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let config = Config { options, ..Config::default() };
        let of = |target: &Target| -> Vec<_> {
            steps(&root().indexes(), &config, target, false).into_iter().map(|step| step.options).collect()
        };
        assert_eq!(of(&target("a", None, None)), ["z=3 ", "", "x=1 "]);
        assert_eq!(of(&target("a", Some("net_1"), Some("p=4"))), ["z=3 ", "", "x=1 y=2 p=4"]);
        assert_eq!(of(&target("b", None, Some("p=4"))), ["z=3 ", "p=4"]);
    }

    #[test]
    fn a_file_replaces_the_indexs() {
        let target = Target { file: Some("/tmp/a.ko".into()), ..target("a", None, None) };
        let last = steps(&root().indexes(), &Config::default(), &target, false).pop().unwrap();
        assert_eq!(last.action, Action::Insert(Some("/tmp/a.ko".into())));
    }
}
