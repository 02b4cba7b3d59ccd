//! The binary indexes, byte for byte as kmod 34 writes them, and what only shows while they are made.

use std::{collections::HashSet, fs, path::Path};

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
    #[error("Module index: bad character '{character}'=0x{code:x} - only 7-bit ASCII is supported:\n{key}", character = char(*code))]
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
pub(super) struct Binary<'a> {
    builder: Builder,
    log: &'a Log,
    /// Of which kind its keys are, and those that it has, where values that come twice are to be told of.
    duplicates: Option<(&'static str, HashSet<(Vec<u8>, Vec<u8>)>)>,
}

impl<'a> Binary<'a> {
    fn new(log: &'a Log, warns: bool, what: &'static str) -> Self {
        Self { builder: Builder::default(), log, duplicates: warns.then(|| (what, HashSet::new())) }
    }

    fn insert(&mut self, key: &[u8], value: &[u8], priority: usize) -> Result<(), Unwritable> {
        self.builder.insert(key, value, priority as u32).map_err(|cause| {
            let text = String::from_utf8_lossy(key).into_owned();
            match key.iter().find(|byte| !byte.is_ascii()) {
                Some(&code) => Unwritable::NotAscii { key: text, code },
                None => Unwritable::Limit { key: text, cause },
            }
        })?;
        if let Some((what, seen)) = &mut self.duplicates
            && !seen.insert((key.to_vec(), value.to_vec()))
        {
            let (key, value) = (String::from_utf8_lossy(key), String::from_utf8_lossy(value));
            let pair = if *what == "deps" { value.into_owned() } else { format!("{key} {value}") };
            self.log.write(Priority::Warning, format_args!("duplicate module {what}:\n{pair}"));
        }
        Ok(())
    }

    /// Inserts a pattern; one with a bracket that has no partner is told of and left out.
    fn insert_pattern(&mut self, pattern: &[u8], module: &[u8], priority: usize) -> Result<(), Unwritable> {
        let shown = String::from_utf8_lossy(pattern);
        match normalise(&shown) {
            None => self.log.write(Priority::Warning, format_args!("Unmatched bracket in {shown}")),
            // Not UTF-8: not ASCII either, which the index says better.
            Some(_) if matches!(shown, std::borrow::Cow::Owned(_)) => self.insert(pattern, module, priority)?,
            Some(normal) => self.insert(normal.as_bytes(), module, priority)?,
        }
        Ok(())
    }
}

/// `modules.dep.bin`.
pub(super) fn dep(index: &Index<'_>, log: &Log, warns: bool) -> Result<Vec<u8>, Unwritable> {
    let (mut binary, mut line) = (Binary::new(log, warns, "deps"), Vec::new());
    for (at, module) in index.modules.iter().enumerate() {
        line.clear();
        text::dep_line(index, at, &mut line);
        binary.insert(module.place.name.as_bytes(), &line, at)?;
    }
    Ok(binary.builder.build())
}

/// `modules.alias.bin`.
pub(super) fn alias(index: &Index<'_>, log: &Log, warns: bool) -> Result<Vec<u8>, Unwritable> {
    let mut binary = Binary::new(log, warns, "alias");
    for (at, module) in index.modules.iter().enumerate() {
        for alias in module.facts.values("alias") {
            binary.insert_pattern(alias, module.place.name.as_bytes(), at)?;
        }
    }
    Ok(binary.builder.build())
}

/// `modules.symbols.bin`.
pub(super) fn symbols(index: &Index<'_>, log: &Log, warns: bool) -> Result<Vec<u8>, Unwritable> {
    let (mut binary, mut key) = (Binary::new(log, warns, "syms"), b"symbol:".to_vec());
    for (name, owner) in &index.symbols {
        key.truncate(b"symbol:".len());
        key.extend_from_slice(name);
        binary.insert(&key, index.modules[*owner].place.name.as_bytes(), *owner)?;
    }
    Ok(binary.builder.build())
}

/// `modules.builtin.bin`, from the text of `modules.builtin`.
pub(super) fn builtin(text: &[u8], log: &Log, warns: bool) -> Result<Vec<u8>, Unwritable> {
    let mut binary = Binary::new(log, warns, "builtin");
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let shown = String::from_utf8_lossy(line);
        if line.first().is_some_and(u8::is_ascii_alphabetic) {
            binary.insert(module_name(&shown).trim_end().as_bytes(), b"", 0)?;
        } else {
            log.error(format_args!("Invalid modules.builtin line: {shown}"));
        }
    }
    Ok(binary.builder.build())
}

/// `modules.builtin.alias.bin`, from the contents of `modules.builtin.modinfo`.
pub(super) fn builtin_alias(text: &[u8], log: &Log, warns: bool) -> Result<Vec<u8>, Unwritable> {
    let mut binary = Binary::new(log, warns, "builtin alias");
    for entry in text.split_inclusive(|byte| *byte == 0).filter_map(|entry| entry.strip_suffix(b"\0")) {
        let Some(dot) = entry.iter().position(|byte| *byte == b'.') else { continue };
        if let Some(alias) = entry[dot + 1..].strip_prefix(b"alias=") {
            binary.insert_pattern(alias, &entry[..dot], 0)?;
        }
    }
    Ok(binary.builder.build())
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
