//! How every case of a run ended, in a form that is small enough to be committed: one line per scenario.

use std::{collections::BTreeMap, path::Path};

use crate::{
    error::{Error, Result},
    machine::Machine,
    report::{Record, Verdict, collection::Collection},
};

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The kernel does what the scenario says.
    Passed,
    /// The case makes no sense on this kernel.
    Skipped(String),
    /// The kernel does something else, or the rig failed.
    Failed(String),
}

/// The outcomes of a run over a matrix.
#[derive(Debug, Default)]
pub struct Results {
    /// Name and release of each kernel, in the order of the matrix.
    pub kernels: Vec<(String, String)>,
    cases: BTreeMap<(String, String), Outcome>,
}

const HEADING: &str =
    "# How each scenario ended on each kernel of the matrix: + passed, ! failed, else why it was skipped.
# `modrig run` and `modrig behaviours --records target/modrig/records --write` write it.
";

impl Results {
    /// Those that docs/behaviours.md was made with.
    ///
    /// # Errors
    /// The file that was compiled in is damaged.
    pub fn embedded() -> Result<Self> {
        Self::parse(include_str!("../../results.tsv"))
    }

    /// Reads the committed form.
    ///
    /// # Errors
    /// A line has not one column per kernel.
    pub fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let [names, releases] = [lines.next(), lines.next()].map(|line| line.unwrap_or_default().split('\t').skip(1));
        let kernels: Vec<_> =
            names.zip(releases).map(|(name, release)| (name.to_owned(), release.to_owned())).collect();
        let mut results = Self { kernels: kernels.clone(), cases: BTreeMap::new() };
        for line in lines {
            let mut columns = line.split('\t');
            let path = columns.next().unwrap_or_default();
            let outcomes: Vec<&str> = columns.collect();
            if outcomes.len() != kernels.len() {
                return Err(Error::new(format!("results.tsv has {} outcomes of `{path}`", outcomes.len())));
            }
            for ((kernel, _), outcome) in kernels.iter().zip(outcomes) {
                match outcome {
                    "" => {}
                    "+" => results.insert(path, kernel, Outcome::Passed),
                    failed if failed.starts_with('!') => {
                        results.insert(path, kernel, Outcome::Failed(failed[1..].trim().to_owned()));
                    }
                    why => results.insert(path, kernel, Outcome::Skipped(why.to_owned())),
                }
            }
        }
        Ok(results)
    }

    /// The records of a run, for the kernels of a matrix in its order.
    ///
    /// # Errors
    /// The directory or a record in it cannot be read.
    pub fn of_records(directory: &Path, kernels: impl Iterator<Item = String>) -> Result<Self> {
        let mut results = Self { kernels: kernels.map(|name| (name, String::new())).collect(), cases: BTreeMap::new() };
        for record in &Collection::read(&[directory.to_owned()])?.records {
            results.add(record);
        }
        Ok(results)
    }

    fn add(&mut self, record: &Record) {
        if record.tools() != "modrig" {
            return;
        }
        let Some((_, release)) = self.kernels.iter_mut().find(|(name, _)| *name == record.kernel) else { return };
        // Some machines have another flavour of the same kernel.
        let is_usual = record.machine == Machine::DEFAULT.to_string();
        if let Some(of_record) = record.release.as_ref().filter(|_| is_usual) {
            release.clone_from(of_record);
        }
        let first_line = |why: &String| why.lines().next().unwrap_or_default().replace('\t', " ");
        let outcome = match &record.verdict {
            Verdict::Passed => Outcome::Passed,
            Verdict::Skipped { why } => Outcome::Skipped(first_line(why)),
            Verdict::Failed { why, .. } | Verdict::Broken { why, .. } => Outcome::Failed(first_line(why)),
        };
        self.insert(&format!("{}::{}", record.group, record.scenario), &record.kernel, outcome);
    }

    /// These, and those of an older run for cases that have none here. Of a kernel that has another release by now,
    /// nothing older is known.
    pub fn completed_by(mut self, older: Self) -> Self {
        for (name, release) in &mut self.kernels {
            let known = older.kernels.iter().find(|(kernel, _)| kernel == name);
            let Some((_, before)) = known.filter(|(_, before)| release.is_empty() || release == before) else {
                continue;
            };
            release.clone_from(before);
            for ((path, kernel), outcome) in older.cases.iter().filter(|((_, kernel), _)| kernel == name) {
                self.cases.entry((path.clone(), kernel.clone())).or_insert_with(|| outcome.clone());
            }
        }
        self
    }

    /// Says how a case ended.
    pub fn insert(&mut self, path: &str, kernel: &str, outcome: Outcome) {
        self.cases.insert((path.to_owned(), kernel.to_owned()), outcome);
    }

    /// How a scenario ended on a kernel, if it ran.
    pub fn of(&self, path: &str, kernel: &str) -> Option<&Outcome> {
        self.cases.get(&(path.to_owned(), kernel.to_owned()))
    }

    /// The committed form of these scenarios' results, in their order.
    pub fn text(&self, paths: impl Iterator<Item = String>) -> String {
        let row = |first: &str, columns: Vec<&str>| format!("{first}\t{}\n", columns.join("\t"));
        let mut text = HEADING.to_owned();
        text += &row("kernel", self.kernels.iter().map(|(name, _)| name.as_str()).collect());
        text += &row("release", self.kernels.iter().map(|(_, release)| release.as_str()).collect());
        for path in paths {
            let outcome = |kernel: &String| match self.of(&path, kernel) {
                None => String::new(),
                Some(Outcome::Passed) => "+".to_owned(),
                Some(Outcome::Skipped(why)) => why.clone(),
                Some(Outcome::Failed(why)) => format!("! {why}"),
            };
            let outcomes: Vec<String> = self.kernels.iter().map(|(name, _)| outcome(name)).collect();
            text += &row(&path, outcomes.iter().map(String::as_str).collect());
        }
        text
    }

    /// Cases that ended otherwise than in another run: what each gave there, and here.
    pub fn otherwise_than<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = String> + 'a {
        self.cases.iter().filter_map(|((path, kernel), here)| {
            let there = other.of(path, kernel)?;
            (there != here).then(|| format!("{kernel}::{path}: {}, was {}", here.words(), there.words()))
        })
    }
}

