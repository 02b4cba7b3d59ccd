//! Our module tools beside the real kmod: the same input, the same calls, every byte compared.
//!
//! A [`Case`] is data: files, and calls as one would type them. Both sides run it in the same directory, one after the
//! other, so that no path differs; [`judge`] says what came of it. Nothing touches this machine's kernel: the tools run
//! without the privilege to load modules, and what needs a kernel is a scenario's matter.

mod case;
mod known;
mod made;
mod tables;
mod tool;
mod trees;
mod verdict;
mod words;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

pub use case::{Case, Input, Put};
pub use tool::{Side, Tools};
pub use trees::{Tree, both_packings};
pub use verdict::{Verdict, judge};
pub use words::Call;

use crate::{
    error::{Error, Result},
    interrupt,
    kernel::Store,
    peers::{Kmod, Peers},
};

/// The kmod that ours stands in for.
pub const REFERENCE: &str = "kmod-34";

/// How much is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// On modules made on the spot, in seconds.
    Quick,
    /// On the whole module trees of two kernels, and on the fuzz targets' corpora, as well.
    Full,
}

/// A case, and what has become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The case's name.
    pub name: String,
    /// The part of the name that it is counted under.
    pub group: String,
    /// How many calls it is made of.
    pub calls: usize,
    /// What it has shown.
    pub finding: Finding,
}

/// A verdict in the light of what is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// No difference.
    Same,
    /// A difference that nobody has meant.
    Difference(String),
    /// A difference that is meant: how its row in docs/differences.md begins, and what differs.
    Known(&'static str, String),
    /// A difference that is meant, and is not there: how its row begins.
    Missing(&'static str),
    /// kmod died, ours did not.
    KmodDied(String),
}

/// Compares our tools with the real kmod, in the cases whose name contains one of the filters.
///
/// # Errors
/// The packages cannot be had, a program cannot be started, nothing is selected, or the user asked to stop.
pub fn kmod(store: &Store, extent: Extent, filters: &[String]) -> Result<Report> {
    let tools = Tools::new(Kmod::obtain(store, &Peers::embedded()?, REFERENCE)?, &store.cache)?;
    let place = store.cache.staging()?;
    let made = made::Made::new(place.path(), &tools)?;
    let mut cases = tables::on_made(&made)?;
    if extent == Extent::Full {
        cases.extend(tables::on_corpora()?);
        for tree in trees::wanted(store, place.path(), &tools, filters)? {
            cases.extend(tables::on_tree(&tree)?);
        }
    }
    cases.retain(|case| filters.is_empty() || filters.iter().any(|filter| case.name.contains(filter.as_str())));
    if cases.is_empty() {
        return Err(Error::nothing_selected(format!("no case is called `{}`", filters.join("`, `"))));
    }
    let bar = store.progress.count("cases", cases.len() as u64);
    let mut judged = judged(&tools, &cases, place.path(), || bar.inc(1))?;
    // Of a selection, it may be the others that differ.
    if filters.is_empty() {
        known::mark_missing(&mut judged);
    }
    Ok(Report { version: tools.version().to_owned(), judged })
}

/// All processors take cases in turns; each works in a directory of its own.
fn judged(tools: &Tools, cases: &[Case], place: &std::path::Path, on_end: impl Fn() + Sync) -> Result<Vec<Judged>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    let work = |worker: usize| -> Result<()> {
        let directory = place.join(format!("worker-{worker}"));
        loop {
            interrupt::check()?;
            let at = next.fetch_add(1, Ordering::SeqCst);
            let Some(case) = cases.get(at) else { return Ok(()) };
            let [kmod, ours] = [Side::Kmod, Side::Ours].map(|side| case.outcome(tools, side, &directory));
            let verdict = judge(case, &kmod?.seen_from(&directory), &ours?.seen_from(&directory));
            done.lock().unwrap_or_else(PoisonError::into_inner).insert(at, judged_case(case, verdict));
            on_end();
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let all: Vec<_> = (0..workers).map(|worker| scope.spawn(move || work(worker))).collect();
        all.into_iter().try_for_each(|one| one.join().expect("a worker gives its errors back"))
    })?;
    Ok(done.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect())
}

fn judged_case(case: &Case, verdict: Verdict) -> Judged {
    let finding = known::finding(&case.name, verdict);
    Judged { name: case.name.clone(), group: case.group().to_owned(), calls: case.calls.len(), finding }
}

/// All cases of a comparison.
#[derive(Debug, Clone)]
pub struct Report {
    /// Version of the real kmod's package.
    pub version: String,
    /// The cases, in the tables' order.
    pub judged: Vec<Judged>,
}

impl Report {
    /// Whether nothing is there that should not be, and all that should.
    pub fn is_clean(&self) -> bool {
        !self.judged.iter().any(|one| matches!(one.finding, Finding::Difference(_) | Finding::Missing(_)))
    }

    /// For a person: what differs, then one line per group.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for one in &self.judged {
            let _ = match &one.finding {
                Finding::Difference(how) => writeln!(text, "DIFFERENT {}\n  {}\n", one.name, indented(how)),
                Finding::Missing(row) => {
                    writeln!(text, "SAME      {}\n  though a difference is known: {row}\n", one.name)
                }
                Finding::KmodDied(how) => writeln!(text, "kmod died {}\n  {}\n", one.name, indented(how)),
                Finding::Same | Finding::Known(..) => Ok(()),
            };
        }
        text.push_str(&self.table());
        text
    }

    fn table(&self) -> String {
        let mut groups: Vec<&str> = Vec::new();
        for one in &self.judged {
            if groups.last() != Some(&&*one.group) && !groups.contains(&&*one.group) {
                groups.push(&one.group);
            }
        }
        let mut text = format!(
            "{:28} {:>6} {:>6} {:>10} {:>6}  {}\n",
            "modutils and kmod", "cases", "calls", "different", "known", self.version
        );
        for group in groups {
            text.push_str(&row(group, self.judged.iter().filter(|one| one.group == group)));
        }
        text.push_str(&row("all", self.judged.iter()));
        text
    }
}

fn row<'a>(name: &str, judged: impl Iterator<Item = &'a Judged> + Clone) -> String {
    let count = |wanted: fn(&Finding) -> bool| judged.clone().filter(|one| wanted(&one.finding)).count();
    let different = count(|finding| matches!(finding, Finding::Difference(_) | Finding::Missing(_)));
    let known = count(|finding| matches!(finding, Finding::Known(..)));
    let died = match count(|finding| matches!(finding, Finding::KmodDied(_))) {
        0 => String::new(),
        died => format!("  (kmod died in {died})"),
    };
    let calls: usize = judged.clone().map(|one| one.calls).sum();
    format!("{name:28} {:>6} {calls:>6} {different:>10} {known:>6}{died}\n", judged.count())
}

fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n  ")
}
