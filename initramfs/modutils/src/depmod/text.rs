//! The text indexes, byte for byte as kmod 34 writes them.

use std::io::Write as _;

use modfile::modinfo::Modinfo;

use super::{File, Index, Module, hash};

/// All files, in the order in which kmod writes them.
pub(super) fn files(index: &Index) -> Vec<File> {
    vec![
        ("modules.dep", dep(index)),
        ("modules.alias", alias(index)),
        ("modules.softdep", softdep(index)),
        ("modules.weakdep", weakdep(index)),
        ("modules.symbols", symbols(index)),
        ("modules.devname", devname(index)),
    ]
}

fn dep(index: &Index) -> Vec<u8> {
    let mut text = Vec::new();
    for (module, dependencies) in index.modules.iter().zip(&index.dependencies) {
        text.extend([module.path.as_bytes(), b":"].concat());
        for dependency in dependencies {
            text.extend([b" ", index.modules[*dependency].path.as_bytes()].concat());
        }
        text.push(b'\n');
    }
    text
}

fn alias(index: &Index) -> Vec<u8> {
    listed(index, "alias", "# Aliases extracted from modules themselves.\n", |module, alias| {
        [b"alias ", alias, b" ", module.name.as_bytes(), b"\n"].concat()
    })
}

fn softdep(index: &Index) -> Vec<u8> {
    listed(index, "softdep", "# Soft dependencies extracted from modules themselves.\n", |module, names| {
        [b"softdep ", module.name.as_bytes(), b" ", names, b"\n"].concat()
    })
}

fn weakdep(index: &Index) -> Vec<u8> {
    listed(index, "weakdep", "# Weak dependencies extracted from modules themselves.\n", |module, names| {
        [b"weakdep ", module.name.as_bytes(), b" ", names, b"\n"].concat()
    })
}

/// A heading, then a line for each `.modinfo` string with that key, modules in order.
fn listed(index: &Index, key: &str, heading: &str, line: impl Fn(&Module, &[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut text = heading.as_bytes().to_vec();
    for module in &index.modules {
        Modinfo::new(&module.modinfo).values(key).for_each(|value| text.extend(line(module, value)));
    }
    text
}

fn symbols(index: &Index) -> Vec<u8> {
    let mut text = b"# Aliases for symbols, used by symbol_request().\n".to_vec();
    let mut symbols: Vec<(&[u8], &str)> =
        index.symbols.iter().map(|(name, owner)| (name.as_slice(), index.modules[*owner].name.as_str())).collect();
    hash::sort(&mut symbols, hash::SYMBOL_BUCKETS, |(name, _)| name);
    for (name, owner) in symbols {
        text.extend([b"alias symbol:", name, b" ", owner.as_bytes(), b"\n"].concat());
    }
    text
}

/// Nothing at all when no module has a device node of its own.
fn devname(index: &Index) -> Vec<u8> {
    let mut text = Vec::new();
    for module in &index.modules {
        if let Some(Devname { node, device: Some((kind, major, minor)) }) = Devname::of(module) {
            if text.is_empty() {
                text.extend(b"# Device nodes to trigger on-demand module loading.\n");
            }
            text.extend([module.name.as_bytes(), b" ", node, b" "].concat());
            writeln!(text, "{kind}{major}:{minor}").expect("a Vec takes every byte");
        }
    }
    text
}

/// What a module's aliases say about the device node that shall load it.
pub(super) struct Devname<'a> {
    /// Name below `/dev`.
    pub(super) node: &'a [u8],
    /// `c` or `b`, major and minor number.
    device: Option<(char, u32, u32)>,
}

impl<'a> Devname<'a> {
    /// The first name and number that complete each other; a name without any number where there is only that.
    pub(super) fn of(module: &'a Module) -> Option<Self> {
        let (mut node, mut device) = (None, None);
        for alias in Modinfo::new(&module.modinfo).aliases() {
            if let Some(name) = alias.strip_prefix(b"devname:") {
                node = Some(name);
            } else {
                device = numbers(alias).or(device);
            }
            if node.is_some() && device.is_some() {
                break;
            }
        }
        Some(Self { node: node?, device })
    }

    /// Whether the node's number is not known, so that it cannot be made.
    pub(super) fn is_incomplete(&self) -> bool {
        self.device.is_none()
    }
}

/// The device that `char-major-M-m` or `block-major-M-m` stands for.
fn numbers(alias: &[u8]) -> Option<(char, u32, u32)> {
    let (kind, rest) = match alias.strip_prefix(b"char-major-") {
        Some(rest) => ('c', rest),
        None => ('b', alias.strip_prefix(b"block-major-")?),
    };
    let (major, rest) = number(rest)?;
    let (minor, _) = number(rest.strip_prefix(b"-")?)?;
    Some((kind, major, minor))
}

fn number(text: &[u8]) -> Option<(u32, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = str::from_utf8(&text[..digits]).ok()?.parse().ok()?;
    Some((number, &text[digits..]))
}
