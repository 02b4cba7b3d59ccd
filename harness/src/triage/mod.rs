//! What the kernel's log says of trouble: oopses, BUGs, warnings, reports of sanitizers and of lockdep, stalls, taints.
//!
//! [`Triage`] takes the log line by line. An [`Event`] is there with the first line of its report, so that a watchdog
//! need not wait for the rest, and becomes more exact with what follows: function, module, all of its lines.
//!
//! - `kind`: what there is to be found, and how bad each is
//! - `line`: a line without what loggers put before it
//! - `header`: the first lines of reports, and the titles made of them
//! - `frame`: functions in call traces
//! - `blame`: which of them can be to blame
//! - `report`: which lines belong to a report
//! - `policy`: what is expected and what is allowed

mod blame;
mod frame;
mod header;
mod kind;
mod line;
mod policy;
mod report;

use serde::{Deserialize, Serialize};

pub use kind::{Kind, Severity};
pub use policy::{AllowList, Allowance, Policy};

use header::Found;
use report::{Part, Report};

/// Events kept, without those of [`Severity::Info`]. A guest in such trouble has none that matters after them.
const EVENTS_MAX: usize = 100;

/// Events of [`Severity::Info`] kept.
const INFO_MAX: usize = 50;

/// Lines kept between `cut here` and a header. Some warnings have a text of several lines there.
const PREAMBLE_LINES_MAX: usize = 16;

/// One report of the kernel's, however many lines it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What it is.
    pub kind: Kind,
    /// How bad it is.
    pub severity: Severity,
    /// What it is and where, without what differs from run to run: addresses, process numbers, line numbers.
    pub title: String,
    /// The function to blame, where the report names one.
    pub function: Option<String>,
    /// The module it belongs to; none for the kernel itself.
    pub module: Option<String>,
    /// What is wrong with the report itself.
    pub damage: Option<Damage>,
    /// Whether the event is trouble.
    pub standing: Standing,
    /// How often it was reported; line and lines are those of the first time.
    pub times: u32,
    /// Number of its first line in the log, from 1.
    pub line: usize,
    /// Its lines without time stamps, at most 200.
    pub lines: Vec<String>,
}

/// What is wrong with a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Damage {
    /// Its end is missing.
    Truncated,
    /// Other messages stand in its midst.
    Interleaved,
}

/// Whether an event is trouble.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Nobody asked for it.
    #[default]
    Unexpected,
    /// The scenario wants to see it.
    Expected,
    /// The allow list has it, for this reason.
    Allowed(String),
}

impl Event {
    /// Whether a case must not pass with it.
    pub fn is_trouble(&self) -> bool {
        self.severity >= Severity::Warning && self.standing == Standing::Unexpected
    }

    /// Whether a module's own code was at work: it is to blame, or a call trace vouches for one of its functions.
    pub fn is_in_a_module(&self) -> bool {
        let of_module = |line: &String| frame::in_trace(line).is_some_and(|place| place.module.is_some());
        self.module.is_some() || self.lines.iter().any(of_module)
    }
}

/// Finds events in a log.
#[derive(Debug, Default)]
pub struct Triage {
    events: Vec<Event>,
    /// The event whose report is not complete: its index, and what is known of the report.
    open: Option<(usize, Report)>,
    /// What came after `cut here`, until a header says what it is: first line's number, and lines.
    preamble: Option<(usize, Vec<String>)>,
    /// Taint letters seen so far.
    taint: String,
    count: usize,
}

impl Triage {
    /// Takes the next line of the log, as it is.
    pub fn line(&mut self, raw: &str) {
        self.count += 1;
        let text = line::text(raw);
        let is_end = self.open.as_ref().is_some_and(|(_, report)| report.is_ended_by(text));
        if is_end {
            self.go_on(text);
        } else if text.starts_with(header::CUT_HERE) {
            self.cut(text);
        } else if let Some(found) = header::find(text) {
            self.begin(found, text);
        } else if self.open.is_some() {
            self.go_on(text);
        } else if let Some((_, lines)) = &mut self.preamble {
            lines.push(text.to_owned());
            if lines.len() > PREAMBLE_LINES_MAX {
                self.preamble = None;
            }
        }
        if text.contains("Tainted: ") {
            self.letters(text);
        }
    }

