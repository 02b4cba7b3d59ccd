//! Messages and framing between the host and the agent.
//!
//! ```text
//! frame   = SYNC (1 byte) | length (u32, little endian, bytes of the body) | body
//! body    = a number (u32) and one Request (host to guest) or Reply (guest to host), postcard
//! session = the guest sends Reply::Ready once, with number 0, then the host asks and the guest answers, one at a time
//!           and with the number of the request
//! ```
//! The guest is not trusted: a frame longer than [`FRAME_BYTES_MAX`] or one that does not decode is an
//! error of that guest alone.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Version of these messages. Host and agent refuse each other when it differs.
pub const WIRE_VERSION: u32 = 4;

/// First byte of every frame.
pub const SYNC: u8 = 0xa5;

/// Bytes before the body: SYNC and the length.
const HEAD: usize = 5;

/// Largest body either side accepts, in bytes. A full kernel log is about 300 KiB.
pub const FRAME_BYTES_MAX: usize = 4 << 20;

/// Largest part of a file or of a program's output that one reply carries, in bytes.
pub const CONTENT_BYTES_MAX: usize = 1 << 20;

/// A message with its number. No request of a session has the number of another, so that an answer which comes late, or
/// which nobody asked for, is never taken for the answer to another request.
pub type Numbered<T> = (u32, T);

/// Number of a job that [`Request::Start`] began. Never reused in a guest's life.
pub type JobId = u32;

/// Number of a file that [`Request::Open`] keeps open.
pub type OpenId = u32;

/// What the host asks of the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each variant's sentence speaks of its fields")]
pub enum Request {
    /// Begin a job in a process of its own. Answer: [`Reply::Started`].
    Start(Job),
    /// Wait for a job, at most `timeout_ms`. Answer: [`Reply::Running`] or [`Reply::Ended`].
    Wait { job: JobId, timeout_ms: u32 },
    /// Send a signal to a job's process. Answer: [`Reply::Done`].
    Kill { job: JobId, signal: i32 },
    /// Read a file (also of `/proc` and `/sys`). Answer: [`Reply::Content`].
    Read { path: String },
    /// Create or overwrite a file with one `write` call. Answer: [`Reply::Done`].
    Write { path: String, bytes: Vec<u8>, mode: u32 },
    /// The lines of a file that contain a text. Answer: [`Reply::Content`], at most [`CONTENT_BYTES_MAX`].
    Find { path: String, text: String },
    /// The names in a directory, sorted. Answer: [`Reply::Names`].
    List { path: String },
    /// Open a file and keep it open. Answer: [`Reply::Opened`].
    Open { path: String, write: bool },
    /// Close a file that [`Request::Open`] opened. Answer: [`Reply::Done`].
    Close { file: OpenId },
    /// End the machine, in the one way that needs no firmware: a restart, which QEMU was told not to follow. No answer.
    PowerOff,
    /// The kernel's log records since the last ask, or since the agent began. Answer: [`Reply::Log`].
    Log,
    /// The uevents since the last ask, or since the agent began, each as its lines joined by blanks. Answer:
    /// [`Reply::Log`].
    Uevents,
}

/// Work for a process of its own, so that whatever happens to it does not happen to the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each variant's sentence speaks of its fields")]
pub enum Job {
    /// Run a program. `argv[0]` is the path; the environment is exactly `env`.
    Exec { argv: Vec<String>, env: Vec<(String, String)> },
    /// `init_module(bytes of path, params)`.
    InitModule { path: String, params: String },
    /// `finit_module(path opened with the flags `open`, params, flags)`; `open` is 0 for read-only.
    FinitModule { path: String, open: i32, params: String, flags: u32 },
    /// `delete_module(name, flags)`.
    DeleteModule { name: String, flags: u32 },
    /// Any system calls, one after the other, until one returns a negative value.
    Calls(Vec<SystemCall>),
    /// Load what comes through the memory at this physical address ([`crate::slots`]), until the machine ends; before,
    /// some modules by their paths.
    Campaign { address: u64, warm_up: Vec<String> },
}

/// A system call, by the number that the guest's architecture gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemCall {
    /// Its number, one of `libc::SYS_*`.
    pub number: i64,
    /// At most six; those that are not given are 0.
    pub args: Vec<Arg>,
}

/// One argument of a system call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Arg {
    /// A number.
    Number(i64),
    /// The address of a copy of these bytes, which the call may change.
    Bytes(Vec<u8>),
    /// What an earlier call of the same job returned, counted from 0.
    ResultOf(u32),
}

/// What the agent answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each variant's sentence speaks of its fields")]
pub enum Reply {
    /// First message of a session, unasked.
    Ready { version: u32, release: String },
    /// A job began.
    Started { job: JobId, pid: u32 },
    /// A job is still at work.
    Running,
    /// A job ended.
    Ended(Ending),
    /// Content of a file, at most [`CONTENT_BYTES_MAX`].
    Content(Vec<u8>),
    /// Names in a directory, sorted.
    Names(Vec<String>),
    /// A file is open.
    Opened { file: OpenId },
    /// Kernel log records without time stamps, or uevents, oldest first; empty when there is nothing new.
    Log(Vec<String>),
    /// Done, nothing to report.
    Done,
    /// The system call behind the request failed with this errno.
    Errno(i32),
    /// The request makes no sense here, such as an unknown job.
    Refused(String),
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// As `waitpid` gives it: exit code, or the signal that killed the process.
    pub how: How,
    /// For system calls: what the kernel returned from each that was made. A module system call gives 0 or a negative
    /// number that need not be an errno (below -4095 the C library would not see an error). Empty when the process was
    /// killed.
    pub raw: Vec<i64>,
    /// First [`CONTENT_BYTES_MAX`] bytes of standard output.
    pub stdout: Vec<u8>,
    /// First [`CONTENT_BYTES_MAX`] bytes of standard error.
    pub stderr: Vec<u8>,
}

