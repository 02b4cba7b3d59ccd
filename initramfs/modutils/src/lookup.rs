//! From the name that a user or the kernel gives to the modules it stands for.

use modfile::alias::{matches, normalise};

use crate::{config::Config, tree::Tree};

/// A module, and the alias that led to it: options and the blacklist look at both.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Module {
    /// The module's name.
    pub name: String,
    /// None if the module was asked for by its own name.
    pub alias: Option<String>,
}

impl Module {
    /// A module under its own name.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), alias: None }
    }
}

/// The alias has a bracket without a partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a bracket has no partner")]
pub struct OddBracket;

/// All modules a name stands for, none if it is unknown. The first source that knows it decides.
pub fn lookup(tree: &Tree, config: &Config, given: &str) -> Result<Vec<Module>, OddBracket> {
    let name = &normalise(given).ok_or(OddBracket)?;
    let sources: [&dyn Fn() -> Vec<Module>; 7] = [
        &|| configured(config, name),
        &|| named(!name.contains(':') && tree.path(name).is_some(), name),
        &|| if name.starts_with("symbol:") { aliased(tree.exporters(name), name) } else { Vec::new() },
        &|| named(config.install.iter().chain(&config.remove).any(|(pattern, _)| pattern == name), name),
        &|| aliased(tree.aliased(name), name),
        &|| named(tree.is_builtin(name), name),
        &|| aliased(tree.builtin_aliased(name), name),
    ];
    Ok(sources.iter().map(|source| source()).find(|modules| !modules.is_empty()).unwrap_or_default())
}

fn configured(config: &Config, name: &str) -> Vec<Module> {
    let hits = config.aliases.iter().filter(|(pattern, _)| matches(pattern, name));
    hits.map(|(pattern, module)| Module { name: module.clone(), alias: Some(pattern.clone()) }).collect()
}

fn named(known: bool, name: &str) -> Vec<Module> {
    if known { vec![Module::named(name)] } else { Vec::new() }
}

fn aliased(names: Vec<String>, alias: &str) -> Vec<Module> {
    names.into_iter().map(|name| Module { name, alias: Some(alias.into()) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Root;

    #[test]
    fn the_first_source_that_knows_a_name_decides() {
        let root = Root::new();
        root.tree("modules.dep", "kernel/a-b.ko:\nkernel/c.ko:\n");
        root.tree("modules.alias", "alias pci:v* a_b\nalias pci:v1* c\nalias a_b c\n");
        root.tree("modules.symbols", "alias symbol:sym c\n");
        root.tree("modules.builtin", "kernel/fixed.ko\n");
        root.tree("modules.builtin.modinfo", "fixed.alias=fixed-too\0");
        let config = Config {
            aliases: vec![("net*".into(), "c".into()), ("net_x".into(), "a_b".into())],
            install: vec![("virtual".into(), "true".into())],
            remove: vec![("gone".into(), "true".into())],
            ..Config::default()
        };
        for (given, expected) in [
            ("a-b", &[("a_b", None)][..]),
            ("net-x", &[("c", Some("net*")), ("a_b", Some("net_x"))]),
            ("pci:v1", &[("a_b", Some("pci:v1")), ("c", Some("pci:v1"))]),
            ("symbol:sym", &[("c", Some("symbol:sym"))]),
            ("virtual", &[("virtual", None)]),
            ("gone", &[("gone", None)]),
            ("fixed", &[("fixed", None)]),
            ("fixed-too", &[("fixed", Some("fixed_too"))]),
            ("unknown", &[]),
        ] {
            let found = lookup(&root.indexes(), &config, given).unwrap();
            let found: Vec<_> = found.iter().map(|module| (module.name.as_str(), module.alias.as_deref())).collect();
            assert_eq!(found, expected, "{given}");
        }
        assert_eq!(lookup(&root.indexes(), &config, "a]"), Err(OddBracket));
    }
}
