//! Valid modules, described by a few values that arbitrary bytes decide.
//!
//! What a module written from a plan says is known beforehand, so that readers can be held to it. Such a module has no
//! code and does not load; [`crate::damage`] breaks these as well as those that a compiler made.

use arbitrary::{Arbitrary, Result, Unstructured};
use modfile::{elf::Layout, write::Module};

use crate::{Seed, signing::Signing};

/// Everything that goes into a module.
#[derive(Debug, Clone, PartialEq, Eq, Arbitrary)]
pub struct Plan {
    /// Word size and byte order.
    #[arbitrary(with = layout)]
    pub layout: Layout,
    /// The module's name.
    #[arbitrary(with = name)]
    pub name: String,
    /// Strings of `.modinfo` after `name`: key and value.
    #[arbitrary(with = |u: &mut Unstructured<'_>| few(u, |u| Ok((key(u)?, text(u)?))))]
    pub modinfo: Vec<(String, String)>,
    /// Exported symbols, with their checksums or without.
    #[arbitrary(with = |u: &mut Unstructured<'_>| few(u, |u| Ok((name(u)?, u.arbitrary()?))))]
    pub exports: Vec<(String, Option<u32>)>,
    /// Needed symbols, and whether the module can do without.
    #[arbitrary(with = |u: &mut Unstructured<'_>| few(u, |u| Ok((name(u)?, u.arbitrary()?))))]
    pub needs: Vec<(String, bool)>,
    /// Entries of `__versions`.
    #[arbitrary(with = |u: &mut Unstructured<'_>| few(u, |u| Ok((name(u)?, u.arbitrary()?))))]
    pub versions: Vec<(String, u32)>,
    /// Entries of `__version_ext_names` and `__version_ext_crcs`.
    #[arbitrary(with = |u: &mut Unstructured<'_>| few(u, |u| Ok((name(u)?, u.arbitrary()?))))]
    pub extended_versions: Vec<(String, u32)>,
    /// Entries of `__param`.
    #[arbitrary(with = |u: &mut Unstructured<'_>| few(u, Parameter::arbitrary))]
    pub parameters: Vec<Parameter>,
    /// Relocations without a column for what they add; None leaves that to the layout.
    pub addends_in_place: Option<bool>,
    /// The signature after the file.
    pub signing: Option<Signing>,
}

/// An entry of `__param`.
#[derive(Debug, Clone, PartialEq, Eq, Arbitrary)]
pub struct Parameter {
    /// Its name.
    #[arbitrary(with = name)]
    pub name: String,
    /// Mode of its file.
    pub permissions: u16,
    /// The symbol of the functions for its type.
    #[arbitrary(with = name)]
    pub ops: String,
    /// Whether that symbol is the module's own.
    pub is_own_type: bool,
}

const KEYS: &[&str] =
    &["license", "alias", "depends", "vermagic", "parm", "parmtype", "softdep", "weakdep", "import_ns"];

fn layout(u: &mut Unstructured<'_>) -> Result<Layout> {
    Ok(*u.choose(&Layout::ALL)?)
}

/// Up to `most` bytes.
pub(crate) fn bytes<'a>(u: &mut Unstructured<'a>, most: usize) -> Result<&'a [u8]> {
    let len = u.int_in_range(0..=most)?;
    u.bytes(len.min(u.len()))
}

/// A C identifier.
fn name(u: &mut Unstructured<'_>) -> Result<String> {
    let letters = b"abcdefghijklmnopqrstuvwxyz0123456789_";
    let bytes = bytes(u, 20)?;
    Ok(bytes.iter().fold("m".to_owned(), |name, byte| {
        name + char::from(letters[usize::from(*byte) % letters.len()]).encode_utf8(&mut [0; 4])
    }))
}

fn key(u: &mut Unstructured<'_>) -> Result<String> {
    if u.ratio(1, 4)? { name(u) } else { Ok((*u.choose(KEYS)?).to_owned()) }
}

