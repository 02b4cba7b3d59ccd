//! Output for programs: JSON, pretty-printed with two blanks to a level.
//!
//! Only the writing, and only what the tools print: a dependency would be more than the whole of this.

/// A JSON value. Texts are bytes, since names, paths and `.modinfo` values are: what is not UTF-8 in them becomes
/// U+FFFD when it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Number(i64),
    /// A string.
    Text(Vec<u8>),
    /// An array.
    List(Vec<Value>),
    /// An object, its members in the order given.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// An object of these members.
    pub fn object<K: Into<String>>(members: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Object(members.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// An array of these values.
    pub fn list<T: Into<Value>>(values: impl IntoIterator<Item = T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }

    /// Writes the value as a text of its own, a line break at its end.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.write_at(0, out);
        out.push(b'\n');
    }

    fn write_at(&self, depth: usize, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend(b"null"),
            Self::Bool(value) => out.extend(value.to_string().bytes()),
            Self::Number(value) => out.extend(value.to_string().bytes()),
            Self::Text(text) => write_text(text, out),
            Self::List(values) => {
                enclose(b"[]", depth, values, out, |value, out| value.write_at(depth + 1, out));
            }
            Self::Object(members) => enclose(b"{}", depth, members, out, |(key, value), out| {
                write_text(key.as_bytes(), out);
                out.extend(b": ");
                value.write_at(depth + 1, out);
            }),
        }
    }
}

/// A top-level array that is written while its elements are still being found out.
#[derive(Debug, Default)]
pub struct Stream {
    started: bool,
}

impl Stream {
    /// Writes the next element.
    pub fn push(&mut self, value: &Value, out: &mut Vec<u8>) {
        out.extend(if self.started { b",\n  " } else { b"[\n  " });
        self.started = true;
        value.write_at(1, out);
    }

    /// Writes what ends the array.
    pub fn finish(self, out: &mut Vec<u8>) {
        out.extend(if self.started { &b"\n]\n"[..] } else { b"[]\n" });
    }
}

/// Items between brackets, each on a line of its own; nothing between them is the shortest form.
fn enclose<T>(brackets: &[u8; 2], depth: usize, items: &[T], out: &mut Vec<u8>, write: impl Fn(&T, &mut Vec<u8>)) {
    out.push(brackets[0]);
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        break_line(depth + 1, out);
        write(item, out);
    }
    if !items.is_empty() {
        break_line(depth, out);
    }
    out.push(brackets[1]);
}

fn break_line(depth: usize, out: &mut Vec<u8>) {
    out.push(b'\n');
    out.resize(out.len() + 2 * depth, b' ');
}

fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for letter in String::from_utf8_lossy(text).chars() {
        match letter {
            '"' => out.extend(b"\\\""),
            '\\' => out.extend(b"\\\\"),
            '\n' => out.extend(b"\\n"),
            '\t' => out.extend(b"\\t"),
            // Also the one control character that JSON would allow: a terminal would obey it.
            letter if letter.is_ascii_control() => out.extend(format!("\\u{:04x}", u32::from(letter)).bytes()),
            letter => out.extend(letter.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    out.push(b'"');
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Number(value.into())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into_bytes())
    }
}

impl From<&[u8]> for Value {
    fn from(text: &[u8]) -> Self {
        Self::Text(text.into())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: impl Into<Value>) -> String {
        let mut out = Vec::new();
        value.into().write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_kind_of_value_has_its_form() {
        for (value, expected) in [
            (Value::from(None::<i64>), "null\n"),
            (true.into(), "true\n"),
            ((-2).into(), "-2\n"),
            ("a".into(), "\"a\"\n"),
            (Value::list([""; 0]), "[]\n"),
            (Value::Object(vec![]), "{}\n"),
            (Value::list([1, 2]), "[\n  1,\n  2\n]\n"),
            (
                Value::object([("a", Value::object([("b", Value::list(["c"]))])), ("d", 1.into())]),
                "{\n  \"a\": {\n    \"b\": [\n      \"c\"\n    ]\n  },\n  \"d\": 1\n}\n",
            ),
        ] {
            assert_eq!(text(value), expected);
        }
    }

    #[test]
    fn letters_that_would_end_or_break_a_string_are_escaped() {
        assert_eq!(
            text(&b"\"\\\n\t\r\0\x1b\x7f/\xc3\xa9\xff"[..]),
            "\"\\\"\\\\\\n\\t\\u000d\\u0000\\u001b\\u007f/\u{e9}\u{fffd}\"\n"
        );
    }

    #[test]
    fn a_stream_looks_like_a_list() {
        for values in [vec![], vec![1], vec![1, 2]] {
            let (mut stream, mut out) = (Stream::default(), Vec::new());
            for value in &values {
                stream.push(&Value::from(*value), &mut out);
            }
            stream.finish(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text(Value::list(values)));
        }
    }
}
