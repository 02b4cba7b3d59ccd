//! A guided campaign: it learns which of its ways to make a case reach something new, and follows them.
//!
//! There are three choices: the way (a case of its own, or a find with something more or something else), the find, and what
//! is changed. Each is made by yield, the part of such cases that reached something new. What was hardly tried counts as good,
//! so that nothing is given up before it was tried; what was tried long ago counts less, since what is worked out brings
//! nothing any more. So what is refused at the first look is left alone soon, and what kills guests, which then tell nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    base::Bases,
    change::{Chance, Change, Recipe},
};
use crate::error::Result;

/// Changes that a case has at most: what is found is made small by trying all parts of it.
const CHANGES_MAX: usize = 5;

/// How many finds, or changes, are compared for a choice.
const PICKED: usize = 4;

/// After so many cases what they gave counts half.
const MEMORY: u32 = 64;

/// Ways to make a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Way {
    /// As if nothing were known.
    Chance,
    /// A valid module with one change.
    One,
    /// A find with one more.
    More,
    /// A find with one less.
    Less,
    /// A find with another value for one of its changes.
    Value,
    /// A find with one of its changes at another place of the same kind.
    Place,
}

const WAYS: [Way; 6] = [Way::Chance, Way::One, Way::More, Way::Less, Way::Value, Way::Place];

/// What became of cases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Yield {
    /// How many there were.
    cases: u32,
    /// How many of them reached something new.
    found: u32,
}

impl Yield {
    /// The part that found something, in thousandths; it begins at a half.
    fn rate(self) -> u64 {
        u64::from(1000 * (self.found + 1) / (self.cases + 2))
    }

    fn add(&mut self, has_found: bool) {
        if self.cases >= MEMORY {
            (self.cases, self.found) = (self.cases / 2, self.found / 2);
        }
        (self.cases, self.found) = (self.cases + 1, self.found + u32::from(has_found));
    }
}

/// A case that reached something new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Find {
    recipe: Recipe,
    /// Of the cases that were made of it.
    children: Yield,
}

/// What a guided campaign has learned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corpus {
    finds: Vec<Find>,
    ways: BTreeMap<Way, Yield>,
    /// Of the cases in which something of a kind was changed that was not before.
    kinds: BTreeMap<String, Yield>,
}

/// A case that was made, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// What it is.
    pub recipe: Recipe,
    way: Way,
    /// The find that it was made of.
    parent: Option<usize>,
}

impl Corpus {
    /// Whether nothing was learned, as in a campaign that is not guided.
    pub fn is_empty(&self) -> bool {
        self.ways.is_empty()
    }

    /// The next case.
    ///
    /// # Errors
    /// A find is of other modules than these.
    pub fn next(&self, bases: &Bases, chance: &mut Chance) -> Result<Made> {
        let fresh = bases.fresh(chance);
        let (way, parent) = match self.way(chance) {
            Way::Chance => return Ok(Made { recipe: fresh, way: Way::Chance, parent: None }),
            Way::One => (Way::One, None),
            way => (way, Some(self.find(chance))),
        };
        let of = |find: usize| self.finds[find].recipe.clone();
        let Recipe { base, mut changes } = parent.map_or_else(|| Recipe { base: fresh.base, changes: Vec::new() }, of);
        let which = chance.below(changes.len() as u64) as usize;
        let way = match (way, changes.len()) {
            (Way::More, CHANGES_MAX..) | (Way::Less, ..2) => Way::Value,
            (way, _) => way,
        };
        match way {
            Way::Chance | Way::One | Way::More => changes.push(self.change(bases, &base, chance)?),
            Way::Less => drop(changes.remove(which)),
            Way::Value => changes[which] = bases.change_again(&base, changes[which], chance)?,
            Way::Place => changes[which] = bases.change_alike(&base, changes[which], chance)?,
        }
        Ok(Made { recipe: Recipe { base, changes }, way, parent })
    }

    /// Any way, those with a better yield more often.
    fn way(&self, chance: &mut Chance) -> Way {
        let possible = if self.finds.is_empty() { &WAYS[..2] } else { &WAYS };
        let rate = |way: &Way| self.ways.get(way).copied().unwrap_or_default().rate().max(1);
        let mut at = chance.below(possible.iter().map(rate).sum());
        let mut way = Way::Chance;
        for next in possible {
            way = *next;
            match at.checked_sub(rate(next)) {
                Some(rest) => at = rest,
                None => break,
            }
        }
        way
    }

