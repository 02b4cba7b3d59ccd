//! What was done in a guest and what came of it, written down as it happens: the evidence of a case.

use std::{collections::BTreeMap, time::Instant};

use modrig_agent::{
    call::Call,
    wire::{Arg, Ending, How, Job, JobId, Reply, Request, SystemCall},
};
use serde::{Deserialize, Serialize};
use syscalls::Sysno;

use crate::{
    errno::{Errno, describe},
    text,
};

/// Steps kept of each end of a long transcript; what lies between is counted.
const KEPT: usize = 100;

/// Longest output or content kept of one step, bytes.
const OUTPUT_BYTES_MAX: usize = 2048;

/// Longest part of an action that comes from outside, such as what is written to a file, bytes.
const ARGUMENT_BYTES_MAX: usize = 200;

/// What kind of step it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A module system call.
    Call,
    /// A program that was run.
    Run,
    /// Something was looked at: a file, a directory, the log.
    Look,
    /// Something else was changed: a file, a process.
    Change,
    /// Not a step: how many were left out here.
    Gap,
}

/// One step of a case: one thing done in the guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When it began, milliseconds after the guest was restored.
    pub at_ms: u64,
    /// How long it took, milliseconds: of a system call or program from its start to its end.
    pub took_ms: u64,
    /// What kind of step it is.
    pub kind: Kind,
    /// What was done: a system call with its arguments, a command line, a file and what happened to it.
    pub action: String,
    /// What came of it: the raw return value with the errno's name, the exit code or signal, the errno of a file
    /// operation; empty when it went well and gave no number.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub result: String,
    /// Standard output, or what was read; cut in the middle when long.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
    /// Standard error; cut in the middle when long.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// How often the same was done with the same result, one time right after the other.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub times: u32,
}

const fn once() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_once(times: &u32) -> bool {
    *times == 1
}

impl Step {
    /// A step that took no time and gave nothing yet.
    pub(crate) fn new(kind: Kind, action: String) -> Self {
        Self {
            at_ms: 0,
            took_ms: 0,
            kind,
            action,
            result: String::new(),
            output: String::new(),
            error: String::new(),
            times: 1,
        }
    }

    fn repeats(&self, other: &Self) -> bool {
        let parts = |step: &Self| (step.kind, step.action.clone(), step.result.clone(), step.output.clone());
        self.kind != Kind::Call && self.kind != Kind::Run && parts(self) == parts(other)
    }
}

/// The steps so far.
#[derive(Debug)]
pub(super) struct Transcript {
    begun: Instant,
    steps: Vec<Step>,
    /// Steps between the first [`KEPT`] and the others that are no longer here.
    left_out: usize,
    /// Where the step of a job that has not ended stands, counted from the first step of all.
    jobs: BTreeMap<JobId, usize>,
}

