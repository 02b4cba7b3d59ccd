//! PID 1 of a guest that does not keep to the protocol, for `harness/tests/liar.rs` alone: `modrig` does not carry it.
//!
//! It says Ready as the agent does. Then a request to read `/lie/NAME` is answered with that lie; the word `lie=NAME` on
//! the kernel's command line makes the very first message one.

use std::{
    error::Error,
    fs::{self, File},
    io::Write,
    thread::sleep,
    time::Duration,
};

use modrig_agent::{
    link,
    wire::{self, Ending, FRAME_BYTES_MAX, How, Reply, Request, SYNC, WIRE_VERSION},
};
use rustix::{
    mount::{MountFlags, mount},
    system::uname,
};

fn main() -> Result<(), Box<dyn Error>> {
    for (kind, place) in [("devtmpfs", "/dev"), ("proc", "/proc")] {
        fs::create_dir_all(place)?;
        // devtmpfs may be there already.
        let _ = mount(kind, place, kind, MountFlags::empty(), None::<&std::ffi::CStr>);
    }
    let mut link = link::open()?;
    let release = uname().release().to_string_lossy().into_owned();
    let words = fs::read_to_string("/proc/cmdline")?;
    match words.split_whitespace().find_map(|word| word.strip_prefix("lie=")) {
        Some("other-version") => wire::write(&mut link, 0, &Reply::Ready { version: WIRE_VERSION + 1, release })?,
        Some("no-ready") => wire::write(&mut link, 0, &Reply::Done)?,
        Some(lie) => tell(&mut link, 0, lie)?,
        None => wire::write(&mut link, 0, &Reply::Ready { version: WIRE_VERSION, release })?,
    }
    loop {
        let (number, request) = wire::read(&mut link)?;
        let answer = match request {
            Request::Read { path } => match path.strip_prefix("/lie/") {
                Some(lie) => {
                    tell(&mut link, number, lie)?;
                    continue;
                }
                None => Reply::Content(b"the truth\n".to_vec()),
            },
            Request::Start(_) => Reply::Started { job: 4_000_000_000, pid: 1 },
            Request::Wait { .. } => Reply::Started { job: 1, pid: 1 },
            Request::Log => Reply::Log(Vec::new()),
            _ => Reply::Done,
        };
        wire::write(&mut link, number, &answer)?;
    }
}

/// Answers the request of this number. Every lie but the flood of the console ends with silence.
fn tell(link: &mut File, number: u32, lie: &str) -> Result<(), Box<dyn Error>> {
    match lie {
        "random-bytes" => forever(link, &noise())?,
        "random-bodies" => forever(link, &framed(&noise()))?,
        "huge-length" => link.write_all(&[SYNC, 0xff, 0xff, 0xff, 0xff])?,
        "length-just-too-long" => link.write_all(&head(FRAME_BYTES_MAX + 1))?,
        "no-body" => link.write_all(&head(0))?,
        "long-body" => link.write_all(&framed(&[postcard::to_stdvec(&(number, Reply::Done))?, vec![0; 3]].concat()))?,
        "truncated" => {
            // Half a frame, then a whole one: the first one's body ends in the second one.
            let frame = wire::encode(number, &Reply::Content(vec![b'x'; 200]))?;
            link.write_all(&frame[..100])?;
            link.write_all(&frame)?;
        }
        "stalls" => link.write_all(&head(1000))?,
        "other-kind" => wire::write(link, number, &Reply::Opened { file: 1 })?,
        "ready-again" => wire::write(link, number, &Reply::Ready { version: WIRE_VERSION, release: "9.9".into() })?,
        "ended" => wire::write(
            link,
            number,
            &Reply::Ended(Ending { how: How::Exited(0), raw: Vec::new(), stdout: Vec::new(), stderr: Vec::new() }),
        )?,
        "many-names" => wire::write(link, number, &Reply::Names(vec![String::new(); FRAME_BYTES_MAX - 10]))?,
        "answers-nobody-asked-for" => {
            for answer in ["first", "second"] {
                wire::write(link, number, &Reply::Content(answer.into()))?;
            }
        }
        "late-answer" => {
            for pause in [Duration::ZERO, Duration::from_secs(1)] {
                sleep(pause);
                wire::write(link, number, &Reply::Content(b"the truth\n".to_vec()))?;
            }
        }
        "flood-of-answers" => forever(link, &wire::encode(number, &Reply::Content(vec![b'x'; 1 << 16]))?)?,
        "flood-of-console" => forever(&mut File::options().write(true).open("/dev/console")?, &noise())?,
        "false-splat" => {
            let mut console = File::options().write(true).open("/dev/console")?;
            console.write_all(b"BUG: \x1b[31m\xff\xfe false\x07 alarm at 0xffffffff81000000\nCall Trace:\n")?;
            console.write_all(&[b'x'; 100_000])?;
            console.write_all(b"\n")?;
        }
        other => return Err(format!("no lie is called {other}").into()),
    }
    loop {
        sleep(Duration::MAX);
    }
}

fn forever(sink: &mut File, bytes: &[u8]) -> std::io::Result<()> {
    loop {
        sink.write_all(bytes)?;
    }
}

/// 4 KiB without a pattern, none of which begins a frame.
fn noise() -> Vec<u8> {
    (0..4096u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .map(|byte| if byte == SYNC { 0 } else { byte })
        .collect()
}

fn head(length: usize) -> Vec<u8> {
    [&[SYNC][..], &(length as u32).to_le_bytes()].concat()
}

fn framed(body: &[u8]) -> Vec<u8> {
    [head(body.len()), body.to_vec()].concat()
}
