//! What several tests begin with.

use modfile::{elf::Layout, write::Module};

/// A module with everything that the readers know.
pub(crate) fn module(layout: Layout) -> Module {
    let module = Module::new("full").layout(layout).modinfo("alias", "x:*").modinfo("parm", "debug:how much");
    let module = module.exports_with_crc("given", 0xdead_beef).needs("taken").version("taken", 1);
    let module = module.extended_version("taken", 1).extended_version("module_layout", 2);
    module.parameter("debug", 0o644, "param_ops_int").parameter_of_own_type("mode", 0, "mode_ops")
}
