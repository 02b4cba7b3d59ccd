//! What libkmod made of the cases, counted: beside the class of a case, which is ours and the kernel's.

use std::{
    collections::{BTreeMap, btree_map},
    fmt,
};

use serde::{Deserialize, Serialize};

use super::{
    judge::Class,
    libkmod::{Outcome, Reading},
    tally::Alone,
};

/// How many cases came out how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Counts(BTreeMap<Outcome, u64>);

impl Counts {
    /// Counts some more.
    pub fn add(&mut self, outcome: Outcome, count: u64) {
        *self.0.entry(outcome).or_default() += count;
    }

    /// Counts what others have counted.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(outcome, count)| self.add(*outcome, *count));
    }

    /// How many came out like this.
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.0.get(&outcome).copied().unwrap_or_default()
    }
}

/// `took 12, refused 3`, or `-` where it was not asked.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> = self.0.iter().map(|(outcome, count)| format!("{} {count}", outcome.name())).collect();
        f.write_str(if counts.is_empty() { "-" } else { "" })?;
        f.write_str(&counts.join(", "))
    }
}

/// Cases of which libkmod made the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Same {
    /// What it made of them.
    pub reading: Reading,
    /// How many of each class.
    pub classes: BTreeMap<Class, u64>,
    /// The one with the lowest number.
    pub index: u64,
    /// What it made of that one alone, where it died or did not come back; nothing yet when it was not asked again.
    pub alone: Option<Alone>,
}

impl Same {
    /// How many.
    pub fn count(&self) -> u64 {
        self.classes.values().sum()
    }
}

/// All of them, by what it made of them in words. There are few: calls, errnos and assertions are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Readings(BTreeMap<String, Same>);

impl Readings {
    /// Counts a case.
    pub fn add(&mut self, class: Class, index: u64, reading: Reading) {
        self.put(Same { reading, classes: BTreeMap::from([(class, 1)]), index, alone: None });
    }

    /// Counts what others have counted.
    pub fn merge(&mut self, other: Self) {
        other.0.into_values().for_each(|same| self.put(same));
    }

    fn put(&mut self, same: Same) {
        match self.0.entry(same.reading.to_string()) {
            btree_map::Entry::Vacant(place) => drop(place.insert(same)),
            btree_map::Entry::Occupied(known) => {
                let known = known.into_mut();
                same.classes.iter().for_each(|(class, count)| *known.classes.entry(*class).or_default() += count);
                if same.index < known.index && known.alone.is_none() {
                    (known.index, known.reading) = (same.index, same.reading);
                }
            }
        }
    }

    /// Each once.
    pub fn iter(&self) -> impl Iterator<Item = &Same> {
        self.0.values()
    }

    /// Those in which libkmod is at fault, and which it was not asked again.
    pub fn to_confirm(&mut self) -> impl Iterator<Item = &mut Same> {
        self.0.values_mut().filter(|same| same.reading.outcome().is_fault() && same.alone.is_none())
    }

    /// How the cases of some classes came out.
    pub fn counts(&self, is_wanted: impl Fn(Class) -> bool) -> Counts {
        let mut counts = Counts::default();
        for same in self.iter() {
            let wanted = same.classes.iter().filter(|(class, _)| is_wanted(**class));
            wanted.for_each(|(_, count)| counts.add(same.reading.outcome(), *count));
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::{super::libkmod::Call, *};

    #[test]
    fn what_libkmod_made_of_cases_is_counted_by_class_and_the_first_case_shows_it() {
        let refused = || Reading::Refused(Call::Info, libc::EINVAL);
        let (mut one, mut other) = (Readings::default(), Readings::default());
        one.add(Class::Laxer, 7, refused());
        other.add(Class::CrashFlagged, 3, refused());
        other.add(Class::CrashFlagged, 4, Reading::Took);
        other.add(Class::CrashFlagged, 5, Reading::Died(Call::Info, "why".into()));
        one.merge(other);
        assert_eq!(one.counts(|_| true).to_string(), "took 1, refused 2, died 1");
        assert_eq!(one.counts(|class| class == Class::Laxer).to_string(), "refused 1");
        assert_eq!(one.counts(|class| class == Class::Warned).to_string(), "-");
        assert_eq!(
            one.iter().find(|same| same.reading == refused()).map(|same| (same.index, same.count())),
            Some((3, 2))
        );
        assert_eq!(one.to_confirm().map(|same| same.index).collect::<Vec<_>>(), [5]);
    }
}