impl Transcript {
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), steps: Vec::new(), left_out: 0, jobs: BTreeMap::new() }
    }

    /// A transcript begins with the case, not with what prepared the guest for it.
    pub(super) fn now_ms(&self) -> u64 {
        self.begun.elapsed().as_millis() as u64
    }

    /// Writes down a request, asked at `at_ms`, and its answer; `None` when none came.
    pub(super) fn answered(&mut self, at_ms: u64, request: &Request, reply: Option<&Reply>) {
        match (request, reply) {
            (Request::Wait { job, .. }, Some(Reply::Ended(ending))) => self.end(*job, ending),
            // Nothing is known yet: the step stands where the job began.
            (Request::Wait { .. }, _) => {}
            (Request::Log, Some(Reply::Log(records))) if records.is_empty() => {}
            (Request::Start(_), Some(Reply::Started { job, .. })) => {
                self.jobs.insert(*job, self.left_out + self.steps.len());
                let mut step = step_of(request);
                step.result = "has not returned".into();
                self.add(Step { at_ms, ..step });
            }
            (_, reply) => {
                let mut step = Step { at_ms, took_ms: self.now_ms().saturating_sub(at_ms), ..step_of(request) };
                match reply {
                    Some(reply) => result_of(reply, &mut step),
                    None => step.result = "no answer".into(),
                }
                self.add(step);
            }
        }
    }

    /// Writes down what was done to the machine itself, begun at `at_ms`, and whether it could be done.
    pub(super) fn changed(&mut self, at_ms: u64, action: String, could: bool) {
        let mut step = Step { at_ms, took_ms: self.now_ms().saturating_sub(at_ms), ..Step::new(Kind::Change, action) };
        if !could {
            step.result = "failed".into();
        }
        self.add(step);
    }

    /// What was read last is a call of our helper.
    pub(super) fn was_call(&mut self, call: &Call) {
        if let Some(step) = self.steps.last_mut() {
            step.output = text::cut(&told(call), OUTPUT_BYTES_MAX);
        }
    }

    /// The steps, with a line in the place of those that were left out.
    pub(super) fn steps(&self) -> Vec<Step> {
        let mut steps = self.steps.clone();
        if self.left_out > 0 {
            let gap = Step::new(Kind::Gap, format!("{} steps left out", self.left_out));
            steps.insert(KEPT, Step { at_ms: steps[KEPT].at_ms, ..gap });
        }
        steps
    }

    fn add(&mut self, step: Step) {
        if let Some(last) = self.steps.last_mut().filter(|last| last.repeats(&step)) {
            last.times += 1;
            last.took_ms = (step.at_ms + step.took_ms).saturating_sub(last.at_ms);
            return;
        }
        self.steps.push(step);
        if self.steps.len() > 2 * KEPT {
            self.steps.remove(KEPT);
            self.left_out += 1;
        }
    }

    fn end(&mut self, job: JobId, ending: &Ending) {
        let now = self.now_ms();
        let Some(place) = self.jobs.remove(&job).and_then(|place| self.place(place)) else { return };
        let step = &mut self.steps[place];
        step.took_ms = now.saturating_sub(step.at_ms);
        step.result = match ending.how {
            _ if !ending.raw.is_empty() => ending.raw.iter().map(|raw| describe(*raw)).collect::<Vec<_>>().join("; "),
            How::Exited(code) => format!("exit {code}"),
            How::Signalled(signal) => format!("killed by {}", signal_name(signal)),
        };
        step.output = text::of_bytes(&ending.stdout, OUTPUT_BYTES_MAX);
        step.error = text::of_bytes(&ending.stderr, OUTPUT_BYTES_MAX);
    }

    /// Where a step is now, if it is still here.
    fn place(&self, nth: usize) -> Option<usize> {
        match nth {
            _ if nth < KEPT => Some(nth),
            _ => nth.checked_sub(self.left_out).filter(|place| *place >= KEPT),
        }
    }
}

/// What the helper saw of itself.
fn told(call: &Call) -> String {
    let argv: Vec<String> = call.argv.iter().map(|arg| quoted(arg)).collect();
    let descriptors: Vec<String> =
        call.descriptors.iter().map(|(number, target)| format!("{number} -> {target}")).collect();
    let descriptors = if descriptors.is_empty() { "none".into() } else { descriptors.join(", ") };
    format!(
        "{}\nenvironment: {}\ndirectory: {}\nopen descriptors: {descriptors}\nparent: {}\n{}",
        argv.join(" "),
        call.environment.join(" "),
        call.directory,
        call.parent,
        call.status
    )
}

fn step_of(request: &Request) -> Step {
    let (kind, action) = match request {
        Request::Start(job) => return job_step(job),
        Request::Wait { .. } => (Kind::Look, "wait".to_owned()),
        Request::Kill { signal, .. } => (Kind::Change, format!("send {} to the process", signal_name(*signal))),
        Request::Read { path } => (Kind::Look, format!("read {path}")),
        Request::Find { path, text } => (Kind::Look, format!("look for {text:?} in {path}")),
        Request::Write { path, bytes, .. } => (Kind::Change, format!("write {} to {path}", shown(bytes))),
        Request::List { path } => (Kind::Look, format!("list {path}")),
        Request::Open { path, write } => {
            (Kind::Change, format!("open {path} for {}", if *write { "writing" } else { "reading" }))
        }
        Request::Close { .. } => (Kind::Change, "close the file".to_owned()),
        Request::PowerOff => (Kind::Change, "power off".to_owned()),
        Request::Log => (Kind::Look, "read the kernel's log".to_owned()),
        Request::Uevents => (Kind::Look, "receive uevents".to_owned()),
    };
    Step::new(kind, action)
}

