//! The C sources as a set: which there are, and which module uses what another one exports.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};

/// C texts by module name.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    texts: BTreeMap<&'a str, &'a str>,
    /// Exported symbol to the module that exports it.
    exports: BTreeMap<&'a str, &'a str>,
}

impl<'a> Sources<'a> {
    /// The embedded sources and `extra` ones; an extra one replaces an embedded one of its name.
    pub(super) fn new(embedded: &[(&'a str, &'a str)], extra: &'a [(String, String)]) -> Self {
        let extra = extra.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let texts: BTreeMap<_, _> = embedded.iter().copied().chain(extra).collect();
        let exports = texts.iter().flat_map(|(name, text)| exports(text).map(|symbol| (symbol, *name))).collect();
        Self { texts, exports }
    }

    /// The text of a module.
    pub(super) fn text(&self, name: &str) -> &'a str {
        self.texts[name]
    }

    /// A module and everything it needs, directly or not.
    ///
    /// # Errors
    /// There is no such module.
    pub(super) fn closure(&self, name: &str) -> Result<BTreeSet<&'a str>> {
        let Some((name, _)) = self.texts.get_key_value(name) else {
            let known: Vec<&str> = self.texts.keys().copied().collect();
            return Err(Error::new(format!("there is no guest module `{name}`"))
                .help(format!("the guest modules are: {}", known.join(", "))));
        };
        let mut found = BTreeSet::new();
        let mut new = vec![*name];
        while let Some(name) = new.pop() {
            if found.insert(name) {
                new.extend(words(self.texts[name]).filter_map(|word| self.exports.get(word).copied()));
            }
        }
        Ok(found)
    }
}

fn exports(text: &str) -> impl Iterator<Item = &str> {
    let mut words = words(text);
    std::iter::from_fn(move || {
        words.find(|word| word.starts_with("EXPORT_SYMBOL"))?;
        words.next()
    })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_brings_what_it_needs() {
        let sources = Sources::new(super::super::SOURCES, &[]);
        let names: Vec<&str> = sources.closure("dep_top").unwrap().into_iter().collect();
        assert_eq!(names, ["dep_base", "dep_mid", "dep_top"]);
        assert_eq!(sources.closure("hello").unwrap().len(), 1);
    }

    #[test]
    fn an_unknown_module_is_named_with_the_known_ones() {
        let error = Sources::new(&[("a", ""), ("b", "")], &[]).closure("c").unwrap_err();
        assert_eq!(error.to_string(), "there is no guest module `c`");
        assert_eq!(error.advice(), Some("the guest modules are: a, b"));
    }
}
