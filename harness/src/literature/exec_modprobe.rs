//! request_module, exec_modprobe and kmod in 2.2.

use super::Statement;
use crate::claim::{Claim, Literature::ExecModprobe};

const fn says(statement: &'static str) -> Claim {
    Claim::new(ExecModprobe, statement)
}

pub(super) const ALL: &[Statement] = &[];