fn job_step(job: &Job) -> Step {
    match job {
        Job::Exec { argv, .. } => {
            Step::new(Kind::Run, argv.iter().map(|arg| quoted(arg)).collect::<Vec<_>>().join(" "))
        }
        Job::InitModule { path, params } => {
            Step::new(Kind::Call, format!("init_module(the bytes of {path}, {params:?})"))
        }
        Job::FinitModule { path, open, params, flags } => {
            let opened = if *open == libc::O_RDONLY { String::new() } else { format!(" opened with {open:#x}") };
            Step::new(Kind::Call, format!("finit_module({path}{opened}, {params:?}, {flags})"))
        }
        Job::DeleteModule { name, flags } => {
            Step::new(Kind::Call, format!("delete_module({name:?}, {})", delete_flags(*flags)))
        }
        Job::Campaign { .. } => Step::new(Kind::Call, "a campaign".into()),
        Job::Calls(calls) => Step::new(Kind::Call, calls.iter().map(system_call).collect::<Vec<_>>().join("; ")),
    }
}

/// `open("/m.ko", 0, 0)`; an earlier call's result is `$` and which one it was, from 1.
fn system_call(call: &SystemCall) -> String {
    let name = usize::try_from(call.number).ok().and_then(Sysno::new);
    let name = name.map_or_else(|| format!("system call {}", call.number), |name| name.to_string());
    let arg = |arg: &Arg| match arg {
        Arg::Number(number) => number.to_string(),
        Arg::Bytes(bytes) => shown(bytes.strip_suffix(b"\0").unwrap_or(bytes)),
        Arg::ResultOf(earlier) => format!("${}", earlier + 1),
    };
    format!("{name}({})", call.args.iter().map(arg).collect::<Vec<_>>().join(", "))
}

/// Flags of `delete_module` by their names.
fn delete_flags(flags: u32) -> String {
    let names = [(libc::O_NONBLOCK as u32, "O_NONBLOCK"), (libc::O_TRUNC as u32, "O_TRUNC")];
    let set: Vec<&str> = names.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect();
    if set.is_empty() { flags.to_string() } else { set.join(" | ") }
}

fn result_of(reply: &Reply, step: &mut Step) {
    match reply {
        Reply::Content(bytes) => step.output = text::of_bytes(bytes, OUTPUT_BYTES_MAX),
        Reply::Names(names) => step.output = text::cut(&names.join("\n"), OUTPUT_BYTES_MAX),
        // The log is in the record itself.
        Reply::Log(records) if step.action.ends_with("log") => step.result = format!("new records: {}", records.len()),
        Reply::Log(messages) => step.output = text::cut(&messages.join("\n"), OUTPUT_BYTES_MAX),
        Reply::Errno(errno) => step.result = Errno(*errno).to_string(),
        Reply::Refused(reason) => step.result = format!("the agent refuses: {reason}"),
        Reply::Done
        | Reply::Opened { .. }
        | Reply::Started { .. }
        | Reply::Running
        | Reply::Ended(_)
        | Reply::Ready { .. } => {}
    }
}

/// What is written to a file: its text in quotes, or its size.
fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.len() <= ARGUMENT_BYTES_MAX && !text.contains('\0') => format!("{text:?}"),
        _ => format!("{} bytes", bytes.len()),
    }
}

/// A word of a command line, as a shell would want it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%^".contains(c);
    match word {
        "" => "''".into(),
        _ if word.chars().all(plain) => word.to_owned(),
        _ => format!("'{}'", text::cut(word, ARGUMENT_BYTES_MAX).replace('\'', r"'\''")),
    }
}

