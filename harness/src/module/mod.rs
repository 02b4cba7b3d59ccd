//! Guest modules: C sources, one situation per file, built for each kernel by that kernel's own kbuild.

use std::{collections::BTreeMap, sync::Arc};

use crate::cache::Digest;

/// A module, ready to be put into an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestModule {
    /// Name as in `/proc/modules`.
    pub name: String,
    /// The `.ko` file, without debug information.
    pub bytes: Arc<[u8]>,
}

/// Everything that was built for one kernel.
#[derive(Debug, Clone)]
pub struct ModuleSet {
    /// The modules that compiled, by name.
    pub modules: BTreeMap<String, GuestModule>,
    /// The ones that did not: name and the compiler's first error.
    pub failures: BTreeMap<String, String>,
    /// Digest of sources, kernel and compiler.
    pub digest: Digest,
}

include!(concat!(env!("OUT_DIR"), "/sources.rs"));
