//! Moments and choices that differ from run to run, and can be had again by their seed.

use std::{
    env,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// xorshift64*: enough to choose a moment.
pub(crate) struct Random(u64);

impl Random {
    /// From `MODRIG_SEED`, else from the clock; printed, so that a failure can be had again.
    pub(crate) fn new() -> Self {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = env::var("MODRIG_SEED").ok().map_or_else(now, |text| text.parse().expect("MODRIG_SEED is a number"));
        eprintln!("MODRIG_SEED={seed}");
        Self(seed | 1)
    }

    /// Less than `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end.max(1)
    }

    /// A moment within this time.
    pub(crate) fn within(&mut self, time: Duration) -> Duration {
        time.mul_f64(self.below(1 << 20) as f64 / f64::from(1 << 20))
    }
}

/// How often a test does what it does: `MODRIG_ROUNDS`, or so often in the everyday run.
pub(crate) fn rounds(everyday: usize) -> usize {
    env::var("MODRIG_ROUNDS").ok().map_or(everyday, |text| text.parse().expect("MODRIG_ROUNDS is a number"))
}
