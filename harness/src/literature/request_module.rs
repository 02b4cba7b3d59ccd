//! request_module and DEFINE_MUTEX in 4.1.

use super::Statement;
use crate::claim::{Claim, Literature::RequestModule};

const fn says(statement: &'static str) -> Claim {
    Claim::new(RequestModule, statement)
}

pub(super) const ALL: &[Statement] = &[];
