//! Campaigns against the kernel's own loader: modules that are broken by name go to `init_module`, and what the kernel
//! says of each is held against what we say.
//!
//! ```text
//! case (number ─▶ broken module) ─▶ judge (our verdict) ─▶ line (a guest takes it; another one when it dies)
//!        ─▶ libkmod (a child asks it; another one when it dies) ─▶ tally (rows that are alike) ─▶ state (outlives us)
//! ```

pub mod alone;
pub mod case;
pub mod judge;
pub mod keep;
pub mod libkmod;
pub mod line;
pub mod readings;
pub mod report;
pub mod state;
pub mod tally;

use std::{
    collections::BTreeMap,
    ops::Range,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use modfile::check::{self, Kernel as Target, Series, Verdict};

use self::{
    alone::Alone,
    case::{Bases, Broken, CaseId, Region},
    judge::Answer,
    libkmod::{Libkmod, Reader},
    line::{Line, Pending},
    state::State,
    tally::{Row, Tally},
};
use crate::{
    error::{Error, Result},
    interrupt,
    machine::Machine,
    module,
    run::{Contents, Prepared, Rig},
};

/// The guest modules that are broken.
pub const BASES: [&str; 2] = ["accepted", "accepted_full"];

/// Cases that a worker takes at once, and that count when all of them are done.
const PIECE: u64 = 32;

/// How often what is known is written down.
const SAVE: Duration = Duration::from_secs(5);

/// What cases are made of, and what judges them: a kernel with its modules and a saved guest.
#[derive(Debug)]
pub struct Setup<'a> {
    rig: &'a Rig,
    prepared: Prepared,
    bases: Bases,
    /// What we need to know of the kernel to judge.
    target: Target,
}

impl<'a> Setup<'a> {
    /// Fetches the kernel, builds the modules and saves a guest that takes cases, where they are not in the cache.
    ///
    /// # Errors
    /// Any of it fails, or the modules have nothing in the region.
    pub fn prepare(rig: &'a Rig, kernel: &str, region: Region) -> Result<Self> {
        let contents = Contents { modules: &BASES, ..Contents::default() };
        let prepared = rig.prepare_with(kernel, Machine::CAMPAIGN, &contents)?;
        let set = module::build(&rig.store, &prepared.kernel, &BASES, &[])?;
        if let Some((name, why)) = set.failures.first_key_value() {
            return Err(Error::new(format!("the module {name} does not build for {kernel}: {why}")));
        }
        let bases = Bases::new(region, set.modules.values())?;
        let release = &prepared.kernel.release;
        let series =
            Series::of_release(release).ok_or_else(|| Error::new(format!("`{release}` is no release of a kernel")))?;
        let target = set.modules.values().next().map_or(series.into(), |base| Target::that_loads(series, &base.bytes));
        Ok(Self { rig, prepared, bases, target })
    }

    /// The file of a case, and what was done to it.
    pub fn case(&self, id: &CaseId) -> Broken {
        self.bases.case(id)
    }

    /// Our verdict on a file.
    pub fn verdict(&self, image: &[u8]) -> Verdict {
        check::check(image, self.target)
    }

    /// Cases one by one.
    pub fn alone(&self) -> Alone<'_> {
        let Self { rig, prepared, bases, target } = self;
        Alone { host: &rig.host, snapshot: &prepared.guest, bases, target: *target }
    }
}

/// What a campaign shall do.
#[derive(Debug, Clone)]
pub struct Options {
    /// Name of the kernel, or a path.
    pub kernel: String,
    /// What is broken.
    pub region: Region,
    /// From which, with its number, each case follows.
    pub seed: u64,
    /// For how long.
    pub time: Duration,
    /// How many cases in all, those of earlier runs included.
    pub cases: u64,
    /// How many guests run at once.
    pub workers: usize,
    /// The campaign's folder.
    pub place: PathBuf,
    /// Go on with what is there.
    pub go_on: bool,
}

/// What a campaign does at the moment, for whoever looks on.
#[derive(Debug, Clone, Copy)]
pub enum Now<'a> {
    /// Cases, and this is what they gave so far.
    Cases(&'a State),
    /// Some of them once more, alone: so many are left.
    Alone(usize),
}

/// A campaign that is ready to run.
#[derive(Debug)]
pub struct Campaign<'a> {
    setup: Setup<'a>,
    /// Nothing where it cannot be had.
    libkmod: Option<Libkmod>,
    options: Options,
    begun: Instant,
    /// For how long it has run before.
    earlier: Duration,
    work: Mutex<Work>,
}

