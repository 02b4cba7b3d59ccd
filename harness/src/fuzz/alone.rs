//! Cases once more, each alone in a guest of its own: whether they do the same there, and with how few changes.

use modfile::check::{self, Kernel};

use super::{
    base::Bases,
    case::CaseId,
    judge::Answer,
    line::{Line, Pending},
};
use crate::{
    error::Result,
    vm::{Host, snapshot::Snapshot},
};

/// What it takes to run a case alone.
#[derive(Debug, Clone, Copy)]
pub struct Alone<'a> {
    /// Where guests run.
    pub host: &'a Host,
    /// What they are copies of.
    pub snapshot: &'a Snapshot,
    /// The modules that are broken.
    pub bases: &'a Bases,
    /// For our verdict.
    pub target: Kernel,
}

impl Alone<'_> {
    /// The kernel's answer to a file in a new guest, and what it said when it died.
    ///
    /// # Errors
    /// The user asked to stop, or the rig fails.
    pub fn load(&self, image: Vec<u8>) -> Result<(Answer, String)> {
        let ours = check::check(&image, self.target);
        let mut line = Line::new(self.host, self.snapshot, &[]);
        line.push(Pending { index: 0, made: None, image, ours });
        loop {
            if let Some(answered) = line.turn()?.pop() {
                return Ok((answered.answer, line.last_words));
            }
        }
    }

    /// The case with as few changes as still give an answer that is `like` the first one; None where the case alone does
    /// not.
    ///
    /// # Errors
    /// As [`Alone::load`].
    pub fn smallest(&self, case: &CaseId, like: impl Fn(&Answer) -> bool) -> Result<Option<CaseId>> {
        smallest(self.bases, case, |smaller| Ok(like(&self.load(self.bases.case(smaller)?.image)?.0)))
    }
}

/// The case with as few changes as still show something; None where the case itself does not.
///
/// # Errors
/// Those of `shows`.
pub fn smallest(
    bases: &Bases,
    case: &CaseId,
    mut shows: impl FnMut(&CaseId) -> Result<bool>,
) -> Result<Option<CaseId>> {
    let count = bases.recipe(case).changes.len();
    // Those of one change first, all of them last: a case has five at most.
    let mut sets: Vec<Vec<usize>> =
        (1..1_usize << count).map(|set| (0..count).filter(|change| set >> change & 1 == 1).collect()).collect();
    sets.sort_by_key(Vec::len);
    for only in sets {
        let smaller = case.with_only(&only, count);
        if shows(&smaller)? {
            return Ok(Some(smaller));
        }
    }
    Ok(None)
}