/// Exit code or signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    /// The process exited with this code, 0 to 255.
    Exited(i32),
    /// The process was killed by this signal.
    Signalled(i32),
}

/// What is wrong with bytes that should be a frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The first byte is another one.
    #[error("byte {0:#04x} where a frame should begin")]
    NoSync(u8),
    /// The length field exceeds the bound.
    #[error("frame of {0} bytes, more than the {FRAME_BYTES_MAX} allowed")]
    TooLong(usize),
    /// The body is no message.
    #[error("frame body is no message: {0}")]
    Body(#[from] postcard::Error),
    /// The body goes on behind its message.
    #[error("{0} bytes behind the message in a frame")]
    Rest(usize),
    /// The transport failed or ended inside a frame.
    #[error("cannot move a frame")]
    Transport(#[from] io::Error),
}

/// One [`Numbered`] message as a frame.
///
/// # Errors
/// `TooLong` when the body exceeds [`FRAME_BYTES_MAX`].
pub fn encode<T: Serialize>(number: u32, message: &T) -> Result<Vec<u8>, FrameError> {
    let body = postcard::to_stdvec(&(number, message))?;
    if body.len() > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong(body.len()));
    }
    let mut frame = Vec::with_capacity(HEAD + body.len());
    frame.push(SYNC);
    frame.extend_from_slice(&(body.len() as u32).to_le_bytes());
    frame.extend_from_slice(&body);
    Ok(frame)
}

/// Takes one whole message from the front of `buffer`, or `None` when more bytes are needed.
///
/// # Errors
/// `NoSync`, `TooLong` or `Body`: the peer does not speak this protocol; nothing sensible can follow.
pub fn decode<T: DeserializeOwned>(buffer: &mut Vec<u8>) -> Result<Option<Numbered<T>>, FrameError> {
    // Noise is refused with its first byte: the rest of a head may never come.
    if let Some(&first) = buffer.first().filter(|first| **first != SYNC) {
        return Err(FrameError::NoSync(first));
    }
    let Some(head) = buffer.first_chunk::<HEAD>() else { return Ok(None) };
    let length = body_length(*head)?;
    let Some(body) = buffer.get(HEAD..HEAD + length) else { return Ok(None) };
    let message = message(body)?;
    buffer.drain(..HEAD + length);
    Ok(Some(message))
}

fn body_length([first, a, b, c, d]: [u8; HEAD]) -> Result<usize, FrameError> {
    match u32::from_le_bytes([a, b, c, d]) as usize {
        _ if first != SYNC => Err(FrameError::NoSync(first)),
        length if length > FRAME_BYTES_MAX => Err(FrameError::TooLong(length)),
        length => Ok(length),
    }
}

/// Reads one message, blocking.
///
/// # Errors
/// Any [`FrameError`].
pub fn read<T: DeserializeOwned>(source: &mut impl Read) -> Result<Numbered<T>, FrameError> {
    let mut head = [0; HEAD];
    source.read_exact(&mut head)?;
    let mut body = vec![0; body_length(head)?];
    source.read_exact(&mut body)?;
    message(&body)
}

fn message<T: DeserializeOwned>(body: &[u8]) -> Result<Numbered<T>, FrameError> {
    let (message, rest) = postcard::take_from_bytes(body)?;
    if rest.is_empty() { Ok(message) } else { Err(FrameError::Rest(rest.len())) }
}

/// Writes one message, blocking.
///
/// # Errors
/// Any [`FrameError`].
pub fn write<T: Serialize>(sink: &mut impl Write, number: u32, message: &T) -> Result<(), FrameError> {
    sink.write_all(&encode(number, message)?)?;
    Ok(sink.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_survives_the_way_there_in_any_pieces() {
        let sent = Reply::Names(vec!["a".into(), "b".into()]);
        let frame = encode(7, &sent).unwrap();
        let mut buffer = Vec::new();
        for (i, byte) in frame.iter().enumerate() {
            assert_eq!(decode::<Reply>(&mut buffer).unwrap(), None, "complete after {i} bytes");
            buffer.push(*byte);
        }
        assert_eq!(decode(&mut buffer).unwrap(), Some((7, sent)));
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_length_beyond_the_bound_is_refused_before_it_is_awaited() {
        let mut buffer = vec![SYNC, 0xff, 0xff, 0xff, 0xff];
        assert!(matches!(decode::<Reply>(&mut buffer), Err(FrameError::TooLong(_))));
    }

    #[test]
    fn a_body_of_garbage_is_an_error() {
        let mut buffer = vec![SYNC, 2, 0, 0, 0, 0xff, 0xff];
        assert!(matches!(decode::<Reply>(&mut buffer), Err(FrameError::Body(_))));
        assert!(matches!(decode::<Reply>(&mut vec![0x80]), Err(FrameError::NoSync(0x80))));
    }
}
