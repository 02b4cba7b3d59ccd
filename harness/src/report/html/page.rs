//! What the template shows, in the order of the page.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;

use super::data;
use crate::{
    error::Result,
    report::{
        Record, Totals, Verdict,
        collection::Collection,
        table::{Column, Row, Table, short},
    },
    text,
};

/// Failed cases whose evidence stands in the page itself, readable without JavaScript.
const FINDINGS_MAX: usize = 50;

/// Longest log of one of these, bytes.
const FINDING_LOG_BYTES_MAX: usize = 4096;

/// A verdict's word and how many cases had it.
type Count = (&'static str, usize);

#[derive(Template)]
#[template(path = "report.html")]
pub(super) struct Page<'a> {
    css: &'static str,
    script: &'static str,
    version: &'static str,
    summary: String,
    total: usize,
    totals: Vec<Count>,
    kernels: Vec<Kernel>,
    facts: Vec<(&'static str, String)>,
    commands: Vec<String>,
    findings: Vec<Finding<'a>>,
    more_findings: usize,
    differences: Vec<Differences<'a>>,
    names: Vec<String>,
    columns: Vec<Head>,
    groups: Vec<Group<'a>>,
    reasons: Vec<(&'a str, Vec<String>)>,
    refused: Vec<(String, &'a str)>,
    replaced: usize,
    data: String,
    shortened: String,
}

struct Kernel {
    label: String,
    release: String,
    counts: Vec<Count>,
}

struct Finding<'a> {
    id: String,
    word: &'static str,
    first_line: &'a str,
    why: String,
    log: String,
    claim: &'a str,
    source: &'a str,
    commands: Vec<(&'static str, &'a str)>,
}

struct Differences<'a> {
    title: &'static str,
    lines: Vec<Difference<'a>>,
}

struct Difference<'a> {
    id: String,
    why: &'a str,
}

struct Head {
    kernel: String,
    name: String,
    tools: String,
}

struct Group<'a> {
    name: &'a str,
    /// A verdict's word, and how many of the group's cases have it, for each column.
    counts: Vec<(&'static str, String)>,
    rows: Vec<Line<'a>>,
}

struct Line<'a> {
    /// With places where it may break; a name has no other markup.
    name: String,
    claim: &'a str,
    cells: Vec<Cell<'a>>,
}

#[derive(Default)]
struct Cell<'a> {
    word: &'static str,
    mark: &'static str,
    id: String,
    why: &'a str,
}

impl<'a> Page<'a> {
    pub(super) fn of(collection: &'a Collection) -> Result<Self> {
        let records = &collection.records;
        let table = Table::of(&[], records);
        let totals = Totals::of(records);
        let present = |(_, count): &Count| *count > 0;
        let counts: Vec<Count> = totals.each().into_iter().filter(present).collect();
        // Cases of one scenario beside each other: they are alike, which is what compression lives on.
        let in_order: Vec<&Record> = table
            .rows
            .iter()
            .flat_map(|row| table.columns.iter().filter_map(|column| table.cell(*row, column)))
            .collect();
        let (data, shortened) = data::of(&in_order)?;
        let bad = || in_order.iter().filter(|record| is_bad(record));
        Ok(Self {
            css: include_str!("../../../templates/report.css"),
            script: include_str!("../../../templates/report.js"),
            version: env!("CARGO_PKG_VERSION"),
            summary: totals.text(),
            total: records.len(),
            kernels: table.columns.iter().map(|column| kernel(&table, column, &counts)).collect(),
            totals: counts,
            facts: facts(records),
            commands: commands(&table),
            findings: bad().take(FINDINGS_MAX).map(|record| finding(record)).collect(),
            more_findings: bad().count().saturating_sub(FINDINGS_MAX),
            differences: differences(&table),
            names: unique(table.columns.iter().map(|column| column.kernel.clone())),
            columns: table.columns.iter().map(head).collect(),
            groups: groups(&table),
            reasons: reasons(records),
            refused: collection.refused.iter().map(|it| (it.file.display().to_string(), &*it.why)).collect(),
            replaced: collection.replaced,
            data,
            shortened,
        })
    }
}

fn is_bad(record: &Record) -> bool {
    matches!(record.verdict, Verdict::Failed { .. } | Verdict::Broken { .. })
}

/// What a case is called in the page's address; `report.js` makes the same of a record.
fn id(record: &Record) -> String {
    match record.tools() {
        "modrig" => record.path(),
        other => format!("{}@{other}", record.path()),
    }
}

fn kernel(table: &Table<'_>, column: &Column, words: &[Count]) -> Kernel {
    let records = table.records_of(column);
    let counts = Totals::of(records.iter().copied()).each();
    let shown = |word: &str| words.iter().any(|(other, _)| *other == word);
    let release = records.iter().find_map(|record| record.release.clone());
    Kernel {
        label: column.label(),
        release: release.unwrap_or_else(|| "could not be had".into()),
        counts: counts.into_iter().filter(|(word, _)| shown(word)).collect(),
    }
}

fn facts(records: &[Record]) -> Vec<(&'static str, String)> {
    let of = |field: fn(&Record) -> String| unique(records.iter().map(field)).join("; ");
    let ended = || records.iter().map(|record| record.ended);
    let when = match (ended().min(), ended().max()) {
        (Some(first), Some(last)) if first.date_naive() == last.date_naive() => {
            format!("{} to {} UTC", first.format("%F %R"), last.format("%R"))
        }
        (Some(first), Some(last)) => format!("{} to {} UTC", first.format("%F %R"), last.format("%F %R")),
        _ => String::new(),
    };
    vec![
        ("ended", when),
        ("QEMU", of(|record| record.qemu.clone())),
        ("accelerator", of(|record| record.accel.to_string())),
        ("module tools", of(|record| record.modutils.clone())),
        ("machines", of(|record| record.machine.clone())),
    ]
}

