//! Jobs: programs and module system calls, each in a process of its own.
//!
//! Output goes to files, not pipes: the agent has one thread, and a job may write while nobody listens.

use std::{
    collections::HashMap,
    ffi::CString,
    fs::{self, File},
    io::{self, Read as _},
    os::{
        fd::{AsFd as _, AsRawFd as _, RawFd},
        unix::process::CommandExt as _,
    },
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use modrig_agent::wire::{CONTENT_BYTES_MAX, Ending, How, Job, JobId, Reply};
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
                let (image, params) = (fs::read(path)?, CString::new(params)?);
                call(id, || {
                    // SAFETY: the image and the string outlive the call; the kernel copies both.
                    unsafe {
                        raw_call(
                            libc::SYS_init_module,
                            [image.as_ptr() as i64, image.len() as i64, params.as_ptr() as i64],
                        )
                    }
                })?
            }
            Job::FinitModule { path, params, flags } => {
                let (file, params) = (File::open(path)?, CString::new(params)?);
                call(id, || {
                    // SAFETY: the descriptor is open and the string outlives the call.
                    unsafe {
                        raw_call(
                            libc::SYS_finit_module,
                            [file.as_raw_fd().into(), params.as_ptr() as i64, flags.into()],
                        )
                    }
                })?
            }
            Job::DeleteModule { name, flags } => {
                let name = CString::new(name)?;
                call(id, || {
                    // SAFETY: the string outlives the call.
                    unsafe { raw_call(libc::SYS_delete_module, [name.as_ptr() as i64, flags.into(), 0]) }
                })?
            }
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

/// Forks, makes one system call in the child and has the child write down what the kernel returned.
fn call(job: JobId, system_call: impl FnOnce() -> i64) -> io::Result<Pid> {
    let result = File::create(output(job, "raw"))?;
    // SAFETY: this process has one thread, so the child may do anything; it only makes system calls.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => write_and_exit(result.as_raw_fd(), system_call()),
        pid => Ok(Pid::from_raw(pid).expect("fork gave a child")),
    }
}

fn write_and_exit(file: RawFd, value: i64) -> ! {
    let bytes = value.to_le_bytes();
    // SAFETY: the descriptor is open and the buffer is valid for its length; _exit does not return.
    unsafe {
        libc::write(file, bytes.as_ptr().cast(), bytes.len());
        libc::_exit(0)
    }
}

/// A system call with three arguments, giving the kernel's own value: the C library would turn -1 to -4095
/// into an errno and leave anything below, which a module's init may well return, looking like success.
///
/// # Safety
/// As the system call says.
unsafe fn raw_call(number: i64, [a, b, c]: [i64; 3]) -> i64 {
    let result: i64;
    // SAFETY: the x86-64 system call convention; rcx and r11 are the registers it destroys.
    unsafe {
        std::arch::asm!("syscall", inlateout("rax") number => result, in("rdi") a, in("rsi") b, in("rdx") c,
            out("rcx") _, out("r11") _, options(nostack));
    }
    result
}

/// Reads and removes what a job left.
fn collect(job: JobId, how: How) -> io::Result<Ending> {
    let raw = take(job, "raw")?.and_then(|bytes| Some(i64::from_le_bytes(bytes.try_into().ok()?)));
    Ok(Ending {
        how,
        raw,
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
