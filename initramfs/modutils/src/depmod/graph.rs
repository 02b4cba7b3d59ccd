//! Who needs whom, and the order in which a line of `modules.dep` lists them.

use std::{collections::HashMap, hash::BuildHasherDefault};

use super::{
    Cycles, Module,
    facts::Symbol,
    hash::{self, Quick},
};

/// The character that the architecture's compiler puts before each symbol, if any.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Prefix(pub(super) Option<u8>);

impl Prefix {
    /// A name without it.
    pub(super) fn strip(self, name: &[u8]) -> &[u8] {
        self.0.and_then(|prefix| name.strip_prefix(&[prefix])).unwrap_or(name)
    }

    /// The name that a need is looked up by: on 64-bit PowerPC the symbol of a function's code begins with a dot.
    fn wanted(self, name: &[u8]) -> &[u8] {
        self.strip(name.strip_prefix(b".").unwrap_or(name))
    }
}

/// Something that was found while needs were looked up.
pub(super) enum Finding<'a> {
    /// A module needs a symbol that nobody exports.
    Unknown { user: &'a Module, symbol: &'a [u8] },
    /// A module was built against another version of a symbol.
    Disagreement { user: &'a Module, symbol: &'a [u8] },
    /// A module needs another, and this is the first symbol that makes it so.
    Need { user: &'a Module, symbol: &'a [u8], owner: &'a Module },
}

/// Who exports a symbol: a module by its position, or the kernel.
#[derive(Clone, Copy)]
struct Owner {
    module: Option<usize>,
    crc: u32,
}

/// What needs are looked up in.
pub(super) struct Lookup<'k> {
    /// The kernel's own symbols, where they are known.
    pub(super) kernel: &'k [Symbol<'k>],
    /// Whether their checksums are known as well.
    pub(super) has_crcs: bool,
    pub(super) prefix: Prefix,
}

impl Lookup<'_> {
    /// Where only modules matter.
    pub(super) const MODULES: Self = Self { kernel: &[], has_crcs: false, prefix: Prefix(None) };
}

/// The modules, by their positions in the list, with who exports what.
pub(super) struct Graph<'a> {
    owners: HashMap<&'a [u8], Owner, BuildHasherDefault<Quick>>,
    /// The modules that each one needs, in the order of first need.
    links: Vec<Vec<usize>>,
}

impl<'a> Graph<'a> {
    /// Finds the owner of every needed symbol. Of several owners the last counts. `tell` gets what is found.
    pub(super) fn new(modules: &'a [Module], lookup: &Lookup<'a>, mut tell: impl FnMut(Finding<'a>)) -> Self {
        let mut owners = HashMap::default();
        let kernel = lookup.kernel.iter().map(|symbol| (symbol.name, Owner { module: None, crc: symbol.crc }));
        owners.extend(kernel);
        for (at, module) in modules.iter().enumerate() {
            let owner = |export: Symbol<'_>| Owner { module: Some(at), crc: export.crc };
            owners.extend(module.facts.exports.iter().map(|export| (lookup.prefix.strip(export.name), owner(export))));
        }
        let mut graph = Self { owners, links: Vec::with_capacity(modules.len()) };
        for user in modules {
            let links = graph.links_of(user, modules, lookup, &mut tell);
            graph.links.push(links);
        }
        graph
    }

    fn links_of(
        &self,
        user: &'a Module,
        modules: &'a [Module],
        lookup: &Lookup<'_>,
        tell: &mut impl FnMut(Finding<'a>),
    ) -> Vec<usize> {
        let mut links = Vec::new();
        for need in user.facts.needs.iter() {
            let Some((name, owner)) = self.owners.get_key_value(lookup.prefix.wanted(need.name)) else {
                if !need.is_weak {
                    tell(Finding::Unknown { user, symbol: need.name });
                }
                continue;
            };
            if lookup.has_crcs && owner.crc != need.crc && !need.is_weak {
                tell(Finding::Disagreement { user, symbol: need.name });
            }
            if let Some(to) = owner.module.filter(|to| !links.contains(to)) {
                links.push(to);
                tell(Finding::Need { user, symbol: name, owner: &modules[to] });
            }
        }
        links
    }

    /// The exported symbols with their owners, as kmod's table lists them.
    pub(super) fn symbols(&self) -> Vec<(&'a [u8], usize)> {
        let symbols = self.owners.iter().filter_map(|(name, owner)| Some((*name, owner.module?)));
        hash::sorted(symbols, hash::SYMBOL_BUCKETS, |(name, _)| name)
    }

    /// All modules that each one needs, directly or not: users before what they use.
    ///
    /// # Errors
    /// Modules that need each other in a ring.
    pub(super) fn dependencies(&self, modules: &[Module]) -> Result<Vec<Vec<usize>>, Cycles> {
        let ranks = self.ranks().map_err(|users| self.cycles(modules, &users))?;
        let mut seen_by = vec![usize::MAX; modules.len()];
        Ok((0..modules.len()).map(|module| self.reachable(module, &ranks, &mut seen_by)).collect())
    }

    /// A number for each module, lower than those of all modules that it needs; which of the many such numberings
    /// is kmod's choice. On failure the number of users that could not be numbered before each module.
    fn ranks(&self) -> Result<Vec<usize>, Vec<usize>> {
        let mut users = vec![0; self.links.len()];
        self.links.iter().flatten().for_each(|to| users[*to] += 1);
        let mut free: Vec<usize> = (0..users.len()).filter(|module| users[*module] == 0).collect();
        let (mut ranks, mut next) = (vec![0; users.len()], 0);
        while let Some(module) = free.pop() {
            ranks[module] = next;
            next += 1;
            for to in &self.links[module] {
                users[*to] -= 1;
                if users[*to] == 0 {
                    free.push(*to);
                }
            }
        }
        if next == users.len() { Ok(ranks) } else { Err(users) }
    }

    /// `seen_by` says for each module which one came to it last.
    fn reachable(&self, module: usize, ranks: &[usize], seen_by: &mut [usize]) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        let (mut at, mut next) = (module, 0);
        loop {
            for to in &self.links[at] {
                if std::mem::replace(&mut seen_by[*to], module) != module {
                    found.push(*to);
                }
            }
            let Some(further) = found.get(next) else { break };
            (at, next) = (*further, next + 1);
        }
        found.sort_unstable_by_key(|module| ranks[*module]);
        found
    }

    /// The rings among the modules that still have users. From each such module, unless a ring found before holds
    /// it, all paths are walked, a module at most once, until one comes back to it.
    fn cycles(&self, modules: &[Module], users: &[usize]) -> Cycles {
        let mut cycles = Cycles(Vec::new());
        let mut found = vec![false; modules.len()];
        for start in (0..modules.len()).filter(|module| users[*module] > 0) {
            if found[start] {
                continue;
            }
            for ring in self.rings_from(start) {
                ring.iter().for_each(|module| found[*module] = true);
                cycles.0.push(ring.iter().map(|module| modules[*module].place.name.clone()).collect());
            }
        }
        cycles
    }

    fn rings_from(&self, start: usize) -> Vec<Vec<usize>> {
        let (mut rings, mut visited) = (Vec::new(), vec![false; self.links.len()]);
        let mut paths = vec![vec![start]];
        while let Some(path) = paths.pop() {
            let at = path[path.len() - 1];
            if visited[at] {
                if at == start {
                    rings.push(path[..path.len() - 1].to_vec());
                }
                continue;
            }
            visited[at] = true;
            paths.extend(self.links[at].iter().map(|to| [&path[..], &[*to]].concat()));
        }
        rings
    }
}
