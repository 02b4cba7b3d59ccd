//! A kernel's module directory, `/lib/modules/RELEASE`, and what its indexes say.

use std::{
    borrow::Cow,
    cell::OnceCell,
    fs,
    path::{Path, PathBuf},
};

use modfile::{
    alias::module_name,
    index::{Dep, deps},
};

use crate::index::{Index, Kind};

/// A module directory.
pub struct Tree {
    directory: PathBuf,
    deps: Index,
    aliases: Index,
    symbols: Index,
    builtins: Index,
    builtin_aliases: Index,
    builtin_modinfo: OnceCell<String>,
}

impl Tree {
    /// The tree in a directory.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            deps: Index::new(Kind::Deps),
            aliases: Index::new(Kind::Aliases),
            symbols: Index::new(Kind::Symbols),
            builtins: Index::new(Kind::Builtins),
            builtin_aliases: Index::new(Kind::BuiltinAliases),
            builtin_modinfo: OnceCell::new(),
        }
    }

    /// The running kernel's tree.
    pub fn running() -> Self {
        Self::of(None, None)
    }

    /// A release's tree below a root, the running kernel's and `/` where not given. Neither has to exist.
    pub fn of(root: Option<&str>, release: Option<&str>) -> Self {
        let uname;
        let release = match release {
            Some(release) => release,
            None => {
                uname = rustix::system::uname();
                &uname.release().to_string_lossy()
            }
        };
        Self::at(absolute(&format!("{}/lib/modules/{release}", root.unwrap_or_default())))
    }

    /// Where the tree is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A module's file, if there is one.
    pub fn path(&self, module: &str) -> Option<PathBuf> {
        self.dep(module, |dep| self.directory.join(dep.path))
    }

    /// The modules a module needs, in the order in which they are loaded.
    pub fn dependencies(&self, module: &str) -> Vec<String> {
        self.dep(module, |dep| dep.load_order().map(module_name).collect()).unwrap_or_default()
    }

    /// The same with their files, as the module's own line has them.
    pub fn dependency_files(&self, module: &str) -> Vec<(String, PathBuf)> {
        let read =
            |dep: &Dep<'_>| dep.load_order().map(|path| (module_name(path), self.directory.join(path))).collect();
        self.dep(module, read).unwrap_or_default()
    }

    /// Whether a module is part of the kernel itself.
    pub fn is_builtin(&self, module: &str) -> bool {
        self.builtins.ask(&self.directory, |trie| Ok(trie.lookup(module)?.is_some()))
    }

    /// The modules that a name is an alias of, in the order in which they are taken.
    pub fn aliased(&self, name: &str) -> Vec<String> {
        self.matching(&self.aliases, name)
    }

    /// The modules that export a symbol, given as `symbol:NAME`.
    pub fn exporters(&self, name: &str) -> Vec<String> {
        self.matching(&self.symbols, name)
    }

    /// The parts of the kernel itself that a name is an alias of.
    pub fn builtin_aliased(&self, name: &str) -> Vec<String> {
        self.matching(&self.builtin_aliases, name)
    }

    /// The aliases, then the symbols, each in the index's order, as lines of a configuration.
    pub fn alias_lines(&self) -> [Vec<u8>; 2] {
        self.all(|lines: &mut Vec<u8>, key, module| {
            [b"alias ", key, b" ", module, b"\n"].iter().for_each(|part| lines.extend_from_slice(part));
        })
    }

    /// The aliases, then the symbols, each in the index's order, as pairs of pattern and module.
    pub fn alias_pairs(&self) -> [Vec<(String, String)>; 2] {
        self.all(|pairs: &mut Vec<_>, key, module| pairs.push((text(key).into(), text(module).into())))
    }

    fn all<T: Default>(&self, add: impl Fn(&mut T, &[u8], &[u8])) -> [T; 2] {
        [&self.aliases, &self.symbols].map(|index| {
            index.ask(&self.directory, |trie| {
                let mut all = T::default();
                trie.entries(|key, value| add(&mut all, key, value.text))?;
                Ok(all)
            })
        })
    }

    /// All modules that have a file, and what each needs.
    pub fn modules(&self) -> Vec<(String, Vec<String>)> {
        let names: Vec<String> = self.keys(&self.deps);
        names.into_iter().map(|name| (name.clone(), self.dependencies(&name))).collect()
    }

    /// The names of what is part of the kernel itself.
    pub fn builtins(&self) -> Vec<String> {
        self.keys(&self.builtins)
    }

    fn keys(&self, index: &Index) -> Vec<String> {
        index.ask(&self.directory, |trie| {
            let mut keys = Vec::new();
            trie.entries(|key, _| keys.push(text(key).into_owned()))?;
            Ok(keys)
        })
    }

    /// `modules.builtin.modinfo`.
    pub fn builtin_modinfo_text(&self) -> &str {
        self.builtin_modinfo.get_or_init(|| {
            let bytes = fs::read(self.directory.join("modules.builtin.modinfo")).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        })
    }

    /// What was found wrong with the indexes so far.
    pub fn damages(&self) -> impl Iterator<Item = &str> {
        let indexes = [&self.deps, &self.aliases, &self.symbols, &self.builtins, &self.builtin_aliases];
        indexes.into_iter().filter_map(Index::damage)
    }

    fn dep<T>(&self, module: &str, read: impl Fn(&Dep<'_>) -> T) -> Option<T> {
        self.deps.ask(&self.directory, |trie| {
            let line = trie.lookup(module)?.map(|value| text(value.text));
            Ok(line.and_then(|line| deps(&line).next().map(|dep| read(&dep))))
        })
    }

    fn matching(&self, index: &Index, name: &str) -> Vec<String> {
        index.ask(&self.directory, |trie| {
            let found = trie.matching(name)?;
            Ok(found.iter().map(|value| text(value.text).into_owned()).collect())
        })
    }
}

/// What is text almost always is checked the fast way first.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// A path from the root, otherwise as it was given: it is shown to the user, who shall know it again.
pub fn absolute(path: &str) -> PathBuf {
    if path.starts_with('/') {
        return path.into();
    }
    // In a directory that was removed nothing relative can be found either.
    std::env::current_dir().map_or_else(|_| path.into(), |current| format!("{}/{path}", current.display()).into())
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
