//! Many cases at once: kernels are prepared one after the other while the cases of those that are ready run.

use std::{
    collections::VecDeque,
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
    /// Kernels, by name or path, in the order in which they are prepared.
    pub kernels: Vec<String>,
    /// Scenarios, in the order in which they run.
    pub scenarios: Vec<&'a Scenario>,
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
                                on_event(Event::Prepared(&name, machine, &prepared));
                                let kernel = std::sync::Arc::new(Kernel { name, prepared });
                                let mut queue = lock(&queue);
                                queue.preparing = false;
                                queue.ready.extend(self.on(machine).map(|scenario| (kernel.clone(), scenario)));
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
        let mut machines = vec![Machine::DEFAULT];
        for scenario in &self.scenarios {
            if !machines.contains(&scenario.machine) {
                machines.push(scenario.machine);
            }
        }
        machines.retain(|machine| self.on(*machine).next().is_some());
        machines.iter().flat_map(|machine| self.kernels.iter().map(|kernel| (kernel.clone(), *machine))).collect()
    }

    /// What an earlier run has found out with the same guest.
    fn known(&self, rig: &Rig, kernel: &Kernel, scenario: &Scenario) -> Option<&Record> {
        let digest = &kernel.prepared.as_ref().ok()?.guest.digest;
        let path = format!("{}::{}", kernel.name, scenario.path());
        self.earlier.iter().find(|record| {
            record.path() == path && record.guest_digest.as_ref() == Some(digest) && record.modutils == rig.tools.name()
        })
    }

    /// The scenarios that ask for this machine.
    fn on(&self, machine: Machine) -> impl Iterator<Item = &Scenario> {
        self.scenarios.iter().copied().filter(move |scenario| scenario.machine == machine)
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