    /// The log ends here: what is not complete never will be.
    pub fn finish(&mut self) {
        self.close();
        self.preamble = None;
    }

    /// What was found, oldest first.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    pub(crate) fn events_mut(&mut self) -> &mut [Event] {
        &mut self.events
    }

    /// Whether the last report is not complete.
    pub fn is_open(&self) -> bool {
        self.preamble.is_some() || self.open.as_ref().is_some_and(|(_, report)| !report.is_ended())
    }

    /// Whether the title of this event may still become longer.
    pub fn is_undecided(&self, index: usize) -> bool {
        self.open.as_ref().is_some_and(|(open, report)| *open == index && !report.is_settled())
    }

    /// `cut here` begins most reports; before some, a line of its own has told already what is wrong.
    fn cut(&mut self, text: &str) {
        match &mut self.open {
            Some((index, report)) if report.awaits_cut(self.events[*index].kind) => {
                report.keep(&mut self.events[*index], text);
            }
            _ => {
                self.close();
                self.preamble = Some((self.count, vec![text.to_owned()]));
            }
        }
    }

    fn begin(&mut self, found: Found, text: &str) {
        if let Some((index, report)) = &mut self.open
            && report.absorbs(self.events[*index].kind, &found)
        {
            report.name(&mut self.events[*index], &found);
            report.keep(&mut self.events[*index], text);
            return;
        }
        if found.kind.severity() > Severity::Info {
            self.close();
        }
        self.add(found, text);
    }

    fn add(&mut self, found: Found, text: &str) {
        let info = found.kind.severity() == Severity::Info;
        let kept = self.events.iter().filter(|event| (event.severity == Severity::Info) == info).count();
        if kept >= if info { INFO_MAX } else { EVENTS_MAX } {
            self.preamble = None;
            return;
        }
        let (line, lines) = self.preamble.take_if(|_| !info).unwrap_or((self.count, Vec::new()));
        self.taint.extend(found.taint);
        let mut event = Event {
            kind: found.kind,
            severity: found.kind.severity(),
            title: String::new(),
            function: None,
            module: None,
            damage: None,
            standing: Standing::default(),
            times: 1,
            line,
            lines,
        };
        let mut report = Report::new(found.end);
        report.name(&mut event, &found);
        report.keep(&mut event, text);
        self.events.push(event);
        if !report.is_over() {
            self.open = Some((self.events.len() - 1, report));
        } else {
            if self.open.is_none() {
                self.preamble = None;
            }
            self.merge(self.events.len() - 1);
        }
    }

    fn go_on(&mut self, text: &str) {
        let Some((index, report)) = &mut self.open else { return };
        match report.take(&mut self.events[*index], text) {
            Part::Belongs => {}
            Part::Last | Part::Foreign => self.close(),
        }
    }

    fn close(&mut self) {
        let Some((index, mut report)) = self.open.take() else { return };
        report.settle(&mut self.events[index]);
        if report.is_cut() {
            self.events[index].damage.get_or_insert(Damage::Truncated);
        }
        self.merge(index);
    }

    /// What is reported again and again is one event.
    fn merge(&mut self, index: usize) {
        let (earlier, rest) = self.events.split_at_mut(index);
        let same = |event: &&mut Event| event.kind == rest[0].kind && event.title == rest[0].title;
        if let Some(first) = earlier.iter_mut().find(same).filter(|_| rest[0].damage.is_none()) {
            first.times += 1;
            self.events.remove(index);
        }
    }

    /// Taint letters of a report's header that no message told of: those of before the log began, or of a forced unload.
    fn letters(&mut self, text: &str) {
        // These come with events that tell of them better.
        const OF_EVENTS: &str = "DWLB";
        for letter in line::taint_letters(text) {
            if !self.taint.contains(letter) && !OF_EVENTS.contains(letter) {
                self.add(header::tainted(letter), text);
            }
        }
    }
}
