//! Which lines belong to a report, where it ends, and which function it blames.

use super::{Damage, Event, Kind, blame, frame, frame::Frame, header::Found};

/// Most lines of one event that are kept. An oops has about 50, a long report of lockdep 150.
pub(super) const LINES_MAX: usize = 200;

/// Where a report ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With its first line.
    Line,
    /// With a line that begins with one of these.
    Mark(&'static [&'static str]),
    /// With the last line of its call trace.
    Frames,
    /// With the last line that tells of worker pools.
    Pools,
    /// With the last line that tells of locks that are held.
    Locks,
}

impl End {
    pub(super) const TRACE: Self = Self::Mark(&["---[ end trace "]);
    pub(super) const RULE: Self = Self::Mark(&["====="]);
    pub(super) const UBSAN: Self = Self::Mark(&["---[ end trace ", "====="]);
    pub(super) const PANIC: Self = Self::Mark(&["---[ end Kernel panic"]);
    pub(super) const OOM: Self = Self::Mark(&["Out of memory: Kill", "Memory cgroup out of memory: Kill"]);
}

/// What a line is to a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// It belongs to it.
    Belongs,
    /// It is its last line.
    Last,
    /// The report was over before it.
    Foreign,
}

/// What is known of a report that is not over.
#[derive(Debug)]
pub(super) struct Report {
    end: End,
    wants_function: bool,
    /// Registers or the processor were shown: what comes as a header now is another report.
    has_body: bool,
    /// Lines of a call trace so far; `None` before it began.
    trace: Option<usize>,
    /// A line that belongs to no call trace stood in it, if more of it follows.
    gap: bool,
    /// The mark was seen; x86 repeats the registers after it.
    ended: bool,
    /// The first function that only reports, and the first that may not have been called: better than none.
    fallback: Option<Frame>,
    uncertain: Option<Frame>,
    lines: usize,
}

impl Report {
    pub(super) fn new(end: End) -> Self {
        Self {
            end,
            wants_function: false,
            has_body: false,
            trace: None,
            gap: false,
            ended: false,
            fallback: None,
            uncertain: None,
            lines: 0,
        }
    }

    /// Gives the event what a header says. The first header decides on kind and title.
    pub(super) fn name(&mut self, event: &mut Event, found: &Found) {
        // Of two headers, the last one knows where the report ends.
        self.end = found.end;
        if event.title.is_empty() {
            event.title.clone_from(&found.title);
            self.wants_function = found.wants_function;
            // These print their traces without a line that says so.
            let plain = matches!(event.kind, Kind::Kfence | Kind::Kcsan | Kind::Kmsan);
            self.trace = plain.then_some(0);
        }
        match &found.frame {
            Some(place) if self.wants_function => self.blame(event, place.clone()),
            Some(place) => event.function = Some(place.function.clone()),
            None => {}
        }
        if let Some(module) = &found.module {
            event.module = Some(module.clone());
        }
    }

    /// Keeps a line.
    pub(super) fn keep(&mut self, event: &mut Event, text: &str) {
        self.lines += 1;
        if event.lines.len() < LINES_MAX {
            event.lines.push(text.to_owned());
        }
    }

    /// Whether it has no more than its first line.
    pub(super) fn is_over(&self) -> bool {
        self.end == End::Line
    }

    /// Whether the title is final.
    pub(super) fn is_settled(&self) -> bool {
        !self.wants_function
    }

    /// Whether its end was not seen.
    pub(super) fn is_cut(&self) -> bool {
        match self.end {
            // A panic that follows an oops shows no trace again, and the machine stops before the end of the other.
            End::Line | End::Pools | End::Locks | End::PANIC => false,
            End::Frames => self.trace.is_none(),
            End::Mark(_) => !self.ended,
        }
    }

    /// Whether its last line was seen, apart from what x86 repeats.
    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether a line ends it.
    pub(super) fn is_ended_by(&self, text: &str) -> bool {
        matches!(self.end, End::Mark(marks) if !self.ended && marks.iter().any(|mark| text.starts_with(mark)))
    }

    /// Whether `cut here` stands in its midst, not before another report.
    pub(super) fn awaits_cut(&self, kind: Kind) -> bool {
        !self.has_body && announces(kind)
    }

    /// Whether another header tells of the same thing.
    pub(super) fn absorbs(&self, kind: Kind, found: &Found) -> bool {
        let of_same = match found.kind {
            Kind::Warning | Kind::KernelBug => announces(kind),
            found if is_exception(found) => is_exception(kind) || kind == Kind::KernelBug || announces(kind),
            _ => false,
        };
        of_same && !self.has_body
    }

    /// Takes the next line.
    pub(super) fn take(&mut self, event: &mut Event, text: &str) -> Part {
        if self.ended {
            let repeats = frame::is_register(text) || is_epilogue(text);
            return if repeats { self.belongs(event, text) } else { Part::Foreign };
        }
        if self.is_ended_by(text) {
            self.ended = true;
            self.settle(event);
            self.keep(event, text);
            return if self.end == End::TRACE { Part::Belongs } else { Part::Last };
        }
        let in_trace = self.trace.is_some_and(|frames| frames > 0);
        let over = match self.end {
            End::Pools => !is_of_pools(text),
            End::Locks => !is_of_locks(text),
            End::Frames => in_trace && !frame::is_of_trace(text) && !is_between(text),
            _ => false,
        };
        if over || self.lines >= LINES_MAX {
            self.settle(event);
            return Part::Foreign;
        }
        self.look(event, text);
        self.belongs(event, text)
    }

