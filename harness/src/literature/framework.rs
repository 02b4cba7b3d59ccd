//! The module framework of 2.6.32.

use super::Statement;
use crate::claim::{Claim, Literature::Framework};

const fn says(statement: &'static str) -> Claim {
    Claim::new(Framework, statement)
}

pub(super) const ALL: &[Statement] = &[];
