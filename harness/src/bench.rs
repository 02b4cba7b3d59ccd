//! Measuring, always beside what there was before, in turns and in one run: on a machine with other work only ratios
//! mean something.

pub mod boot;
pub mod case;
pub mod guidance;
pub mod memory;
pub mod modutils;

/// The middle of some numbers.
pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