impl Outcome {
    fn words(&self) -> String {
        match self {
            Self::Passed => "passed".to_owned(),
            Self::Skipped(why) => format!("skipped ({why})"),
            Self::Failed(why) => format!("failed ({why})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut results = Results {
            kernels: vec![("6.1".into(), "6.1.0-56".into()), ("7.3".into(), "7.3.4".into())],
            ..Results::default()
        };
        results.insert("a::b", "6.1", Outcome::Passed);
        results.insert("a::b", "7.3", Outcome::Skipped("no CRCs".into()));
        results.insert("a::c", "7.3", Outcome::Failed("it did".into()));
        let text = results.text(["a::b", "a::c"].into_iter().map(str::to_owned));
        assert!(
            text.ends_with("kernel\t6.1\t7.3\nrelease\t6.1.0-56\t7.3.4\na::b\t+\tno CRCs\na::c\t\t! it did\n"),
            "{text}"
        );
        let again = Results::parse(&text).unwrap();
        assert_eq!((&again.kernels, &again.cases), (&results.kernels, &results.cases));
        assert!(Results::parse("kernel\t6.1\nrelease\tx\na::b\t+\t+\n").is_err());
    }

    #[test]
    fn older_results_are_kept_for_the_same_release_alone() {
        let run = |release: &str, path: &str, outcome: Outcome| {
            let mut results = Results { kernels: vec![("6.1".into(), release.into())], ..Results::default() };
            results.insert(path, "6.1", outcome);
            results
        };
        for (release, kept) in [("6.1.0-56", true), ("", true), ("6.1.0-57", false)] {
            let newer = run(release, "a::b", Outcome::Failed("now".into()));
            let mut older = run("6.1.0-56", "a::b", Outcome::Passed);
            older.insert("a::c", "6.1", Outcome::Passed);
            let both = newer.completed_by(older);
            assert_eq!(both.of("a::b", "6.1"), Some(&Outcome::Failed("now".into())));
            assert_eq!(both.of("a::c", "6.1").is_some(), kept, "{release}");
        }
    }

    #[test]
    fn another_ending_is_noticed() {
        let [mut then, mut now] = [Results::default(), Results::default()];
        for (results, outcome) in [(&mut then, Outcome::Passed), (&mut now, Outcome::Skipped("no compiler".into()))] {
            results.insert("a::b", "6.1", outcome);
            results.insert("a::c", "6.1", Outcome::Passed);
        }
        now.insert("a::new", "6.1", Outcome::Passed);
        let told: Vec<String> = now.otherwise_than(&then).collect();
        assert_eq!(told, ["6.1::a::b: skipped (no compiler), was passed"]);
    }
}
