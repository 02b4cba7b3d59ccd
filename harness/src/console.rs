//! The kernel's log as the console shows it; [`triage`](crate::triage) says what in it means trouble.

use std::collections::VecDeque;

use crate::triage::{Allowance, Event, Policy, Severity, Standing, Triage};

/// Console output kept per guest, bytes. A boot is about 25 KiB; what a flooding guest adds pushes out the oldest.
pub const LOG_BYTES_MAX: usize = 1 << 20;

/// A line longer than this is cut, bytes: no kernel message is, but a broken guest may never end one.
const LINE_BYTES_MAX: usize = 4096;

/// Collects console bytes into lines and events. Never holds more than [`LOG_BYTES_MAX`].
#[derive(Debug, Default)]
pub struct Console {
    lines: VecDeque<String>,
    /// Lines that are no longer kept.
    dropped: usize,
    kept: usize,
    partial: Vec<u8>,
    triage: Triage,
    policy: Policy,
    /// So many events are known, and no trouble any more.
    forgiven: usize,
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
        // A guest may send what would move the cursor of a terminal, or what no XML may hold.
        let line = String::from_utf8_lossy(&self.partial).replace(|c: char| c.is_control() && c != '\t', "\u{fffd}");
        self.partial.clear();
        self.triage.line(&line);
        self.kept += line.len() + 1;
        self.lines.push_back(line);
        while self.kept > LOG_BYTES_MAX {
            self.kept -= self.lines.pop_front().map_or(self.kept, |line| line.len() + 1);
            self.dropped += 1;
        }
    }

    /// Bytes received so far, also those no longer kept.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// What was noticed, oldest first.
    pub fn events(&self) -> &[Event] {
        self.triage.events()
    }

    /// An event with this title is wanted, and is no trouble; `*` stands for any text.
    pub fn expect(&mut self, title: &'static str) {
        self.policy.expect(title);
    }

    /// What was noticed until now is known, and no trouble any more.
    pub fn forgive(&mut self) {
        self.forgiven = self.triage.events().len();
    }

    /// These are no trouble.
    pub fn allow(&mut self, rows: Vec<Allowance>) {
        self.policy.allow(rows);
    }

    /// Whether more of a report is to come.
    pub fn is_reporting(&self) -> bool {
        self.triage.is_open()
    }

    /// The log is complete: every event is, and has its standing.
    pub fn finish(&mut self) {
        self.triage.finish();
        for event in self.triage.events_mut() {
            event.standing = self.policy.standing(event, false);
        }
    }

    /// Titles that are wanted and did not come.
    pub fn missing(&self) -> Vec<&'static str> {
        self.policy.missing(self.triage.events()).collect()
    }

    /// The first fault that nobody wants: the cause, of which later ones are consequences.
    pub fn fault(&self) -> Option<&Event> {
        let mut events = self.triage.events().iter().enumerate().skip(self.forgiven);
        let unwanted = |(index, event): &(usize, &Event)| {
            let standing = self.policy.standing(event, self.triage.is_undecided(*index));
            event.severity >= Severity::Fault && standing == Standing::Unexpected
        };
        events.find(unwanted).map(|(_, event)| event)
    }

    /// The last `count` lines, or the first ones from this event on.
    pub fn excerpt(&self, count: usize, from: Option<&Event>) -> String {
        let start = from.and_then(|event| (event.line - 1).checked_sub(self.dropped));
        let mut lines: Vec<&str> = match start.filter(|start| *start < self.lines.len()) {
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

#[cfg(test)]
mod tests {
    use super::*;

    const BUG: &[u8] = b"[ 1.0] before\n[ 2.0] kernel BUG at x.c:1!\n[ 2.1] after\n";

    #[test]
    fn a_fault_is_noticed_with_its_first_line_unless_it_may_be_the_wanted_one() {
        let mut console = Console::default();
        console.feed(BUG);
        assert_eq!(console.fault().unwrap().title, "kernel BUG");
        console.expect("kernel BUG in f");
        assert_eq!(console.fault(), None);
        console.feed(b"[ 2.2] RIP: 0010:g+0x1/0x2\n");
        assert_eq!(console.fault().unwrap().title, "kernel BUG in g");
        console.expect("kernel BUG in g*");
        console.finish();
        assert_eq!(console.fault(), None);
        assert_eq!(console.events()[0].standing, Standing::Expected);
        assert_eq!(console.missing(), ["kernel BUG in f"]);
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
    fn the_excerpt_begins_with_the_event() {
        let mut console = Console::default();
        console.feed(BUG);
        assert_eq!(console.excerpt(2, console.fault()), "[ 2.0] kernel BUG at x.c:1!\n[ 2.1] after");
        for _ in 0..30_000 {
            console.feed(b"something that pushes out the oldest lines of the log\n");
        }
        assert!(console.excerpt(2, console.fault()).starts_with("something"), "its first line is no longer kept");
    }
}
