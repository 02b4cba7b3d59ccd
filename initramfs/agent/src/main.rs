//! PID 1 of the guest: prepares the file systems, says Ready, and does what the host asks until the link ends.

mod campaign;
mod jobs;
mod kcov;
mod outlets;
mod spawn;

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read, Write},
    os::unix::fs::{OpenOptionsExt as _, symlink},
    path::Path,
};

use modrig_agent::{
    link, uevents,
    wire::{self, CONTENT_BYTES_MAX, OpenId, Reply, Request, WIRE_VERSION},
};
use modutils::kmsg;
use rustix::{
    mount::{MountFlags, mount},
    system::{RebootCommand, reboot, uname},
};

/// What a guest needs mounted: type and place.
const MOUNTS: [(&str, &str); 5] =
    [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev"), ("tmpfs", "/run"), ("tracefs", "/sys/kernel/tracing")];

fn main() {
    // Rust's runtime ignores it, and programs that the agent starts would inherit that.
    // SAFETY: the default action is no handler.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    if let Err(error) = serve() {
        // The console is all that is left to say it on; the host reads it there.
        eprintln!("modrig-agent: {error}");
    }
    // Asked to, or without a link to live for. QEMU takes a restart as the end.
    let _ = reboot(RebootCommand::Restart);
}

fn serve() -> Result<(), Box<dyn std::error::Error>> {
    for (kind, place) in MOUNTS {
        fs::create_dir_all(place)?;
        match mount(kind, place, kind, MountFlags::empty(), None::<&std::ffi::CStr>) {
            Ok(()) | Err(rustix::io::Errno::BUSY) => {}
            Err(error) => return Err(format!("cannot mount {kind} on {place}: {error}").into()),
        }
    }
    // Only now: with a /sbin/modprobe in the image, the kernel would run it again and again while it boots.
    symlink("usr/sbin", "/sbin")?;
    let mut link = link::open()?;
    let mut agent = Agent {
        jobs: jobs::Jobs::new()?,
        log: kmsg::Reader::open()?,
        uevents: uevents::Listener::new()?,
        open: HashMap::new(),
        opened: 0,
    };
    let release = uname().release().to_string_lossy().into_owned();
    wire::write(&mut link, 0, &Reply::Ready { version: WIRE_VERSION, release })?;
    loop {
        let (number, request) = wire::read(&mut link)?;
        if request == Request::PowerOff {
            return Ok(());
        }
        wire::write(&mut link, number, &agent.answer(request))?;
    }
}

struct Agent {
    jobs: jobs::Jobs,
    log: kmsg::Reader,
    uevents: uevents::Listener,
    open: HashMap<OpenId, File>,
    opened: OpenId,
}

impl Agent {
    fn answer(&mut self, request: Request) -> Reply {
        let answer = match request {
            Request::Start(job) => self.jobs.start(job),
            Request::Wait { job, timeout_ms } => self.jobs.wait(job, timeout_ms),
            Request::Kill { job, signal } => self.jobs.kill(job, signal),
            Request::Read { path } => read(&path),
            Request::Write { path, bytes, mode } => write(&path, &bytes, mode),
            Request::Find { path, text } => find(&path, &text),
            Request::List { path } => list(&path),
            Request::Open { path, write } => self.open(&path, write),
            Request::Close { file } => Ok(self.close(file)),
            Request::PowerOff => return Reply::Refused("handled by the loop".into()),
            Request::Uevents => self.uevents.new_messages().map(Reply::Log),
            Request::Log => self.log.new_records(CONTENT_BYTES_MAX).map(Reply::Log),
        };
        answer.unwrap_or_else(|error| match error.raw_os_error() {
            Some(errno) => Reply::Errno(errno),
            None => Reply::Refused(error.to_string()),
        })
    }

    fn open(&mut self, path: &str, write: bool) -> io::Result<Reply> {
        let file = File::options().read(true).write(write).open(path)?;
        self.opened += 1;
        self.open.insert(self.opened, file);
        Ok(Reply::Opened { file: self.opened })
    }

    fn close(&mut self, file: OpenId) -> Reply {
        match self.open.remove(&file) {
            Some(_) => Reply::Done,
            None => Reply::Refused(format!("no open file {file}")),
        }
    }
}

/// The first [`CONTENT_BYTES_MAX`] bytes of a file.
fn read(path: &str) -> io::Result<Reply> {
    let mut bytes = Vec::new();
    File::open(path)?.take(CONTENT_BYTES_MAX as u64).read_to_end(&mut bytes)?;
    Ok(Reply::Content(bytes))
}

/// The lines of a file that contain a text: a file such as /proc/kallsyms is too long to be moved as a whole.
fn find(path: &str, text: &str) -> io::Result<Reply> {
    let mut found = Vec::new();
    for line in BufReader::new(File::open(path)?).split(b'\n') {
        let line = line?;
        if line.windows(text.len().max(1)).any(|window| window == text.as_bytes()) {
            found.extend_from_slice(&line);
            found.push(b'\n');
        }
        if found.len() >= CONTENT_BYTES_MAX {
            break;
        }
    }
    found.truncate(CONTENT_BYTES_MAX);
    Ok(Reply::Content(found))
}

/// One `write` call, because files of /proc and /sys take each call as a value of its own. The directory is made if it
/// is not there.
fn write(path: &str, bytes: &[u8], mode: u32) -> io::Result<Reply> {
    if let Some(directory) = Path::new(path).parent().filter(|directory| !directory.exists()) {
        fs::create_dir_all(directory)?;
    }
    let mut file = File::options().write(true).create(true).truncate(true).mode(mode).open(path)?;
    match file.write(bytes)? {
        n if n == bytes.len() => Ok(Reply::Done),
        n => Ok(Reply::Refused(format!("{path} took {n} of {} bytes", bytes.len()))),
    }
}

fn list(path: &str) -> io::Result<Reply> {
    let mut names: Vec<String> = fs::read_dir(path)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<_>>()?;
    names.sort();
    Ok(Reply::Names(names))
}
