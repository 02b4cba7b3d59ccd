//! Campaigns against the kernel's own loader: modules that are broken by name go to `init_module`, and what the kernel
//! says of each is held against what we say.
//!
//! ```text
//! case (number ─▶ broken module) ─▶ judge (our verdict) ─▶ line (a guest takes it; another one when it dies)
//!        ─▶ libkmod (a child asks it; another one when it dies) ─▶ tally (rows that are alike) ─▶ state (outlives us)
//! ```
//! In a guided campaign `guide` makes the case, of those that reached something new (`coverage`).

pub mod alone;
pub mod base;
pub mod case;
pub mod change;
pub mod coverage;
pub mod guide;
pub mod judge;
pub mod keep;
pub mod libkmod;
pub mod line;
pub mod readings;
pub mod report;
mod setup;
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

pub use self::setup::Setup;
use self::{
    case::{CaseId, Region},
    change::Chance,
    coverage::{Coverage, Filter},
    guide::Made,
    judge::Answer,
    libkmod::{Libkmod, Reader},
    line::{Answered, Line, Pending},
    state::State,
    tally::{Drawn, Row, Tally},
};
use crate::{
    error::{Error, Result},
    interrupt,
    run::Rig,
};

/// Cases that a worker takes at once, and that count when all of them are done.
const PIECE: u64 = 32;

/// How many cases of a guided campaign are on their way to a guest: each of them was made without knowing what those before
/// it reach.
const AHEAD: u64 = 32;

/// How often what is known is written down.
const SAVE: Duration = Duration::from_secs(5);

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
    /// Make cases of those that reached something new in the kernel.
    pub guided: bool,
}

