//! Target `module`: the bytes describe a valid module and what to break in it.
//!
//! The valid one reads as it was planned. In the broken one only what depends on the broken part reads otherwise.

use arbitrary::{Arbitrary, Unstructured};
use modfile::{
    edit,
    elf::Elf,
    modinfo::Modinfo,
    param, signature,
    symbols::{self, Export, Need},
};

use crate::{
    Seed,
    damage::{self, Damage, Label, Region},
    plan::{Parameter, Plan},
};

/// Builds the module, reads it, breaks it and reads it again.
pub fn check(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let Ok(plan) = Plan::arbitrary(&mut bytes) else { return };
    let module = plan.build();
    check_plan(&plan, &module);
    let damages: Vec<Damage> = (0..bytes.int_in_range(1..=3).unwrap_or(1)).map_while(|_| bytes.arbitrary().ok()).collect();
    let (broken, labels) = damage::apply(&module, &damages);
    crate::elf::check(&broken);
    crate::symbols::check(&broken);
    crate::param::check(&broken);
    check_damaged(&module, &broken, &labels);
}

/// Everything that can be read of a module, each for itself.
#[derive(Debug, PartialEq, Eq)]
struct Reading<'a> {
    modinfo: Option<Modinfo<'a>>,
    versions: Option<Vec<(&'a [u8], u32)>>,
    exports: Option<Vec<Export<'a>>>,
    needs: Option<Vec<Need<'a>>>,
    parameters: Option<Vec<param::KernelParam<'a>>>,
    signature: Option<signature::Signature<'a>>,
}

fn read(file: &[u8]) -> Reading<'_> {
    let elf = Elf::parse(file).ok();
    let elf = elf.as_ref();
    let versions = |elf| symbols::versions(elf).ok()?.map(|version| version.ok().map(|one| (one.name, one.crc))).collect();
    Reading {
        modinfo: elf.and_then(|elf| Modinfo::of(elf).ok()),
        versions: elf.and_then(versions),
        exports: elf.and_then(|elf| symbols::exports(elf).ok()),
        needs: elf.and_then(|elf| symbols::needs(elf).ok()),
        parameters: elf.and_then(|elf| param::parameters(elf).ok()?.collect::<Result<_, _>>().ok()),
        signature: signature::of(file),
    }
}

fn check_plan(plan: &Plan, module: &[u8]) {
    let reading = read(module);
    let modinfo = reading.modinfo.expect("the module is valid");
    let entries = modinfo.entries().map(|entry| (entry.key, entry.value));
    let planned = plan.modinfo.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes()));
    assert!(entries.eq([(&b"name"[..], plan.name.as_bytes())].into_iter().chain(planned)));
    let versions = if plan.extended_versions.is_empty() { &plan.versions } else { &plan.extended_versions };
    let versions = versions.iter().map(|(name, crc)| (name.as_bytes(), *crc));
    assert!(reading.versions.expect("the module is valid").into_iter().eq(versions.clone()));
    check_exports(plan, &reading.exports.expect("the module is valid"));
    check_needs(plan, &reading.needs.expect("the module is valid"));
    check_parameters(&plan.parameters, &reading.parameters.expect("the module is valid"));
    assert_eq!(reading.signature, plan.signing.as_ref().map(|signing| signing.expected()));
    check_edits(plan, module);
}

