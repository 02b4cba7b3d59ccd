//! New processes: another program, or a copy of this one that makes system calls.

use std::{
    ffi::{CString, c_char, c_int, c_void},
    fs::File,
    io,
    os::fd::{AsRawFd as _, RawFd},
    ptr,
};

use rustix::process::Pid;

use crate::outlets::Results;

/// Bytes of stack for the few calls that a child makes before it is another program.
const STACK: usize = 64 << 10;

/// Starts programs. What it needs is made once, before the first one.
pub(crate) struct Spawner {
    stack: Box<[u128]>,
    null: File,
}

/// What a child that shares our memory needs, and why it could not become another program.
struct Plan {
    argv: Vec<*const c_char>,
    env: Vec<*const c_char>,
    streams: [RawFd; 3],
    errno: c_int,
}

impl Spawner {
    pub(crate) fn new() -> io::Result<Self> {
        let stack = vec![0; STACK / size_of::<u128>()].into_boxed_slice();
        Ok(Self { stack, null: File::options().read(true).write(true).open("/dev/null")? })
    }

    /// Runs a program with these arguments, its own name first, and this environment; nothing to read, and its output in
    /// these files.
    ///
    /// As vfork does it: the child runs in our memory while we wait until it is another program. Nothing is copied or
    /// mapped, which is half of what a start costs a guest.
    pub(crate) fn exec(
        &mut self,
        argv: &[String],
        env: &[(String, String)],
        stdout: &File,
        stderr: &File,
    ) -> io::Result<Pid> {
        let argv = argv.iter().map(|word| CString::new(&**word)).collect::<Result<Vec<_>, _>>()?;
        let env = env.iter().map(|(name, value)| CString::new(format!("{name}={value}")));
        let env = env.collect::<Result<Vec<_>, _>>()?;
        if argv.is_empty() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let streams = [&self.null, stdout, stderr].map(|file| file.as_raw_fd());
        let mut plan = Plan { argv: pointers(&argv), env: pointers(&env), streams, errno: 0 };
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        let top = self.stack.as_mut_ptr_range().end.cast::<c_void>();
        // SAFETY: the stack is large enough and used by one child at a time: this call returns when the child has become
        // another program or ended. Until then `plan` and what it points to live.
        match unsafe { libc::clone(become_another, top, flags, (&raw mut plan).cast()) } {
            -1 => Err(io::Error::last_os_error()),
            _ if plan.errno != 0 => Err(io::Error::from_raw_os_error(plan.errno)),
            pid => Ok(Pid::from_raw(pid).expect("clone gave a child")),
        }
    }
}

/// A list as execve takes it: its end is a null.
fn pointers(words: &[CString]) -> Vec<*const c_char> {
    words.iter().map(|word| word.as_ptr()).chain([ptr::null()]).collect()
}

/// In the child: only system calls, for the memory is our parent's.
extern "C" fn become_another(plan: *mut c_void) -> c_int {
    // SAFETY: the parent has given this pointer and waits.
    let plan = unsafe { &mut *plan.cast::<Plan>() };
    for (target, source) in (0..).zip(plan.streams) {
        // SAFETY: dup2 takes two numbers.
        if unsafe { libc::dup2(source, target) } < 0 {
            plan.errno = errno();
            return 127;
        }
    }
    // SAFETY: both lists end with a null, and all words with NUL.
    unsafe { libc::execve(plan.argv[0], plan.argv.as_ptr(), plan.env.as_ptr()) };
    plan.errno = errno();
    127
}

fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

/// Forks, makes system calls in the child and has the child leave what the kernel returned.
pub(crate) fn fork(results: &Results, system_calls: impl FnOnce() -> Vec<i64>) -> io::Result<Pid> {
    results.put(&[]);
    // SAFETY: this process has one thread, so the child may do anything.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            results.put(&system_calls());
            // SAFETY: it does not return.
            unsafe { libc::_exit(0) }
        }
        pid => Ok(Pid::from_raw(pid).expect("fork gave a child")),
    }
}
