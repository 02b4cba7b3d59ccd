//! The binary indexes, byte for byte as kmod 34 writes them, and what only shows while they are made.

use std::{borrow::Cow, collections::HashSet, fs, path::Path};

use modfile::{
    alias::{module_name, normalise},
    index::trie::Builder,
};

use super::{Index, cause, text};
use crate::log::{Log, Priority};

/// An index cannot be written: the message is kmod's, and fatal there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// The format's characters have seven bits.
    #[error("Module index: bad character '{}'=0x{code:x} - only 7-bit ASCII is supported:\n{key}", char(*code))]
    NotAscii {
        /// Where that character is.
        key: String,
        /// The character's byte.
        code: u8,
    },
    /// Offsets have 28 bits, or a text holds a NUL.
    #[error("Module index: cannot hold `{key}`: {cause}")]
    Limit {
        /// The key that did not fit.
        key: String,
        /// Why.
        #[source]
        cause: modfile::Error,
    },
}

/// A lone byte of more than seven bits is no text.
fn char(code: u8) -> char {
    if code.is_ascii() { code.into() } else { char::REPLACEMENT_CHARACTER }
}

/// One binary index in the making.
struct Binary<'a> {
    builder: Builder,
    log: &'a Log,
    /// Which patterns it has for which modules, where those that come twice are to be told of.
    seen: Option<HashSet<[Vec<u8>; 2]>>,
}

impl<'a> Binary<'a> {
    fn new(log: &'a Log) -> Self {
        Self { builder: Builder::default(), log, seen: None }
    }

    fn insert(&mut self, key: &[u8], value: &[u8], priority: usize) -> Result<(), Unwritable> {
        self.builder.insert(key, value, priority as u32).map_err(|cause| {
            let text = String::from_utf8_lossy(key).into_owned();
            match key.iter().find(|byte| !byte.is_ascii()) {
                Some(&code) => Unwritable::NotAscii { key: text, code },
                None => Unwritable::Limit { key: text, cause },
            }
        })
    }

    /// Inserts a pattern; one with a bracket that has no partner is told of and left out.
    fn insert_pattern(&mut self, pattern: &[u8], module: &[u8], priority: usize) -> Result<(), Unwritable> {
        let shown = String::from_utf8_lossy(pattern);
        let Some(normal) = normalise(&shown) else {
            self.log.write(Priority::Warning, format_args!("Unmatched bracket in {shown}"));
            return Ok(());
        };
        // What is not UTF-8 is not ASCII either, and the message shall be of what is in the module.
        let key = if matches!(shown, Cow::Owned(_)) { pattern } else { normal.as_bytes() };
        self.insert(key, module, priority)?;
        if self.seen.as_mut().is_some_and(|seen| !seen.insert([key.to_vec(), module.to_vec()])) {
            let module = String::from_utf8_lossy(module);
            self.log.write(Priority::Warning, format_args!("duplicate module alias:\n{normal} {module}"));
        }
        Ok(())
    }
}

/// `modules.dep.bin`.
pub(super) fn dep(index: &Index<'_>, log: &Log) -> Result<Vec<u8>, Unwritable> {
    let (mut binary, mut line) = (Binary::new(log), Vec::new());
    for (at, module) in index.modules.iter().enumerate() {
        line.clear();
        text::dep_line(index, at, &mut line);
        binary.insert(module.place.name.as_bytes(), &line, at)?;
    }
    Ok(binary.builder.build())
}

/// `modules.alias.bin`. Patterns that a module has twice are told of if `warns` is set.
pub(super) fn alias(index: &Index<'_>, log: &Log, warns: bool) -> Result<Vec<u8>, Unwritable> {
    let mut binary = Binary { seen: warns.then(HashSet::new), ..Binary::new(log) };
    for (at, module) in index.modules.iter().enumerate() {
        for alias in module.facts.values("alias") {
            binary.insert_pattern(alias, module.place.name.as_bytes(), at)?;
        }
    }
    Ok(binary.builder.build())
}

/// `modules.symbols.bin`.
pub(super) fn symbols(index: &Index<'_>, log: &Log) -> Result<Vec<u8>, Unwritable> {
    let (mut binary, mut key) = (Binary::new(log), b"symbol:".to_vec());
    for (name, owner) in &index.symbols {
        key.truncate(b"symbol:".len());
        key.extend_from_slice(name);
        binary.insert(&key, index.modules[*owner].place.name.as_bytes(), *owner)?;
    }
    Ok(binary.builder.build())
}

/// `modules.builtin.bin`, from the text of `modules.builtin`. A name ends at its first dot, or else with the line break
/// in it.
pub(super) fn builtin(text: &[u8], log: &Log) -> Result<Vec<u8>, Unwritable> {
    let mut binary = Binary::new(log);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let shown = String::from_utf8_lossy(line);
        if line.first().is_some_and(u8::is_ascii_alphabetic) {
            binary.insert(module_name(&shown).as_bytes(), b"", 0)?;
        } else {
            log.error(format_args!("Invalid modules.builtin line: {shown}"));
        }
    }
    Ok(binary.builder.build())
}

/// `modules.builtin.alias.bin`, from the contents of `modules.builtin.modinfo`. A string without `=` ends the reading.
pub(super) fn builtin_alias(text: &[u8], log: &Log) -> Result<Vec<u8>, Unwritable> {
    let mut binary = Binary::new(log);
    for entry in text.split_inclusive(|byte| *byte == 0).filter_map(|entry| entry.strip_suffix(b"\0")) {
        let Some((module, string)) = split_at(entry, b'.') else { continue };
        let Some((key, alias)) = split_at(string, b'=') else { break };
        if key == b"alias" && !module.is_empty() && !alias.is_empty() {
            binary.insert_pattern(alias, module, 0)?;
        }
    }
    Ok(binary.builder.build())
}

fn split_at(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == separator)?;
    Some((&text[..at], &text[at + 1..]))
}

/// A list that came with the kernel. Without it the index is an empty file, as with kmod.
pub(super) fn input(log: &Log, directory: &Path, name: &str) -> Option<Vec<u8>> {
    match fs::read(directory.join(name)) {
        Ok(text) => Some(text),
        Err(error) => {
            let (directory, why) = (directory.display(), cause(&error));
            log.write(Priority::Warning, format_args!("could not open {name} at {directory}: {why}"));
            None
        }
    }
}
