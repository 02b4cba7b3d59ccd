//! What the helper saw when the kernel ran it in place of modprobe.

use serde::{Deserialize, Serialize};

/// Directory in the guest where the helper leaves one record per call, named `0`, `1`, ...
pub const DIRECTORY: &str = "/run/calls";

/// Directory in the guest that holds the helper under its names (see `helper.rs`).
pub const HELPERS: &str = "/helpers";

/// A file in the guest: when it is there, the helpers that are called `hold` end.
pub const LET_GO: &str = "/run/let-go";

/// Where the helper that is called `hotplug` writes what it has run.
pub const HOTPLUG_LOG: &str = "/run/hotplug";

/// What the helper as PID 1 says on the console when it is called `init`.
pub const INIT_REACHED: &str = "modrig-helper: init reached";

/// One call of the helper, as the process itself saw it at its start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// All arguments, `argv[0]` first.
    pub argv: Vec<String>,
    /// The environment as `NAME=value`, in order.
    pub environment: Vec<String>,
    /// Working directory.
    pub directory: String,
    /// Open descriptors and what they refer to, as `/proc/self/fd` shows them.
    pub descriptors: Vec<(u32, String)>,
    /// `/proc/self/status`: credentials, capabilities and signal masks.
    pub status: String,
    /// `/proc/self/stat`: process group, session, niceness.
    pub stat: String,
    /// `/proc/self/limits`.
    pub limits: String,
    /// Name of the parent process, from `/proc/PPID/comm`.
    pub parent: String,
}

impl Call {
    /// A field of `/proc/self/status`, such as `Uid` or `SigBlk`, without the blanks around it.
    pub fn status_field(&self, name: &str) -> Option<&str> {
        self.status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }

    /// A field of `/proc/self/stat` by its number in proc(5), from the third on: the second may hold blanks.
    pub fn stat_field(&self, number: usize) -> Option<&str> {
        let (_, rest) = self.stat.rsplit_once(") ")?;
        rest.split_whitespace().nth(number.checked_sub(3)?)
    }
}
