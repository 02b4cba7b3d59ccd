//! What depmod writes beside the modules: text for people and scripts, binary tries for kmod's own lookups.

mod builder;
mod text;
pub mod trie;

pub use text::{Dep, aliases, builtin_modinfo, builtins, deps};
