//! What was read of each module, kept beside the indexes: with `--incremental` only new and changed modules are read.
//!
//! ```text
//! heading            format, version of the program
//! checksum of the rest up to the facts, and of the facts
//! state              what else the indexes were made from; whether all went without a message; stamps of the indexes
//! modules            path, stamp, length of its facts
//! facts              strings, exports, needs, one module after the other
//! ```
//! A file is known by its path and stamp. A cache that is damaged, or of another version, is as good as none.

use std::{
    cell::OnceCell, collections::HashMap, fs, hash::Hasher as _, io, ops::Range, os::unix::fs::MetadataExt as _,
    path::Path, time::SystemTime,
};

use super::{
    facts::{Facts, Symbol, Symbols},
    hash::Quick,
};

/// The cache's file, in the directory of the indexes.
pub(super) const NAME: &str = "modules.depmod.cache";

const HEADING: &[u8] = concat!("depmod cache 1, modutils ", env!("CARGO_PKG_VERSION"), "\n").as_bytes();

/// A file changed that shortly before it was read may change again without a new time, nanoseconds: clocks of file
/// systems tick 100 times a second.
const TICK: u128 = 20_000_000;

/// Nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// What tells whether a file is still the same, without reading it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp([u64; 5]);

impl Stamp {
    /// Of a file, all zeros if it is not there.
    pub(super) fn of(path: &Path) -> Self {
        let Ok(file) = fs::metadata(path) else { return Self::default() };
        let time =
            |seconds: i64, nanoseconds: i64| (seconds as u64).wrapping_mul(SECOND).wrapping_add(nanoseconds as u64);
        let (modified, changed) = (time(file.mtime(), file.mtime_nsec()), time(file.ctime(), file.ctime_nsec()));
        Self([file.dev(), file.ino(), file.size(), modified, changed])
    }

    /// The bytes that stand for it.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        self.0.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    /// Whether the file was left alone for long enough to be known by its times.
    fn is_settled(self, now: SystemTime) -> bool {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_nanos());
        self.0[3..].iter().all(|time| u128::from(*time) + TICK < now)
    }
}

/// What the indexes depend on besides the modules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// Of the directories, options and lists that went into them.
    pub(super) inputs: u64,
    /// Whether checksums of exports were read.
    pub(super) with_crcs: bool,
    /// Whether there was no message: what was told once has to be told again.
    pub(super) is_silent: bool,
    /// The indexes as they were written.
    pub(super) outputs: Vec<Stamp>,
}

/// A number that stands for a list of texts.
pub(super) fn fingerprint<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let mut hasher = Quick::default();
    for text in texts {
        hasher.write(text);
    }
    hasher.finish()
}

/// What an earlier run left.
#[derive(Default)]
pub(super) struct Cache {
    state: State,
    /// The file's part that holds paths, and the modules in it.
    table: Vec<u8>,
    modules: Vec<Known>,
    facts: Vec<u8>,
    facts_sum: u64,
    /// Positions by path; empty when the facts are damaged.
    by_path: OnceCell<HashMap<Vec<u8>, usize>>,
}

/// What the table says of a module.
struct Known {
    path: Range<usize>,
    stamp: Stamp,
    facts: Range<usize>,
}

impl Cache {
    /// None where there is nothing of use.
    pub(super) fn load(directory: &Path) -> Option<Self> {
        let mut bytes = fs::read(directory.join(NAME)).ok()?;
        let mut input = Input(bytes.strip_prefix(HEADING)?);
        let (table_sum, facts_sum, table_len) = (input.number()?, input.number()?, input.number()?);
        let start = bytes.len() - input.0.len();
        let end = start.checked_add(usize::try_from(table_len).ok()?).filter(|end| *end <= bytes.len())?;
        let facts = bytes.split_off(end);
        let table = bytes.split_off(start);
        if fingerprint([&table[..]]) != table_sum {
            return None;
        }
        Self { table, facts, facts_sum, ..Self::default() }.decode()
    }

