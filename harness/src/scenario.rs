//! What a scenario is: a row of a table and a function.

pub use crate::{
    behaviour::Source::{Code, Commit, Observed},
    claim::Literature,
    machine::{Device, Machine},
};
use crate::{
    behaviour::{Source, Turn, Version},
    check::Check,
    claim::Claim,
    guest::Guest,
};

/// One row of a table of scenarios.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Subject: the file it stands in.
    pub group: &'static str,
    /// Its function's name.
    pub name: &'static str,
    /// Guest modules it needs.
    pub modules: &'static [&'static str],
    /// The statement it tests.
    pub claim: Claim,
    /// Modules of the kernel itself that it needs.
    pub stock: &'static [&'static str],
    /// First kernel series it makes sense on.
    pub since: Option<Version>,
    /// What it runs on.
    pub machine: Machine,
    run: fn(&mut Guest) -> Check,
}

impl Scenario {
    /// A scenario without modules, for every kernel. Use [`scenario!`](crate::scenario!).
    pub const fn new(path: &'static str, name: &'static str, run: fn(&mut Guest) -> Check) -> Self {
        Self {
            group: last_part(path),
            name,
            modules: &[],
            stock: &[],
            claim: Claim::new(Literature::Kernel, ""),
            since: None,
            machine: Machine::DEFAULT,
            run,
        }
    }

    /// Names the guest modules it needs: files in `guest-modules/`, or copies of one (see `module::copies`).
    pub const fn modules(mut self, modules: &'static [&'static str]) -> Self {
        self.modules = modules;
        self
    }

    /// Names modules that came with the kernel; what they need comes with them. They are kept of kernels with drivers
    /// only, so its machine must be one that has them (see [`Machine`]).
    pub const fn stock(mut self, modules: &'static [&'static str]) -> Self {
        self.stock = modules;
        self
    }

    /// Names the statement it tests.
    pub const fn claim(mut self, source: Literature, statement: &'static str) -> Self {
        self.claim = Claim::new(source, statement);
        self
    }

    /// Says what the statement leaves out; see [`Claim`] for this and the next four.
    pub const fn note(mut self, note: &'static str) -> Self {
        self.claim = self.claim.note(note);
        self
    }

    /// The statement holds no longer.
    pub const fn until(mut self, release: &str, source: Source, now: &'static str) -> Self {
        self.claim = self.claim.until(release, source, now);
        self
    }

    /// The statement holds no longer, as a fact says.
    pub const fn until_fact(mut self, turn: Turn, now: &'static str) -> Self {
        self.claim = self.claim.until_fact(turn, now);
        self
    }

    /// The statement never held as it was made.
    pub const fn never(mut self, source: Source, now: &'static str) -> Self {
        self.claim = self.claim.never(source, now);
        self
    }

    /// The last change is in an older series of the matrix, too.
    pub const fn backported(mut self, major: u32, minor: u32) -> Self {
        self.claim = self.claim.backported((major, minor));
        self
    }

    /// Leaves out kernels before this series.
    pub const fn since(mut self, major: u32, minor: u32) -> Self {
        self.since = Some((major, minor));
        self
    }

    /// Asks for another machine than the usual one.
    pub const fn machine(mut self, machine: Machine) -> Self {
        self.machine = machine;
        self
    }

    /// Why it cannot run on a kernel of this version, if so.
    pub fn skipped_on(&self, version: Version) -> Option<String> {
        let (major, minor) = self.since.filter(|since| version < *since)?;
        Some(format!("needs kernel {major}.{minor} or newer"))
    }

    /// `group::name`.
    pub fn path(&self) -> String {
        format!("{}::{}", self.group, self.name)
    }

    /// Runs it.
    ///
    /// # Errors
    /// Why it did not come to its end.
    pub fn run(&self, guest: &mut Guest) -> Check {
        (self.run)(guest)
    }
}

/// A row: `scenario!(function)`, then what it needs. Its group is the file it stands in.
#[macro_export]
macro_rules! scenario {
    ($function:ident) => {
        $crate::scenario::Scenario::new(module_path!(), stringify!($function), $function)
    };
}

/// `stub` of `modrig::scenarios::stub`, at compile time.
const fn last_part(path: &'static str) -> &'static str {
    let bytes = path.as_bytes();
    let mut start = bytes.len();
    while start > 0 && bytes[start - 1] != b':' {
        start -= 1;
    }
    path.split_at(start).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_the_file_and_old_kernels_are_left_out_with_a_reason() {
        fn nothing(_: &mut Guest) -> Check {
            Ok(())
        }
        let scenario = scenario!(nothing).since(5, 12);
        assert_eq!(scenario.path(), "tests::nothing");
        assert_eq!(scenario.skipped_on((5, 10)).unwrap(), "needs kernel 5.12 or newer");
        assert_eq!(scenario.skipped_on((6, 1)), None);
    }
}
