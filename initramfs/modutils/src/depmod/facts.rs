//! What depmod keeps of a module's file.

use modfile::{
    elf::{Elf, SHN_UNDEF, STB_WEAK},
    modinfo::Modinfo,
    symbols,
};

/// The strings of `.modinfo` that go into indexes.
const KEYS: [&[u8]; 3] = [b"alias", b"softdep", b"weakdep"];

/// One module's part in the indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// Those strings of `.modinfo`, each with its NUL.
    strings: Vec<u8>,
    pub(super) exports: Symbols,
    pub(super) needs: Symbols,
}

/// A symbol of which more than the name counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Symbol<'a> {
    pub(super) name: &'a [u8],
    /// Checksum of its type; 0 where it has none, or where nobody asked.
    pub(super) crc: u32,
    /// The module can do without.
    pub(super) is_weak: bool,
}

/// Symbols side by side: two allocations instead of one for each of a kernel's 200 000.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Symbols {
    names: Vec<u8>,
    /// Where each name ends, and the rest.
    list: Vec<(u32, u32, bool)>,
}

impl Facts {
    /// Of a sound module. A part of it that is damaged counts as absent, as with kmod.
    pub(super) fn of(elf: &Elf<'_>, with_crcs: bool) -> Self {
        let mut facts = Self { strings: strings(elf).unwrap_or_default(), ..Self::default() };
        let mut found = Symbols::default();
        if link(elf, &mut found, &mut facts.needs).is_err() {
            facts.needs = Symbols::default();
        }
        facts.exports = if with_crcs { Symbols::exported(elf) } else { found };
        if facts.exports.list.is_empty() {
            facts.exports.add_strings(elf);
        }
        facts.shrink();
        facts
    }

    /// Of parts that were kept.
    pub(super) fn from_parts(strings: &[u8], exports: Symbols, needs: Symbols) -> Self {
        Self { strings: strings.to_vec(), exports, needs }
    }

    /// The kept strings, each with its NUL.
    pub(super) fn strings(&self) -> &[u8] {
        &self.strings
    }

    /// The values of one of the kept keys.
    pub(super) fn values<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a [u8]> {
        Modinfo::new(&self.strings).values(key)
    }

    /// A few bytes more of each of 4000 modules would be as much as all of the indexes.
    fn shrink(&mut self) {
        self.strings.shrink_to_fit();
        self.exports.shrink();
        self.needs.shrink();
    }
}

impl Symbols {
    pub(super) fn push(&mut self, symbol: Symbol<'_>) {
        self.names.extend_from_slice(symbol.name);
        self.list.push((self.names.len() as u32, symbol.crc, symbol.is_weak));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Symbol<'_>> {
        let mut start = 0;
        self.list.iter().map(move |&(end, crc, is_weak)| {
            let name = &self.names[start..end as usize];
            start = end as usize;
            Symbol { name, crc, is_weak }
        })
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Gives back memory that is not in use.
    pub(super) fn shrink(&mut self) {
        self.names.shrink_to_fit();
        self.list.shrink_to_fit();
    }

    fn exported(elf: &Elf<'_>) -> Self {
        let mut exports = Self::default();
        for export in symbols::exports(elf).unwrap_or_default() {
            exports.push(Symbol { name: export.name, crc: export.crc.unwrap_or(0), is_weak: false });
        }
        exports
    }

    /// Without checksums the names of exports are only there.
    fn add_strings(&mut self, elf: &Elf<'_>) {
        let section = elf.section("__ksymtab_strings").ok().flatten();
        let names = section.map_or(&[][..], |section| section.data).split(|byte| *byte == 0);
        names.filter(|name| !name.is_empty()).for_each(|name| self.push(Symbol { name, crc: 0, is_weak: false }));
    }
}

fn strings(elf: &Elf<'_>) -> Result<Vec<u8>, modfile::Error> {
    let mut kept = Vec::new();
    for entry in Modinfo::of(elf)?.entries().filter(|entry| KEYS.contains(&entry.key)) {
        kept.extend_from_slice(entry.text);
        kept.push(0);
    }
    Ok(kept)
}

/// The names of exports that have checksums, and all needs: undefined symbols, then the versions of others.
fn link(elf: &Elf<'_>, exports: &mut Symbols, needs: &mut Symbols) -> Result<(), modfile::Error> {
    let mut undefined: Vec<(&[u8], usize)> = Vec::new();
    for symbol in elf.symbols()? {
        let symbol = symbol?;
        if let Some(name) = symbol.name.strip_prefix(b"__crc_") {
            exports.push(Symbol { name, crc: 0, is_weak: false });
        }
        if symbol.section == SHN_UNDEF && !symbol.name.is_empty() {
            undefined.push((symbol.name, needs.len()));
            needs.push(Symbol { name: symbol.name, crc: 0, is_weak: symbol.binding() == STB_WEAK });
        }
    }
    undefined.sort_unstable();
    for version in symbols::versions(elf)? {
        let version = version?;
        match undefined.binary_search_by_key(&version.name, |(name, _)| name) {
            Ok(found) => needs.list[undefined[found].1].1 = version.crc,
            Err(_) => needs.push(Symbol { name: version.name, crc: version.crc, is_weak: false }),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use modfile::write::Module;

    use super::*;

    #[test]
    fn what_is_kept_is_in_file_order() {
        let module = Module::new("m").modinfo("license", "GPL").modinfo("alias", "x").modinfo("softdep", "pre: y");
        let module = module.exports_with_crc("e", 7).needs("b").needs_weakly("a").needs("c");
        let bytes = module.version("module_layout", 1).version("b", 2).version("a", 3).build();
        let elf = Elf::parse(&bytes).unwrap();
        for crc in [0, 7] {
            let facts = Facts::of(&elf, crc > 0);
            assert_eq!(facts.strings(), b"alias=x\0softdep=pre: y\0");
            let export = Symbol { name: b"e", crc, is_weak: false };
            assert_eq!(facts.exports.iter().collect::<Vec<_>>(), [export]);
            let needs: Vec<_> = facts.needs.iter().map(|need| (need.name, need.crc, need.is_weak)).collect();
            let expected: [(&[u8], _, _); 4] =
                [(b"b", 2, false), (b"a", 3, true), (b"c", 0, false), (b"module_layout", 1, false)];
            assert_eq!(needs, expected);
        }
    }
}