fn check_exports(plan: &Plan, exports: &[Export<'_>]) {
    let has_crcs = plan.exports.iter().any(|(_, crc)| crc.is_some());
    let planned = plan.exports.iter().filter(|(_, crc)| crc.is_some() == has_crcs);
    assert!(exports.iter().map(|one| (one.name, one.crc)).eq(planned.map(|(name, crc)| (name.as_bytes(), *crc))));
}

/// The undefined symbols in order, then versions of others.
fn check_needs(plan: &Plan, needs: &[Need<'_>]) {
    let kernel_types = plan.parameters.iter().filter(|parameter| !parameter.is_own_type).map(|one| (one.ops.as_bytes(), false));
    let named = plan.needs.iter().map(|(name, is_weak)| (name.as_bytes(), *is_weak));
    let undefined: Vec<_> = named.chain(kernel_types).collect();
    let (start, rest) = needs.split_at(undefined.len());
    assert!(start.iter().map(|need| (need.name, need.is_weak)).eq(undefined.iter().copied()));
    assert!(rest.iter().all(|need| undefined.iter().all(|(name, _)| *name != need.name)));
}

fn check_parameters(planned: &[Parameter], parameters: &[param::KernelParam<'_>]) {
    let read = parameters.iter().map(|one| (one.name, one.permissions, one.ops));
    let planned = planned.iter().map(|one| (one.name.as_bytes(), one.permissions, Some(one.ops.as_bytes())));
    assert!(read.eq(planned));
}

/// Each edit changes what it is for.
fn check_edits(plan: &Plan, module: &[u8]) {
    let new = "x".repeat(plan.name.len());
    let renamed = edit::rename(module, &plan.name, &new).expect("the module has its name");
    let planned = Plan { name: new, ..plan.clone() };
    assert_eq!(renamed, planned.build());
    assert_eq!(edit::hide_versions(module).map(|edited| edited.len()), Ok(module.len()));
    let versions = if plan.extended_versions.is_empty() { &plan.versions } else { &plan.extended_versions };
    if let Some((symbol, _)) = versions.first() {
        check_version_edits(module, symbol);
    }
}

fn check_version_edits(module: &[u8], symbol: &str) {
    let crcs = |file: &[u8]| -> Vec<u32> { read(file).versions.into_iter().flatten().map(|version| version.1).collect() };
    let edited = edit::change_version(module, symbol).expect("the symbol has a version");
    let mut expected = crcs(module);
    expected[0] = !expected[0];
    assert_eq!(crcs(&edited), expected);
    assert_eq!(edit::rename_version(module, symbol).map(|edited| crcs(&edited)), Ok(crcs(module)));
}

/// A damage does no harm to what does not depend on it.
fn check_damaged(module: &[u8], broken: &[u8], labels: &[Label]) {
    use Region::{Contents, Header, Modinfo, Parameters, Relocations, Sections, Signature, Strings, Symbols, Versions};
    let (before, after) = (read(module), read(broken));
    let unharmed = |by: &[Region]| labels.iter().all(|label| label.region().is_some_and(|region| !by.contains(&region)));
    let structure = [Header, Sections, Strings];
    let none_of = |others: &[Region]| unharmed(&structure) && unharmed(others);
    let shown = || labels.iter().map(Label::to_string).collect::<Vec<_>>().join(", ");
    if none_of(&[Modinfo]) {
        assert_eq!(before.modinfo, after.modinfo, "{}", shown());
    }
    if none_of(&[Versions]) {
        assert_eq!(before.versions, after.versions, "{}", shown());
    }
    if none_of(&[Symbols, Contents]) {
        assert_eq!(before.exports, after.exports, "{}", shown());
    }
    if none_of(&[Symbols, Versions]) {
        assert_eq!(before.needs, after.needs, "{}", shown());
    }
    if none_of(&[Symbols, Contents, Parameters, Relocations]) {
        assert_eq!(before.parameters, after.parameters, "{}", shown());
    }
    if unharmed(&[Signature]) {
        assert_eq!(before.signature, after.signature, "{}", shown());
    }
}

/// Arbitrary bytes are as good as any: some that make much of every kind, each with another part to break.
pub fn seeds() -> Vec<Seed> {
    let bytes = |seed: u32| {
        // A multiplicative generator (Lehmer's): the same bytes on every machine.
        let mut state = u64::from(seed) + 1;
        let mut next = || {
            state = state * 48271 % 0x7fff_ffff;
            (state >> 8) as u8
        };
        (0..700).map(|_| next()).collect()
    };
    (0..12).map(|seed| (format!("{seed:02}"), bytes(seed))).collect()
}
