//! QEMU's machine protocol: one JSON object per line, in both directions.

use serde_json::{Value, json};

use crate::error::{Error, Result};

/// Longest line accepted, bytes. Answers to what we ask are a few KiB.
const LINE_BYTES_MAX: usize = 1 << 20;

/// A command as a line.
pub(super) fn command(name: &str, arguments: &Value) -> Vec<u8> {
    let mut line = match arguments {
        Value::Null => json!({ "execute": name }),
        arguments => json!({ "execute": name, "arguments": arguments }),
    }
    .to_string();
    line.push('\n');
    line.into_bytes()
}

/// Takes the next answer from the front of `buffer`; skips greeting and events. `None` when more bytes are needed.
///
/// # Errors
/// QEMU refused the command, or what came is no QMP.
pub(super) fn answer(buffer: &mut Vec<u8>) -> Result<Option<Value>> {
    while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
        let line: Vec<u8> = buffer.drain(..=end).collect();
        let mut message: Value = serde_json::from_slice(&line)
            .map_err(|cause| Error::new("QEMU's monitor does not speak QMP").because(cause))?;
        if let Some(value) = message.get_mut("return") {
            return Ok(Some(value.take()));
        }
        if let Some(error) = message.get("error") {
            let text = error.get("desc").and_then(Value::as_str).unwrap_or("no reason given");
            return Err(Error::new(format!("QEMU refused a command: {text}")));
        }
    }
    if buffer.len() > LINE_BYTES_MAX {
        return Err(Error::new("QEMU's monitor does not speak QMP: a line without end"));
    }
    Ok(None)
}

/// Whether one of these messages says that the guest has ended its machine.
pub(super) fn tells_the_end(buffer: &[u8]) -> bool {
    memchr::memmem::find(buffer, b"\"event\": \"SHUTDOWN\"").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greeting_and_events_are_skipped_and_pieces_awaited() {
        let mut buffer = b"{\"QMP\": {}}\r\n{\"event\": \"STOP\"}\r\n{\"ret".to_vec();
        assert_eq!(answer(&mut buffer).unwrap(), None);
        buffer.extend(b"urn\": {\"a\": 1}}\r\n");
        assert_eq!(answer(&mut buffer).unwrap(), Some(json!({"a": 1})));
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_refusal_is_an_error_with_its_reason() {
        let mut buffer = b"{\"error\": {\"class\": \"GenericError\", \"desc\": \"no such thing\"}}\n".to_vec();
        assert_eq!(answer(&mut buffer).unwrap_err().to_string(), "QEMU refused a command: no such thing");
        assert!(answer(&mut b"garbage\n".to_vec()).is_err());
    }
}
