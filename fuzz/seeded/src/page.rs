//! docs/seeded-bugs.md, from the table of bugs and all results.

use std::{fmt::Write as _, time::Duration};

use crate::{
    bugs::{self, Bug},
    results::Row,
};

const TOP: &str = "\
# Seeded bugs

What the fuzz targets find of bugs that were put into `modfile` on purpose, in the manner of
[Magma](https://hexhive.epfl.ch/magma/). A bug is *reached* where its line is executed, *triggered* where its condition
holds, so that the code goes wrong, and *detected* where the target's oracle notices. Written by `ci/fuzz bugs`, from
`fuzz/seeded/results.tsv`; the bugs are in `fuzz/seeded/src/bugs`.

Each campaign runs one target with one bug, from the seeds alone (what earlier campaigns added to the corpora would give
answers away), with ASan and the target's dictionary, for at most the CPU time that `ci/fuzz bugs --limit` says. Times are
CPU seconds, start included, medians of those campaigns in which it happened.

";

/// The page.
pub fn page(rows: &[Row]) -> String {
    let mut page = TOP.to_owned();
    let bugs: Vec<&Bug> = bugs::all().collect();
    let of = |bug: &Bug| rows.iter().filter(|row| row.bug == bug.name).collect::<Vec<_>>();
    let in_median = |part: fn(&Row) -> Option<Duration>, limit: u64| {
        bugs.iter().filter(|bug| most_within(&of(bug), part, Duration::from_secs(limit))).count()
    };
    let campaigns = rows.iter().filter(|row| bugs.iter().any(|bug| bug.name == row.bug)).count();
    let (triggered, detected) = (in_median(|row| row.triggered, 600), in_median(|row| row.detected, 600));
    // Writing to a string does not fail.
    let _ = writeln!(
        page,
        "Of {} bugs, in {campaigns} campaigns: {triggered} triggered and {detected} detected in the median within ten CPU \
         minutes; {} triggered and {} detected within one CPU second.\n",
        bugs.len(),
        in_median(|row| row.triggered, 1),
        in_median(|row| row.detected, 1),
    );
    page.push_str("| no. | bug | what goes wrong | target | campaigns | reached | triggered | detected |\n");
    page.push_str("|---|---|---|---|---|---|---|---|\n");
    for (at, bug) in bugs.iter().enumerate() {
        let rows = of(bug);
        let cells = [|row: &Row| row.reached, |row: &Row| row.triggered, |row: &Row| row.detected];
        let [reached, triggered, detected] = cells.map(|part| cell(&rows, part));
        let Bug { name, what, target, .. } = bug;
        let number = at + 1;
        let _ = writeln!(
            page,
            "| {number} | `{name}` | {what} | `{target}` | {} | {reached} | {triggered} | {detected} |",
            rows.len()
        );
    }
    page
}

/// The median time, and in how many campaigns where that is not all.
fn cell(rows: &[&Row], part: fn(&Row) -> Option<Duration>) -> String {
    let times: Vec<_> = rows.iter().filter_map(|row| part(row)).collect();
    match (times.len(), median(times)) {
        (count, Some(time)) if count == rows.len() => format!("{:.2} s", time.as_secs_f64()),
        (count, Some(time)) => format!("{:.2} s in {count}", time.as_secs_f64()),
        _ => "-".to_owned(),
    }
}

/// Whether the median campaign came there in time; one that never did counts as endless.
fn most_within(rows: &[&Row], part: fn(&Row) -> Option<Duration>, limit: Duration) -> bool {
    let times = rows.iter().map(|row| part(row).unwrap_or(Duration::MAX)).collect();
    median(times).is_some_and(|time| time <= limit)
}

/// The middle one; of an even number the later of the two.
fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}