impl Options {
    /// Without an end, with a guest for each processor, in the current folder.
    pub fn new(kernel: &str, region: Region) -> Self {
        Self {
            kernel: kernel.to_owned(),
            region,
            seed: 1,
            time: Duration::from_secs(u64::from(u32::MAX)),
            cases: u64::MAX / 2,
            workers: thread::available_parallelism().map_or(1, usize::from),
            place: PathBuf::new(),
            go_on: false,
            guided: false,
        }
    }
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
        if options.guided && setup.filter.is_none() {
            let what = format!("kernel {} does not tell what a case reaches, so it cannot guide", options.kernel);
            return Err(Error::usage(what).help(
                "that takes CONFIG_KCOV and its System.map, as `modrig kernels build 6.12-kasan` makes; or leave out --guided",
            ));
        }
        let libkmod = Libkmod::obtain_or_say(&rig.store)?;
        let (release, bases) = (setup.prepared.kernel.release.clone(), setup.bases.digest.clone());
        let mut new = State::new(options.kernel.clone(), release, options.region, options.seed, bases);
        new.libkmod = libkmod.as_ref().map(|libkmod| libkmod.version().to_owned());
        new.guided = options.guided;
        new.coverage = setup.filter.as_ref().map(|_| Coverage::default());
        let state = match earlier {
            Some(state) if !state.is_of(&new) => {
                let what = format!("the campaign in `{}` is not this one", options.place.display());
                return Err(Error::usage(what).help(
                    "it is of another kernel, region or seed, of other modules or another libkmod, or only one of them is \
                     guided; name another folder with --place, or leave out --continue",
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
        let state = self.cases(&mut show)?;
        let confirmed = self.confirm(state, &mut show)?;
        confirmed.write(&self.options.place)?;
        Ok(confirmed)
    }

    /// The same, and nothing is confirmed.
    ///
    /// # Errors
    /// As [`Campaign::run`].
    pub fn cases(&mut self, mut show: impl FnMut(Now<'_>)) -> Result<State> {
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
        state.write(&self.options.place).and(result).and_then(|()| interrupt::check())?;
        Ok(state)
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
        let wanted = state.tally.to_confirm();
        for (number, (key, entry)) in wanted.iter().enumerate() {
            show(Now::Alone(wanted.len() - number));
            let like = |answer: &Answer| tally::is_like(answer, &entry.kernel);
            let found = self.found(self.setup.smallest(&state.case(&entry.first), like)?)?;
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
            let smallest = alone::smallest(&self.setup.bases, &first.case(&same.first), |case| {
                Ok(reader.ask(&[&self.setup.case(case)?.image])? == [same.reading.clone()])
            })?;
            same.alone = Some(self.found(smallest)?);
        }
        Ok(())
    }

    /// What a case does alone, if it is known with how few changes.
    fn found(&self, smallest: Option<CaseId>) -> Result<tally::Alone> {
        let Some(case) = smallest else { return Ok(tally::Alone::Other) };
        let labels = self.setup.case(&case)?.labels;
        Ok(tally::Alone::Same(case, labels.iter().map(ToString::to_string).collect()))
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
        let watched = self.setup.filter.as_ref().map_or_else(Vec::new, Filter::ranges);
        let mut line = Line::new(&self.setup.rig.host, &self.setup.prepared.guest, &watched);
        let mut reader = self.reader();
        let mut cases = 0..0;
        // Pieces of which some cases are done.
        let mut open: BTreeMap<u64, Vec<Answered>> = BTreeMap::new();
        loop {
            while line.has_room() && (!self.options.guided || line.len() < AHEAD) {
                if cases.is_empty() {
                    let Some(piece) = self.piece() else { break };
                    cases = piece;
                }
                if let Some(index) = cases.next() {
                    line.push(self.pending(index)?);
                }
            }
            if line.is_empty() {
                return Ok(());
            }
            interrupt::check()?;
            for answered in line.turn()? {
                let number = answered.case.index / PIECE;
                let done = open.entry(number).or_default();
                done.push(answered);
                let cases = self.cases_of(number);
                if done.len() as u64 == cases.end - cases.start {
                    let piece = self.piece_of(open.remove(&number).unwrap_or_default(), reader.as_mut())?;
                    self.finish(number, piece, &mut line.restores);
                }
            }
        }
    }

    fn pending(&self, index: u64) -> Result<Pending> {
        let (bases, mut chance) = (&self.setup.bases, Chance::new(self.options.seed, index));
        let made = match self.options.guided {
            true => Some(self.lock().state.corpus.next(bases, &mut chance)?),
            false => None,
        };
        let image = match &made {
            Some(made) => bases.make(&made.recipe)?.image,
            None => bases.make(&bases.fresh(&mut chance))?.image,
        };
        Ok(Pending { index, made, ours: self.setup.verdict(&image), image })
    }

    fn finish(&self, number: u64, piece: Piece, restores: &mut Vec<Duration>) {
        let mut work = self.lock();
        let state = &mut work.state;
        state.tally.merge(piece.tally);
        state.done.add(number);
        if let (Some(coverage), Some(filter)) = (&mut state.coverage, &self.setup.filter) {
            for (made, reached) in piece.reached {
                let new = coverage.add(&reached, filter);
                made.into_iter().for_each(|made| state.corpus.learn(&self.setup.bases, made, new > 0));
            }
            coverage.note(state.tally.cases(), self.earlier + self.begun.elapsed());
        }
        for restore in restores.drain(..) {
            *state.restores.entry(restore.as_millis() as u64).or_default() += 1;
        }
    }

    /// What the cases of a piece gave. libkmod is asked of all its files at once: that it is another process then costs nothing.
    fn piece_of(&self, cases: Vec<Answered>, reader: Option<&mut Reader<'_>>) -> Result<Piece> {
        let images: Vec<&[u8]> = cases.iter().map(|answered| &*answered.case.image).collect();
        let mut readings = reader.map_or(Ok(Vec::new()), |reader| reader.ask(&images))?.into_iter();
        let mut piece = Piece::default();
        for Answered { case, answer, reached } in cases {
            let kernel = self.setup.blame(&case.image, &case.ours, answer)?;
            let drawn = Drawn { index: case.index, recipe: case.made.as_ref().map(|made| made.recipe.clone()) };
            piece.tally.add(Row { case: drawn, ours: case.ours, kernel, libkmod: readings.next() });
            piece.reached.push((case.made, reached));
        }
        Ok(piece)
    }
}

/// What the cases of a piece gave.
#[derive(Debug, Default)]
struct Piece {
    tally: Tally,
    /// What each of them was the first in its guest to reach; how it was made, in a guided campaign.
    reached: Vec<(Option<Made>, Vec<u64>)>,
}
