//! How slow this host is at the moment, so that no limit of time takes a slow or crowded machine for a hanging program.

use std::{
    fs,
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};

/// How many times longer things take now than on an idle machine of our time: 1.0 to 20. `process` is who does them.
pub fn slowness(process: Option<u32>) -> f64 {
    of_the_host().max(process.map_or(1.0, crowding))
}

/// How many times longer a process has taken so far than with a processor of its own: it waits while others run. 1.0 to
/// 20; a short piece of work of ours would not show it, because who has slept long is let run at once.
fn crowding(process: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    // Nanoseconds on a processor, and nanoseconds of waiting for one.
    let times = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        let mut numbers = text.split_whitespace().map_while(|number| number.parse::<f64>().ok());
        Some((numbers.next()?, numbers.next()?))
    });
    // The thread that runs the guest is the busiest.
    let (ran, waited) = times.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or_default();
    if ran > 0.0 { ((ran + waited) / ran).clamp(1.0, 20.0) } else { 1.0 }
}

/// How many times longer than on an idle machine of our time a fixed piece of work takes now: 1.0 or more, at most 20.
fn of_the_host() -> f64 {
    /// What the work takes on an idle 3 GHz machine without SHA instructions, optimised or not: about 10 ms.
    const EXPECTED: Duration = Duration::from_millis(15);
    let work = vec![0x5a; 4 << 20];
    let begun = Instant::now();
    std::hint::black_box(Sha256::digest(std::hint::black_box(&work)));
    (begun.elapsed().as_secs_f64() / EXPECTED.as_secs_f64()).clamp(1.0, 20.0)
}
