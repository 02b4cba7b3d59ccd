//! Target `wire`: the bytes as what one side of the agent's connection receives.

use std::fmt::Debug;

use modrig_agent::wire::{
    CONTENT_BYTES_MAX, Ending, FRAME_BYTES_MAX, FrameError, How, Job, Numbered, Reply, Request, decode, encode, read,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Seed, promises::cut};

/// Reads the bytes as requests and as replies.
pub fn check(data: &[u8]) {
    check_as::<Request>(data);
    check_as::<Reply>(data);
}

fn check_as<T: DeserializeOwned + Serialize + PartialEq + Debug>(data: &[u8]) {
    let (messages, rest, is_sound) = all::<T>(data);
    assert!(rest.len() <= data.len() && data.ends_with(&rest));
    check_read(data, &messages);
    for message in &messages {
        let mut frame = encode(message.0, &message.1).expect("what came in a frame fits into one");
        assert!(frame.len() <= FRAME_BYTES_MAX + 5);
        assert_eq!(decode::<T>(&mut frame).expect("a frame of ours is sound").as_ref(), Some(message));
        assert!(frame.is_empty());
    }
    // In whatever pieces they come, the messages are the same.
    let (first, mut buffer, _) = all::<T>(&data[..cut(data)]);
    buffer.extend_from_slice(&data[cut(data)..]);
    let (second, _, again) = all::<T>(&buffer);
    assert_eq!(first.into_iter().chain(second).collect::<Vec<_>>(), messages);
    assert_eq!(again, is_sound);
}

/// All messages, what is left, and whether more may follow.
fn all<T: DeserializeOwned>(data: &[u8]) -> (Vec<Numbered<T>>, Vec<u8>, bool) {
    let (mut buffer, mut messages) = (data.to_vec(), Vec::new());
    loop {
        match decode(&mut buffer) {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return (messages, buffer, true),
            Err(error) => {
                assert!(!matches!(error, FrameError::Transport(_)));
                return (messages, buffer, false);
            }
        }
    }
}

/// The blocking reader takes the same messages. It sets aside what a head announces, so only announcements that come
/// true are tried.
fn check_read<T: DeserializeOwned + PartialEq + Debug>(data: &[u8], messages: &[Numbered<T>]) {
    let mut source = data;
    for message in messages {
        assert_eq!(&read::<T>(&mut source).expect("the frame is sound"), message);
    }
}

/// Messages of each kind, some in one piece.
pub fn seeds() -> Vec<Seed> {
    let (path, params) = ("/modules/a.ko".to_owned(), "x=1".to_owned());
    let (argv, env) = (vec!["/bin/true".to_owned()], vec![("PATH".to_owned(), "/bin".to_owned())]);
    let requests = [
        Request::Start(Job::Exec { argv, env }),
        Request::Start(Job::InitModule { path: path.clone(), params: params.clone() }),
        Request::Start(Job::FinitModule { path: path.clone(), open: 0, params, flags: 4 }),
        Request::Start(Job::DeleteModule { name: "a".into(), flags: 2048 }),
        Request::Wait { job: 1, timeout_ms: 1000 },
        Request::Kill { job: 1, signal: 9 },
        Request::Read { path: path.clone() },
        Request::Write { path: path.clone(), bytes: vec![1, 2], mode: 0o644 },
        Request::Find { path: path.clone(), text: "x".into() },
        Request::List { path: path.clone() },
        Request::Open { path, write: true },
        Request::Close { file: 3 },
        Request::PowerOff,
        Request::Log,
        Request::Uevents,
    ];
    let ending = Ending { how: How::Exited(0), raw: vec![-1], stdout: b"out".to_vec(), stderr: vec![] };
    let replies = [
        Reply::Ready { version: 2, release: "6.1.0".into() },
        Reply::Started { job: 1, pid: 100 },
        Reply::Running,
        Reply::Ended(ending.clone()),
        Reply::Ended(Ending { how: How::Signalled(9), raw: vec![], ..ending }),
        Reply::Content(b"content".to_vec()),
        Reply::Names(vec!["a".into(), "b".into()]),
        Reply::Opened { file: 3 },
        Reply::Log(vec!["line".into()]),
        Reply::Done,
        Reply::Errno(2),
        Reply::Refused("no".into()),
    ];
    let too_long = [&[0xa5][..], &(CONTENT_BYTES_MAX as u32 * 8).to_le_bytes()].concat();
    vec![
        ("requests".to_owned(), frames(&requests)),
        ("replies".to_owned(), frames(&replies)),
        ("too-long".to_owned(), too_long),
        ("noise".to_owned(), b"noise".to_vec()),
    ]
}

fn frames<T: Serialize>(messages: &[T]) -> Vec<u8> {
    let frame = |(number, message)| encode(number, message).expect("it is short");
    (0..).zip(messages).flat_map(frame).collect()
}
