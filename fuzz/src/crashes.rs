//! Files that a kernel's loader died of, as `regressions/kernel` keeps them: a table, and beside it the files it names.

/// Name of the table.
pub const TABLE: &str = "crashes.tsv";

/// The table's first line.
const HEAD: &str = "# file\tof\tkernel\ttitle\tcase\tchanged";

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crash {
    /// Name of the file.
    pub file: String,
    /// Name of the file that it was before it was broken, and that the same kernel accepts.
    pub base: String,
    /// The kernel, as `uname -r` names it.
    pub release: String,
    /// What the kernel died of.
    pub title: String,
    /// The campaign's case; it gives this file as long as the guest modules are the same.
    pub case: String,
    /// What was changed.
    pub changed: String,
}

/// The lines of a table; those that begin with `#` are remarks.
///
/// # Errors
/// The first line that has not six columns.
pub fn parse(table: &str) -> Result<Vec<Crash>, String> {
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    let crash = |line: &str| {
        let columns: Vec<String> = line.split('\t').map(str::to_owned).collect();
        let [file, base, release, title, case, changed] = columns.try_into().map_err(|_| line.to_owned())?;
        Ok(Crash { file, base, release, title, case, changed })
    };
    lines.map(crash).collect()
}

/// The table of these, by file. What a guest said breaks no line.
pub fn table(crashes: &[Crash]) -> String {
    let mut lines: Vec<String> = crashes.iter().map(line).collect();
    lines.sort();
    format!("{HEAD}\n{}", lines.concat())
}

fn line(crash: &Crash) -> String {
    let Crash { file, base, release, title, case, changed } = crash;
    let columns = [file, base, release, title, case, changed];
    let columns = columns.map(|text| text.replace(|c: char| c.is_control(), " "));
    columns.join("\t") + "\n"
}