fn signal_name(signal: i32) -> String {
    match signal {
        libc::SIGKILL => "SIGKILL".into(),
        libc::SIGSEGV => "SIGSEGV".into(),
        libc::SIGTERM => "SIGTERM".into(),
        other => format!("signal {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(path: &str) -> Request {
        Request::Read { path: path.into() }
    }

    #[test]
    fn a_call_is_told_with_its_arguments_and_raw_value_where_it_began() {
        let mut transcript = Transcript::new();
        let job = Job::FinitModule { path: "/m/stub.ko".into(), open: 0, params: "result=fail".into(), flags: 0 };
        transcript.answered(0, &Request::Start(job), Some(&Reply::Started { job: 7, pid: 1 }));
        transcript.answered(1, &reading("/proc/modules"), Some(&Reply::Content(b"stub Loading\n".into())));
        assert_eq!(transcript.steps()[0].result, "has not returned");
        let ending = Ending { how: How::Exited(0), raw: vec![-1], stdout: Vec::new(), stderr: Vec::new() };
        let wait = Request::Wait { job: 7, timeout_ms: 1 };
        transcript.answered(2, &wait, Some(&Reply::Ended(ending)));
        let steps = transcript.steps();
        assert_eq!(steps.len(), 2);
        assert_eq!(steps[0].action, r#"finit_module(/m/stub.ko, "result=fail", 0)"#);
        assert_eq!((steps[0].kind, &*steps[0].result), (Kind::Call, "-1 (EPERM)"));
        assert_eq!(steps[1].output, "stub Loading\n");
    }

    #[test]
    fn several_calls_of_one_process_are_told_with_each_result() {
        let open = SystemCall { number: libc::SYS_open, args: vec![Arg::Bytes(b"/m.ko\0".into()), Arg::Number(0)] };
        let load = SystemCall { number: libc::SYS_finit_module, args: vec![Arg::ResultOf(0)] };
        let mut transcript = Transcript::new();
        transcript.answered(0, &Request::Start(Job::Calls(vec![open, load])), Some(&Reply::Started { job: 1, pid: 1 }));
        let ending = Ending { how: How::Exited(0), raw: vec![3, -1], stdout: vec![], stderr: vec![] };
        transcript.answered(0, &Request::Wait { job: 1, timeout_ms: 1 }, Some(&Reply::Ended(ending)));
        let step = &transcript.steps()[0];
        assert_eq!([&*step.action, &*step.result], [r#"open("/m.ko", 0); finit_module($1)"#, "3; -1 (EPERM)"]);
    }

    #[test]
    fn a_program_is_told_with_its_exit_code_and_both_outputs() {
        let mut transcript = Transcript::new();
        let argv = vec!["/sbin/modprobe".into(), "-r".into(), "it's".into()];
        transcript.answered(
            0,
            &Request::Start(Job::Exec { argv, env: vec![] }),
            Some(&Reply::Started { job: 1, pid: 1 }),
        );
        let ending = Ending { how: How::Exited(1), raw: vec![], stdout: b"out".into(), stderr: b"\xff\0".into() };
        transcript.answered(0, &Request::Wait { job: 1, timeout_ms: 1 }, Some(&Reply::Ended(ending)));
        let step = &transcript.steps()[0];
        assert_eq!(step.action, r"/sbin/modprobe -r 'it'\''s'");
        assert_eq!([&*step.result, &*step.output, &*step.error], ["exit 1", "out", "(2 bytes that are no text)"]);
    }

    #[test]
    fn waiting_for_something_is_one_step_and_a_long_case_loses_its_middle() {
        let mut transcript = Transcript::new();
        for _ in 0..50 {
            transcript.answered(0, &reading("/a"), Some(&Reply::Errno(libc::ENOENT)));
        }
        assert_eq!(transcript.steps().len(), 1);
        assert_eq!((transcript.steps()[0].times, &*transcript.steps()[0].result), (50, "ENOENT"));
        for number in 0..1000 {
            transcript.answered(0, &reading(&number.to_string()), Some(&Reply::Done));
        }
        let steps = transcript.steps();
        assert_eq!(steps.len(), 2 * KEPT + 1);
        assert_eq!((steps[KEPT].kind, &*steps[KEPT].action), (Kind::Gap, "801 steps left out"));
        assert_eq!(steps.last().unwrap().action, "read 999");
    }

    #[test]
    fn a_job_whose_step_was_left_out_ends_unseen() {
        let mut transcript = Transcript::new();
        for number in 0..3 * KEPT as u32 {
            let job = Job::DeleteModule { name: number.to_string(), flags: libc::O_NONBLOCK as u32 };
            transcript.answered(0, &Request::Start(job), Some(&Reply::Started { job: number, pid: 1 }));
        }
        for job in 0..3 * KEPT as u32 {
            let ending = Ending { how: How::Exited(0), raw: vec![-i64::from(job)], stdout: vec![], stderr: vec![] };
            transcript.answered(0, &Request::Wait { job, timeout_ms: 1 }, Some(&Reply::Ended(ending)));
        }
        for step in transcript.steps().iter().filter(|step| step.kind == Kind::Call) {
            let number: u32 = step.action.split('"').nth(1).unwrap().parse().unwrap();
            assert_eq!(step.result, describe(-i64::from(number)), "{}", step.action);
        }
    }
}
