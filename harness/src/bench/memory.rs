//! What cases cost in memory, and saved guests on disk, kernel by kernel.

use std::{collections::BTreeMap, fs};

use crate::{
    error::{Context as _, Error, Result},
    guest::Guest,
    interrupt,
    machine::Machine,
    run::{Prepared, Rig},
    scenario::Scenario,
};

/// Heading of [`Row`]'s lines.
pub const HEADING: &str = "kernel     cases   QEMU   and us  the case             saved guests on disk";

/// What one kernel costs.
#[derive(Debug, Clone, Default)]
pub struct Row {
    kernel: String,
    cases: usize,
    /// Of QEMU at the peak of the most expensive case, bytes. All of it is counted, also what it shares with others.
    qemu: u64,
    /// Of this process at its peak, bytes.
    own: u64,
    case: String,
    /// Bytes on disk, by machine.
    disk: BTreeMap<String, u64>,
}

impl Row {
    /// Whether a case takes at most 400 MB, and all saved guests of the kernel at most 150 MB.
    pub fn is_within_limits(&self) -> bool {
        self.qemu + self.own <= 400_000_000 && self.disk.values().sum::<u64>() <= 150_000_000
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mb = |bytes: u64| bytes as f64 / 1e6;
        let Self { kernel, cases, qemu, own, case, disk } = self;
        let machines: Vec<String> =
            disk.iter().map(|(machine, bytes)| format!("{:.0} {machine}", mb(*bytes))).collect();
        write!(f, "{kernel:9} {cases:6} {:6.0} {:8.0}  {case:40} ", mb(*qemu), mb(qemu + own))?;
        write!(f, "{:.0} MB: {}", mb(disk.values().sum()), machines.join("; "))
    }
}

/// Runs these scenarios on a kernel, one after the other.
///
/// # Errors
/// The kernel cannot be prepared, or /proc not be read.
pub fn kernel(rig: &Rig, kernel: &str, scenarios: &[&Scenario]) -> Result<Row> {
    let mut row = Row { kernel: kernel.to_owned(), ..Row::default() };
    let mut prepared: Vec<(Machine, Result<Prepared>)> = Vec::new();
    for scenario in scenarios {
        interrupt::check()?;
        if !prepared.iter().any(|(machine, _)| *machine == scenario.machine) {
            prepared.push((scenario.machine, rig.prepare(kernel, scenario.machine)));
        }
        let (_, here) = prepared.iter().find(|(machine, _)| *machine == scenario.machine).expect("it was put there");
        let (_, Some(mut guest)) = rig.case_with_guest(kernel, here, scenario) else { continue };
        row.cases += 1;
        let peak = peak_of(&mut guest)?;
        if peak > row.qemu {
            (row.qemu, row.case) = (peak, scenario.path());
        }
    }
    row.own = peak("self")?;
    for (machine, prepared) in &prepared {
        if let Ok(prepared) = prepared {
            row.disk.insert(machine.to_string(), rig.store.cache.bytes_of(prepared.guest.place()));
        }
    }
    Ok(row)
}

/// 0 where QEMU is gone already.
fn peak_of(guest: &mut Guest) -> Result<u64> {
    guest.vm().process_number().map_or(Ok(0), |number| peak(&number.to_string()))
}

/// The most memory that a process has had so far, bytes.
fn peak(process: &str) -> Result<u64> {
    let file = format!("/proc/{process}/status");
    let text = fs::read_to_string(&file).context(|| format!("cannot read `{file}`"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.map(|kib| kib << 10).ok_or_else(|| Error::new(format!("`{file}` has no peak of memory")))
}
