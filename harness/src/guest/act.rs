//! What a process of the guest does by itself: mount, open, socket and the like, as the user and in the state that a
//! scenario wants.

use modrig_agent::wire::{Arg, SystemCall};

/// System calls that one process makes, one after the other, until one fails.
#[derive(Debug, Clone)]
pub struct Act {
    pub(super) what: String,
    pub(super) calls: Vec<SystemCall>,
}

/// One argument: a number, bytes that the kernel gets the address of, or an earlier result.
#[derive(Debug, Clone)]
pub struct Argument(Arg);

impl From<i64> for Argument {
    fn from(number: i64) -> Self {
        Self(Arg::Number(number))
    }
}

impl From<i32> for Argument {
    fn from(number: i32) -> Self {
        Self(Arg::Number(number.into()))
    }
}

impl From<u32> for Argument {
    fn from(number: u32) -> Self {
        Self(Arg::Number(number.into()))
    }
}

/// A text ends with NUL.
impl From<&str> for Argument {
    fn from(text: &str) -> Self {
        Self(Arg::Bytes([text.as_bytes(), b"\0"].concat()))
    }
}

impl From<Vec<u8>> for Argument {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Arg::Bytes(bytes))
    }
}

/// Version 3 of what capset takes (linux/capability.h): two words of each set.
const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

