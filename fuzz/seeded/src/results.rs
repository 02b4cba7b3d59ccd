//! What campaigns gave, a line for each: bug, seed, and after how many milliseconds of CPU time it was reached, triggered
//! and detected, or `-`.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

/// A campaign's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The bug's name.
    pub bug: String,
    /// libFuzzer's seed, from 0.
    pub seed: u32,
    /// When the bug's line was first executed.
    pub reached: Option<Duration>,
    /// When the bug first did harm.
    pub triggered: Option<Duration>,
    /// When the target noticed.
    pub detected: Option<Duration>,
}

impl Row {
    /// The line.
    pub fn text(&self) -> String {
        let [reached, triggered, detected] = [self.reached, self.triggered, self.detected]
            .map(|time| time.map_or("-".to_owned(), |time| time.as_millis().to_string()));
        format!("{}\t{}\t{reached}\t{triggered}\t{detected}", self.bug, self.seed)
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split('\t');
        let (bug, seed) = (words.next()?.to_owned(), words.next()?.parse().ok()?);
        let mut time = || match words.next()? {
            "-" => Some(None),
            number => number.parse().ok().map(Duration::from_millis).map(Some),
        };
        Some(Self { bug, seed, reached: time()?, triggered: time()?, detected: time()? })
    }
}

/// All rows of a file; none where there is no such file.
///
/// # Errors
/// The file cannot be read, or a line is no row.
pub fn read(path: &Path) -> io::Result<Vec<Row>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let wrong = |line: &str| io::Error::other(format!("{}: not a result: {line}", path.display()));
    fs::read_to_string(path)?.lines().map(|line| Row::parse(line).ok_or_else(|| wrong(line))).collect()
}

/// Adds a row, so that an interrupted run goes on where it was.
///
/// # Errors
/// The file cannot be written.
pub fn add(path: &Path, row: &Row) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(format!("{}\n", row.text()).as_bytes())
}