    /// Of some finds the one with the best children.
    fn find(&self, chance: &mut Chance) -> usize {
        let picked = (0..PICKED).map(|_| chance.below(self.finds.len() as u64) as usize);
        picked.max_by_key(|find| self.finds[*find].children.rate()).unwrap_or_default()
    }

    /// Of some changes the one of the best kind.
    fn change(&self, bases: &Bases, base: &str, chance: &mut Chance) -> Result<Change> {
        let mut best = bases.change(base, chance)?;
        let rate = |change| self.kinds.get(&bases.kind(base, change)).copied().unwrap_or_default().rate();
        for _ in 1..PICKED {
            let other = bases.change(base, chance)?;
            best = if rate(other) > rate(best) { other } else { best };
        }
        Ok(best)
    }

    /// A case has reached something new, or nothing.
    pub fn learn(&mut self, bases: &Bases, made: Made, has_found: bool) {
        let Made { recipe, way, parent } = made;
        self.ways.entry(way).or_default().add(has_found);
        if let Some(parent) = parent.and_then(|find| self.finds.get_mut(find)) {
            parent.children.add(has_found);
        }
        let new = match way {
            Way::Chance => 0,
            Way::One | Way::More => recipe.changes.len() - 1,
            Way::Less | Way::Value | Way::Place => recipe.changes.len(),
        };
        for change in &recipe.changes[new..] {
            self.kinds.entry(bases.kind(&recipe.base, *change)).or_default().add(has_found);
        }
        if has_found {
            self.finds.push(Find { recipe, children: Yield::default() });
        }
    }
}

#[cfg(test)]
mod tests {
    use modfile::write::Module;

    use super::*;
    use crate::{fuzz::case::Region, module::GuestModule};

    fn bases(region: Region) -> Bases {
        let module = Module::new("m").modinfo("license", "GPL").exports("given").needs("taken");
        Bases::new(region, [GuestModule { name: "m".into(), bytes: module.build().into() }].iter()).unwrap()
    }

    /// What a campaign makes of its chance, when every case that `finds` something is kept.
    fn cases(region: Region, finds: impl Fn(&Recipe) -> bool) -> (Corpus, Vec<Made>) {
        let (bases, mut corpus) = (bases(region), Corpus::default());
        let made = (0..2000).map(|index| {
            let made = corpus.next(&bases, &mut Chance::new(1, index)).unwrap();
            corpus.learn(&bases, made.clone(), finds(&made.recipe));
            made
        });
        let made = made.collect();
        (corpus, made)
    }

    #[test]
    fn every_case_can_be_made_and_has_few_changes() {
        let (corpus, made) = cases(Region::Any, |recipe| recipe.changes.len() > 1);
        for case in &made {
            assert!((1..=CHANGES_MAX).contains(&case.recipe.changes.len()), "{}", case.recipe);
            bases(Region::Any).make(&case.recipe).unwrap();
        }
        assert!(made.iter().any(|case| case.recipe.changes.len() == CHANGES_MAX));
        let text = serde_json::to_string(&corpus).unwrap();
        assert_eq!(serde_json::from_str::<Corpus>(&text).unwrap(), corpus);
    }

    #[test]
    fn what_brings_something_is_done_more_often() {
        let bases = bases(Region::Any);
        let is_type = |recipe: &Recipe| bases.kind("m", recipe.changes[0]) == "Sections sh_type";
        let share = |finds: &dyn Fn(&Recipe) -> bool| {
            cases(Region::Any, finds).1.iter().filter(|case| is_type(&case.recipe)).count()
        };
        let (some, none) = (share(&is_type), share(&|_| false));
        assert!(some > 5 * none, "{some} {none}");
    }

    #[test]
    fn a_way_that_brings_nothing_is_left_alone() {
        // Only cases of one change find something, and ever new ones do.
        let (corpus, made) = cases(Region::Any, |recipe| recipe.changes.len() == 1);
        let of = |way| made.iter().filter(|case| case.way == way).count();
        assert!(of(Way::One) > 10 * of(Way::More), "{} {}", of(Way::One), of(Way::More));
        assert!(of(Way::More) > 0, "nothing is given up");
        assert!(corpus.finds.len() > 1000);
    }
}