    fn belongs(&mut self, event: &mut Event, text: &str) -> Part {
        self.keep(event, text);
        Part::Belongs
    }

    /// What a line tells of function and trace.
    fn look(&mut self, event: &mut Event, text: &str) {
        let head = text.trim_start();
        let begins =
            head.starts_with("Call Trace:") || head.starts_with("Call trace:") || head.starts_with("backtrace");
        self.has_body |= begins || head.starts_with("CPU: ") || head.starts_with("RIP: ");
        if begins {
            self.trace.get_or_insert(0);
            return;
        }
        if event.kind == Kind::Kasan {
            name_access(event, text);
        }
        let place = match self.trace {
            None if event.kind == Kind::Lockdep => {
                head.split_once("at: ").and_then(|(_, place)| frame::in_trace(place))
            }
            None => None,
            Some(_) => frame::in_trace(text),
        };
        if let Some(frames) = &mut self.trace {
            let of_trace = frame::is_of_trace(text);
            *frames += usize::from(of_trace);
            if of_trace && self.gap && place.is_some() && self.end == End::TRACE {
                event.damage = Some(Damage::Interleaved);
            }
            self.gap |= *frames > 0 && !of_trace && !is_between(text) && !is_epilogue(text);
        }
        if self.wants_function && self.uncertain.is_none() && self.trace.is_some() {
            self.uncertain = frame::uncertain(text);
        }
        if let Some(place) = frame::instruction(text).or(place) {
            self.blame(event, place);
        }
    }

    /// Takes a function as the guilty one if it can be.
    fn blame(&mut self, event: &mut Event, place: Frame) {
        if !self.wants_function {
            // A header that names the function does not always name its module.
            if event.module.is_none() && event.function.as_ref() == Some(&place.function) {
                event.module = place.module;
            }
            return;
        }
        // What reports is never part of a module, whatever a module's functions are called.
        let guilty = is_exception(event.kind) || place.module.is_some();
        if guilty || blame::is_guilty(event.kind, &place.function) {
            self.convict(event, place);
        } else {
            self.fallback.get_or_insert(place);
        }
    }

    fn convict(&mut self, event: &mut Event, place: Frame) {
        event.title = format!("{} in {}", event.title, place.function);
        event.function = Some(place.function);
        event.module = place.module;
        self.wants_function = false;
    }

    /// The report is over: whoever was named must do.
    pub(super) fn settle(&mut self, event: &mut Event) {
        let place = self.fallback.take().or(self.uncertain.take());
        if let Some(place) = place.filter(|_| self.wants_function) {
            self.convict(event, place);
        }
    }
}

/// `Read of size 8 at addr ...`, the second line of a KASAN report.
fn name_access(event: &mut Event, text: &str) {
    let access = ["Read", "Write"].into_iter().find(|access| text.starts_with(&format!("{access} of size ")));
    let Some(access) = access.filter(|access| !event.title.contains(access)) else { return };
    event.title = match &event.function {
        Some(function) => match event.title.strip_suffix(&format!(" in {function}")) {
            Some(kind) => format!("{kind} {access} in {function}"),
            None => format!("{} {access}", event.title),
        },
        None => format!("{} {access}", event.title),
    };
}

fn is_exception(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::NullDereference
            | Kind::PageFault
            | Kind::GeneralProtection
            | Kind::Exception
            | Kind::DoubleFault
            | Kind::StackOverflow
    )
}

/// Whether a line of its own comes before the WARN or BUG that goes with it.
fn announces(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Bug | Kind::Refcount | Kind::ListCorruption | Kind::BufferOverflow | Kind::Usercopy | Kind::ControlFlow
    )
}

/// Lines between the call traces of one report.
fn is_between(text: &str) -> bool {
    const BEGINNINGS: [&str; 14] = [
        "Call Trace:",
        "Call trace:",
        "Modules linked in:",
        "CPU: ",
        "CPU#",
        "Hardware name:",
        "Tainted: ",
        "NMI backtrace for",
        "Sending NMI",
        "rcu: ",
        "Kernel Offset:",
        "Workqueue: ",
        "INFO: lockdep is turned off",
        "irq event stamp:",
    ];
    BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
}

/// Lines after a report's mark that still are its own.
fn is_epilogue(text: &str) -> bool {
    const BEGINNINGS: [&str; 6] =
        ["Modules linked in:", "note: ", "Fixing recursive fault", "---[ ", "Dumping ftrace", "Last Breaking-Event"];
    text.is_empty() || BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
}

fn is_of_locks(text: &str) -> bool {
    let middle = ["locks still held!", " held by ", "ainted"];
    text.starts_with("----") || text.starts_with(" #") || middle.iter().any(|part| text.contains(part))
}

fn is_of_pools(text: &str) -> bool {
    text.starts_with("Showing b")
        || text.starts_with("workqueue ")
        || text.starts_with("pool ")
        || text.starts_with("  ")
}