/// Printable ASCII.
pub(crate) fn text(u: &mut Unstructured<'_>) -> Result<String> {
    let bytes = bytes(u, 60)?;
    Ok(bytes.iter().map(|byte| char::from(b' ' + byte % 95)).collect())
}

fn few<'a, T>(u: &mut Unstructured<'a>, item: impl Fn(&mut Unstructured<'a>) -> Result<T>) -> Result<Vec<T>> {
    (0..u.int_in_range(0..=6)?).map(|_| item(u)).collect()
}

impl Plan {
    /// A module that says only its name.
    pub fn named(name: &str, layout: Layout) -> Self {
        Self {
            layout,
            name: name.to_owned(),
            modinfo: vec![],
            exports: vec![],
            needs: vec![],
            versions: vec![],
            extended_versions: vec![],
            parameters: vec![],
            addends_in_place: None,
            signing: None,
        }
    }

    /// The module's file.
    pub fn build(&self) -> Vec<u8> {
        let mut module = Module::new(&self.name).layout(self.layout);
        for (key, value) in &self.modinfo {
            module = module.modinfo(key, value);
        }
        for (name, crc) in &self.exports {
            module = match crc {
                Some(crc) => module.exports_with_crc(name, *crc),
                None => module.exports(name),
            };
        }
        for (name, is_weak) in &self.needs {
            module = if *is_weak { module.needs_weakly(name) } else { module.needs(name) };
        }
        module = self.versions.iter().fold(module, |module, (name, crc)| module.version(name, *crc));
        module = self.extended_versions.iter().fold(module, |module, (name, crc)| module.extended_version(name, *crc));
        let mut file = self.add_parameters(module).build();
        self.signing.iter().for_each(|signing| signing.append(&mut file));
        file
    }

    fn add_parameters(&self, mut module: Module) -> Module {
        if let Some(in_place) = self.addends_in_place {
            module = module.addends_in_place(in_place);
        }
        for Parameter { name, permissions, ops, is_own_type } in &self.parameters {
            module = if *is_own_type {
                module.parameter_of_own_type(name, *permissions, ops)
            } else {
                module.parameter(name, *permissions, ops)
            };
        }
        module
    }
}

/// Modules of each layout with much and with little in them, as seeds for all targets that read a module's file.
pub(crate) fn examples() -> Vec<Seed> {
    let of_layout = |layout: Layout| {
        let kind = format!("{}{}", if layout.is_64 { 64 } else { 32 }, if layout.is_big { "be" } else { "le" });
        let empty = Plan::named("seed", layout);
        let pairs = |pairs: &[(&str, u32)]| pairs.iter().map(|(name, crc)| ((*name).to_owned(), *crc)).collect();
        let texts = |texts: &[(&str, &str)]| texts.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let exports = Plan { exports: vec![("one".into(), None), ("two".into(), None)], ..empty.clone() };
        let full = Plan {
            modinfo: texts(&[("vermagic", "6.1.0 SMP mod_unload "), ("alias", "pci:v*"), ("parm", "n:how many")]),
            exports: vec![("given".into(), Some(0x0123_4567))],
            needs: vec![("taken".into(), false), ("maybe".into(), true)],
            versions: pairs(&[("module_layout", 1), ("taken", 2)]),
            parameters: vec![
                Parameter { name: "n".into(), permissions: 0o644, ops: "param_ops_int".into(), is_own_type: false },
                Parameter { name: "mode".into(), permissions: 0, ops: "mode_ops".into(), is_own_type: true },
            ],
            ..empty.clone()
        };
        let extended = Plan {
            extended_versions: pairs(&[("module_layout", 3), ("taken", 4)]),
            signing: Some(Signing::example()),
            addends_in_place: Some(layout.is_64),
            ..full.clone()
        };
        [("empty", empty), ("exports", exports), ("full", full), ("extended", extended)]
            .map(|(name, plan)| (format!("{name}-{kind}"), plan.build()))
    };
    Layout::ALL.into_iter().flat_map(of_layout).collect()
}
