//! A stub module whose init runs modprobe and fails, in 2.6.17.

use super::Statement;
use crate::claim::{Claim, Literature::StubModule};

const fn says(statement: &'static str) -> Claim {
    Claim::new(StubModule, statement)
}

pub(super) const ALL: &[Statement] = &[];
