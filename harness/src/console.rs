//! The kernel's log as the console shows it, and what in it means trouble.

use std::collections::VecDeque;

/// Console output kept per guest, bytes. A boot is about 25 KiB; what a flooding guest adds pushes out the oldest.
pub const LOG_BYTES_MAX: usize = 1 << 20;

/// A line longer than this is cut, bytes: no kernel message is, but a broken guest may never end one.
const LINE_BYTES_MAX: usize = 4096;

/// Something in the log that no healthy kernel prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The kernel goes on: a warning with a stack dump.
    Warning,
    /// A task died, or the kernel is stuck: the guest cannot be trusted any more.
    Fault,
    /// The kernel stopped.
    Panic,
}

/// Text that marks an event, and how bad it is. Sources: kernel/panic.c, arch/x86/kernel/dumpstack.c,
/// kernel/watchdog.c, kernel/hung_task.c, kernel/rcu/tree_stall.h, lib/bug.c of 5.10 to 7.3.
const MARKERS: [(&str, Severity); 9] = [
    ("Kernel panic - not syncing", Severity::Panic),
    ("BUG: ", Severity::Fault),
    ("kernel BUG at ", Severity::Fault),
    ("Oops: ", Severity::Fault),
    ("general protection fault", Severity::Fault),
    ("soft lockup", Severity::Fault),
    ("rcu: INFO: ", Severity::Fault),
    ("INFO: task ", Severity::Warning),
    ("WARNING: ", Severity::Warning),
];

/// One marked line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// How bad it is.
    pub severity: Severity,
    /// The line, without its time stamp.
    pub title: String,
}

/// Collects console bytes into lines and events. Never holds more than [`LOG_BYTES_MAX`].
#[derive(Debug, Default)]
pub struct Console {
    lines: VecDeque<String>,
    kept: usize,
    partial: Vec<u8>,
    events: Vec<Event>,
    expected: Vec<&'static str>,
    received: u64,
}

impl Console {
    /// Takes bytes as they come from the port.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.received += bytes.len() as u64;
        for &byte in bytes {
            match byte {
                b'\r' => {}
                b'\n' => self.end_line(),
                _ if self.partial.len() == LINE_BYTES_MAX => {
                    self.end_line();
                    self.partial.push(byte);
                }
                _ => self.partial.push(byte),
            }
        }
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.partial).into_owned();
        self.partial.clear();
        if let Some(event) = event_in(&line).filter(|_| self.events.len() < 100) {
            self.events.push(event);
        }
        self.kept += line.len() + 1;
        self.lines.push_back(line);
        while self.kept > LOG_BYTES_MAX {
            self.kept -= self.lines.pop_front().map_or(self.kept, |line| line.len() + 1);
        }
    }

    /// Bytes received so far, also those no longer kept.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// What was noticed, oldest first (the first 100).
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Events whose title contains this text are wanted, and do not count as trouble.
    pub fn expect(&mut self, text: &'static str) {
        self.expected.push(text);
    }

    /// What was noticed until now is known, and no trouble any more.
    pub fn forgive(&mut self) {
        self.events.clear();
    }

    /// The worst event so far that nobody expects.
    pub fn worst(&self) -> Option<&Event> {
        let unexpected = |event: &&Event| !self.expected.iter().any(|text| event.title.contains(text));
        // max_by_key gives the last of equals; the first one is the cause, later ones its consequences.
        self.events.iter().rev().filter(unexpected).max_by_key(|event| event.severity)
    }

    /// The last `count` lines, or from the first fault on: the cause, of which later events are consequences.
    pub fn excerpt(&self, count: usize) -> String {
        let first = self.events.iter().find(|event| event.severity >= Severity::Fault);
        let start = first.and_then(|event| self.lines.iter().position(|line| line.contains(&event.title)));
        let mut lines: Vec<&str> = match start {
            Some(start) => self.lines.range(start..).take(count).map(String::as_str).collect(),
            None => self.lines.range(self.lines.len().saturating_sub(count)..).map(String::as_str).collect(),
        };
        let partial = String::from_utf8_lossy(&self.partial);
        if lines.len() < count && !partial.is_empty() {
            lines.push(&partial);
        }
        lines.join("\n")
    }

    /// Everything kept.
    pub fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }
}

fn event_in(line: &str) -> Option<Event> {
    let text = without_time(line);
    let (_, severity) = MARKERS.iter().find(|(marker, _)| text.contains(marker))?;
    Some(Event { severity: *severity, title: text.to_owned() })
}

/// The line without `[    1.234567] `.
fn without_time(line: &str) -> &str {
    line.strip_prefix('[').and_then(|rest| rest.split_once("] ")).map_or(line, |(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(log: &str, expected: Option<(Severity, &str)>) {
        let mut console = Console::default();
        console.feed(log.as_bytes());
        let worst = console.worst().map(|event| (event.severity, event.title.as_str()));
        assert_eq!(worst, expected, "{log}");
    }

    #[test]
    fn trouble_is_told_from_talk() {
        check("[    0.1] hello: init\n[    0.2] tsc: Refined\n", None);
        check(
            "[    1.0] BUG: kernel NULL pointer dereference, address: 0\n[    1.0] Oops: 0002 [#1]\n",
            Some((Severity::Fault, "BUG: kernel NULL pointer dereference, address: 0")),
        );
        check(
            "[    1.0] WARNING: m.c:21 at in+0x1/0x2 [m], CPU#0: x/1\n[ 1.1] Kernel panic - not syncing: why\n",
            Some((Severity::Panic, "Kernel panic - not syncing: why")),
        );
        check(
            "[   30.0] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [x:1]\r\n",
            Some((Severity::Fault, "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [x:1]")),
        );
    }

    #[test]
    fn a_flood_keeps_its_end_and_stays_bounded() {
        let mut console = Console::default();
        for n in 0..40_000 {
            console.feed(format!("flood {n} {}\n", "x".repeat(90)).as_bytes());
        }
        console.feed(&vec![b'y'; 3 * LINE_BYTES_MAX]);
        assert!(console.text().len() <= LOG_BYTES_MAX);
        assert!(console.text().contains("flood 39999 "));
        assert!(console.received() > LOG_BYTES_MAX as u64);
    }

    #[test]
    fn the_excerpt_begins_with_the_first_fault() {
        let mut console = Console::default();
        console.feed(b"[ 1.0] before\n[ 2.0] kernel BUG at x.c:1!\n[ 2.1] after\n[ 2.2] BUG: again\n");
        assert_eq!(console.excerpt(2), "[ 2.0] kernel BUG at x.c:1!\n[ 2.1] after");
        console.feed(b"[ 2.3] Kernel panic - not syncing: so\n");
        assert!(console.excerpt(2).starts_with("[ 2.0]"));
    }
}
