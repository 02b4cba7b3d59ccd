//! A guest that takes cases, and another one when it dies: cases go in, each comes out with the kernel's answer.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use modfile::check::Verdict;
use modrig_agent::slots::SLOTS;

use super::judge::Answer;
use crate::{
    error::{Blame, Error, Result},
    triage::Kind,
    vm::{Host, Trouble, Vm, snapshot::Snapshot},
};

/// How often we look. A guest that has all slots full is not done with them before: a case takes 60 us or more.
const PAUSE: Duration = Duration::from_millis(3);

/// A guest that has nothing to do any more may still die of its last case, for so long.
const AFTERMATH: Duration = Duration::from_millis(20);

/// So many guests in a row may die before they have taken up a case.
const DEATHS_MAX: u32 = 20;

/// A case on its way.
#[derive(Debug)]
pub struct Pending {
    /// Its number.
    pub index: u64,
    /// The module's file.
    pub image: Vec<u8>,
    /// Our verdict on it.
    pub ours: Verdict,
}

/// A row of cases in front of a guest.
#[derive(Debug)]
pub struct Line<'a> {
    host: &'a Host,
    snapshot: &'a Snapshot,
    vm: Option<Vm>,
    pending: VecDeque<Pending>,
    /// Cases that this guest has finished.
    finished: u64,
    idle_since: Option<Instant>,
    deaths: u32,
    /// How long each restore took that was not told yet.
    pub restores: Vec<Duration>,
    /// What the last guest that died said on its console.
    pub last_words: String,
}

impl<'a> Line<'a> {
    /// Without a guest yet.
    pub const fn new(host: &'a Host, snapshot: &'a Snapshot) -> Self {
        Self {
            host,
            snapshot,
            vm: None,
            pending: VecDeque::new(),
            finished: 0,
            idle_since: None,
            deaths: 0,
            restores: Vec::new(),
            last_words: String::new(),
        }
    }

    /// Whether another case fits.
    pub fn has_room(&self) -> bool {
        (self.pending.len() as u64) < SLOTS
    }

    /// Whether no case is on its way.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Takes a case.
    pub fn push(&mut self, case: Pending) {
        if let Some(slots) = self.vm.as_ref().and_then(Vm::slots) {
            slots.put(self.finished + self.pending.len() as u64, &case.image);
        }
        if self.pending.is_empty()
            && let Some(vm) = &mut self.vm
        {
            vm.restart_watch();
        }
        self.pending.push_back(case);
    }

    /// Waits for a moment; gives the cases that have their answer since, in order.
    ///
    /// # Errors
    /// The user asked to stop, QEMU cannot be used, or guests die again and again before they do anything.
    pub fn turn(&mut self) -> Result<Vec<(Pending, Answer)>> {
        let Some(vm) = &mut self.vm else {
            if let Err(trouble) = self.restore() {
                self.lost(trouble.into_error())?;
            }
            return Ok(Vec::new());
        };
        match vm.pause(PAUSE) {
            Ok(()) => self.collect(false),
            Err(Trouble::Rig(error)) => self.lost(error).map(|()| Vec::new()),
            Err(Trouble::Guest { .. }) => {
                let mut answered = self.collect(true)?;
                answered.extend(self.bury()?);
                Ok(answered)
            }
        }
    }

    /// The guest is gone, and none of its cases is to blame: another one may fare better.
    fn lost(&mut self, why: Error) -> Result<()> {
        self.vm = None;
        self.deaths += 1;
        match (why.blame(), self.deaths) {
            (Blame::Interrupted, _) => Err(why),
            (_, DEATHS_MAX..) => {
                Err(Error::new(format!("the guest died {DEATHS_MAX} times in a row before it did anything"))
                    .because(why))
            }
            _ => Ok(()),
        }
    }

    fn restore(&mut self) -> Result<(), Trouble> {
        let begun = Instant::now();
        let vm = self.snapshot.restore(self.host)?;
        let slots = vm.slots().ok_or_else(|| Error::new("the guest's machine shares no memory"))?;
        for (number, case) in self.pending.iter().enumerate() {
            slots.put(number as u64, &case.image);
        }
        self.restores.push(begun.elapsed());
        (self.finished, self.idle_since, self.vm) = (0, None, Some(vm));
        Ok(())
    }

