//! `__param`: the parameters of a module.

use super::*;
