//! The three byte streams between the host and a guest, and the one place that waits for them.
//!
//! QEMU hands on each byte of a guest's port by itself. The console's go to a file in memory, which is looked at whenever
//! something else arrives and some times a second: to be woken for each byte takes longer than the guest needs to print
//! it.

use std::{
    fs::File,
    io::{self, ErrorKind, Read as _, Write as _},
    os::{
        fd::{AsRawFd as _, RawFd},
        unix::{fs::FileExt as _, net::UnixStream},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::fs::{MemfdFlags, memfd_create};
use vmm_sys_util::{
    epoll::{ControlOperation, Epoll, EpollEvent, EventSet},
    sock_ctrl_msg::ScmSocket as _,
};

use super::{qemu::Ends, qmp};
use crate::{console::Console, interrupt};

/// Bytes from the guest that nobody asked for are not collected without end: more than the longest frame, and
/// the guest has gone mad.
const UNREAD_BYTES_MAX: usize = 2 * modrig_agent::wire::FRAME_BYTES_MAX;

/// How long the console may be left alone while nothing else arrives.
const CONSOLE_PAUSE: Duration = Duration::from_millis(20);

/// How long the agent's next bytes are awaited when the first has come, so that a frame is not taken byte by byte.
const BYTES_PAUSE: Duration = Duration::from_micros(50);

/// What a stream is for; also its number in the event loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Link,
    Qmp,
    Interrupt,
}

const ROLES: [Role; 3] = [Role::Link, Role::Qmp, Role::Interrupt];

/// What has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrival {
    /// Bytes of the agent.
    Guest,
    /// Something else.
    Other,
}

/// The host's ends, with what has come and what waits to go.
#[derive(Debug)]
pub(super) struct Channels {
    epoll: Epoll,
    console_file: File,
    link_stream: UnixStream,
    qmp_stream: UnixStream,
    outgoing: Vec<u8>,
    /// The kernel's log.
    pub(super) console: Console,
    /// Bytes from the agent, not yet taken as frames.
    pub(super) link: Vec<u8>,
    /// Bytes from QEMU's monitor, not yet taken as answers.
    pub(super) qmp: Vec<u8>,
    /// QEMU has closed a stream: it is gone.
    pub(super) closed: bool,
    /// The guest has ended its machine, which QEMU keeps.
    pub(super) stopped: bool,
}

impl Channels {
    /// Makes the streams; the other ends are for QEMU.
    pub(super) fn new() -> io::Result<(Self, Ends)> {
        let console_file = File::from(memfd_create("console", MemfdFlags::CLOEXEC)?);
        let console = console_file.try_clone()?;
        let [(link_stream, link), (qmp_stream, qmp)] = [UnixStream::pair()?, UnixStream::pair()?];
        let epoll = Epoll::new()?;
        let descriptors = [link_stream.as_raw_fd(), qmp_stream.as_raw_fd(), interrupt::descriptor()];
        for (role, descriptor) in ROLES.into_iter().zip(descriptors) {
            epoll.ctl(ControlOperation::Add, descriptor, EpollEvent::new(EventSet::IN, role as u64))?;
        }
        for stream in [&link_stream, &qmp_stream] {
            stream.set_nonblocking(true)?;
        }
        let channels = Self {
            epoll,
            console_file,
            link_stream,
            qmp_stream,
            outgoing: Vec::new(),
            console: Console::default(),
            link: Vec::new(),
            qmp: Vec::new(),
            closed: false,
            stopped: false,
        };
        Ok((channels, Ends { console: console.into(), link: link.into(), qmp: qmp.into() }))
    }

    /// Sends bytes to the agent; what its port does not take at once goes with later turns.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.outgoing.extend_from_slice(bytes);
        self.flush()
    }

    /// Sends a line to QEMU's monitor, with a descriptor for it if one is given.
    pub(super) fn command(&mut self, line: &[u8], descriptor: Option<RawFd>) -> io::Result<()> {
        match descriptor {
            None => self.qmp_stream.write_all(line),
            // A command is shorter than a socket's buffer, so it goes whole or not at all.
            Some(descriptor) => self.qmp_stream.send_with_fd(line, descriptor).map(drop).map_err(io::Error::from),
        }
    }

    /// Waits until something arrives, at most `limit`. Whether a byte of the guest came: the monitor speaks also
    /// when the guest is dead.
    pub(super) fn turn(&mut self, limit: Duration) -> io::Result<bool> {
        let deadline = Instant::now() + limit.min(Duration::from_secs(60));
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let arrived = self.wait(left.min(CONSOLE_PAUSE))?;
            let printed = self.take_console()?;
            if arrived.is_some() || printed || left.is_zero() {
                return Ok(printed || arrived == Some(Arrival::Guest));
            }
        }
    }

    /// Waits for the streams; `None` when nothing has arrived.
    fn wait(&mut self, limit: Duration) -> io::Result<Option<Arrival>> {
        // Rounded up: a limit of less than a millisecond shall wait, not spin.
        let timeout = if limit.is_zero() { 0 } else { limit.as_millis() as i32 + 1 };
        let mut events = [EpollEvent::default(); ROLES.len()];
        let count = match self.epoll.wait(timeout, &mut events) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(Some(Arrival::Other)),
            Err(error) => return Err(error),
        };
        let mut arrival = (count > 0).then_some(Arrival::Other);
        for event in &events[..count] {
            match ROLES[event.data() as usize] {
                Role::Interrupt => {}
                Role::Link if event.event_set().contains(EventSet::OUT) => self.flush()?,
                Role::Link => {
                    thread::sleep(BYTES_PAUSE);
                    if self.receive(Role::Link)? > 0 {
                        arrival = Some(Arrival::Guest);
                    }
                }
                Role::Qmp => drop(self.receive(Role::Qmp)?),
            }
        }
        Ok(arrival)
    }

    /// Takes what the guest has printed since the last time. Whether that was anything.
    fn take_console(&mut self) -> io::Result<bool> {
        let mut chunk = [0; 1 << 16];
        let count = self.console_file.read_at(&mut chunk, self.console.received())?;
        self.console.feed(&chunk[..count]);
        Ok(count > 0)
    }

    fn receive(&mut self, role: Role) -> io::Result<usize> {
        let mut chunk = [0; 1 << 16];
        let stream = match role {
            Role::Link => &mut self.link_stream,
            _ => &mut self.qmp_stream,
        };
        let count = match stream.read(&mut chunk) {
            Ok(0) => {
                self.closed = true;
                return Ok(0);
            }
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(0),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                self.closed = true;
                return Ok(0);
            }
            Err(error) => return Err(error),
        };
        match role {
            Role::Link if self.link.len() < UNREAD_BYTES_MAX => self.link.extend_from_slice(&chunk[..count]),
            Role::Link => {}
            _ => {
                self.qmp.extend_from_slice(&chunk[..count]);
                self.stopped |= qmp::tells_the_end(&self.qmp);
            }
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            match self.link_stream.write(&self.outgoing) {
                Ok(count) => drop(self.outgoing.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                    self.closed = true;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        let wanted = if self.outgoing.is_empty() { EventSet::IN } else { EventSet::IN | EventSet::OUT };
        let event = EpollEvent::new(wanted, Role::Link as u64);
        self.epoll.ctl(ControlOperation::Modify, self.link_stream.as_raw_fd(), event)
    }
}