/// What the workers share.
#[derive(Debug)]
struct Work {
    state: State,
    /// The first piece that may not have been handed out.
    next: u64,
    /// A worker has met an error: the others shall stop.
    stopped: bool,
}

impl<'a> Campaign<'a> {
    /// Makes ready what it needs, or finds it in the cache.
    ///
    /// # Errors
    /// That fails, the folder cannot be written, or there is no campaign to go on with, or another one, or one that nobody
    /// asked to go on with.
    pub fn prepare(rig: &'a Rig, options: Options) -> Result<Self> {
        let earlier = match (State::find(&options.place)?, options.go_on) {
            (Some(state), false) if state.tally.cases() > 0 => {
                return Err(Error::usage(format!("there is a campaign in `{}` already", options.place.display()))
                    .help("go on with --continue, name another folder with --place, or remove that one"));
            }
            (None, true) => {
                return Err(Error::usage(format!("there is no campaign in `{}`", options.place.display()))
                    .help("name its folder with --place, or leave out --continue to begin one"));
            }
            (state, true) => state,
            (_, false) => None,
        };
        let setup = Setup::prepare(rig, &options.kernel, options.region)?;
        let libkmod = Libkmod::obtain_or_say(&rig.store)?;
        let (release, bases) = (setup.prepared.kernel.release.clone(), setup.bases.digest.clone());
        let mut new = State::new(options.kernel.clone(), release, options.region, options.seed, bases);
        new.libkmod = libkmod.as_ref().map(|libkmod| libkmod.version().to_owned());
        let state = match earlier {
            Some(state) if !state.is_of(&new) => {
                let what = format!("the campaign in `{}` is not this one", options.place.display());
                return Err(Error::usage(what).help(
                    "it is of another kernel, region or seed, of other modules or of another libkmod; name another folder \
                     with --place, or leave out --continue",
                ));
            }
            Some(mut state) => {
                state.libkmod = new.libkmod.or(state.libkmod);
                state
            }
            None => new,
        };
        // Before anything runs: a folder that cannot be written is noticed now.
        state.write(&options.place)?;
        let earlier = state.time;
        let work = Mutex::new(Work { state, next: 0, stopped: false });
        Ok(Self { setup, libkmod, options, begun: Instant::now(), earlier, work })
    }