    fn decode(mut self) -> Option<Self> {
        let mut table = Input(&self.table);
        let (inputs, flags, outputs) = (table.number()?, table.number()?, table.number()?);
        let outputs = (0..outputs).map(|_| table.stamp()).collect::<Option<_>>()?;
        self.state = State { inputs, with_crcs: flags & 1 != 0, is_silent: flags & 2 != 0, outputs };
        let mut start = 0;
        while !table.0.is_empty() {
            let path = table.text()?.len();
            let path_end = self.table.len() - table.0.len();
            let (stamp, len) = (table.stamp()?, usize::try_from(table.number()?).ok()?);
            let end = start + len.min(self.facts.len());
            self.modules.push(Known { path: path_end - path..path_end, stamp, facts: start..end });
            start = end;
        }
        Some(self)
    }

    fn by_path(&self) -> &HashMap<Vec<u8>, usize> {
        self.by_path.get_or_init(|| {
            let is_sound = fingerprint([&self.facts[..]]) == self.facts_sum;
            let modules = self.modules.iter().filter(|_| is_sound);
            modules.zip(0..).map(|(module, at)| (self.table[module.path.clone()].to_vec(), at)).collect()
        })
    }

    /// Whether a run would write just what is there.
    pub(super) fn is_current<'a>(
        &self,
        state: &State,
        mut modules: impl Iterator<Item = (&'a [u8], &'a Stamp)>,
    ) -> bool {
        let mut known = self.modules.iter();
        let is_known = |(path, stamp): (&[u8], &Stamp)| {
            known.next().is_some_and(|known| &self.table[known.path.clone()] == path && known.stamp == *stamp)
        };
        self.state == *state && state.is_silent && modules.all(is_known) && known.next().is_none()
    }

    /// What was read of a file that has not changed since.
    pub(super) fn get(&self, path: &[u8], stamp: Stamp, with_crcs: bool) -> Option<Facts> {
        let known = &self.modules[*self.by_path().get(path)?];
        (known.stamp == stamp && stamp != Stamp::default() && (self.state.with_crcs || !with_crcs)).then_some(())?;
        let mut input = Input(self.facts.get(known.facts.clone())?);
        Some(Facts::from_parts(input.text()?, input.symbols()?, input.symbols()?))
    }

    /// Writes the cache beside its place and moves it there. `begun` is when the first file was read.
    pub(super) fn store<'a>(
        directory: &Path,
        state: &State,
        begun: SystemTime,
        modules: impl Iterator<Item = (&'a [u8], Stamp, &'a Facts)>,
    ) -> io::Result<()> {
        let (mut table, mut all_facts) = (Output::default(), Output::default());
        let flags = u64::from(state.with_crcs) | u64::from(state.is_silent) << 1;
        table.numbers([state.inputs, flags, state.outputs.len() as u64]);
        state.outputs.iter().for_each(|stamp| table.stamp(*stamp));
        for (path, stamp, facts) in modules {
            let start = all_facts.0.len();
            all_facts.text(facts.strings());
            all_facts.symbols(&facts.exports);
            all_facts.symbols(&facts.needs);
            table.text(path);
            table.stamp(if stamp.is_settled(begun) { stamp } else { Stamp::default() });
            table.numbers([(all_facts.0.len() - start) as u64]);
        }
        let mut file = Output(HEADING.to_vec());
        file.numbers([fingerprint([&table.0[..]]), fingerprint([&all_facts.0[..]]), table.0.len() as u64]);
        let temporary = directory.join(format!("{NAME}.{}.tmp", std::process::id()));
        file.0.extend(table.0);
        file.0.extend(all_facts.0);
        let written = fs::write(&temporary, file.0).and_then(|()| fs::rename(&temporary, directory.join(NAME)));
        written.inspect_err(|_| {
            // It may never have come to be.
            let _ = fs::remove_file(&temporary);
        })
    }
}

/// Bytes of the cache's file, from the front. None at its end.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(*self.take(8)?.first_chunk()?))
    }

    fn word(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(*self.take(4)?.first_chunk()?))
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let len = self.word()?;
        self.take(len as usize)
    }

    fn stamp(&mut self) -> Option<Stamp> {
        let mut stamp = Stamp::default();
        for number in &mut stamp.0 {
            *number = self.number()?;
        }
        Some(stamp)
    }

    fn symbols(&mut self) -> Option<Symbols> {
        let mut symbols = Symbols::default();
        let mut list = Input(self.text()?);
        while !list.0.is_empty() {
            let (crc, flags, name) = (list.word()?, list.take(1)?, list.text()?);
            symbols.push(Symbol { name, crc, is_weak: flags != [0] });
        }
        symbols.shrink();
        Some(symbols)
    }
}

