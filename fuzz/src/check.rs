//! Target `check`: the bytes as a module's file: what kernels would make of it.

use modfile::{
    check::{self, Effect, Places, RULES, Series, Verdict},
    elf::{Elf, Layout},
};

use crate::{Seed, damage};

/// Judges the bytes for each series of kernels, and checks that the answers go together.
pub fn check(data: &[u8]) {
    let places = Places::of(data);
    for series in Series::KNOWN {
        let findings = check::findings(data, series);
        // At most a few for each entry of a table, and entries have at least 4 bytes.
        assert!(findings.len() <= 16 + 4 * data.len());
        for finding in &findings {
            assert_ne!(finding.effect, Effect::Passes);
            assert_eq!(finding.rule.effect(series).is_rejection(), finding.effect.is_rejection());
            assert!(RULES.iter().any(|rule| rule.name == finding.rule.name));
        }
        if let Some(first) = findings.first() {
            assert!(!places.text(first.place).is_empty());
        }
        match check::check(data, series) {
            Verdict::Accept => {
                assert!(findings.is_empty());
                is_readable(data);
            }
            Verdict::Reject(first) => assert!(first.effect.is_rejection() && first == findings[0]),
            Verdict::Danger(first) => assert!(!first.effect.is_rejection() && first == findings[0]),
        }
    }
}

/// What a kernel loads can be read, as `object` reads it. It does not look at word size and byte order.
fn is_readable(data: &[u8]) {
    crate::elf::check(data);
    crate::symbols::check(data);
    // Word size, byte order and version: what comes before the type.
    const IDENT_BYTES: u64 = 16;
    let Ok(elf) = Elf::parse(data).map_err(|error| assert!(error.offset < IDENT_BYTES, "{error}")) else { return };
    if elf.layout() != Layout::ELF64_LE {
        return;
    }
    for section in elf.sections() {
        // A section without a type may have its name and contents anywhere.
        let _ = section.map_err(|error| assert!(error.what.contains("outside"), "{error}"));
    }
    for symbol in elf.symbol_table().expect("it has a symbol table").iter() {
        symbol.expect("all symbols have names");
    }
}

/// Modules that pass, and each of them broken in one place of each region.
pub fn seeds() -> Vec<Seed> {
    let modules: Vec<_> = crate::plan::examples().into_iter().filter(|(name, _)| name.ends_with("64le")).collect();
    let broken = modules.iter().flat_map(|(name, module)| {
        let places = damage::places(module);
        let firsts: Vec<_> = places
            .iter()
            .enumerate()
            .filter(|(at, place)| places[..*at].iter().all(|before| before.region != place.region))
            .map(|(_, place)| *place)
            .collect();
        firsts.into_iter().map(move |place| {
            let mut file = module.clone();
            place.set(&mut file, damage::Value::Flip(3));
            (format!("{name}-{:?}", place.region).to_lowercase(), file)
        })
    });
    broken.chain(modules.clone()).collect()
}
