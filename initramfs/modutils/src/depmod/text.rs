//! The text indexes, byte for byte as kmod 34 writes them.

use std::io::Write as _;

use super::{Index, Module};

/// `modules.dep`.
pub(super) fn dep(index: &Index<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    for module in 0..index.modules.len() {
        dep_line(index, module, &mut text);
        text.push(b'\n');
    }
    text
}

/// A module and all that it needs, without a line break.
pub(super) fn dep_line(index: &Index<'_>, module: usize, text: &mut Vec<u8>) {
    text.extend_from_slice(index.modules[module].place.listed());
    text.push(b':');
    for dependency in &index.dependencies[module] {
        text.push(b' ');
        text.extend_from_slice(index.modules[*dependency].place.listed());
    }
}

/// `modules.alias`.
pub(super) fn alias(index: &Index<'_>) -> Vec<u8> {
    listed(index, "alias", "# Aliases extracted from modules themselves.\n", |module, alias| {
        [b"alias ", alias, b" ", module, b"\n"]
    })
}

/// `modules.softdep`.
pub(super) fn softdep(index: &Index<'_>) -> Vec<u8> {
    listed(index, "softdep", "# Soft dependencies extracted from modules themselves.\n", |module, names| {
        [b"softdep ", module, b" ", names, b"\n"]
    })
}

/// `modules.weakdep`.
pub(super) fn weakdep(index: &Index<'_>) -> Vec<u8> {
    listed(index, "weakdep", "# Weak dependencies extracted from modules themselves.\n", |module, names| {
        [b"weakdep ", module, b" ", names, b"\n"]
    })
}

/// A heading, then a line for each `.modinfo` string with that key, modules in order. `line` gets a module's name and
/// a string.
fn listed(
    index: &Index<'_>,
    key: &str,
    heading: &str,
    line: impl for<'a> Fn(&'a [u8], &'a [u8]) -> [&'a [u8]; 5],
) -> Vec<u8> {
    let mut text = heading.as_bytes().to_vec();
    for module in index.modules {
        for value in module.facts.values(key) {
            line(module.place.name.as_bytes(), value).iter().for_each(|part| text.extend_from_slice(part));
        }
    }
    text
}

/// `modules.symbols`.
pub(super) fn symbols(index: &Index<'_>) -> Vec<u8> {
    let mut text = b"# Aliases for symbols, used by symbol_request().\n".to_vec();
    for (name, owner) in &index.symbols {
        for part in [b"alias symbol:", *name, b" ", index.modules[*owner].place.name.as_bytes(), b"\n"] {
            text.extend_from_slice(part);
        }
    }
    text
}

/// `modules.devname`: nothing at all when no module has a device node of its own. Modules that name one but not its
/// number go to `incomplete`.
pub(super) fn devname(index: &Index<'_>, mut incomplete: impl FnMut(&Module, &[u8])) -> Vec<u8> {
    let mut text = Vec::new();
    for module in index.modules {
        match Devname::of(module) {
            None => {}
            Some(Devname { node, device: None }) => incomplete(module, node),
            Some(Devname { node, device: Some((kind, major, minor)) }) => {
                if text.is_empty() {
                    text.extend(b"# Device nodes to trigger on-demand module loading.\n");
                }
                let name = &module.place.name;
                text.extend([name.as_bytes(), b" ", node, b" "].concat());
                writeln!(text, "{kind}{major}:{minor}").expect("a Vec takes every byte");
            }
        }
    }
    text
}

/// What a module's aliases say about the device node that shall load it.
pub(super) struct Devname<'a> {
    /// Name below `/dev`.
    pub(super) node: &'a [u8],
    /// `c` or `b`, major and minor number.
    pub(super) device: Option<(char, u32, u32)>,
}

impl<'a> Devname<'a> {
    /// The first name and number that complete each other; a name without any number where there is only that.
    pub(super) fn of(module: &'a Module) -> Option<Self> {
        let (mut node, mut device) = (None, None);
        for alias in module.facts.values("alias") {
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

/// A number as C's scanf reads it: blanks and a sign may come first, and 32 bits are kept.
fn number(text: &[u8]) -> Option<(u32, &[u8])> {
    let text = text.trim_ascii_start();
    let (is_negative, unsigned) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let digits = unsigned.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = unsigned.split_at(digits);
    let add = |number: u64, digit: &u8| number.saturating_mul(10).saturating_add((digit - b'0').into());
    let number = digits.iter().fold(0, add) as u32;
    (!digits.is_empty()).then_some((if is_negative { number.wrapping_neg() } else { number }, rest))
}
