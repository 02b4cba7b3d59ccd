//! Jobs: programs and system calls, each in a process of its own.
//!
//! Output goes to files, not pipes: the agent has one thread, and a job may write while nobody listens.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::{
        fd::AsFd as _,
        unix::{fs::OpenOptionsExt as _, process::CommandExt as _},
    },
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use modrig_agent::wire::{Arg, CONTENT_BYTES_MAX, Ending, How, Job, JobId, Reply, SystemCall};
use modutils::sys::{self, Refusal};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, kill_process, pidfd_open, wait},
};

const DIRECTORY: &str = "/run/jobs";

/// Jobs that run or have ended without having been waited for.
pub(crate) struct Jobs {
    started: JobId,
    known: HashMap<JobId, State>,
}

struct State {
    pid: Pid,
    ended: Option<How>,
}

impl Jobs {
    pub(crate) fn new() -> io::Result<Self> {
        fs::create_dir_all(DIRECTORY)?;
        Ok(Self { started: 0, known: HashMap::new() })
    }

    pub(crate) fn start(&mut self, job: Job) -> io::Result<Reply> {
        let id = self.started + 1;
        let pid = match job {
            Job::Exec { argv, env } => exec(id, &argv, &env)?,
            Job::InitModule { path, params } => {
                let image = fs::read(path)?;
                fork(id, || value(sys::init_module(&image, &params)))?
            }
            Job::FinitModule { path, open, params, flags } => {
                let writable = matches!(open & libc::O_ACCMODE, libc::O_WRONLY | libc::O_RDWR);
                let readable = open & libc::O_ACCMODE != libc::O_WRONLY;
                let file = File::options().read(readable).write(writable).custom_flags(open).open(path)?;
                fork(id, || value(sys::finit_module(file.as_fd(), &params, flags)))?
            }
            Job::DeleteModule { name, flags } => fork(id, || value(sys::delete_module_with(&name, flags)))?,
            Job::Calls(calls) => fork(id, || make(calls))?,
        };
        self.started = id;
        self.known.insert(id, State { pid, ended: None });
        Ok(Reply::Started { job: id, pid: pid.as_raw_nonzero().get() as u32 })
    }

    pub(crate) fn wait(&mut self, job: JobId, timeout_ms: u32) -> io::Result<Reply> {
        let deadline = Instant::now() + Duration::from_millis(timeout_ms.into());
        self.reap();
        let Some(state) = self.known.get(&job) else { return Ok(unknown(job)) };
        if state.ended.is_none() {
            await_exit(state.pid, deadline)?;
            self.reap();
        }
        match self.known[&job].ended {
            None => Ok(Reply::Running),
            Some(how) => {
                self.known.remove(&job);
                collect(job, how).map(Reply::Ended)
            }
        }
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

fn output(job: JobId, kind: &str) -> PathBuf {
    PathBuf::from(format!("{DIRECTORY}/{job}.{kind}"))
}

fn exec(job: JobId, argv: &[String], env: &[(String, String)]) -> io::Result<Pid> {
    let [program, args @ ..] = argv else { return Err(io::ErrorKind::InvalidInput.into()) };
    let child = Command::new(program)
        .arg0(program)
        .args(args)
        .env_clear()
        .envs(env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(File::create(output(job, "out"))?)
        .stderr(File::create(output(job, "err"))?)
        .spawn()?;
    Ok(Pid::from_raw(child.id() as i32).expect("a child's process number is not 0"))
}

/// Forks, makes system calls in the child and has the child write down what the kernel returned.
fn fork(job: JobId, system_calls: impl FnOnce() -> Vec<i64>) -> io::Result<Pid> {
    let mut result = File::create(output(job, "raw"))?;
    // SAFETY: this process has one thread, so the child may do anything.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let values: Vec<u8> = system_calls().into_iter().flat_map(i64::to_le_bytes).collect();
            // Nothing can be told from here; a record that is missing is noticed.
            let _ = result.write_all(&values);
            // SAFETY: it does not return.
            unsafe { libc::_exit(0) }
        }
        pid => Ok(Pid::from_raw(pid).expect("fork gave a child")),
    }
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

/// Reads and removes what a job left.
fn collect(job: JobId, how: How) -> io::Result<Ending> {
    let raw = take(job, "raw")?.unwrap_or_default();
    Ok(Ending {
        how,
        raw: raw.as_chunks().0.iter().map(|value| i64::from_le_bytes(*value)).collect(),
        stdout: take(job, "out")?.unwrap_or_default(),
        stderr: take(job, "err")?.unwrap_or_default(),
    })
}

fn take(job: JobId, kind: &str) -> io::Result<Option<Vec<u8>>> {
    let path = output(job, kind);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(CONTENT_BYTES_MAX as u64).read_to_end(&mut bytes)?;
    fs::remove_file(&path)?;
    Ok(Some(bytes))
}
