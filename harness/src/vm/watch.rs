//! Watchdogs: when to stop waiting for a guest.
//!
//! Limits are stated for an idle machine of our time. Before one of them bites, the speed of this host at this
//! moment is measured and the limit scaled by it, so that a slow or loaded machine is not taken for a hanging guest.

use std::time::{Duration, Instant};

use crate::pace;

/// Limits of one piece of work in a guest, on an idle machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Until the first byte arrives on any channel.
    pub(super) first_byte: Duration,
    /// Between any two bytes.
    pub(super) silence: Duration,
    /// From beginning to end.
    pub(super) total: Duration,
}

/// For a boot: a kernel prints its first line within 0.1 to 1.5 s and is up in 1 to 4 s.
pub(super) const BOOT: Limits =
    Limits { first_byte: Duration::from_secs(10), silence: Duration::from_secs(20), total: Duration::from_secs(60) };

/// For one case: the agent answers at least every [`super::SLICE`]; the longest scenario takes about 15 s.
pub(super) const CASE: Limits =
    Limits { first_byte: Duration::from_secs(10), silence: Duration::from_secs(10), total: Duration::from_secs(60) };

/// For a campaign: a case takes 1 ms, and the first one of a guest up to 100 ms. A campaign has no end.
pub(super) const CAMPAIGN: Limits = Limits {
    first_byte: Duration::from_secs(3),
    silence: Duration::from_secs(3),
    total: Duration::from_secs(365 * 24 * 3600),
};

/// For an answer of QEMU's monitor: milliseconds, but a dump of the memory takes seconds.
pub(super) const MONITOR: Limits =
    Limits { first_byte: Duration::from_secs(30), silence: Duration::from_secs(30), total: Duration::from_secs(30) };

/// Which limit was exceeded, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bite {
    pub(super) what: String,
    /// Nothing at all was ever received.
    pub(super) never_spoke: bool,
}

/// A running watchdog.
#[derive(Debug)]
pub(super) struct Watch {
    limits: Limits,
    begun: Instant,
    last_byte: Option<Instant>,
    scale: f64,
}

impl Watch {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, begun: Instant::now(), last_byte: None, scale: 1.0 }
    }

    /// Begins the limits anew, for the next piece of work.
    pub(super) fn restart(&mut self) {
        *self = Self::new(self.limits);
    }

    pub(super) fn heard(&mut self) {
        self.last_byte = Some(Instant::now());
    }

    /// Time until a limit may be exceeded.
    pub(super) fn left(&self) -> Duration {
        let (_, deadline) = self.next();
        deadline.saturating_duration_since(Instant::now())
    }

    /// The limit that was exceeded, after giving a slow host the time it needs.
    /// `process` is the emulator's.
    pub(super) fn bite(&mut self, process: Option<u32>) -> Option<Bite> {
        if !self.left().is_zero() {
            return None;
        }
        self.scale = self.scale.max(pace::slowness(process));
        if !self.left().is_zero() {
            return None;
        }
        let (limit, _) = self.next();
        let slow = if self.scale > 1.0 { format!(" (this host is {:.1}x slow)", self.scale) } else { String::new() };
        Some(Bite { what: format!("{limit}{slow}"), never_spoke: self.last_byte.is_none() })
    }

    fn next(&self) -> (String, Instant) {
        let Limits { first_byte, silence, total } = self.limits;
        let [first_byte, silence, total] = [first_byte, silence, total].map(|limit| limit.mul_f64(self.scale));
        let (text, quiet) = match self.last_byte {
            None => (format!("not a byte within {first_byte:.0?}"), self.begun + first_byte),
            Some(last) => (format!("silent for {silence:.0?}"), last + silence),
        };
        let end = self.begun + total;
        if end < quiet { (format!("not done after {total:.0?}"), end) } else { (text, quiet) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Limits =
        Limits { first_byte: Duration::ZERO, silence: Duration::ZERO, total: Duration::from_secs(900) };

    #[test]
    fn a_bite_says_which_limit_was_exceeded() {
        let mut watch = Watch::new(SHORT);
        let bite = watch.bite(None).unwrap();
        assert!(bite.never_spoke && bite.what.starts_with("not a byte within"), "{bite:?}");
        watch.heard();
        let bite = watch.bite(None).unwrap();
        assert!(!bite.never_spoke && bite.what.starts_with("silent for"), "{bite:?}");
        let mut watch = Watch::new(Limits { total: Duration::ZERO, ..BOOT });
        assert!(watch.bite(None).unwrap().what.starts_with("not done after"));
    }

    #[test]
    fn a_guest_within_its_limits_is_left_alone() {
        assert_eq!(Watch::new(BOOT).bite(None), None);
    }
}
