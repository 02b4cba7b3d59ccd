//! One of depmod's indexes: the binary file, or where that is missing or damaged the text that says the same.

use std::{cell::OnceCell, fs, path::Path};

use modfile::{
    Error,
    alias::{module_name, normalise},
    index::{
        aliases, builtin_modinfo, builtins, deps,
        trie::{Builder, Trie},
    },
};

use crate::mapped::map;

/// What an index is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From a module's name to its line in `modules.dep`.
    Deps,
    /// From patterns to modules.
    Aliases,
    /// From `symbol:NAME` to the module that exports it.
    Symbols,
    /// The names of what is part of the kernel itself.
    Builtins,
    /// From patterns to what is part of the kernel itself.
    BuiltinAliases,
}

/// An index of a directory; nothing is read before the first question.
#[derive(Debug)]
pub struct Index {
    kind: Kind,
    /// None if there is no such file, or one that does not begin like an index.
    binary: OnceCell<Option<Trie<'static>>>,
    /// The binary form of the text file.
    text: OnceCell<Vec<u8>>,
    damage: OnceCell<String>,
}

impl Index {
    /// Of a kind.
    pub fn new(kind: Kind) -> Self {
        Self { kind, binary: OnceCell::new(), text: OnceCell::new(), damage: OnceCell::new() }
    }

    /// Answers a question; with the default where neither file can.
    pub fn ask<T: Default>(&self, directory: &Path, question: impl Fn(&Trie<'_>) -> Result<T, Error>) -> T {
        let (binary, text) = self.kind.files();
        if let Some(trie) = self.binary.get_or_init(|| self.open(&directory.join(binary))) {
            match question(trie) {
                Ok(answer) => return answer,
                Err(error) => self.complain(&directory.join(binary), error),
            }
        }
        let built = self.text.get_or_init(|| {
            let text = fs::read(directory.join(text)).unwrap_or_default();
            self.kind.build(&String::from_utf8_lossy(&text)).build()
        });
        // What we have built ourselves is sound.
        Trie::parse(built).and_then(|trie| question(&trie)).unwrap_or_default()
    }

    /// What is wrong with the binary file, if that was noticed.
    pub fn damage(&self) -> Option<&str> {
        self.damage.get().map(String::as_str)
    }

    /// An empty file is what depmod leaves where it has nothing to write, and no damage.
    fn open(&self, path: &Path) -> Option<Trie<'static>> {
        let bytes = map(path).ok().filter(|bytes| !bytes.is_empty())?;
        Trie::parse(bytes).map_err(|error| self.complain(path, error)).ok()
    }

    fn complain(&self, path: &Path, error: Error) {
        let (path, text) = (path.display(), self.kind.files().1);
        let _ = self.damage.set(format!("{path}: {error}; using {text} instead, run depmod to write it anew"));
    }
}

impl Kind {
    /// The binary file and the text that it is made from.
    fn files(self) -> (&'static str, &'static str) {
        match self {
            Self::Deps => ("modules.dep.bin", "modules.dep"),
            Self::Aliases => ("modules.alias.bin", "modules.alias"),
            Self::Symbols => ("modules.symbols.bin", "modules.symbols"),
            Self::Builtins => ("modules.builtin.bin", "modules.builtin"),
            Self::BuiltinAliases => ("modules.builtin.alias.bin", "modules.builtin.modinfo"),
        }
    }

    /// The index of a text. The modules' order is the lines'; an entry that depmod would leave out is left out.
    fn build(self, text: &str) -> Builder {
        let mut builder = Builder::default();
        let mut add = |key: &str, value: &str, priority: usize| {
            let _ = builder.insert(key.as_bytes(), value.as_bytes(), priority as u32);
        };
        let normal = |(pattern, module)| Some((normalise(pattern)?, module));
        match self {
            Self::Deps => text
                .lines()
                .filter_map(|line| Some((line, deps(line).next()?)))
                .enumerate()
                .for_each(|(at, (line, dep))| add(&module_name(dep.path), line, at)),
            Self::Aliases => {
                aliases(text).filter_map(normal).enumerate().for_each(|(at, (key, module))| add(&key, module, at));
            }
            Self::Symbols => aliases(text).enumerate().for_each(|(at, (key, module))| add(key, module, at)),
            Self::Builtins => builtins(text).for_each(|path| add(&module_name(path), "", 0)),
            Self::BuiltinAliases => builtin_modinfo(text)
                .filter(|(_, key, _)| *key == "alias")
                .filter_map(|(module, _, alias)| normal((alias, module)))
                .for_each(|(key, module)| add(&key, module, 0)),
        }
        builder
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Root;

    /// What a name leads to, through both files.
    fn aliased(root: &Root, index: &Index, name: &str) -> Vec<String> {
        index.ask(root.indexes().directory(), |trie| {
            let found = trie.matching(name)?;
            Ok(found.iter().map(|value| String::from_utf8_lossy(value.text).into_owned()).collect())
        })
    }

    /// The binary form of two aliases.
    fn binary() -> Vec<u8> {
        Kind::Aliases.build("alias a* binary\nalias b* other\n").build()
    }

    #[test]
    fn the_binary_file_is_asked_first() {
        let root = Root::new();
        root.tree("modules.alias", "alias a* text\n");
        for (bytes, expected) in [(None, "text"), (Some(Vec::new()), "text"), (Some(binary()), "binary")] {
            if let Some(bytes) = bytes {
                root.tree_bytes("modules.alias.bin", &bytes);
            }
            let index = Index::new(Kind::Aliases);
            assert_eq!((aliased(&root, &index, "a1"), index.damage()), (vec![expected.to_owned()], None));
        }
    }

    #[test]
    fn a_damaged_file_gives_way_to_the_text_and_is_named() {
        let root = Root::new();
        root.tree("modules.alias", "alias a* text\n");
        let whole = binary();
        let mut other_magic = whole.clone();
        other_magic[0] = 0;
        for (bytes, why) in [
            (&whole[..4], "file ends inside the index header"),
            (&other_magic[..], "not an index of depmod"),
            (&whole[..whole.len() - 30], "outside the file"),
        ] {
            root.tree_bytes("modules.alias.bin", bytes);
            let index = Index::new(Kind::Aliases);
            assert_eq!(aliased(&root, &index, "a1"), ["text"], "{why}");
            let damage = index.damage().unwrap_or_default();
            assert!(damage.contains(why) && damage.contains("modules.alias.bin"), "{damage}");
        }
    }

    #[test]
    fn without_either_file_there_is_nothing() {
        let (root, index) = (Root::new(), Index::new(Kind::Aliases));
        assert_eq!((aliased(&root, &index, "a1"), index.damage()), (vec![], None));
    }
}