    /// Takes the outcomes of cases that cannot change any more: the guest has taken up the next one, or nothing came after
    /// them for a while.
    fn collect(&mut self, is_dead: bool) -> Result<Vec<(Pending, Answer)>> {
        let Some(slots) = self.vm.as_ref().and_then(Vm::slots) else { return Ok(Vec::new()) };
        let (begun, done) = slots.progress();
        let put = self.finished + self.pending.len() as u64;
        if done > begun || begun > put || done < self.finished {
            return Err(Error::new(format!("the guest claims to have begun {begun} and done {done} of {put} cases")));
        }
        if let Some(errno) = slots.failed() {
            return Err(Error::new(format!("the guest gave up: {}", modutils::sys::strerror(errno))));
        }
        let is_idle = done == put && !is_dead;
        self.idle_since = if is_idle { self.idle_since.or_else(|| Some(Instant::now())) } else { None };
        let is_over = self.idle_since.is_some_and(|since| since.elapsed() >= AFTERMATH);
        let end = if begun > done || is_over { done } else { done.saturating_sub(1) };
        let mut answered = Vec::new();
        while self.finished < end {
            let outcome = slots.outcome(self.finished);
            let Some(case) = self.pending.pop_front() else { break };
            (self.finished, self.deaths) = (self.finished + 1, 0);
            answered.push((case, Answer::Returned(outcome.result, text(&outcome.log))));
            if outcome.left > 0 {
                // Whatever is still loaded would stand in the way of the next ones.
                self.vm = None;
                break;
            }
        }
        Ok(answered)
    }

    /// The guest is dead or hangs: the case that it had taken up last gets that as its answer.
    fn bury(&mut self) -> Result<Option<(Pending, Answer)>> {
        let Some(mut vm) = self.vm.take() else { return Ok(None) };
        let begun = vm.slots().map_or(0, |slots| slots.progress().0);
        let answer = answer_of(&mut vm);
        self.last_words = vm.console().text();
        if begun <= self.finished {
            return self.lost(Error::new(answer.to_string())).map(|()| None);
        }
        self.deaths = 0;
        Ok(self.pending.pop_front().map(|case| (case, answer)))
    }
}

/// What became of a guest that does not answer any more.
fn answer_of(vm: &mut Vm) -> Answer {
    let hangs = !vm.has_ended();
    if hangs {
        // Its last words say where it is.
        let _ = vm.interrupt();
    }
    vm.console_mut().finish();
    let Some(event) = vm.console().fault() else {
        return Answer::Crashed(if hangs { "hang" } else { "the machine was reset without a report" }.into());
    };
    let title = match hangs.then(|| place(&event.lines)) {
        Some(Some(function)) => format!("hang in {function}"),
        Some(None) => "hang".into(),
        None => event.title.clone(),
    };
    // The loader calls a module's init through do_one_initcall(). A stack that ran over does not reach down to it, and code
    // that takes one value too many from it returns past it.
    let ran = event.is_in_a_module()
        || event.function.as_deref() == Some("do_init_module")
        || event.lines.iter().any(|line| line.contains("do_one_initcall"));
    match ran {
        // Where such a stack came to its end is chance.
        true if event.kind == Kind::StackOverflow => Answer::Ran("BUG: stack guard page was hit".into()),
        true => Answer::Ran(title),
        false => Answer::Crashed(title),
    }
}

/// The function in which a processor was interrupted.
fn place(lines: &[String]) -> Option<String> {
    let rip = lines.iter().find_map(|line| line.split_once("RIP: 0010:"))?.1;
    Some(rip.split(['+', ' ']).next()?.to_owned())
}

/// What the kernel logged of a case: not the mark before a warning, nor what it says of its clock when others kept it from
/// running, nor what it says but once.
fn text(log: &[u8]) -> String {
    const NOISE: [&str; 6] = [
        "------------[ cut here ]",
        "hrtimer: interrupt took",
        "clocksource: ",
        "Disabling lock debugging due to kernel taint",
        "taints kernel",
        "tainting kernel",
    ];
    let text = String::from_utf8_lossy(log).replace(|c: char| c.is_control() && c != '\n', "\u{fffd}");
    let lines = text.lines().filter(|line| !NOISE.iter().any(|noise| line.contains(noise)));
    lines.collect::<Vec<_>>().join("\n")
}
