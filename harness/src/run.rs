//! One case: a kernel and a scenario become a record. Nothing here prints.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Instant,
};

use chrono::{SubsecRound as _, Utc};

use crate::{
    cache::{Cache, Digest},
    check::Stop,
    error::{Error, Result},
    guest::{Guest, Step},
    image::{self, Image},
    kept::{self, Keep},
    kernel::{FetchOptions, Headers, Kernel, Kernels, StockFile, Store},
    machine::Machine,
    memo, module,
    progress::Progress,
    report::{Record, Verdict},
    scenario::Scenario,
    scenarios, text,
    toolset::Toolset,
    triage::Event,
    vm::{
        Host, Qemu, Vm,
        accel::{self, Choice},
        snapshot::Snapshot,
    },
};

/// What every case of a run shares.
#[derive(Debug, Clone)]
pub struct Rig {
    /// The kernels that have a name.
    pub catalog: Kernels,
    /// How kernels come to this machine; also the cache, and what a person sees meanwhile.
    pub store: Store,
    /// The emulator and its accelerator.
    pub host: Host,
    /// The guests' module tools.
    pub tools: Toolset,
    /// Leave out what needs a kernel with drivers: most of all that there is to fetch.
    pub without_drivers: bool,
    /// Whether the guests of failing cases are kept.
    pub keep: Keep,
    /// Boots a guest for each case, in the place of a copy of a saved one.
    pub cold: bool,
}

/// What an image holds besides programs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Contents<'a> {
    /// Guest modules, by name.
    pub modules: &'a [&'a str],
    /// More sources than the built-in ones: name and C text.
    pub sources: &'a [(String, String)],
    /// Modules that came with the kernel, by name; what they need comes with them.
    pub stock: &'a [&'a str],
}

/// A kernel with its modules, booted and saved: ready for any number of cases.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The kernel.
    pub kernel: Kernel,
    /// Modules that did not compile, and the compiler's first error.
    pub missing: BTreeMap<String, String>,
    /// The initramfs it boots with.
    pub image: Image,
    /// The guest, saved when its agent was ready.
    pub guest: Snapshot,
}

/// An image, and what is missing in it: modules that do not compile, and the compiler's first error.
type Packed = (Image, BTreeMap<String, String>);

impl Rig {
    /// A rig with the embedded catalog and everything else as the environment says; shows nothing.
    ///
    /// # Errors
    /// QEMU or the cache cannot be used.
    pub fn open() -> Result<Self> {
        Self::with(Cache::open(None)?, Progress::hidden(), FetchOptions::default(), Choice::default())
    }

    /// A rig with these settings.
    ///
    /// # Errors
    /// QEMU or the accelerator cannot be used.
    pub fn with(cache: Cache, progress: Progress, fetch: FetchOptions, accel: Choice) -> Result<Self> {
        let qemu = Qemu::find_known(&cache)?;
        let decision = accel::decide_known(accel, &cache)?;
        progress.say(format!("QEMU {}, {}: {}", qemu.version, decision.accel, decision.reason));
        let store = Store { cache, progress, options: fetch };
        let host = Host { qemu, accel: decision.accel };
        Ok(Self {
            catalog: Kernels::embedded()?,
            store,
            host,
            tools: Toolset::ours(),
            keep: Keep::default(),
            cold: false,
            without_drivers: false,
        })
    }

