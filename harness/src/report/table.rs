//! The matrix behind all reports: which rows, which columns, and the record where they meet.

use std::collections::{BTreeMap, BTreeSet};

use super::{Record, Verdict};
use crate::{kernel::version_of, scenarios};

/// Whose tools a record without other ones has.
const OURS: &str = "modrig";

/// Scenarios down, kernels across; beside each other the module tools, where there are several.
#[derive(Debug)]
pub struct Table<'a> {
    /// Kernels, oldest first, and whose tools.
    pub columns: Vec<Column>,
    /// Scenarios by group, in the order of their tables.
    pub rows: Vec<Row<'a>>,
    cells: BTreeMap<(&'a str, &'a str, &'a str, &'a str), &'a Record>,
}

/// One kernel with one set of module tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The kernel's name or path, as in the records.
    pub kernel: String,
    /// `modrig`, `kmod` or `busybox`.
    pub tools: String,
    /// Whether other columns have other tools.
    pub among_others: bool,
}

impl Column {
    /// What heads it: the kernel's name, or the last part of its path; then the tools if there are several.
    pub fn label(&self) -> String {
        let kernel = short(&self.kernel);
        if self.among_others { format!("{kernel} {}", self.tools) } else { kernel.to_owned() }
    }
}

/// A kernel's name, or the last part of its path.
pub fn short(kernel: &str) -> &str {
    kernel.trim_end_matches('/').rsplit('/').next().unwrap_or(kernel)
}

/// One scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// Its group.
    pub group: &'a str,
    /// Its name.
    pub scenario: &'a str,
}

impl Row<'_> {
    /// `group::name`.
    pub fn path(&self) -> String {
        format!("{}::{}", self.group, self.scenario)
    }
}

impl<'a> Table<'a> {
    /// The table of these records. `kernels` are columns even without one.
    pub fn of(kernels: &[String], records: &'a [Record]) -> Self {
        let cells =
            records.iter().map(|record| ((&*record.group, &*record.scenario, &*record.kernel, record.tools()), record));
        Self { columns: columns(kernels, records), rows: rows(records), cells: cells.collect() }
    }

    /// The record of a cell.
    pub fn cell(&self, row: Row<'_>, column: &Column) -> Option<&'a Record> {
        self.cells.get(&(row.group, row.scenario, &*column.kernel, &*column.tools)).copied()
    }

    /// The records of a column, from top to bottom.
    pub fn records_of(&self, column: &Column) -> Vec<&'a Record> {
        self.rows.iter().filter_map(|row| self.cell(*row, column)).collect()
    }

    /// Cases that end otherwise with ours than with other tools on the same kernel: ours, then theirs.
    pub fn differences(&self) -> Vec<(&'a Record, &'a Record)> {
        let others = self.cells.values().filter(|record| record.tools() != OURS);
        let pair = |theirs: &&'a Record| {
            let ours = self.cells.get(&(&*theirs.group, &*theirs.scenario, &*theirs.kernel, OURS))?;
            let differ = passes(ours)? != passes(theirs)?;
            differ.then_some((*ours, *theirs))
        };
        others.filter_map(pair).collect()
    }
}

/// Whether it passed or failed; neither for a case that says nothing of its kernel.
fn passes(record: &Record) -> Option<bool> {
    match record.verdict {
        Verdict::Passed => Some(true),
        Verdict::Failed { .. } => Some(false),
        Verdict::Skipped { .. } | Verdict::Broken { .. } => None,
    }
}

fn columns(kernels: &[String], records: &[Record]) -> Vec<Column> {
    let named = records.iter().map(|record| &record.kernel).chain(kernels).collect::<BTreeSet<_>>();
    let mut kernels: Vec<&String> = named.into_iter().collect();
    kernels.sort_by_key(|name| age(name, records));
    let tools: BTreeSet<&str> = records.iter().map(Record::tools).collect();
    // Ours come first.
    let (mut tools, others): (Vec<&str>, Vec<&str>) = tools.into_iter().partition(|tools| *tools == OURS);
    tools.extend(others);
    if tools.is_empty() {
        tools.push(OURS);
    }
    let among_others = tools.len() > 1;
    let column =
        |kernel: &&String, tools: &&str| Column { kernel: (*kernel).clone(), tools: (*tools).to_owned(), among_others };
    kernels.iter().flat_map(|kernel| tools.iter().map(move |tools| column(kernel, tools))).collect()
}

/// By release where it is known, else by name; paths come after names.
fn age(kernel: &str, records: &[Record]) -> (bool, (u32, u32), String) {
    let release = records.iter().filter(|record| record.kernel == kernel).find_map(|record| record.release.as_deref());
    (kernel.contains('/'), version_of(release.unwrap_or(kernel)), kernel.to_owned())
}

/// Groups in the order of the tables, then those that this modrig does not know; the same within each.
fn rows(records: &[Record]) -> Vec<Row<'_>> {
    let known = scenarios::all().map(|scenario| (scenario.group, scenario.name));
    let places: BTreeMap<(&str, &str), usize> = known.zip(0..).collect();
    let mut groups: BTreeMap<&str, usize> = BTreeMap::new();
    for ((group, _), place) in &places {
        let first = groups.entry(group).or_insert(*place);
        *first = (*first).min(*place);
    }
    let last = usize::MAX;
    let place = |&(group, name): &(&str, &str)| {
        (groups.get(group).copied().unwrap_or(last), places.get(&(group, name)).copied().unwrap_or(last))
    };
    let met: BTreeSet<(&str, &str)> = records.iter().map(|record| (&*record.group, &*record.scenario)).collect();
    let mut rows: Vec<(&str, &str)> = met.into_iter().collect();
    rows.sort_by_key(|row| (place(row).0, row.0, place(row).1));
    rows.into_iter().map(|(group, scenario)| Row { group, scenario }).collect()
}
