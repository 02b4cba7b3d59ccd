//! Campaigns against the kernel's own loader: modules that are broken by name go to `init_module`, and what the kernel
//! says of each is held against what we say.
//!
//! ```text
//! case (number ─▶ broken module) ─▶ judge (our verdict) ─▶ line (a guest takes it; another one when it dies)
//!        ─▶ tally (rows that are alike) ─▶ state (outlives us)
//! ```

pub mod case;
pub mod judge;
pub mod line;
pub mod state;
pub mod tally;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use modfile::check::{self, Kernel as Target, Series};

use self::{
    case::{Bases, Region},
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

/// A campaign that is ready to run.
#[derive(Debug)]
pub struct Campaign<'a> {
    rig: &'a Rig,
    prepared: Prepared,
    bases: Bases,
    /// What we need to know of the kernel to judge.
    target: Target,
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
    /// Fetches the kernel, builds the modules and saves a guest that takes cases, where they are not in the cache.
    ///
    /// # Errors
    /// Any of it fails, or there is a campaign already, or none to go on with.
    pub fn prepare(rig: &'a Rig, options: Options) -> Result<Self> {
        let contents = Contents { modules: &BASES, ..Contents::default() };
        let prepared = rig.prepare_with(&options.kernel, Machine::CAMPAIGN, &contents)?;
        let set = module::build(&rig.store, &prepared.kernel, &BASES, &[])?;
        if let Some((name, why)) = set.failures.first_key_value() {
            return Err(Error::new(format!("the module {name} does not build for {}: {why}", options.kernel)));
        }
        let bases = Bases::new(options.region, set.modules.values())?;
        let fresh = || {
            let release = prepared.kernel.release.clone();
            State::new(options.kernel.clone(), release, options.region, options.seed, bases.digest.clone())
        };
        let state = match (State::read(&options.place), options.go_on) {
            (Ok(state), true) => {
                let new = fresh();
                if (state.seed, &state.bases, &state.release, state.region)
                    != (new.seed, &new.bases, &new.release, new.region)
                {
                    return Err(Error::usage(format!(
                        "the campaign in `{}` is of another kernel, region, seed, or of other modules",
                        options.place.display()
                    ))
                    .help("name another folder with --place, or leave out --continue"));
                }
                state
            }
            (Err(error), true) => return Err(error),
            (_, false) => fresh(),
        };
        let series = Series::of_release(&prepared.kernel.release)
            .ok_or_else(|| Error::new(format!("`{}` is no release of a kernel", prepared.kernel.release)))?;
        let target = set.modules.values().next().map_or(series.into(), |base| Target::that_loads(series, &base.bytes));
        let earlier = state.time;
        let work = Mutex::new(Work { state, next: 0, stopped: false });
        Ok(Self { rig, prepared, bases, target, options, begun: Instant::now(), earlier, work })
    }

    /// Runs it until its time is over or all cases are done; `show` is called some times a second with what is known.
    ///
    /// # Errors
    /// The rig fails, or what is known cannot be written. What is known by then is kept.
    pub fn run(&mut self, mut show: impl FnMut(&State)) -> Result<State> {
        self.begun = Instant::now();
        // Before anything runs: a folder that cannot be written is noticed now.
        self.lock().state.write(&self.options.place)?;
        let this = &*self;
        let result = thread::scope(|scope| {
            let workers: Vec<_> = (0..this.options.workers).map(|_| scope.spawn(|| this.work())).collect();
            let mut saved = Instant::now();
            let mut unwritten = Ok(());
            while !workers.iter().all(|worker| worker.is_finished()) {
                thread::sleep(Duration::from_millis(200));
                let state = this.snapshot();
                show(&state);
                if saved.elapsed() >= SAVE && unwritten.is_ok() {
                    unwritten = state.write(&this.options.place);
                    this.lock().stopped |= unwritten.is_err();
                    saved = Instant::now();
                }
            }
            let ends = workers.into_iter().map(|worker| worker.join().expect("a worker does not panic"));
            ends.collect::<Vec<_>>().into_iter().fold(unwritten, Result::and)
        });
        let state = self.snapshot();
        state.write(&self.options.place)?;
        result.map(|()| state)
    }

    fn snapshot(&self) -> State {
        let mut state = self.lock().state.clone();
        state.time = self.earlier + self.begun.elapsed();
        state
    }

    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands out a piece: its number.
    fn piece(&self) -> Option<u64> {
        let mut work = self.lock();
        let piece = work.state.done.next(work.next);
        let is_over = work.stopped || interrupt::asked() || self.begun.elapsed() >= self.options.time;
        if is_over || piece * PIECE >= self.options.cases {
            return None;
        }
        work.next = piece + 1;
        Some(piece)
    }

    /// Drives one guest after the other.
    fn work(&self) -> Result<()> {
        let result = self.drive();
        if result.is_err() {
            self.lock().stopped = true;
        }
        result
    }

    fn drive(&self) -> Result<()> {
        let mut line = Line::new(&self.rig.host, &self.prepared.guest);
        let mut cases = (0..0).into_iter();
        // Pieces of which some cases are done.
        let mut open: BTreeMap<u64, Tally> = BTreeMap::new();
        loop {
            while line.has_room() {
                let Some(index) = cases.next().or_else(|| {
                    let piece = self.piece()?;
                    cases = piece * PIECE..((piece + 1) * PIECE).min(self.options.cases);
                    cases.next()
                }) else {
                    break;
                };
                let image = self.bases.case(self.options.seed, index).image;
                let ours = check::check(&image, self.target);
                line.push(Pending { index, image, ours });
            }
            if line.is_empty() {
                return Ok(());
            }
            interrupt::check()?;
            for (case, kernel) in line.turn()? {
                let piece = case.index / PIECE;
                let tally = open.entry(piece).or_default();
                tally.add(Row { index: case.index, ours: case.ours, kernel });
                if tally.cases() == PIECE.min(self.options.cases - piece * PIECE) {
                    let tally = open.remove(&piece).unwrap_or_default();
                    self.finish(piece, tally);
                }
            }
            if !line.restores.is_empty() {
                let mut work = self.lock();
                for restore in line.restores.drain(..) {
                    *work.state.restores.entry(restore.as_millis() as u64).or_default() += 1;
                }
            }
        }
    }

    fn finish(&self, piece: u64, tally: Tally) {
        let mut work = self.lock();
        work.state.tally.merge(tally);
        work.state.done.add(piece);
    }
}
