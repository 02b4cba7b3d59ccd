//! Many cases at once: kernels are prepared one after the other while the cases of those that are ready run.

use std::{
    collections::VecDeque,
    str::FromStr,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use crate::{
    error::Result,
    interrupt,
    machine::Machine,
    report::Record,
    run::{Prepared, Rig},
    scenario::Scenario,
};

/// What to run.
#[derive(Debug, Clone)]
pub struct Suite<'a> {
    /// The cases, each a kernel by name or path and a scenario, in the order in which they run.
    pub cases: Vec<(String, &'a Scenario)>,
    /// How many guests run at once.
    pub jobs: usize,
    /// Records of an earlier run. A case that has one here, made with the very same guest and module tools, is not run
    /// again.
    pub earlier: Vec<Record>,
}

/// What happens, as it happens.
#[derive(Debug)]
pub enum Event<'a> {
    /// A kernel is ready on a machine, or cannot be.
    Prepared(&'a str, Machine, &'a Result<Prepared>),
    /// A case has ended.
    Ended(&'a Record),
    /// A case had ended before.
    Known(&'a Record),
}

struct Kernel {
    name: String,
    prepared: Result<Prepared>,
}

#[derive(Default)]
struct Queue<'a> {
    unprepared: VecDeque<(String, Machine)>,
    preparing: bool,
    ready: VecDeque<(std::sync::Arc<Kernel>, &'a Scenario)>,
}

enum Task<'a> {
    Prepare(String, Machine),
    Case(std::sync::Arc<Kernel>, &'a Scenario),
}

impl Suite<'_> {
    /// Runs everything that is left when nobody interrupts; the records come in no certain order.
    pub fn run(&self, rig: &Rig, on_event: impl Fn(Event<'_>) + Sync) -> Vec<Record> {
        let queue = Mutex::new(Queue { unprepared: self.unprepared(), ..Queue::default() });
        let changed = Condvar::new();
        let records = Mutex::new(Vec::new());
        // Each guest is started by the thread that drives it, because it dies with that thread.
        thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                scope.spawn(|| {
                    while let Some(task) = next(&queue, &changed) {
                        match task {
                            Task::Prepare(name, machine) => {
                                let _end = EndAll(&queue, &changed);
                                let prepared = rig.prepare(&name, machine);
                                // What is left out on purpose is told by its cases.
                                if rig.lacks(&name, machine).is_none() {
                                    on_event(Event::Prepared(&name, machine, &prepared));
                                }
                                let scenarios = self.on(&name, machine);
                                let kernel = std::sync::Arc::new(Kernel { name, prepared });
                                let mut queue = lock(&queue);
                                queue.preparing = false;
                                queue.ready.extend(scenarios.into_iter().map(|scenario| (kernel.clone(), scenario)));
                                changed.notify_all();
                            }
                            Task::Case(kernel, scenario) => {
                                if let Some(record) = self.known(rig, &kernel, scenario) {
                                    on_event(Event::Known(record));
                                    lock(&records).push(record.clone());
                                    continue;
                                }
                                let record = rig.case(&kernel.name, &kernel.prepared, scenario);
                                // A case that was cut off says nothing about its kernel.
                                if !interrupt::asked() {
                                    on_event(Event::Ended(&record));
                                    lock(&records).push(record);
                                }
                            }
                        }
                    }
                });
            }
        });
        records.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be prepared: the usual machine of each kernel first, because most cases are there.
    fn unprepared(&self) -> VecDeque<(String, Machine)> {
        let mut places: Vec<(String, Machine)> = Vec::new();
        for (kernel, scenario) in &self.cases {
            if !places.iter().any(|(name, machine)| name == kernel && *machine == scenario.machine) {
                places.push((kernel.clone(), scenario.machine));
            }
        }
        places.sort_by_key(|(_, machine)| *machine != Machine::DEFAULT);
        places.into()
    }

    /// What an earlier run has found out with the same guest.
    fn known(&self, rig: &Rig, kernel: &Kernel, scenario: &Scenario) -> Option<&Record> {
        let digest = &kernel.prepared.as_ref().ok()?.guest.digest;
        let tools = rig.tools.name();
        self.earlier.iter().find(|record| {
            (&*record.kernel, &*record.group, &*record.scenario) == (&*kernel.name, scenario.group, scenario.name)
                && record.guest_digest.as_ref() == Some(digest)
                && record.modutils == tools
        })
    }

    /// The scenarios of a kernel that ask for this machine.
    fn on(&self, kernel: &str, machine: Machine) -> Vec<&Scenario> {
        let here = self.cases.iter().filter(|(name, scenario)| name == kernel && scenario.machine == machine);
        here.map(|(_, scenario)| *scenario).collect()
    }
}

