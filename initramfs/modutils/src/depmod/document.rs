//! The index as one JSON document, for programs.
//!
//! ```text
//! {"release": "6.12.1", "directory": "/lib/modules/6.12.1", "modules": [
//!   {"name": "ext4", "path": "kernel/fs/ext4/ext4.ko.xz", "dependencies": ["kernel/fs/jbd2/jbd2.ko.xz", ...],
//!    "aliases": ["fs-ext4"], "softdeps": ["pre: crc32c"], "weakdeps": [], "symbols": [],
//!    "device": {"node": "fuse", "type": "c", "major": 10, "minor": 229} or null}, ...]}
//! ```
//! `path` and `dependencies` are as in `modules.dep`, in its order: they are loaded from the last to the first.

use std::path::Path;

use super::{Index, text::Devname};
use crate::json::Value;

/// The document's text.
pub(super) fn write(index: &Index<'_>, release: &str, directory: &Path) -> Vec<u8> {
    let mut symbols = vec![vec![]; index.modules.len()];
    for (name, owner) in &index.symbols {
        symbols[*owner].push(*name);
    }
    let modules = symbols.iter().enumerate().map(|(at, symbols)| module(index, at, symbols));
    let document = Value::object([
        ("release", release.into()),
        ("directory", directory.display().to_string().into()),
        ("modules", Value::list(modules)),
    ]);
    let mut text = Vec::new();
    document.write(&mut text);
    text
}

fn module(index: &Index<'_>, at: usize, symbols: &[&[u8]]) -> Value {
    let module = &index.modules[at];
    let dependencies = index.dependencies[at].iter().map(|dependency| index.modules[*dependency].place.listed());
    Value::object([
        ("name", module.place.name.as_str().into()),
        ("path", module.place.listed().into()),
        ("dependencies", Value::list(dependencies)),
        ("aliases", Value::list(module.facts.values("alias"))),
        ("softdeps", Value::list(module.facts.values("softdep"))),
        ("weakdeps", Value::list(module.facts.values("weakdep"))),
        ("symbols", Value::list(symbols.iter().copied())),
        ("device", device(Devname::of(module))),
    ])
}

fn device(devname: Option<Devname<'_>>) -> Value {
    let Some(Devname { node, device: Some((kind, major, minor)) }) = devname else { return Value::Null };
    Value::object([
        ("node", node.into()),
        ("type", kind.to_string().into()),
        ("major", i64::from(major).into()),
        ("minor", i64::from(minor).into()),
    ])
}
