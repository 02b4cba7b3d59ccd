//! Target `wire`: the bytes as what a guest sends to the host, and as the body of one frame.

use modrig_agent::wire::{self, Ending, FRAME_BYTES_MAX, FrameError, How, Reply, SYNC, WIRE_VERSION};

/// Reads the bytes both ways and checks what the decoder promises.
pub fn check(data: &[u8]) {
    let whole = messages(data, data.len().max(1));
    assert_eq!(whole, messages(data, 1 + data.len() / 7), "the pieces in which bytes arrive change the messages");
    let length = (data.len() as u32).to_le_bytes();
    messages(&[&[SYNC][..], &length, data].concat(), usize::MAX);
}

/// The messages in bytes that arrive in pieces of this size, until there is an error. It shows as its text.
fn messages(data: &[u8], piece: usize) -> Vec<Result<Reply, String>> {
    let (mut buffer, mut found) = (Vec::new(), Vec::new());
    for piece in data.chunks(piece.min(data.len().max(1))) {
        buffer.extend_from_slice(piece);
        loop {
            let before = buffer.clone();
            match wire::decode::<Reply>(&mut buffer) {
                Ok(Some(message)) => {
                    check_message(&message, before.len() - buffer.len());
                    assert!(before.ends_with(&buffer), "bytes behind a frame change");
                    found.push(Ok(message));
                }
                Ok(None) => {
                    assert_eq!(before, buffer, "bytes are taken without giving a message");
                    assert!(buffer.len() < FRAME_BYTES_MAX + 5, "more is awaited than a frame may have");
                    break;
                }
                Err(error) => {
                    check_error(&error, &before);
                    found.push(Err(error.to_string()));
                    return found;
                }
            }
        }
    }
    found
}

/// It says again what it said, and holds no more things than its frame has bytes.
fn check_message(message: &Reply, frame: usize) {
    let mut again = wire::encode(message).expect("what fitted into a frame fits again");
    assert_eq!(wire::decode::<Reply>(&mut again).expect("our own frame is one").as_ref(), Some(message));
    let count = match message {
        Reply::Names(texts) | Reply::Log(texts) => texts.len(),
        Reply::Content(bytes) => bytes.len(),
        _ => 0,
    };
    assert!(count <= frame);
}

/// Noise is refused with its first byte, a length with its head.
fn check_error(error: &FrameError, buffer: &[u8]) {
    match error {
        FrameError::NoSync(byte) => assert!(*byte != SYNC && buffer.first() == Some(byte)),
        FrameError::TooLong(length) => assert!(*length > FRAME_BYTES_MAX && buffer.len() >= 5),
        FrameError::Body(_) | FrameError::Rest(_) => assert!(buffer.len() >= 5),
        FrameError::Transport(error) => panic!("nothing was moved: {error}"),
    }
}

/// One frame of each message, to start a campaign from. Name and contents.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let ending = Ending { how: How::Signalled(9), raw: vec![-17], stdout: b"out".to_vec(), stderr: b"err".to_vec() };
    let replies = [
        ("ready", Reply::Ready { version: WIRE_VERSION, release: "6.1.0".into() }),
        ("started", Reply::Started { job: 1, pid: 70_000 }),
        ("running", Reply::Running),
        ("ended", Reply::Ended(ending)),
        ("content", Reply::Content(b"Live\n".to_vec())),
        ("names", Reply::Names(vec!["a".into(), "b".into()])),
        ("log", Reply::Log(vec!["hello: init".into(), String::new()])),
        ("errno", Reply::Errno(2)),
        ("refused", Reply::Refused("no job 7".into())),
    ];
    let frame = |reply: &Reply| wire::encode(reply).expect("a short message");
    let all = replies.iter().flat_map(|(_, reply)| frame(reply)).collect();
    let single = replies.iter().map(|(name, reply)| ((*name).to_owned(), frame(reply)));
    single.chain([("all".to_owned(), all)]).collect()
}