    /// Runs it until its time is over or all cases are done, and then what has to be confirmed once more; `show` is called
    /// some times a second.
    ///
    /// # Errors
    /// The rig fails, or what is known cannot be written. What is known by then is kept.
    pub fn run(&mut self, mut show: impl FnMut(Now<'_>)) -> Result<State> {
        self.begun = Instant::now();
        let this = &*self;
        let result = thread::scope(|scope| {
            let workers: Vec<_> = (0..this.options.workers).map(|_| scope.spawn(|| this.work())).collect();
            let written = this.look_on(|| workers.iter().all(|worker| worker.is_finished()), &mut show);
            let ends = workers.into_iter().map(|worker| worker.join().expect("a worker does not panic"));
            ends.collect::<Vec<_>>().into_iter().fold(written, Result::and)
        });
        let state = self.state();
        // A run that was stopped keeps what it has, and says why it stopped.
        let result = result.and_then(|()| interrupt::check()).and_then(|()| self.confirm(state.clone(), &mut show));
        let known = result.as_ref().map_or(&state, |confirmed| confirmed);
        known.write(&self.options.place).and(result)
    }

    /// Until the workers are done: shows what is known, and writes it down now and then.
    fn look_on(&self, is_over: impl Fn() -> bool, show: &mut impl FnMut(Now<'_>)) -> Result<()> {
        let mut saved = Instant::now();
        while !is_over() {
            thread::sleep(Duration::from_millis(100));
            let state = self.state();
            show(Now::Cases(&state));
            if saved.elapsed() >= SAVE {
                state.write(&self.options.place).inspect_err(|_| self.lock().stopped = true)?;
                saved = Instant::now();
            }
        }
        Ok(())
    }

    /// Runs alone what is worth it.
    fn confirm(&self, mut state: State, show: &mut impl FnMut(Now<'_>)) -> Result<State> {
        let alone = self.setup.alone();
        let wanted = state.tally.to_confirm();
        for (number, (key, entry)) in wanted.iter().enumerate() {
            show(Now::Alone(wanted.len() - number));
            let like = |answer: &Answer| tally::is_like(answer, &entry.kernel);
            let found = self.found(alone.smallest(&state.case(entry.index), like)?);
            if let Some(entry) = state.tally.entries.get_mut(key) {
                entry.alone = Some(found);
            }
        }
        self.confirm_readings(&mut state)?;
        Ok(state)
    }

    /// Asks libkmod again of what it has died.
    fn confirm_readings(&self, state: &mut State) -> Result<()> {
        let Some(mut reader) = self.reader() else { return Ok(()) };
        let first = state.clone();
        for same in state.tally.readings.to_confirm() {
            let smallest = alone::smallest(&self.setup.bases, &first.case(same.index), |case| {
                Ok(reader.ask(&[&self.setup.case(case).image])? == [same.reading.clone()])
            })?;
            same.alone = Some(self.found(smallest));
        }
        Ok(())
    }

    /// What a case does alone, if it is known with how few changes.
    fn found(&self, smallest: Option<CaseId>) -> tally::Alone {
        smallest.map_or(tally::Alone::Other, |case| {
            let labels = self.setup.case(&case).labels.iter().map(ToString::to_string).collect();
            tally::Alone::Same(case, labels)
        })
    }

    /// Who asks libkmod, for this thread.
    fn reader(&self) -> Option<Reader<'_>> {
        self.libkmod.as_ref().map(Libkmod::reader)
    }

    fn state(&self) -> State {
        let mut state = self.lock().state.clone();
        state.time = self.earlier + self.begun.elapsed();
        state
    }

    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands out the numbers of the next cases; none when it is over.
    fn piece(&self) -> Option<Range<u64>> {
        let mut work = self.lock();
        let piece = work.state.done.next(work.next);
        let is_over = work.stopped || interrupt::asked() || self.begun.elapsed() >= self.options.time;
        if is_over || piece * PIECE >= self.options.cases {
            return None;
        }
        work.next = piece + 1;
        Some(self.cases_of(piece))
    }

    fn cases_of(&self, piece: u64) -> Range<u64> {
        piece * PIECE..((piece + 1) * PIECE).min(self.options.cases)
    }

    fn work(&self) -> Result<()> {
        self.drive().inspect_err(|_| self.lock().stopped = true)
    }

    /// Drives one guest after the other.
    fn drive(&self) -> Result<()> {
        let mut line = Line::new(&self.setup.rig.host, &self.setup.prepared.guest);
        let mut reader = self.reader();
        let mut cases = 0..0;
        // Pieces of which some cases are done.
        let mut open: BTreeMap<u64, Vec<(Pending, Answer)>> = BTreeMap::new();
        loop {
            while line.has_room() {
                if cases.is_empty() {
                    let Some(piece) = self.piece() else { break };
                    cases = piece;
                }
                cases.by_ref().take(1).for_each(|index| line.push(self.pending(index)));
            }
            if line.is_empty() {
                return Ok(());
            }
            interrupt::check()?;
            for answered in line.turn()? {
                let piece = answered.0.index / PIECE;
                let done = open.entry(piece).or_default();
                done.push(answered);
                let cases = self.cases_of(piece);
                if done.len() as u64 == cases.end - cases.start {
                    let tally = self.tally_of(open.remove(&piece).unwrap_or_default(), reader.as_mut())?;
                    self.finish(piece, tally, &mut line.restores);
                }
            }
        }
    }

    fn pending(&self, index: u64) -> Pending {
        let Options { region, seed, .. } = self.options;
        let id = CaseId { kernel: String::new(), region, seed, index, only: Vec::new() };
        let image = self.setup.case(&id).image;
        Pending { index, ours: check::check(&image, self.setup.target), image }
    }

    fn finish(&self, piece: u64, tally: Tally, restores: &mut Vec<Duration>) {
        let mut work = self.lock();
        work.state.tally.merge(tally);
        work.state.done.add(piece);
        for restore in restores.drain(..) {
            *work.state.restores.entry(restore.as_millis() as u64).or_default() += 1;
        }
    }

    /// The rows of a piece, counted. libkmod is asked of all its files at once: that it is another process then costs nothing.
    fn tally_of(&self, cases: Vec<(Pending, Answer)>, reader: Option<&mut Reader<'_>>) -> Result<Tally> {
        let images: Vec<&[u8]> = cases.iter().map(|(case, _)| &*case.image).collect();
        let mut readings = reader.map_or(Ok(Vec::new()), |reader| reader.ask(&images))?.into_iter();
        let (alone, mut tally) = (self.setup.alone(), Tally::default());
        for (case, kernel) in cases {
            let kernel = alone.blame(&case.image, &case.ours, kernel)?;
            tally.add(Row { index: case.index, ours: case.ours, kernel, libkmod: readings.next() });
        }
        Ok(tally)
    }
}
