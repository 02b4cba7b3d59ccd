//! Changes of a module's file, as text too, and the chance that chooses them.

use std::{fmt, str::FromStr};

use modrig_fuzz::damage::Value;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// One way to break a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A number becomes another one: which of [`modrig_fuzz::damage::places`].
    Number(usize, Value),
    /// So many bytes are left.
    Cut(usize),
}

/// `417=max`: the number at the 417th place becomes the largest; `cut=100`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (place, value) = match self {
            Self::Cut(len) => return write!(f, "cut={len}"),
            Self::Number(place, value) => (place, value),
        };
        write!(f, "{place}=")?;
        match value {
            Value::Flip(bit) => write!(f, "bit{bit}"),
            Value::Other(number) => write!(f, "{number:#x}"),
            value => f.write_str(WORDS.iter().find(|(_, known)| known == value).map_or("", |(word, _)| word)),
        }
    }
}

const WORDS: [(&str, Value); 6] = [
    ("zero", Value::Zero),
    ("max", Value::Max),
    ("half", Value::HalfMax),
    ("less", Value::Less),
    ("more", Value::More),
    ("length", Value::FileLength),
];

impl FromStr for Change {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let number = |text: &str| text.parse().map_err(drop);
        let (place, value) = text.split_once('=').ok_or(())?;
        if place == "cut" {
            return number(value).map(Self::Cut);
        }
        let known = WORDS.iter().find(|(word, _)| *word == value).map(|(_, value)| *value);
        let value = match (known, value.strip_prefix("bit"), value.strip_prefix("0x")) {
            (Some(value), ..) => value,
            (_, Some(bit), _) => Value::Flip(bit.parse().map_err(drop)?),
            (_, _, Some(hex)) => Value::Other(u64::from_str_radix(hex, 16).map_err(drop)?),
            _ => return Err(()),
        };
        Ok(Self::Number(number(place)?, value))
    }
}

/// A module, and what is changed in it: all that it takes to make a case. `accepted_full/417=max+cut=100`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Recipe {
    /// The module's name.
    pub base: String,
    /// One after the other.
    pub changes: Vec<Change>,
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changes: Vec<String> = self.changes.iter().map(ToString::to_string).collect();
        write!(f, "{}/{}", self.base, changes.join("+"))
    }
}

impl FromStr for Recipe {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let (base, changes) = text.split_once('/')?;
            let changes = changes.split('+').map(|change| change.parse().ok()).collect::<Option<_>>()?;
            Some(Self { base: base.to_owned(), changes })
        };
        parse()
            .ok_or_else(|| Error::usage(format!("`{text}` is no module with changes such as accepted/12=max+7=0x40")))
    }
}

impl From<Recipe> for String {
    fn from(recipe: Recipe) -> Self {
        recipe.to_string()
    }
}

impl TryFrom<String> for Recipe {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

/// Numbers that look like chance and follow from seed and case: Steele, Lea and Flood's SplitMix64.
#[derive(Debug)]
pub struct Chance(u64);

impl Chance {
    /// What follows from these two numbers.
    pub fn new(seed: u64, index: u64) -> Self {
        // Neighbouring seeds and numbers shall have nothing in common.
        Self(Self(seed).number() ^ Self(!index).number())
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// 0 to `end` - 1.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end.max(1)
    }

    /// Any of some things, of which there is one at least.
    pub fn one_of<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        &things[self.below(things.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_reads_as_it_was_written() {
        let values = WORDS.map(|(_, value)| value).into_iter().chain([Value::Flip(63), Value::Other(u64::MAX)]);
        let changes = values.zip(7..).map(|(value, place)| Change::Number(place, value)).chain([Change::Cut(100)]);
        let recipe = Recipe { base: "accepted_full".into(), changes: changes.collect() };
        let text = recipe.to_string();
        let expected =
            "accepted_full/7=zero+8=max+9=half+10=less+11=more+12=length+13=bit63+14=0xffffffffffffffff+cut=100";
        assert_eq!(text, expected);
        assert_eq!(text.parse::<Recipe>().unwrap(), recipe);
    }

    #[test]
    fn what_is_no_recipe_is_refused() {
        for text in
            ["", "m", "m/", "m/7", "m/7=", "m/7=most", "m/x=max", "m/7=0xg", "m/7=max+", "m/cut=-1", "m/7=bit999"]
        {
            assert!(text.parse::<Recipe>().is_err(), "{text}");
        }
    }
}