/// The cache's file in the making.
#[derive(Default)]
struct Output(Vec<u8>);

impl Output {
    fn numbers<const N: usize>(&mut self, numbers: [u64; N]) {
        numbers.iter().for_each(|number| self.0.extend(number.to_le_bytes()));
    }

    fn word(&mut self, word: u32) {
        self.0.extend(word.to_le_bytes());
    }

    fn text(&mut self, text: &[u8]) {
        self.word(text.len() as u32);
        self.0.extend_from_slice(text);
    }

    fn stamp(&mut self, stamp: Stamp) {
        self.0.extend(stamp.to_bytes());
    }

    fn symbols(&mut self, symbols: &Symbols) {
        let start = self.0.len();
        self.word(0);
        for symbol in symbols.iter() {
            self.word(symbol.crc);
            self.0.push(symbol.is_weak.into());
            self.text(symbol.name);
        }
        let len = (self.0.len() - start - 4) as u32;
        self.0[start..start + 4].copy_from_slice(&len.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn facts(name: &[u8]) -> Facts {
        let mut symbols = Symbols::default();
        symbols.push(Symbol { name, crc: 7, is_weak: true });
        Facts::from_parts(b"alias=x\0", Symbols::default(), symbols)
    }

    fn is_current(cache: &Cache, state: &State, modules: &[(&[u8], Stamp)]) -> bool {
        cache.is_current(state, modules.iter().map(|(path, stamp)| (*path, stamp)))
    }

    /// Whether there is anything that a run would believe, but for a table that is whole without its facts.
    fn is_of_use(directory: &Path, state: &State) -> bool {
        let stamp = Stamp([1, 2, 3, 4, 5]);
        Cache::load(directory).is_some_and(|cache| {
            cache.get(b"x/a.ko", stamp, false).is_some() || !is_current(&cache, state, &[(b"x/a.ko", stamp)])
        })
    }

    #[test]
    fn what_is_stored_comes_back_unless_a_byte_is_wrong() {
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (Stamp([1, 2, 3, 4, 5]), Stamp([1, 2, 3, 1 << 60, 5]));
        let begun = SystemTime::UNIX_EPOCH + Duration::from_nanos(1 << 60);
        let state = State { inputs: 9, with_crcs: false, is_silent: true, outputs: vec![old] };
        let (a, b) = (facts(b"a"), facts(b"b"));
        let modules = [(&b"x/a.ko"[..], old, &a), (b"x/b.ko", new, &b)];
        Cache::store(directory.path(), &state, begun, modules.into_iter()).unwrap();

        let cache = Cache::load(directory.path()).unwrap();
        assert_eq!(cache.get(b"x/a.ko", old, false), Some(facts(b"a")));
        assert_eq!(cache.get(b"x/a.ko", new, false), None);
        assert_eq!(cache.get(b"x/a.ko", old, true), None);
        assert_eq!(cache.get(b"x/b.ko", new, false), None, "it may have changed in the moment it was read");
        assert!(!is_current(&cache, &state, &[(b"x/a.ko", old), (b"x/b.ko", new)]));

        Cache::store(directory.path(), &state, begun, modules.into_iter().take(1)).unwrap();
        let cache = Cache::load(directory.path()).unwrap();
        assert!(is_current(&cache, &state, &[(b"x/a.ko", old)]));
        assert!(!is_current(&cache, &state, &[]));
        assert!(!is_current(&cache, &State { inputs: 8, ..state.clone() }, &[(b"x/a.ko", old)]));
        assert!(!is_current(&cache, &State { outputs: vec![new], ..state.clone() }, &[(b"x/a.ko", old)]));

        let bytes = fs::read(directory.path().join(NAME)).unwrap();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            fs::write(directory.path().join(NAME), &damaged).unwrap();
            assert!(!is_of_use(directory.path(), &state), "byte {at}");
            fs::write(directory.path().join(NAME), &bytes[..at]).unwrap();
            assert!(!is_of_use(directory.path(), &state), "cut at {at}");
        }
    }
}
