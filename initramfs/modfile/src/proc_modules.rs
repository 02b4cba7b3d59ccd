//! `/proc/modules`: one line for each loaded module, newest first.
//!
//! ```text
//! loop_a 16384 1 loop_b,[permanent], Live 0xffffffffc0000000 (OE)
//! name   bytes refcnt users          state address           taint, `+` coming, `-` going
//! ```

use alloc::{string::String, vec::Vec};

/// One loaded module. As it is read its texts are the line's, `&str`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcModule<T = String> {
    /// The module's name.
    pub name: T,
    /// Bytes of memory it takes. Never compare them: they differ by kernel version and by compiler.
    pub size: u64,
    /// References to it. `-1` is seen while it goes; None on a kernel that cannot unload modules.
    pub refcnt: Option<i64>,
    /// The modules that use it.
    pub users: Vec<T>,
    /// It has an init function and no exit function, so only force unloads it.
    pub permanent: bool,
    /// Where it is in its life.
    pub state: State,
    /// Where it is in memory; 0 for a reader without the right to know.
    pub address: u64,
    /// The letters of what it has tainted, such as `OE`; without the mark for coming or going.
    pub taint: T,
}

/// Where a module is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Usable.
    Live,
    /// Its init function runs.
    Loading,
    /// Its exit function runs.
    Unloading,
}

/// The part of a line that is not as expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadLine(pub &'static str);

impl core::fmt::Display for BadLine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "unexpected {} in a line of /proc/modules", self.0)
    }
}

impl core::error::Error for BadLine {}

/// All lines, in the file's order.
pub fn parse(text: &str) -> impl Iterator<Item = Result<ProcModule<&str>, BadLine>> {
    text.lines().filter(|line| !line.is_empty()).map(parse_line)
}

/// One line.
pub fn parse_line(line: &str) -> Result<ProcModule<&str>, BadLine> {
    let mut words = line.split_ascii_whitespace();
    let mut next = |what| words.next().ok_or(BadLine(what));
    let name = next("name")?;
    let size = next("size")?.parse().map_err(|_| BadLine("size"))?;
    let refcnt = refcnt(next("reference count")?)?;
    let (users, permanent) = users(next("list of users")?);
    let state = state(next("state")?)?;
    let address = address(next("address")?)?;
    let taint = words.next().map_or(Ok(""), taint)?;
    Ok(ProcModule { name, size, refcnt, users, permanent, state, address, taint })
}

impl ProcModule<&str> {
    /// The same with texts of its own.
    pub fn into_owned(self) -> ProcModule {
        let Self { name, size, refcnt, users, permanent, state, address, taint } = self;
        let users = users.into_iter().map(String::from).collect();
        ProcModule { name: name.into(), size, refcnt, users, permanent, state, address, taint: taint.into() }
    }
}

fn refcnt(word: &str) -> Result<Option<i64>, BadLine> {
    match word {
        "-" => Ok(None),
        count => count.parse().map(Some).map_err(|_| BadLine("reference count")),
    }
}

fn users(word: &str) -> (Vec<&str>, bool) {
    let entries = || word.split(',').filter(|entry| !matches!(*entry, "" | "-"));
    let permanent = entries().any(|entry| entry == "[permanent]");
    (entries().filter(|entry| *entry != "[permanent]").collect(), permanent)
}

fn state(word: &str) -> Result<State, BadLine> {
    match word {
        "Live" => Ok(State::Live),
        "Loading" => Ok(State::Loading),
        "Unloading" => Ok(State::Unloading),
        _ => Err(BadLine("state")),
    }
}

fn address(word: &str) -> Result<u64, BadLine> {
    let digits = word.strip_prefix("0x").ok_or(BadLine("address"))?;
    u64::from_str_radix(digits, 16).map_err(|_| BadLine("address"))
}

fn taint(word: &str) -> Result<&str, BadLine> {
    let letters = word.strip_prefix('(').and_then(|word| word.strip_suffix(')')).ok_or(BadLine("taint"))?;
    Ok(letters.trim_end_matches(['+', '-']))
}

#[cfg(test)]
mod tests {
    use alloc::{string::ToString as _, vec};

    use super::*;

    fn plain(name: &str) -> ProcModule<&str> {
        ProcModule {
            name,
            size: 16384,
            refcnt: Some(0),
            users: vec![],
            permanent: false,
            state: State::Live,
            address: 0,
            taint: "",
        }
    }

    #[test]
    fn every_form_of_a_line_is_read() {
        for (line, expected) in [
            ("a 16384 0 - Live 0x0000000000000000", plain("a")),
            (
                "a 16384 2 b,c, Live 0xffffffffc0000000 (OE)",
                ProcModule {
                    refcnt: Some(2),
                    users: vec!["b", "c"],
                    address: 0xffff_ffff_c000_0000,
                    taint: "OE",
                    ..plain("a")
                },
            ),
            (
                "a 16384 1 b,[permanent], Live 0x0",
                ProcModule { refcnt: Some(1), users: vec!["b"], permanent: true, ..plain("a") },
            ),
            ("a 16384 1 - Loading 0x0 (+)", ProcModule { refcnt: Some(1), state: State::Loading, ..plain("a") }),
            (
                "a 16384 -1 - Unloading 0x0 (OE-)",
                ProcModule { refcnt: Some(-1), state: State::Unloading, taint: "OE", ..plain("a") },
            ),
            ("a 16384 - - Live 0x0", ProcModule { refcnt: None, ..plain("a") }),
            ("a 16384 5000000000 - Live 0x0", ProcModule { refcnt: Some(5_000_000_000), ..plain("a") }),
        ] {
            assert_eq!(parse_line(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn a_bad_line_names_its_part() {
        for (line, part) in [
            ("", "name"),
            ("a", "size"),
            ("a b", "size"),
            ("a 1 x", "reference count"),
            ("a 1 0", "list of users"),
            ("a 1 0 - Dead", "state"),
            ("a 1 0 - Live 12", "address"),
            ("a 1 0 - Live 0x0 OE", "taint"),
            ("a 1 0 - Live 0x0 (", "taint"),
        ] {
            assert_eq!(parse_line(line), Err(BadLine(part)), "{line}");
        }
        assert_eq!(BadLine("size").to_string(), "unexpected size in a line of /proc/modules");
    }

    #[test]
    fn lines_keep_their_order() {
        let names: Vec<_> = parse("b 1 0 - Live 0x0\na 1 0 - Live 0x0\n").map(|module| module.unwrap().name).collect();
        assert_eq!(names, ["b", "a"]);
    }
}
