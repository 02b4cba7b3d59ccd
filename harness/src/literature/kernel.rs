//! What newer kernels have beside what the articles describe, and no kernel of the matrix can show.

use super::Statement;
use crate::claim::{Claim, Literature::Kernel};

const fn says(statement: &'static str) -> Claim {
    Claim::new(Kernel, statement)
}

pub(super) const ALL: &[Statement] = &[
    says("with STATIC_USERMODEHELPER one program is run for every request, whatever modprobe_path says")
        .note("since 64e90a8acb85 (\"Introduce STATIC_USERMODEHELPER to mediate call_usermodehelper()\", 4.11)")
        .untestable("no kernel of the matrix is built with it"),
    says("with MODULE_DEBUG_AUTOLOAD_DUPS the kernel tells of requests for a module that is requested already")
        .untestable("no kernel of the matrix is built with it"),
    says("with MODULE_UNLOAD_TAINT_TRACKING a trace lists the modules that were unloaded and had tainted the kernel")
        .note("since 99bd9956551b (\"module: Introduce module unload taint tracking\", 5.19)")
        .untestable("no kernel of the matrix is built with it"),
    says("with MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS a missing import is a warning")
        .untestable("no kernel of the matrix is built with it"),
    says("the kernel unpacks modules that are compressed with gzip or zstd, if it is built so")
        .untestable("the matrix's kernels that unpack modules are built for xz alone"),
    says("with MODULE_SIG_FORCE no unsigned module is loaded, whatever the command line says")
        .untestable("no kernel of the matrix is built with it; module.sig_enforce on the command line does the same"),
    says("lockdep reports locks that are taken in a wrong order, also those of a module")
        .untestable("no kernel of the matrix is built with lock debugging"),
];
