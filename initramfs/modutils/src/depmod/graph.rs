//! Who needs whom, and the order in which a line of `modules.dep` lists them.

use std::collections::HashMap;

use super::{Cycles, Module};

/// A module's need of another, and the first symbol that made it so.
pub(super) struct Link<'a> {
    pub(super) to: usize,
    pub(super) symbol: &'a [u8],
}

/// The modules, by their positions in the list, with who exports what.
pub(super) struct Graph<'a> {
    /// Exported symbols, each with its owner.
    pub(super) owners: HashMap<&'a [u8], usize>,
    /// What each module needs of others, in the order of first need.
    pub(super) links: Vec<Vec<Link<'a>>>,
}

impl<'a> Graph<'a> {
    /// Finds the owner of every needed symbol. Of several owners the last counts.
    pub(super) fn new(modules: &'a [Module]) -> Self {
        let exports = modules.iter().enumerate().flat_map(|(i, module)| module.exports().map(move |name| (name, i)));
        let owners = exports.collect();
        let links = modules.iter().map(|module| links(module, &owners)).collect();
        Self { owners, links }
    }

    /// All modules that each one needs, directly or not: users before what they use.
    ///
    /// # Errors
    /// Modules that need each other in a ring.
    pub(super) fn dependencies(&self, modules: &[Module]) -> Result<Vec<Vec<usize>>, Cycles> {
        let ranks = self.ranks().map_err(|users| self.cycles(modules, &users))?;
        Ok((0..modules.len()).map(|module| self.reachable(module, &ranks)).collect())
    }

    /// A number for each module, lower than those of all modules that it needs; which of the many such numberings
    /// is kmod's choice. On failure the number of users that could not be numbered before each module.
    fn ranks(&self) -> Result<Vec<usize>, Vec<usize>> {
        let mut users = vec![0; self.links.len()];
        self.links.iter().flatten().for_each(|link| users[link.to] += 1);
        let mut free: Vec<usize> = (0..users.len()).filter(|module| users[*module] == 0).collect();
        let (mut ranks, mut next) = (vec![0; users.len()], 0);
        while let Some(module) = free.pop() {
            ranks[module] = next;
            next += 1;
            for link in &self.links[module] {
                users[link.to] -= 1;
                if users[link.to] == 0 {
                    free.push(link.to);
                }
            }
        }
        if next == users.len() { Ok(ranks) } else { Err(users) }
    }

    fn reachable(&self, module: usize, ranks: &[usize]) -> Vec<usize> {
        let mut seen: Vec<usize> = self.links[module].iter().map(|link| link.to).collect();
        let mut next = 0;
        while let Some(module) = seen.get(next) {
            let more = self.links[*module].iter().map(|link| link.to);
            let more: Vec<usize> = more.filter(|to| !seen.contains(to)).collect();
            seen.extend(more);
            next += 1;
        }
        seen.sort_by_key(|module| ranks[*module]);
        seen
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
                cycles.0.push(ring.iter().map(|module| modules[*module].name.clone()).collect());
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
            paths.extend(self.links[at].iter().map(|link| [&path[..], &[link.to]].concat()));
        }
        rings
    }
}

fn links<'a>(module: &'a Module, owners: &HashMap<&'a [u8], usize>) -> Vec<Link<'a>> {
    let mut links: Vec<Link<'a>> = Vec::new();
    for symbol in module.needs() {
        // On 64-bit PowerPC the symbol of a function's code begins with a dot.
        let Some(&to) = owners.get(symbol.strip_prefix(b".").unwrap_or(symbol)) else { continue };
        if !links.iter().any(|link| link.to == to) {
            links.push(Link { to, symbol });
        }
    }
    links
}
