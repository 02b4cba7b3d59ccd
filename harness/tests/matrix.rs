//! The suite as single tests, `kernel::group::scenario`: `cargo nextest run` runs each in a process of its own.
//!
//! Listing touches neither network nor disk: the kernels come from the embedded catalog, the scenarios from their
//! tables. Running uses the cache; what is missing there is made by whoever comes first, while the others wait.

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::OnceLock,
};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use modrig::{
    error::{Error, Result},
    kernel::Kernels,
    report::{Verdict, terminal},
    run::Rig,
    scenario::Scenario,
    scenarios,
};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let catalog = match Kernels::embedded() {
        Ok(catalog) => catalog,
        Err(error) => {
            eprintln!("{}", error.report());
            return ExitCode::FAILURE;
        }
    };
    let trials =
        catalog.columns().flat_map(|kernel| scenarios::all().map(|scenario| trial(kernel, scenario))).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(kernel: &str, scenario: &'static Scenario) -> Trial {
    let name = format!("{kernel}::{}", scenario.path());
    let kernel = kernel.to_owned();
    Trial::ignorable_test(name, move || case(&kernel, scenario))
}

fn case(kernel: &str, scenario: &'static Scenario) -> Result<Completion, Failed> {
    let rig = rig().map_err(|error| error.report())?;
    // Everything expensive in preparing is in the cache after the first time.
    let record = rig.case(kernel, &rig.prepare(kernel, scenario.machine), scenario);
    record.store(&records()).map_err(|error| error.report())?;
    match &record.verdict {
        Verdict::Passed => Ok(Completion::Completed),
        Verdict::Skipped { why } => Ok(Completion::ignored_with(why)),
        Verdict::Failed { .. } | Verdict::Broken { .. } => {
            Err(anstream::adapter::strip_str(&terminal::story(&record)).to_string().into())
        }
    }
}

/// Where records go: where `MODRIG_RECORDS` says, or where `modrig run` puts them, in the workspace in which this runs. From
/// an archive of nextest's that is another one than it was built in.
fn records() -> PathBuf {
    if let Some(named) = env::var_os("MODRIG_RECORDS").filter(|directory| !directory.is_empty()) {
        return named.into();
    }
    let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&package).parent().expect("the package lies in a workspace").join("target/modrig/records")
}

/// One rig for the process; nextest has one case in it, `cargo test` all.
fn rig() -> Result<&'static Rig> {
    static RIG: OnceLock<Result<Rig>> = OnceLock::new();
    RIG.get_or_init(Rig::open).as_ref().map_err(Error::clone)
}