/// Nanoseconds or words of a structure, as they lie in memory.
fn words<const N: usize>(words: [u64; N]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

impl Act {
    /// Nothing yet; `what` says in a report what it is.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), calls: Vec::new() }
    }

    /// Then makes this system call (`libc::SYS_*`).
    pub fn call<const N: usize>(mut self, number: i64, args: [Argument; N]) -> Self {
        self.calls.push(SystemCall { number, args: args.into_iter().map(|arg| arg.0).collect() });
        self
    }

    /// What the last call so far will have returned, as an argument of the next ones.
    pub fn result(&self) -> Argument {
        Argument(Arg::ResultOf(self.calls.len().saturating_sub(1) as u32))
    }

    /// `mount(2)`; `flags` are `libc::MS_*`.
    pub fn mount(source: &str, target: &str, kind: &str, flags: u64) -> Self {
        Self::new(format!("mounting a {kind} of {source} at {target}"))
            .call(libc::SYS_mount, [source.into(), target.into(), kind.into(), (flags as i64).into(), 0.into()])
    }

    /// `umount2(2)`; `flags` are `libc::MNT_*`.
    pub fn unmount(target: &str, flags: i32) -> Self {
        Self::new(format!("unmounting {target}")).call(libc::SYS_umount2, [target.into(), flags.into()])
    }

    /// `mknod(2)` of a character device (`libc::S_IFCHR`) or a block device (`libc::S_IFBLK`), readable by all.
    pub fn make_node(path: &str, kind: u32, major: u32, minor: u32) -> Self {
        let number = libc::makedev(major, minor) as i64;
        Self::new(format!("making the node {path}"))
            .call(libc::SYS_mknod, [path.into(), (kind | 0o666).into(), number.into()])
    }

    /// `mkdir(2)`.
    pub fn make_directory(path: &str) -> Self {
        Self::new(format!("making the directory {path}")).call(libc::SYS_mkdir, [path.into(), 0o755.into()])
    }

    /// `open(2)`; `flags` are `libc::O_*`.
    pub fn open(path: &str, flags: i32) -> Self {
        Self::new(format!("opening {path}")).call(libc::SYS_open, [path.into(), flags.into(), 0.into()])
    }

    /// `open(2)` and `write(2)`.
    pub fn write(path: &str, text: &str) -> Self {
        let open = Self::open(path, libc::O_WRONLY);
        let (file, size) = (open.result(), text.len() as i64);
        Self { what: format!("writing `{text}` to {path}"), ..open }
            .call(libc::SYS_write, [file, text.into(), size.into()])
    }

    /// `socket(2)`.
    pub fn socket(family: i32, kind: i32, protocol: i32) -> Self {
        Self::new(format!("socket({family}, {kind}, {protocol})"))
            .call(libc::SYS_socket, [family.into(), kind.into(), protocol.into()])
    }

    /// Asks for the number of a network interface, in the way of if_nametoindex(3).
    pub fn interface(name: &str) -> Self {
        const SIZE_OF_IFREQ: usize = 40;
        let socket = Self::socket(libc::AF_INET, libc::SOCK_DGRAM, 0);
        let (file, mut request) = (socket.result(), name.as_bytes().to_vec());
        request.resize(SIZE_OF_IFREQ, 0);
        Self { what: format!("asking for the interface {name}"), ..socket }
            .call(libc::SYS_ioctl, [file, (libc::SIOCGIFINDEX as i64).into(), request.into()])
    }

    /// `execve(2)` without arguments. Where it works, it does not return.
    pub fn execute(path: &str) -> Self {
        Self::new(format!("executing {path}")).call(libc::SYS_execve, [path.into(), 0.into(), 0.into()])
    }

    /// `finit_module(2)` of a file.
    pub fn load(path: &str) -> Self {
        let open = Self::open(path, libc::O_RDONLY);
        let file = open.result();
        Self { what: format!("loading {path}"), ..open }.call(libc::SYS_finit_module, [file, "".into(), 0.into()])
    }

    /// `init_module(2)` of bytes.
    pub fn load_bytes(what: &str, bytes: Vec<u8>, params: &str) -> Self {
        let size = bytes.len() as i64;
        Self::new(format!("loading {what}")).call(libc::SYS_init_module, [bytes.into(), size.into(), params.into()])
    }

    /// `delete_module(2)`, as rmmod does.
    pub fn unload(name: &str) -> Self {
        Self::new(format!("unloading {name}")).call(libc::SYS_delete_module, [name.into(), libc::O_NONBLOCK.into()])
    }

    /// The same after these calls, which prepare the process.
    fn after<const N: usize>(self, number: i64, args: [Argument; N]) -> Self {
        let mut first = Self::new(self.what).call(number, args);
        first.calls.extend(self.calls.into_iter().map(one_later));
        first
    }

    /// The same by another user, and group, without capabilities.
    pub fn by_user(self, id: u32) -> Self {
        self.after(libc::SYS_setresuid, [id.into(), id.into(), id.into()])
            .after(libc::SYS_setresgid, [id.into(), id.into(), id.into()])
            .after(libc::SYS_setgroups, [0.into(), 0.into()])
    }

    /// The same with these capabilities (their numbers in linux/capability.h) and no others.
    pub fn with_capabilities(self, numbers: &[u32]) -> Self {
        let set = numbers.iter().fold(0_u64, |set, number| set | 1 << number);
        let (low, high) = (set as u32, (set >> 32) as u32);
        let header: Vec<u8> = [CAPABILITY_VERSION_3, 0].iter().flat_map(|word| word.to_ne_bytes()).collect();
        let sets: Vec<u8> = [low, low, 0, high, high, 0].iter().flat_map(|word| word.to_ne_bytes()).collect();
        self.after(libc::SYS_capset, [header.into(), sets.into()])
    }

    /// The same while this signal is blocked.
    pub fn blocking(self, signal: i32) -> Self {
        let mask = words([1 << (signal - 1)]);
        self.after(libc::SYS_rt_sigprocmask, [libc::SIG_BLOCK.into(), mask.into(), 0.into(), 8.into()])
    }

    /// The same while this signal is ignored. The structure is the kernel's: handler, flags, restorer, mask.
    pub fn ignoring(self, signal: i32) -> Self {
        let action = words([libc::SIG_IGN as u64, 0, 0, 0]);
        self.after(libc::SYS_rt_sigaction, [signal.into(), action.into(), 0.into(), 8.into()])
    }

    /// The same with this niceness.
    pub fn at_niceness(self, nice: i32) -> Self {
        self.after(libc::SYS_setpriority, [(libc::PRIO_PROCESS as i32).into(), 0.into(), nice.into()])
    }

    /// The same with this limit on the number of open files.
    pub fn with_open_files_at_most(self, count: u64) -> Self {
        let limit = words([count, count]);
        self.after(libc::SYS_prlimit64, [0.into(), (libc::RLIMIT_NOFILE as i32).into(), limit.into(), 0.into()])
    }

    /// The same in a directory.
    pub fn in_directory(self, path: &str) -> Self {
        self.after(libc::SYS_chdir, [path.into()])
    }

    /// The same with a directory for its root.
    pub fn with_root(self, path: &str) -> Self {
        self.after(libc::SYS_chroot, [path.into()])
    }

    /// Then waits until it is killed, holding what it has opened.
    pub fn and_stays(self) -> Self {
        self.call(libc::SYS_pause, [])
    }
}

/// A call whose references count one more call before it.
fn one_later(mut call: SystemCall) -> SystemCall {
    for arg in &mut call.args {
        if let Arg::ResultOf(earlier) = arg {
            *earlier += 1;
        }
    }
    call
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_prepares_a_process_comes_first_and_results_follow() {
        let act = Act::load("/m.ko").by_user(7).in_directory("/tmp");
        let numbers: Vec<i64> = act.calls.iter().map(|call| call.number).collect();
        let expected = [
            libc::SYS_chdir,
            libc::SYS_setgroups,
            libc::SYS_setresgid,
            libc::SYS_setresuid,
            libc::SYS_open,
            libc::SYS_finit_module,
        ];
        assert_eq!(numbers, expected);
        assert_eq!(act.calls[5].args[0], Arg::ResultOf(4));
    }
}