/// A command for each set of module tools, which runs all of their kernels.
fn commands(table: &Table<'_>) -> Vec<String> {
    unique(table.columns.iter().map(|column| column.tools.clone()))
        .into_iter()
        .map(|tools| {
            let of_it = table.columns.iter().filter(|column| column.tools == tools);
            let kernels: Vec<&str> = of_it.map(|column| &*column.kernel).collect();
            let option = if tools == "modrig" { String::new() } else { format!(" --modutils {tools}") };
            format!("modrig run{option} -k {}", kernels.join(","))
        })
        .collect()
}

fn finding(record: &Record) -> Finding<'_> {
    let why = record.verdict.why().unwrap_or_default();
    let log = match &record.verdict {
        Verdict::Failed { log, .. } => text::cut(log, FINDING_LOG_BYTES_MAX),
        _ => String::new(),
    };
    Finding {
        id: id(record),
        word: record.verdict.word(),
        first_line: why.lines().next().unwrap_or_default(),
        why: text::cut(why, FINDING_LOG_BYTES_MAX),
        log,
        claim: &record.claim,
        source: &record.source,
        commands: record.commands().collect(),
    }
}

/// What ours fails and others pass, which are bugs of ours; then the reverse.
fn differences<'a>(table: &Table<'a>) -> Vec<Differences<'a>> {
    let all = table.differences();
    let bad = |record: &'a Record| Difference { id: id(record), why: record.verdict.why().unwrap_or_default() };
    let mut ours: Vec<_> = all.iter().filter(|(ours, _)| is_bad(ours)).map(|(ours, _)| bad(ours)).collect();
    // Several others may pass what ours fails.
    ours.dedup_by(|one, next| one.id == next.id);
    let theirs = all.iter().filter(|(_, theirs)| is_bad(theirs)).map(|(_, theirs)| bad(theirs)).collect();
    [("modrig fails, others pass", ours), ("modrig passes, others fail", theirs)]
        .into_iter()
        .map(|(title, lines): (_, Vec<_>)| Differences { title, lines })
        .filter(|list| !list.lines.is_empty())
        .collect()
}

fn head(column: &Column) -> Head {
    let tools = if column.among_others { column.tools.clone() } else { String::new() };
    Head { kernel: column.kernel.clone(), name: short(&column.kernel).to_owned(), tools }
}

fn groups<'a>(table: &Table<'a>) -> Vec<Group<'a>> {
    let chunks = table.rows.chunk_by(|one, next| one.group == next.group);
    chunks.map(|rows| group(table, rows)).collect()
}

fn group<'a>(table: &Table<'a>, rows: &[Row<'a>]) -> Group<'a> {
    let count = |column: &Column| {
        let totals = Totals::of(rows.iter().filter_map(|row| table.cell(*row, column)));
        match totals {
            Totals { failed: 1.., .. } => ("failed", format!("{} fail", totals.failed)),
            Totals { broken: 1.., .. } => ("broken", format!("{} broken", totals.broken)),
            Totals { passed: 0, .. } => ("none", "-".into()),
            _ => ("passed", totals.passed.to_string()),
        }
    };
    Group {
        name: rows[0].group,
        counts: table.columns.iter().map(count).collect(),
        rows: rows.iter().map(|row| line(table, *row)).collect(),
    }
}

fn line<'a>(table: &Table<'a>, row: Row<'a>) -> Line<'a> {
    let records: Vec<Option<&Record>> = table.columns.iter().map(|column| table.cell(row, column)).collect();
    let claim = records.iter().flatten().map(|record| &*record.claim).next().unwrap_or_default();
    Line { name: breakable(row.scenario), claim, cells: records.into_iter().map(cell).collect() }
}

/// A name that may break after its underscores. Names are Rust's, but a record may hold anything.
fn breakable(name: &str) -> String {
    let plain = |c: &char| c.is_alphanumeric() || *c == '_';
    name.chars().map(|c| if plain(&c) { c } else { '\u{fffd}' }).collect::<String>().replace('_', "_<wbr>")
}

fn cell(record: Option<&Record>) -> Cell<'_> {
    let Some(record) = record else { return Cell::default() };
    let mark = match record.verdict {
        Verdict::Passed => "ok",
        Verdict::Failed { .. } => "FAIL",
        Verdict::Skipped { .. } => "skip",
        Verdict::Broken { .. } => "broken",
    };
    let why = record.verdict.why().and_then(|why| why.lines().next()).unwrap_or_default();
    Cell { word: record.verdict.word(), mark, id: id(record), why }
}

/// Why cases were skipped, the commonest first.
fn reasons(records: &[Record]) -> Vec<(&str, Vec<String>)> {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for record in records {
        if let Verdict::Skipped { why } = &record.verdict {
            reasons.entry(why).or_default().push(id(record));
        }
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, paths)| std::cmp::Reverse(paths.len()));
    reasons
}

/// Each once, in the order in which they come.
fn unique(values: impl Iterator<Item = String>) -> Vec<String> {
    let mut met = BTreeSet::new();
    values.filter(|value| !value.is_empty() && met.insert(value.clone())).collect()
}
