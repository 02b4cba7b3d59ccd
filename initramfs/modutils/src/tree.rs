//! A kernel's module directory, `/lib/modules/RELEASE`, and the indexes in it.
//!
//! The text indexes are read rather than kmod's binary ones: they hold the same, and at the size of a guest's
//! tree there is nothing to win. Each is read when first asked for; one that is missing is empty.

use std::{
    cell::OnceCell,
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

use modfile::{
    alias::{matches, module_name, normalise},
    index,
};

/// A module directory.
pub struct Tree {
    directory: PathBuf,
    deps: OnceCell<HashMap<String, Files>>,
    builtins: OnceCell<HashSet<String>>,
    aliases: OnceCell<String>,
    symbols: OnceCell<String>,
    builtin_modinfo: OnceCell<String>,
}

/// A module's file and those it needs, in the order in which they are loaded.
struct Files {
    path: String,
    dependencies: Vec<String>,
}

impl Tree {
    /// The tree in a directory.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            deps: OnceCell::new(),
            builtins: OnceCell::new(),
            aliases: OnceCell::new(),
            symbols: OnceCell::new(),
            builtin_modinfo: OnceCell::new(),
        }
    }

    /// The running kernel's tree.
    pub fn running() -> Self {
        Self::of(None, None)
    }

    /// A release's tree below a root, the running kernel's and `/` where not given. Neither has to exist.
    pub fn of(root: Option<&str>, release: Option<&str>) -> Self {
        let uname = rustix::system::uname();
        let release = release.map_or_else(|| uname.release().to_string_lossy(), Into::into);
        let directory = format!("{}/lib/modules/{release}", root.unwrap_or_default());
        Self::at(std::path::absolute(&directory).unwrap_or(directory.into()))
    }

    /// Where the tree is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A module's file, if there is one.
    pub fn path(&self, module: &str) -> Option<PathBuf> {
        Some(self.directory.join(&self.deps().get(module)?.path))
    }

    /// The modules a module needs, in the order in which they are loaded.
    pub fn dependencies(&self, module: &str) -> Vec<String> {
        let files = self.deps().get(module).map_or(&[][..], |files| &files.dependencies);
        files.iter().map(|path| module_name(path)).collect()
    }

    /// Whether a module is part of the kernel itself.
    pub fn is_builtin(&self, module: &str) -> bool {
        let names = || index::builtins(&self.text("modules.builtin")).map(module_name).collect();
        self.builtins.get_or_init(names).contains(module)
    }

    /// The modules that a name is an alias of, in the order of the index.
    pub fn aliased(&self, name: &str) -> Vec<String> {
        matching(index::aliases(self.alias_text()), name)
    }

    /// The modules that export a symbol, given as `symbol:NAME`.
    pub fn exporters(&self, name: &str) -> Vec<String> {
        matching(index::aliases(self.symbol_text()), name)
    }

    /// The parts of the kernel itself that a name is an alias of.
    pub fn builtin_aliased(&self, name: &str) -> Vec<String> {
        let entries = index::builtin_modinfo(self.builtin_modinfo_text());
        matching(entries.filter(|entry| entry.1 == "alias").map(|(module, _, alias)| (alias, module)), name)
    }

    /// `modules.alias`.
    pub fn alias_text(&self) -> &str {
        self.aliases.get_or_init(|| self.text("modules.alias"))
    }

    /// `modules.symbols`.
    pub fn symbol_text(&self) -> &str {
        self.symbols.get_or_init(|| self.text("modules.symbols"))
    }

    /// `modules.builtin.modinfo`.
    pub fn builtin_modinfo_text(&self) -> &str {
        self.builtin_modinfo.get_or_init(|| self.text("modules.builtin.modinfo"))
    }

    fn deps(&self) -> &HashMap<String, Files> {
        self.deps.get_or_init(|| {
            let mut deps = HashMap::new();
            for dep in index::deps(&self.text("modules.dep")) {
                let dependencies = dep.load_order().map(String::from).collect();
                let files = Files { path: dep.path.into(), dependencies };
                deps.entry(module_name(dep.path)).or_insert(files);
            }
            deps
        })
    }

    fn text(&self, name: &str) -> String {
        fs::read(self.directory.join(name))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }
}

/// The modules whose pattern a normalised name matches. A pattern with an odd bracket matches nothing: depmod
/// keeps it out of the binary index.
fn matching<'a>(aliases: impl Iterator<Item = (&'a str, &'a str)>, name: &str) -> Vec<String> {
    aliases
        .filter(|(pattern, _)| may_match(pattern, name))
        .filter(|(pattern, _)| normalise(pattern).is_some_and(|pattern| matches(&pattern, name)))
        .map(|(_, module)| module.into())
        .collect()
}

/// Whether the pattern's literal start agrees: of the thirty thousand in a full tree, few do.
fn may_match(pattern: &str, name: &str) -> bool {
    pattern
        .bytes()
        .zip(name.bytes())
        .take_while(|(pattern, _)| !b"*?[\\".contains(pattern))
        .all(|(pattern, name)| pattern == name || (pattern, name) == (b'-', b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Root;

    #[test]
    fn a_missing_tree_is_empty() {
        let tree = Tree::at("/no such directory");
        assert_eq!((tree.path("a"), tree.dependencies("a"), tree.is_builtin("a")), (None, vec![], false));
        assert_eq!(
            (tree.aliased("a"), tree.exporters("symbol:a"), tree.builtin_aliased("a")),
            (vec![], vec![], vec![])
        );
    }

    #[test]
    fn paths_are_relative_to_the_tree_or_absolute() {
        let root = Root::new();
        root.tree("modules.dep", "kernel/a-b.ko: /opt/c.ko\n/opt/c.ko:\n");
        let tree = root.indexes();
        assert_eq!(tree.path("a_b"), Some(tree.directory().join("kernel/a-b.ko")));
        assert_eq!(tree.path("c"), Some("/opt/c.ko".into()));
        assert_eq!(tree.dependencies("a_b"), ["c"]);
    }

    #[test]
    fn patterns_are_normalised_and_broken_ones_left_out() {
        let root = Root::new();
        root.tree("modules.alias", "alias a-[0-9]* one\nalias a* two\nalias a_1] three\n");
        root.tree("modules.builtin.modinfo", "four.alias=a-1\0four.license=a-1\0");
        assert_eq!(root.indexes().aliased("a_1"), ["one", "two"]);
        assert_eq!(root.indexes().builtin_aliased("a_1"), ["four"]);
    }
}
