//! What a scenario is: a row of a table and a function.

use std::fmt;

pub use crate::machine::Machine;
use crate::{check::Check, guest::Guest};

/// Where a statement about modules was made; each scenario puts one to the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Literature {
    /// An article of 2008 on a stub module whose init calls modprobe and then fails (2.6.17).
    StubModule,
    /// An article on how busybox's module tools reach the system calls.
    Busybox,
    /// An article on request_module in 4.1.
    RequestModule,
    /// An article on request_module, exec_modprobe and kmod in 2.2.
    ExecModprobe,
    /// A series on the module framework of 2.6.32.
    Framework,
}

impl fmt::Display for Literature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StubModule => "stub module article (2.6.17)",
            Self::Busybox => "busybox module tools article",
            Self::RequestModule => "request_module article (4.1)",
            Self::ExecModprobe => "request_module and exec_modprobe article (2.2)",
            Self::Framework => "module framework series (2.6.32)",
        })
    }
}

/// One row of a table of scenarios.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Subject: the file it stands in.
    pub group: &'static str,
    /// Its function's name.
    pub name: &'static str,
    /// Guest modules it needs.
    pub modules: &'static [&'static str],
    /// The statement it tests, and who made it.
    pub claim: (Literature, &'static str),
    /// First kernel series it makes sense on.
    pub since: Option<(u32, u32)>,
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
            claim: (Literature::Framework, ""),
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

    /// Names the statement it tests.
    pub const fn claim(mut self, source: Literature, statement: &'static str) -> Self {
        self.claim = (source, statement);
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
    pub fn skipped_on(&self, version: (u32, u32)) -> Option<String> {
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
