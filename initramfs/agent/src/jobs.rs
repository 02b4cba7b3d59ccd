//! Jobs: programs and system calls, each in a process of its own.
//!
//! Output goes to files, not pipes: the agent has one thread, and a job may write while nobody listens.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    os::{fd::AsFd as _, unix::fs::OpenOptionsExt as _},
    time::{Duration, Instant},
};

use modrig_agent::wire::{Arg, Ending, How, Job, JobId, Reply, SystemCall};
use modutils::sys::{self, Refusal};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, kill_process, pidfd_open, wait},
};

use crate::{
    campaign,
    outlets::{self, Outlets, Results},
    spawn::{Spawner, fork},
};

/// Jobs that run or have ended without having been waited for.
pub(crate) struct Jobs {
    started: JobId,
    known: BTreeMap<JobId, State>,
    spawner: Spawner,
    outlets: Outlets,
}

struct State {
    pid: Pid,
    ended: Option<How>,
    outlet: Outlet,
}

/// What is left of a job.
enum Outlet {
    /// A program's standard output and standard error.
    Output { stdout: File, stderr: File },
    /// What system calls returned.
    Results(Results),
}

impl Jobs {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { started: 0, known: BTreeMap::new(), spawner: Spawner::new()?, outlets: Outlets::new()? })
    }

    pub(crate) fn start(&mut self, job: Job) -> io::Result<Reply> {
        let id = self.started + 1;
        let (pid, outlet) = match job {
            Job::Exec { argv, env } => self.exec(&argv, &env)?,
            Job::InitModule { path, params } => {
                let image = fs::read(path)?;
                self.fork(|| value(sys::init_module(&image, &params)))?
            }
            Job::FinitModule { path, open, params, flags } => {
                let writable = matches!(open & libc::O_ACCMODE, libc::O_WRONLY | libc::O_RDWR);
                let readable = open & libc::O_ACCMODE != libc::O_WRONLY;
                let file = File::options().read(readable).write(writable).custom_flags(open).open(path)?;
                self.fork(|| value(sys::finit_module(file.as_fd(), &params, flags)))?
            }
            Job::DeleteModule { name, flags } => self.fork(|| value(sys::delete_module_with(&name, flags)))?,
            Job::Calls(calls) => self.fork(|| make(calls))?,
            Job::Campaign { address, warm_up } => self.fork(|| campaign::run(address, &warm_up))?,
        };
        self.started = id;
        self.known.insert(id, State { pid, ended: None, outlet });
        Ok(Reply::Started { job: id, pid: pid.as_raw_nonzero().get() as u32 })
    }

    fn exec(&mut self, argv: &[String], env: &[(String, String)]) -> io::Result<(Pid, Outlet)> {
        let (stdout, stderr) = (self.outlets.file()?, self.outlets.file()?);
        let pid = self.spawner.exec(argv, env, &stdout, &stderr)?;
        Ok((pid, Outlet::Output { stdout, stderr }))
    }

    fn fork(&mut self, system_calls: impl FnOnce() -> Vec<i64>) -> io::Result<(Pid, Outlet)> {
        let results = self.outlets.results()?;
        let pid = fork(&results, system_calls)?;
        Ok((pid, Outlet::Results(results)))
    }

    pub(crate) fn wait(&mut self, job: JobId, timeout_ms: u32) -> io::Result<Reply> {
        let deadline = Instant::now() + Duration::from_millis(timeout_ms.into());
        self.reap();
        let Some(state) = self.known.get(&job) else { return Ok(unknown(job)) };
        if state.ended.is_none() {
            await_exit(state.pid, deadline)?;
            self.reap();
        }
        let Some(how) = self.known[&job].ended else { return Ok(Reply::Running) };
        match self.known.remove(&job).map(|state| state.outlet) {
            Some(outlet) => self.collect(outlet, how).map(Reply::Ended),
            None => Ok(unknown(job)),
        }
    }

    fn collect(&mut self, outlet: Outlet, how: How) -> io::Result<Ending> {
        let mut ending = Ending { how, raw: Vec::new(), stdout: Vec::new(), stderr: Vec::new() };
        match outlet {
            Outlet::Output { stdout, stderr } => {
                ending.stdout = outlets::content(&stdout)?;
                ending.stderr = outlets::content(&stderr)?;
            }
            Outlet::Results(results) => {
                ending.raw = results.get();
                self.outlets.take_back(results);
            }
        }
        Ok(ending)
    }

    pub(crate) fn kill(&mut self, job: JobId, signal: i32) -> io::Result<Reply> {
        self.reap();
        let Some(state) = self.known.get(&job) else { return Ok(unknown(job)) };
        if state.ended.is_none() {
            let signal = Signal::from_named_raw(signal).ok_or(io::ErrorKind::InvalidInput)?;
            kill_process(state.pid, signal)?;
        }
        Ok(Reply::Done)
    }

    /// Takes the status of every child that has ended: ours, and orphans that PID 1 inherits.
    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if let Some(state) = self.known.values_mut().find(|state| state.pid == pid) {
                state.ended = how(status);
            }
        }
    }
}

fn unknown(job: JobId) -> Reply {
    Reply::Refused(format!("no job {job}"))
}

fn how(status: WaitStatus) -> Option<How> {
    status.exit_status().map(How::Exited).or_else(|| status.terminating_signal().map(How::Signalled))
}

fn await_exit(pid: Pid, deadline: Instant) -> io::Result<()> {
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    let mut polled = [PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)];
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
    poll(&mut polled, Some(&timeout))?;
    Ok(())
}

/// The raw value of a module system call.
fn value(result: Result<(), Refusal>) -> Vec<i64> {
    vec![result.map_or_else(|refusal| refusal.0, |()| 0)]
}

/// Makes system calls until one fails; gives the result of each that was made.
fn make(calls: Vec<SystemCall>) -> Vec<i64> {
    let mut results: Vec<i64> = Vec::new();
    for SystemCall { number, mut args } in calls {
        let args: Vec<i64> = args
            .iter_mut()
            .map(|arg| match arg {
                Arg::Number(number) => *number,
                Arg::Bytes(bytes) => bytes.as_mut_ptr() as i64,
                Arg::ResultOf(call) => results.get(*call as usize).copied().unwrap_or(-1),
            })
            .collect();
        // SAFETY: none can be promised for any call. It is this child's memory alone, and the child ends here.
        let result = unsafe { sys::system_call(number, &args) };
        results.push(result);
        if result < 0 {
            break;
        }
    }
    results
}
