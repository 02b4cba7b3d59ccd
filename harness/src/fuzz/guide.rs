//! A guided campaign: cases that reached what none before them had are kept, and changed further.

use serde::{Deserialize, Serialize};

use super::{
    base::Bases,
    change::{Chance, Recipe},
};
use crate::error::Result;

/// Changes that a case has at most: what is found is made small by trying all parts of it.
const CHANGES_MAX: usize = 5;

/// Of so many cases one is not made of another, so that the campaign never narrows down to what it has.
const FRESH: u64 = 4;

/// A case that reached something new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Find {
    /// What it is.
    pub recipe: Recipe,
    /// How many basic blocks no case before it had reached.
    pub new: u64,
    /// How many cases were made of it.
    pub children: u64,
}

/// What a guided campaign has found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corpus(Vec<Find>);

impl Corpus {
    /// Whether nothing was found, as in a campaign that is not guided.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A case has reached so many new blocks.
    pub fn add(&mut self, recipe: Recipe, new: u64) {
        self.0.push(Find { recipe, new, children: 0 });
    }

    /// The next case: a find with something more or something else, or now and then one of its own.
    ///
    /// # Errors
    /// A find is of other modules than these.
    pub fn next(&mut self, bases: &Bases, chance: &mut Chance) -> Result<Recipe> {
        if self.is_empty() || chance.below(FRESH) == 0 {
            return Ok(bases.fresh(chance));
        }
        let parent = self.choose(chance);
        self.0[parent].children += 1;
        let mut recipe = self.0[parent].recipe.clone();
        let count = recipe.changes.len() as u64;
        match chance.below(8) {
            0..4 if recipe.changes.len() < CHANGES_MAX => {
                recipe.changes.push(bases.change(&recipe.base, chance)?);
            }
            4 => {
                let other = &chance.one_of(&self.0).recipe;
                if other.base == recipe.base {
                    recipe.changes.extend(&other.changes);
                    recipe.changes.truncate(CHANGES_MAX);
                }
            }
            5 if count > 1 => drop(recipe.changes.remove(chance.below(count) as usize)),
            _ => {
                let change = &mut recipe.changes[chance.below(count) as usize];
                *change = bases.change_again(&recipe.base, *change, chance)?;
            }
        }
        Ok(recipe)
    }

    /// Of two finds the one that was less often changed.
    fn choose(&self, chance: &mut Chance) -> usize {
        let mut any = || chance.below(self.0.len() as u64) as usize;
        let (one, other) = (any(), any());
        if self.0[one].children <= self.0[other].children { one } else { other }
    }
}
