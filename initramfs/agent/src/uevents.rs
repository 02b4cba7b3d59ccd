//! What the kernel tells user space of its objects: uevents, from a netlink socket.

use std::{
    io,
    mem::size_of,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use rustix::event::{PollFd, PollFlags, poll};

/// The group to which the kernel itself sends (lib/kobject_uevent.c); the others are udev's.
const KERNEL: u32 = 1;

/// One message is at most this long: the kernel's `UEVENT_BUFFER_SIZE`, with its heading.
const MESSAGE_BYTES_MAX: usize = 4096;

/// Hears the messages that come after it was made.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
}

impl Listener {
    /// Begins to listen.
    ///
    /// # Errors
    /// The socket cannot be had.
    pub fn new() -> io::Result<Self> {
        let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: socket takes three numbers.
        let socket = check(unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_KOBJECT_UEVENT) })?;
        // SAFETY: the descriptor is new, and nobody else's.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        // SAFETY: all zero is a valid address.
        let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
        address.nl_family = libc::AF_NETLINK as u16;
        address.nl_groups = KERNEL;
        let (start, len) = (std::ptr::from_ref(&address).cast(), size_of::<libc::sockaddr_nl>() as u32);
        // SAFETY: the address is valid for its length.
        check(unsafe { libc::bind(socket.as_raw_fd(), start, len) })?;
        Ok(Self { socket })
    }

    /// Waits until there is a message.
    ///
    /// # Errors
    /// A signal came.
    pub fn wait(&self) -> io::Result<()> {
        poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], None)?;
        Ok(())
    }

    /// The messages since the last call, each `add@/path KEY=value ...`.
    ///
    /// # Errors
    /// The socket fails.
    pub fn new_messages(&mut self) -> io::Result<Vec<String>> {
        let mut messages = Vec::new();
        let mut message = [0u8; MESSAGE_BYTES_MAX];
        loop {
            // SAFETY: the buffer is valid for its length.
            let len = unsafe { libc::recv(self.socket.as_raw_fd(), message.as_mut_ptr().cast(), message.len(), 0) };
            let len = match usize::try_from(len) {
                Ok(len) => len,
                Err(_) => match io::Error::last_os_error() {
                    error if error.kind() == io::ErrorKind::WouldBlock => return Ok(messages),
                    // The socket's buffer was too small for all: what was lost is not told.
                    error if error.raw_os_error() == Some(libc::ENOBUFS) => continue,
                    error => return Err(error),
                },
            };
            let text = String::from_utf8_lossy(&message[..len]).into_owned();
            messages.push(text.trim_end_matches('\0').replace('\0', " "));
        }
    }
}

fn check(value: i32) -> io::Result<i32> {
    if value < 0 { Err(io::Error::last_os_error()) } else { Ok(value) }
}
