//! How busybox's module tools reach the system calls.

use super::Statement;
use crate::claim::{Claim, Literature::Busybox};

const fn says(statement: &'static str) -> Claim {
    Claim::new(Busybox, statement)
}

pub(super) const ALL: &[Statement] = &[];
