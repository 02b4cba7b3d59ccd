//! What a campaign needs of a kernel.

use modfile::check::{self, Kernel as Target, Series, Verdict};
use modrig_fuzz::signing::Signing;

use super::{
    base::{Bases, Broken},
    case::{CaseId, Region},
    coverage::Filter,
};
use crate::{
    error::{Error, Result},
    machine::Machine,
    module::{self, GuestModule},
    run::{Contents, Prepared, Rig},
};

/// The guest modules that are broken.
const BASES: [&str; 2] = ["accepted", "accepted_full"];

/// What a guest loads before the first case: those, and one that stays, as some modules do on any machine. Without it a kernel
/// with `ARCH_HAS_EXECMEM_ROX` gives the 2 MiB that it keeps modules' code in back after each case and fills them anew for the
/// next, which makes a case of 7.2 and 7.3 take 1.6 times as long.
const LOADED: [&str; 3] = ["accepted", "accepted_full", "hello"];

/// What cases are made of, and what judges them: a kernel with its modules and a saved guest.
#[derive(Debug)]
pub struct Setup<'a> {
    pub(super) rig: &'a Rig,
    pub(super) prepared: Prepared,
    pub(super) bases: Bases,
    /// What we need to know of the kernel to judge.
    pub(super) target: Target,
    /// Which of its code counts, if it tells what is reached.
    pub(super) filter: Option<Filter>,
}

impl<'a> Setup<'a> {
    /// Fetches the kernel, builds the modules and saves a guest that takes cases, where they are not in the cache.
    ///
    /// # Errors
    /// Any of it fails, or the modules have nothing in the region.
    pub fn prepare(rig: &'a Rig, kernel: &str, region: Region) -> Result<Self> {
        let contents = Contents { modules: &LOADED, ..Contents::default() };
        let prepared = rig.prepare_with(kernel, Machine::CAMPAIGN, &contents)?;
        let set = module::build(&rig.store, &prepared.kernel, &BASES, &[])?;
        if let Some((name, why)) = set.failures.first_key_value() {
            return Err(Error::new(format!("the module {name} does not build for {kernel}: {why}")));
        }
        let mut modules: Vec<GuestModule> = set.modules.into_values().collect();
        if region == Region::Signature {
            modules.iter_mut().for_each(sign);
        }
        let bases = Bases::new(region, modules.iter())?;
        let release = &prepared.kernel.release;
        let series =
            Series::of_release(release).ok_or_else(|| Error::new(format!("`{release}` is no release of a kernel")))?;
        let target = modules.first().map_or(series.into(), |base| Target::that_loads(series, &base.bytes));
        let filter = Filter::of(&prepared.kernel).unwrap_or_else(|error| {
            rig.store.progress.say(format!("what cases reach is not counted: {}", error.chain()));
            None
        });
        Ok(Self { rig, prepared, bases, target, filter })
    }

    /// The file of a case, and what was done to it.
    ///
    /// # Errors
    /// It names no module of these, or no place in one.
    pub fn case(&self, id: &CaseId) -> Result<Broken> {
        self.bases.case(id)
    }

    /// Our verdict on a file.
    pub fn verdict(&self, image: &[u8]) -> Verdict {
        check::check(image, self.target)
    }
}

/// Appends a signature that a kernel can read, and of whose key it knows nothing.
fn sign(module: &mut GuestModule) {
    let mut bytes = module.bytes.to_vec();
    Signing::example().append(&mut bytes);
    module.bytes = bytes.into();
}
