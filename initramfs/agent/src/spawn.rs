//! New processes: another program, a module system call, or a copy of this program that makes any system calls.

use std::{
    ffi::{CString, c_char, c_int, c_void},
    fs::File,
    io,
    os::fd::{AsRawFd as _, RawFd},
    ptr,
};

use modutils::sys::system_call;
use rustix::process::Pid;

use crate::outlets::Results;

/// Bytes of stack for the few calls that a child makes before it is another program.
const STACK: usize = 64 << 10;

/// Bytes of stack for one system call.
const CALLER_STACK: usize = 16 << 10;

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

/// A module system call, with all that the kernel reads for it.
pub(crate) struct ModuleCall {
    number: i64,
    args: [i64; 3],
    /// What the arguments point to.
    _text: CString,
    _image: Vec<u8>,
    _file: Option<File>,
}

impl ModuleCall {
    pub(crate) fn init(image: Vec<u8>, params: &str) -> io::Result<Self> {
        let text = CString::new(params)?;
        let args = [image.as_ptr() as i64, image.len() as i64, text.as_ptr() as i64];
        Ok(Self { number: libc::SYS_init_module, args, _text: text, _image: image, _file: None })
    }

    pub(crate) fn finit(file: File, params: &str, flags: u32) -> io::Result<Self> {
        let text = CString::new(params)?;
        let args = [file.as_raw_fd().into(), text.as_ptr() as i64, flags.into()];
        Ok(Self { number: libc::SYS_finit_module, args, _text: text, _image: Vec::new(), _file: Some(file) })
    }

    pub(crate) fn delete(name: &str, flags: u32) -> io::Result<Self> {
        let text = CString::new(name)?;
        let args = [text.as_ptr() as i64, flags.into(), 0];
        Ok(Self { number: libc::SYS_delete_module, args, _text: text, _image: Vec::new(), _file: None })
    }
}

/// What a process needs that makes a module system call in our memory; to be kept until it has ended.
pub(crate) struct Caller {
    stack: Box<[u128]>,
    call: ModuleCall,
    pub(crate) results: Results,
}

impl Caller {
    /// Starts it. To copy our memory, as fork does, takes a guest longer than to load a module.
    pub(crate) fn start(call: ModuleCall, results: Results) -> io::Result<(Pid, Box<Self>)> {
        let stack = vec![0; CALLER_STACK / size_of::<u128>()].into_boxed_slice();
        let mut caller = Box::new(Self { stack, call, results });
        caller.results.put(&[]);
        let top = caller.stack.as_mut_ptr_range().end.cast::<c_void>();
        // SAFETY: the caller, with stack, arguments and place for the result, lives until the process has ended. There
        // `make_call` touches nothing else that is ours.
        match unsafe { libc::clone(make_call, top, libc::CLONE_VM | libc::SIGCHLD, (&raw mut *caller).cast()) } {
            -1 => Err(io::Error::last_os_error()),
            pid => Ok((Pid::from_raw(pid).expect("clone gave a child"), caller)),
        }
    }
}

/// In the child: the system call itself, without the C library, whose errno is our parent's.
extern "C" fn make_call(caller: *mut c_void) -> c_int {
    // SAFETY: the parent keeps it as long as this process runs, and does not change it.
    let caller = unsafe { &*caller.cast::<Caller>() };
    // SAFETY: the arguments point to what the call itself holds.
    let result = unsafe { system_call(caller.call.number, &caller.call.args) };
    caller.results.put(&[result]);
    0
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
