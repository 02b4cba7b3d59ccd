//! A guided campaign: cases that reached what none before them had are kept, and changed further; what is changed is what has
//! brought something before.
//!
//! Both choices are of the same kind: of some that chance has picked, the one with the best yield so far is taken. What was
//! tried little counts as good, so that nothing is given up before it was tried, and what never brings anything, such as a
//! find that is refused at the first look, is left alone soon.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    base::Bases,
    change::{Chance, Change, Recipe},
};
use crate::error::Result;

/// Changes that a case has at most: what is found is made small by trying all parts of it.
const CHANGES_MAX: usize = 5;

/// One case in so many is made as if nothing were known, so that the campaign never narrows down to what it has.
const FRESH: u64 = 4;

/// How many are compared for each choice.
const PICKED: usize = 4;

/// What became of cases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Yield {
    /// How many there were.
    cases: u32,
    /// How many of them reached something new.
    found: u32,
}

impl Yield {
    /// Hundredths of the part that found something, as if one had before the first.
    fn rate(self) -> u32 {
        100 * (self.found + 1) / (self.cases + 1)
    }
}

fn env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|it| it.parse().ok()).unwrap_or(default)
}

fn place(base: &str, change: Change) -> String {
    match change {
        Change::Number(place, _) => format!("{base}/{place}"),
        Change::Cut(_) => "cut".into(),
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
    /// Of the cases in which something of a kind was changed.
    kinds: BTreeMap<String, Yield>,
}

/// A case that was made, and of which find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// What it is.
    pub recipe: Recipe,
    parent: Option<usize>,
}

impl Corpus {
    /// Whether nothing was learned, as in a campaign that is not guided.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// The next case.
    ///
    /// # Errors
    /// A find is of other modules than these.
    pub fn next(&self, bases: &Bases, chance: &mut Chance) -> Result<Made> {
        let which = chance.below(16);
        if self.finds.is_empty() || which < env("K_FRESH", 4) {
            return Ok(Made { recipe: bases.fresh(chance), parent: None });
        }
        if which < env("K_FRESH", 4) + env("K_NEW", 4) {
            let Recipe { base, .. } = bases.fresh(chance);
            let changes = vec![self.change(bases, &base, chance)?];
            return Ok(Made { recipe: Recipe { base, changes }, parent: None });
        }
        let picked = (0..env("K_PICKF", 4)).map(|_| chance.below(self.finds.len() as u64) as usize);
        let parent = picked.max_by_key(|find| self.finds[*find].children.rate());
        let mut recipe = parent.map_or_else(|| bases.fresh(chance), |find| self.finds[find].recipe.clone());
        let count = recipe.changes.len();
        let which = chance.below(count as u64) as usize;
        let (add, remove, alike) = (env("K_ADD", 3), env("K_REM", 1), env("K_ALIKE", 2));
        let op = chance.below(8);
        if op < add && count < CHANGES_MAX {
            recipe.changes.push(self.change(bases, &recipe.base, chance)?);
        } else if op < add + remove && count > 1 {
            recipe.changes.remove(which);
        } else if op < add + remove + alike {
            recipe.changes[which] = bases.change_alike(&recipe.base, recipe.changes[which], chance)?;
        } else {
            recipe.changes[which] = bases.change_again(&recipe.base, recipe.changes[which], chance)?;
        }
        Ok(Made { recipe, parent })
    }

    /// One more change, of a kind that has brought something.
    fn change(&self, bases: &Bases, base: &str, chance: &mut Chance) -> Result<Change> {
        let picked = (0..env("K_PICKC", 4)).map(|_| bases.change(base, chance)).collect::<Result<Vec<_>>>()?;
        let rate = |change: &Change| {
            let kind = self.kinds.get(&bases.kind(base, *change)).copied().unwrap_or_default().rate();
            let place = self.kinds.get(&place(base, *change)).copied().unwrap_or_default().cases;
            if env("K_PLACE", 1) == 1 { 100 * kind / (1 + place) } else { kind }
        };
        Ok(picked.into_iter().max_by_key(rate).expect("some were picked"))
    }

    /// A case has reached so many new blocks, or none.
    pub fn learn(&mut self, bases: &Bases, made: Made, new: u64) {
        let found = u32::from(new > 0);
        let learn = |of: &mut Yield| (of.cases, of.found) = (of.cases + 1, of.found + found);
        if let Some(parent) = made.parent.and_then(|find| self.finds.get_mut(find)) {
            learn(&mut parent.children);
        }
        for change in &made.recipe.changes {
            learn(self.kinds.entry(bases.kind(&made.recipe.base, *change)).or_default());
        }
        if made.recipe.changes.len() == 1 {
            learn(self.kinds.entry(place(&made.recipe.base, made.recipe.changes[0])).or_default());
        }
        if new > 0 {
            self.finds.push(Find { recipe: made.recipe, children: Yield::default() });
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
            corpus.learn(&bases, made.clone(), u64::from(finds(&made.recipe)));
            made
        });
        let made = made.collect();
        (corpus, made)
    }

    #[test]
    fn every_case_can_be_made_and_has_few_changes() {
        let (corpus, made) = cases(Region::Any, |recipe| recipe.changes.len() % 2 == 0);
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
        let kind = |case: &Made| bases(Region::Any).kind("m", case.recipe.changes[0]);
        let share = |finds: fn(&Recipe) -> bool| {
            let (_, made) = cases(Region::Any, finds);
            made.iter().filter(|case| kind(case) == "Sections sh_type").count()
        };
        let (some, none) =
            (share(|recipe| bases(Region::Any).kind("m", recipe.changes[0]) == "Sections sh_type"), share(|_| false));
        assert!(some > 5 * none, "{some} {none}");
    }

    #[test]
    fn what_brings_nothing_is_left_alone() {
        // The first finds something, and never a child of it.
        let seen = std::cell::Cell::new(0);
        let (corpus, made) = cases(Region::Any, |_| seen.replace(seen.get() + 1) < 10);
        let children = |find| made.iter().filter(|case| case.parent == Some(find)).count();
        let all: Vec<usize> = (0..corpus.finds.len()).map(children).collect();
        assert!(all.iter().max() < Some(&(2 * 2000 / all.len())), "{all:?}");
    }
}
