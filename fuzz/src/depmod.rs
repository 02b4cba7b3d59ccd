//! Target `depmod`: the bytes describe a few modules, of which depmod makes its indexes; what is left of them stands for
//! each of the lists that come with a kernel.

use std::collections::BTreeSet;

use arbitrary::{Arbitrary, Unstructured};
use modfile::{
    alias::{module_name, normalise},
    index::{aliases, deps, trie::Trie},
};
use modutils::depmod;

use crate::{
    Seed,
    damage::{self, Damage},
    plan::Plan,
    promises::as_text,
};

/// Makes the indexes of valid modules and checks that both forms say the same; then those of one that is broken.
pub fn check(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let Ok(plans) = plans(&mut bytes) else { return };
    let mut files: Vec<(String, Vec<u8>)> =
        plans.iter().enumerate().map(|(at, plan)| (format!("kernel/{}_{at}.ko", plan.name), plan.build())).collect();
    match index(&files, None) {
        Ok(index) => check_index(&files, &index),
        Err(error) => assert!(matches!(error, depmod::Error::Cycles(_)), "{error}"),
    }
    if let (Some((_, first)), Ok(damage)) = (files.first_mut(), Damage::arbitrary(&mut bytes)) {
        *first = damage::apply(first, &[damage]).0;
        let _ = index(&files, Some(bytes.take_rest()));
    }
}

/// Each module needs what the one before exports.
fn plans(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Vec<Plan>> {
    let mut plans = Vec::<Plan>::new();
    for _ in 0..bytes.int_in_range(1..=3)? {
        let mut plan = Plan::arbitrary(bytes)?;
        plan.needs.extend(plans.last().into_iter().flat_map(|last| &last.exports).map(|(name, _)| (name.clone(), false)));
        plans.push(plan);
    }
    Ok(plans)
}

fn index(files: &[(String, Vec<u8>)], list: Option<&[u8]>) -> Result<Vec<depmod::File>, depmod::Error> {
    let files: Vec<_> = files.iter().map(|(path, bytes)| (path.clone(), bytes.as_slice())).collect();
    let names = ["modules.order", "modules.builtin", "modules.builtin.modinfo"];
    let lists: Vec<_> = list.iter().flat_map(|list| names.map(|name| (name.to_owned(), *list))).collect();
    depmod::index(&files, &lists)
}

fn check_index(files: &[(String, Vec<u8>)], index: &[depmod::File]) {
    let file = |name: &str| index.iter().find(|file| file.0 == name).map_or(&[][..], |file| &file.1);
    let trie = |name: &str| Trie::parse(file(name)).expect("depmod's own index is sound");
    let dep = as_text(file("modules.dep"));
    assert_eq!(deps(&dep).count(), files.len());
    let (paths, deps_trie) = (files.iter().map(|file| file.0.as_str()).collect::<BTreeSet<_>>(), trie("modules.dep.bin"));
    for (line, dep) in dep.lines().zip(deps(&dep)) {
        assert!(paths.contains(dep.path) && dep.load_order().all(|path| paths.contains(path)));
        let found = deps_trie.lookup(module_name(dep.path)).expect("depmod's own index is sound");
        assert_eq!(found.map(|value| value.text), Some(line.as_bytes()));
    }
    for name in ["modules.alias", "modules.symbols"] {
        check_pairs(&as_text(file(name)), &trie(&format!("{name}.bin")), name);
    }
}

/// Text and trie hold the same pairs, but for patterns that cannot be normalised.
fn check_pairs(text: &str, trie: &Trie<'_>, name: &str) {
    let pairs = aliases(text).filter_map(|(pattern, module)| Some((normalise(pattern)?.into_owned(), module.to_owned())));
    let pairs: BTreeSet<_> = pairs.collect();
    let mut entries = BTreeSet::new();
    let each = |key: &[u8], value: modfile::index::trie::Value<'_>| {
        entries.insert((as_text(key).into_owned(), as_text(value.text).into_owned()));
    };
    assert_eq!(trie.entries(each), Ok(()));
    assert_eq!(entries, pairs, "{name}");
}

/// As for the target `module`.
pub fn seeds() -> Vec<Seed> {
    crate::module::seeds()
}
