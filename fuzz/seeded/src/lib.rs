//! Seeded bugs: how well do the fuzz targets find what is wrong?
//!
//! ```text
//! bugs   a table: which text of modfile becomes which, and when that does harm
//! tree   a copy of the sources with all of them in it, each switched on by its number
//! campaign   one target, one bug, one seed: reached, triggered, detected, after how much CPU time
//! results, page   all rows of results.tsv become docs/seeded-bugs.md
//! ```
//! After Magma (Hazimeh, Herrera, Payer: "Magma: A Ground-Truth Fuzzing Benchmark", 2020): a bug is *reached* where its
//! line is executed, *triggered* where its condition holds, so that the code goes wrong, and *detected* where the target
//! notices.

pub mod bugs;
pub mod campaign;
pub mod page;
pub mod results;
pub mod tree;