    /// Fetches a kernel, builds the modules for one machine, boots it there and saves it; all of it only if it is
    /// not in the cache.
    ///
    /// The image holds the modules of all scenarios on that machine, also of those that were not selected: one saved
    /// guest serves every selection.
    ///
    /// # Errors
    /// Any of these steps fails.
    pub fn prepare(&self, kernel: &str, machine: Machine) -> Result<Prepared> {
        let named = |names: fn(&Scenario) -> &'static [&'static str]| -> Vec<&str> {
            let all = scenarios::all().filter(|scenario| scenario.machine == machine);
            all.flat_map(names).copied().collect::<BTreeSet<_>>().into_iter().collect()
        };
        let (modules, stock) = (named(|scenario| scenario.modules), named(|scenario| scenario.stock));
        self.prepare_with(kernel, machine, &Contents { modules: &modules, stock: &stock, sources: &[] })
    }

    /// The same for an image whose contents are named here.
    ///
    /// # Errors
    /// As [`Rig::prepare`].
    pub fn prepare_with(&self, kernel: &str, machine: Machine, contents: &Contents<'_>) -> Result<Prepared> {
        let kernel = self.store.resolve(&self.catalog, self.kernel_for(kernel, machine).map_err(Error::new)?)?;
        let (image, missing) = self.pack(&kernel, contents)?;
        let _spinner = self.store.progress.spinner(format!("{}: boot", kernel.name));
        let guest = Snapshot::take(&self.store, &self.host, machine, &kernel, &image)?;
        Ok(Prepared { kernel, missing, image, guest })
    }

    /// The image with these modules, and the modules that do not compile. What this very program has packed before is
    /// known by what went into it: nothing has to be read and packed again only to learn its digest.
    fn pack(&self, kernel: &Kernel, contents: &Contents<'_>) -> Result<Packed> {
        let cache = &self.store.cache;
        let Ok(own) = memo::stamp(Path::new("/proc/self/exe")) else { return self.pack_now(kernel, contents) };
        let texts = Digest::of(contents.sources.iter().flat_map(|(name, text)| [name, text]));
        let names = [contents.modules, contents.stock].map(Digest::of);
        let content = Digest::of(names.into_iter().chain([texts, self.tools.digest()]));
        let parts = [own.as_str(), kernel.digest.as_str(), content.as_str()];
        if let Some((digest, missing)) = memo::recall(cache, "image", &parts)
            && let Some(image) = image::find(cache, &digest)
        {
            return Ok((image, missing));
        }
        let (image, missing) = self.pack_now(kernel, contents)?;
        memo::remember(cache, "image", &parts, &(&image.digest, &missing));
        Ok((image, missing))
    }

    fn pack_now(&self, kernel: &Kernel, contents: &Contents<'_>) -> Result<Packed> {
        let set = module::build(&self.store, kernel, contents.modules, contents.sources)?;
        let tree = image::Tree { modules: set.modules.values().collect(), stock: stock(kernel, contents.stock)? };
        let image = image::pack(&self.store.cache, kernel, &self.tools, &tree)?;
        Ok((image, set.failures))
    }

    /// Why no kernel can be had for a machine in the column of this one, if so.
    pub fn lacks(&self, kernel: &str, machine: Machine) -> Option<String> {
        self.kernel_for(kernel, machine).err()
    }

    /// The kernel that runs on a machine in the column of another: one with drivers, if the machine needs them.
    fn kernel_for<'a>(&'a self, kernel: &'a str, machine: Machine) -> Result<&'a str, String> {
        if !machine.drivers {
            return Ok(kernel);
        }
        if self.without_drivers {
            return Err("left out by --no-drivers".into());
        }
        let with_drivers = self.catalog.with_drivers(kernel);
        with_drivers.ok_or_else(|| format!("needs stock drivers, and the list of kernels has none for {kernel}"))
    }

    /// Runs one case. Whatever happens, it ends in a record.
    pub fn case(&self, kernel: &str, prepared: &Result<Prepared>, scenario: &Scenario) -> Record {
        let (mut record, guest) = self.play(kernel, prepared, scenario, self.keep.is_asked());
        if self.keep.is_asked() {
            let cache = &self.store.cache;
            match (&record.verdict, guest) {
                (Verdict::Failed { .. }, Some(mut guest)) => {
                    record.kept = Some(kept::store(cache, &self.keep, &self.host, &record, &mut guest));
                }
                (Verdict::Passed, _) => kept::forget(cache, &record),
                _ => {}
            }
        }
        record
    }

    /// Runs one case and hands over its guest, as it is at the case's end. There is none when the case did not come to
    /// run.
    pub fn case_with_guest(
        &self,
        kernel: &str,
        prepared: &Result<Prepared>,
        scenario: &Scenario,
    ) -> (Record, Option<Guest>) {
        self.play(kernel, prepared, scenario, true)
    }

    fn play(
        &self,
        kernel: &str,
        prepared: &Result<Prepared>,
        scenario: &Scenario,
        keep: bool,
    ) -> (Record, Option<Guest>) {
        let begun = Instant::now();
        let outcome = match (self.kernel_for(kernel, scenario.machine), prepared) {
            (Err(why), _) => Verdict::Skipped { why }.into(),
            (_, Err(error)) => Verdict::broken(error).into(),
            (_, Ok(prepared)) => self.judge(prepared, scenario, keep),
        };
        let prepared = prepared.as_ref().ok();
        let record = Record {
            version: Record::VERSION,
            kernel: kernel.to_owned(),
            machine: scenario.machine.to_string(),
            release: prepared.map(|prepared| prepared.kernel.release.clone()),
            group: scenario.group.to_owned(),
            scenario: scenario.name.to_owned(),
            source: scenario.claim.source.to_string(),
            claim: prepared.map_or_else(
                || scenario.claim.statement.to_owned(),
                |prepared| scenario.claim.on(prepared.kernel.version()),
            ),
            verdict: outcome.verdict,
            events: outcome.events,
            steps: outcome.steps,
            log: outcome.log,
            ended: Utc::now().trunc_subsecs(3),
            duration_ms: begun.elapsed().as_millis() as u64,
            accel: self.host.accel,
            qemu: self.host.qemu.version.clone(),
            guest_digest: prepared.map(|prepared| prepared.guest.digest.clone()),
            modutils: self.tools.name(),
            rerun: format!("modrig run{} -k {kernel} {}", self.tools.option(), scenario.path()),
            resume: outcome
                .guest
                .is_some()
                .then(|| format!("modrig shell{} --resume {kernel}::{}", self.tools.option(), scenario.path())),
            kept: None,
        };
        (record, outcome.guest)
    }

    /// The verdict, and the evidence for it.
    fn judge(&self, prepared: &Prepared, scenario: &Scenario, keep: bool) -> Outcome {
        if let Some(why) = scenario.skipped_on(prepared.kernel.version()) {
            return Verdict::Skipped { why }.into();
        }
        if let (Headers::Absent(why), false) = (&prepared.kernel.headers, scenario.modules.is_empty()) {
            return Verdict::Skipped { why: format!("no modules can be built: {why}") }.into();
        }
        if let Some((module, error)) = scenario.modules.iter().find_map(|name| prepared.missing.get_key_value(*name)) {
            return Verdict::Broken { why: format!("the module {module} does not build: {error}"), help: None }.into();
        }
        let vm = match (self.cold, keep) {
            (true, _) => Vm::boot(&self.host, scenario.machine, &prepared.kernel, &prepared.image.path),
            (_, true) => prepared.guest.restore_to_keep(&self.host),
            _ => prepared.guest.restore(&self.host),
        };
        let mut guest = match vm {
            Ok(vm) => Guest::new(vm),
            Err(trouble) => return Verdict::broken(&trouble.into_error()).into(),
        };
        let result = scenario.run(&mut guest).and_then(|()| guest.settle());
        let verdict = match result {
            Ok(()) => Verdict::Passed,
            Err(Stop::Skipped(why)) => Verdict::Skipped { why },
            Err(Stop::Broken(error)) => Verdict::broken(&error),
            Err(Stop::Failed { why, log }) if log.is_empty() => Verdict::Failed { why, log: guest.console_excerpt() },
            Err(Stop::Failed { why, log }) => Verdict::Failed { why, log },
        };
        Outcome {
            verdict,
            events: guest.events().to_vec(),
            steps: guest.steps(),
            log: text::cut(&guest.console_text(), Record::LOG_BYTES_MAX),
            guest: Some(guest),
        }
    }
}

/// How a case ended, and what shows it.
struct Outcome {
    verdict: Verdict,
    events: Vec<Event>,
    steps: Vec<Step>,
    log: String,
    guest: Option<Guest>,
}

impl From<Verdict> for Outcome {
    /// There was no guest, so there is no evidence.
    fn from(verdict: Verdict) -> Self {
        Self { verdict, events: Vec::new(), steps: Vec::new(), log: String::new(), guest: None }
    }
}

/// The stock modules an image holds, with the kernel's lists of modules; none when no scenario asks for any.
fn stock(kernel: &Kernel, names: &[&str]) -> Result<Vec<StockFile>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let stock =
        kernel.stock.as_ref().ok_or_else(|| Error::new(format!("no stock modules of {} are kept", kernel.name)))?;
    let mut files = stock.lists()?;
    files.extend(stock.closure(names)?);
    Ok(files)
}
