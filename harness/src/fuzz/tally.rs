//! What cases gave, counted: rows that are alike are one entry, with the first of them as an example.

use std::collections::{BTreeMap, BTreeSet};

use modfile::check::Verdict;
use serde::{Deserialize, Serialize};

use super::{
    case::CaseId,
    change::Recipe,
    judge::{self, Answer, Class},
    libkmod::Reading,
    readings::{Counts, Readings},
};

/// Different entries that are kept of a campaign. More of them are counted by their class only.
const ENTRIES_MAX: usize = 2000;

/// A case of a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawn {
    /// Its number.
    pub index: u64,
    /// What was done, where that does not follow from the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Recipe>,
}

/// One of which all follows from the number.
impl From<u64> for Drawn {
    fn from(index: u64) -> Self {
        Self { index, recipe: None }
    }
}

/// One case and all that is said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The case.
    pub case: Drawn,
    /// Our verdict.
    pub ours: Verdict,
    /// The kernel's.
    pub kernel: Answer,
    /// libkmod's, if it was asked.
    pub libkmod: Option<Reading>,
}

/// Rows that are alike. What libkmod made of them may differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// How many.
    pub count: u64,
    /// The one with the lowest number.
    #[serde(flatten)]
    pub first: Drawn,
    /// Its class.
    pub class: Class,
    /// Our verdict on it.
    pub ours: String,
    /// The kernel's.
    pub kernel: Answer,
    /// How they came out with libkmod.
    pub libkmod: Counts,
    /// What became of the case when it was run alone; nothing yet when it was not.
    pub alone: Option<Alone>,
}

/// What a case does alone, in a guest of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Alone {
    /// The same, also with only these changes: what they are.
    Same(CaseId, Vec<String>),
    /// Something else: what came before it matters.
    Other,
}

/// Counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Cases of each class.
    pub classes: BTreeMap<Class, u64>,
    /// Rows that are alike, by what they have in common.
    pub entries: BTreeMap<String, Entry>,
    /// Rows that are in no entry, because there are too many.
    pub left_out: u64,
    /// What libkmod made of all cases.
    pub readings: Readings,
}

impl Tally {
    /// Counts a row.
    pub fn add(&mut self, row: Row) {
        let class = Class::of(&row.ours, &row.kernel);
        *self.classes.entry(class).or_default() += 1;
        let key = key(class, &row);
        let Row { case, ours, kernel, libkmod: reading } = row;
        let mut libkmod = Counts::default();
        if let Some(reading) = reading {
            libkmod.add(reading.outcome(), 1);
            self.readings.add(class, case.clone(), reading);
        }
        let ours = judge::words(&ours);
        self.put(key, Entry { count: 1, first: case, class, ours, kernel, libkmod, alone: None });
    }

    /// Counts what another tally has counted.
    pub fn merge(&mut self, other: Self) {
        for (class, count) in other.classes {
            *self.classes.entry(class).or_default() += count;
        }
        self.left_out += other.left_out;
        self.readings.merge(other.readings);
        other.entries.into_iter().for_each(|(key, entry)| self.put(key, entry));
    }

    fn put(&mut self, key: String, entry: Entry) {
        let full = self.entries.len() >= ENTRIES_MAX;
        match self.entries.get_mut(&key) {
            Some(known) => {
                let (count, alone) = (known.count + entry.count, known.alone.take());
                let mut libkmod = std::mem::take(&mut known.libkmod);
                libkmod.merge(&entry.libkmod);
                if entry.first.index < known.first.index && alone.is_none() {
                    *known = entry;
                }
                (known.count, known.libkmod, known.alone) = (count, libkmod, alone);
            }
            None if full => self.left_out += entry.count,
            None => drop(self.entries.insert(key, entry)),
        }
    }

    /// How many cases there are.
    pub fn cases(&self) -> u64 {
        self.classes.values().sum()
    }

    /// How many of a class.
    pub fn of(&self, class: Class) -> u64 {
        self.classes.get(&class).copied().unwrap_or_default()
    }

    /// The entries that shall be run alone: all bugs of ours, and of each way in which the kernel died one.
    pub fn to_confirm(&self) -> Vec<(String, Entry)> {
        let mut titles: BTreeSet<&str> = self.confirmed().filter_map(|entry| entry.kernel.title()).collect();
        let mut wanted = Vec::new();
        for (key, entry) in &self.entries {
            let is_new = entry.kernel.title().is_some_and(|title| titles.insert(title));
            if entry.alone.is_none() && (is_new || entry.class.is_bug()) {
                wanted.push((key.clone(), entry.clone()));
            }
        }
        wanted
    }

    fn confirmed(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(|entry| entry.alone.is_some())
    }

    /// How many different ways the kernel died in.
    pub fn crashes(&self) -> BTreeMap<&str, u64> {
        let mut titles = BTreeMap::new();
        for entry in self.entries.values() {
            if let Some(title) = entry.kernel.title() {
                *titles.entry(title).or_default() += entry.count;
            }
        }
        titles
    }
}

