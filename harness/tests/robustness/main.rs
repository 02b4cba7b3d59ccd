//! What happens to runs that are killed, interrupted, or meet a full disk or a damaged cache.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/desk.rs"]
mod desk;
mod full_disk;
mod keep;
mod kill;
mod random;
mod saved;
mod stop;

/// A case of a moment.
const QUICK: &str = "unload::unknown_module_is_enoent";