/// Each of these scenarios on each of these kernels, kernel by kernel.
pub fn cases<'a>(kernels: &[String], scenarios: &[&'a Scenario]) -> Vec<(String, &'a Scenario)> {
    let of = |kernel: &String| scenarios.iter().map(|scenario| (kernel.clone(), *scenario)).collect::<Vec<_>>();
    kernels.iter().flat_map(of).collect()
}

/// One machine's part of a suite that several share, `2/4` on a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    number: usize,
    of: usize,
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err(format!("`{text}` should be like 2/4: the number of a part, from 1, and how many there are")),
        }
    }
}

impl Part {
    /// A run of neighbours, as long as the other parts or one longer: since cases are in the order of their kernels, a
    /// part has few of them to prepare.
    pub fn of<T>(self, mut cases: Vec<T>) -> Vec<T> {
        let end = |part: usize| cases.len() * part / self.of;
        let (start, end) = (end(self.number - 1), end(self.number));
        cases.truncate(end);
        cases.split_off(start)
    }
}

/// Lets the other threads end when this one panics while it prepares: they would wait for it for ever.
struct EndAll<'q, 'a>(&'q Mutex<Queue<'a>>, &'q Condvar);

impl Drop for EndAll<'_, '_> {
    fn drop(&mut self) {
        if thread::panicking() {
            *lock(self.0) = Queue::default();
            self.1.notify_all();
        }
    }
}

/// The next piece of work: a kernel when none is being prepared, else a case; `None` when all is done.
fn next<'a>(queue: &Mutex<Queue<'a>>, changed: &Condvar) -> Option<Task<'a>> {
    let mut queue = lock(queue);
    loop {
        if interrupt::asked() {
            return None;
        }
        if !queue.preparing
            && let Some((name, machine)) = queue.unprepared.pop_front()
        {
            queue.preparing = true;
            return Some(Task::Prepare(name, machine));
        }
        if let Some((kernel, scenario)) = queue.ready.pop_front() {
            return Some(Task::Case(kernel, scenario));
        }
        if !queue.preparing && queue.unprepared.is_empty() {
            return None;
        }
        queue = changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_together_are_the_whole_each_case_once_and_in_order() {
        let all: Vec<usize> = (0..735).collect();
        for of in [1, 2, 7, 735, 1000] {
            let parts = (1..=of).map(|number| Part { number, of }.of(all.clone()));
            let parts: Vec<Vec<usize>> = parts.collect();
            assert_eq!(parts.concat(), all);
            let sizes = || parts.iter().map(Vec::len);
            assert!(sizes().max().unwrap() - sizes().min().unwrap() <= 1);
        }
    }

    #[test]
    fn what_is_no_part_is_refused_with_an_example() {
        assert_eq!("2/4".parse(), Ok(Part { number: 2, of: 4 }));
        for wrong in ["", "2", "0/4", "5/4", "2/0", "a/b", "-1/4"] {
            assert!(wrong.parse::<Part>().unwrap_err().contains("should be like 2/4"), "{wrong}");
        }
    }
}
