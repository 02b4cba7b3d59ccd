//! Many threads of a guest that load and unload modules at once.

use super::{Guest, helper};
use crate::{check::Check, error::Error};

impl Guest {
    /// Loads and unloads modules from as many threads as there are names, all at once, each so many times. How many
    /// loads and how many unloads of each thread succeeded.
    ///
    /// # Errors
    /// It does not come to its end, or the guest is in trouble.
    pub fn storm(&mut self, rounds: u32, names: &[&str]) -> Check<Vec<(u32, u32)>> {
        let paths: Vec<String> = names.iter().map(|name| self.path_of(name)).collect();
        let rounds = rounds.to_string();
        let args: Vec<&str> = [&*rounds].into_iter().chain(paths.iter().map(String::as_str)).collect();
        let running = self.start_program(helper("storm"), &args)?;
        let ran = self.finish_run(running)?;
        ran.succeeds()?;
        let counts = |line: &str| line.split_once(' ').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        let counts: Option<Vec<_>> = ran.stdout().lines().map(counts).collect();
        counts.ok_or_else(|| Error::new("the storm's results make no sense").into())
    }
}