/// Whether two answers are the same, but for what differs from case to case.
pub fn is_like(one: &Answer, other: &Answer) -> bool {
    answer_key(one) == answer_key(other)
}

fn answer_key(answer: &Answer) -> String {
    match answer {
        // What a guest says on the way is said but once in its life.
        Answer::Returned(result, _) if judge::has_accepted(*result) => result.to_string(),
        Answer::Init(result) => format!("init {result}"),
        Answer::Signature(result) => format!("signature {result}"),
        // What a refusal is for is said last.
        Answer::Returned(result, log) => format!("{result} {}", pattern(log.lines().last().unwrap_or_default())),
        Answer::Crashed(title) | Answer::Ran(title) => title.clone(),
    }
}

/// What rows have in common: class, reason, and the kernel's answer, without what differs from case to case.
fn key(class: Class, row: &Row) -> String {
    format!("{} | {} | {}", class.name(), judge::short(&row.ours), answer_key(&row.kernel))
}

/// A text with `#` for each number, and without names: what stands in quotes, after `symbol`, or before the colon with
/// which kernels begin what they say of a module.
fn pattern(text: &str) -> String {
    let text = match text.split_once(": ") {
        Some((name, rest)) if !name.contains(' ') && !matches!(name, "WARNING" | "BUG") => rest,
        _ => text,
    };
    let text = if text.starts_with("section ") { without_name(text, "section ") } else { without_name(text, "ymbol ") };
    let mut pattern = String::new();
    for (number, part) in text.split(['\'', '`']).enumerate() {
        match number % 2 {
            0 => part.split_inclusive(|c: char| !c.is_alphanumeric()).for_each(|word| pattern += &without_number(word)),
            _ => pattern.push('*'),
        }
    }
    pattern
}

/// A text without the name that stands behind these words.
fn without_name(text: &str, before: &str) -> String {
    let Some((start, rest)) = text.split_once(before) else { return text.to_owned() };
    let end = [" (", " has ", " from ", " must "].iter().filter_map(|word| rest.find(word)).min();
    format!("{start}{before}*{}", &rest[end.unwrap_or(rest.len())..])
}

/// A word and what ends it, or `#` where the word is a number, hexadecimal also without a mark if it is long.
fn without_number(word: &str) -> String {
    let digits = word.trim_end_matches(|c: char| !c.is_alphanumeric());
    let is_hex = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_hexdigit());
    let is_number = digits.starts_with("0x") || is_hex(digits) && digits.contains(|c: char| c.is_ascii_digit());
    if is_number { format!("#{}", &word[digits.len()..]) } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(index: u64, log: &str) -> Row {
        Row {
            case: index.into(),
            ours: Verdict::Accept,
            kernel: Answer::Returned(-8, log.into()),
            libkmod: Some(Reading::Took),
        }
    }

    #[test]
    fn rows_that_differ_in_names_and_numbers_are_one_entry() {
        let check = |lines: &[&str], expected: &str| {
            let mut tally = Tally::default();
            lines.iter().enumerate().for_each(|(index, log)| tally.add(row(index as u64, log)));
            assert_eq!(tally.entries.keys().collect::<Vec<_>>(), [&format!("laxer | accept | -8 {expected}")]);
            assert_eq!(
                tally.entries.values().next().map(|entry| (entry.count, entry.first.index)),
                Some((lines.len() as u64, 0))
            );
        };
        check(
            &["Invalid ELF header type: 2 != 1", "Invalid ELF header type: 65535 != 1"],
            "Invalid ELF header type: # != #",
        );
        check(
            &["one: Symbol a has an invalid section index 9 (max 4)", "Symbol  has an invalid section index 8 (max 4)"],
            "Symbol * has an invalid section index # (max #)",
        );
        check(
            &["one: section .text (index 4) has invalid flags", "section .bss (index 5) has invalid flags"],
            "section * (index #) has invalid flags",
        );
        check(
            &["Invalid ELF section in module (section 3 type 1)"],
            "Invalid ELF section in module (section # type #)",
        );
        check(&["at ffffffffc0406000, e9 00", "at ffffffffc04060ff, 0 1"], "at #, # #");
        check(&["m: version 'a 1' should be 'b'", "n: version 'c' should be 'd'"], "version * should be *");
    }

    #[test]
    fn counts_go_together_and_the_first_case_is_the_example() {
        let (mut one, mut other) = (Tally::default(), Tally::default());
        one.add(row(7, "x"));
        other.add(row(3, "x"));
        other.add(row(9, "y"));
        one.merge(other);
        assert_eq!((one.cases(), one.of(Class::Laxer)), (3, 3));
        assert_eq!(
            one.entries.values().map(|entry| (entry.count, entry.first.index)).collect::<Vec<_>>(),
            [(2, 3), (1, 9)]
        );
        let libkmod: Vec<String> = one.entries.values().map(|entry| entry.libkmod.to_string()).collect();
        assert_eq!(
            (libkmod, one.readings.counts(|_| true).to_string()),
            (vec!["took 2".into(), "took 1".into()], "took 3".into())
        );
        assert_eq!(one.to_confirm().len(), 2);
    }
}
