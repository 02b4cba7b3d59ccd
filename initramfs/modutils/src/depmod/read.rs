//! Reading the modules: several at a time, of each only what is needed.
//!
//! ```text
//! plain       ELF header ─▶ section headers ─▶ names ─▶ the five sections of interest    28 % of a tree's pages
//! compressed  all of it, unpacked into memory that the thread keeps
//! ```

use std::{
    fs::{self, File},
    io,
    num::NonZero,
    ops::Range,
    os::unix::fs::{FileExt as _, FileTypeExt as _, OpenOptionsExt as _},
    panic,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use modfile::elf::Elf;

use super::{cause, facts::Facts, place::Place};
use crate::{
    compress::{MAGIC_BYTES, UNPACKED_BYTES_MAX, WASTE_MAX, compression, unpack_into},
    sys::strerror,
};

/// Sections that are read of a plain file, besides its symbols. Checksums of exports may lie in any section, so that
/// with them all of it is.
const SECTIONS: [&str; 5] =
    [".modinfo", "__versions", "__version_ext_crcs", "__version_ext_names", "__ksymtab_strings"];

/// At the beginning of a file: the ELF header and, as a rule, nothing else of use.
const START_BYTES: usize = 64;

/// Memory of this size stays whatever is read, bytes.
const ROOM_MIN: usize = 1 << 18;

/// A thread is not worth its start for fewer modules.
const MODULES_PER_THREAD: usize = 32;

/// What was read of a module, or the messages that say why it was not.
pub(super) type Reading = Result<Facts, Vec<String>>;

/// Reads the modules at these positions, over all processors. In the order of `wanted`.
pub(super) fn all(places: &[Place], wanted: &[usize], with_crcs: bool) -> Vec<Reading> {
    let queue = Queue::new(places, wanted);
    let work = |take: &dyn Fn() -> Option<usize>| {
        let (mut reader, mut done) = (Reader::default(), Vec::new());
        while let Some(at) = take() {
            done.push((at, reader.read(&places[wanted[at]], with_crcs)));
        }
        done
    };
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let helpers = processors.min(wanted.len() / MODULES_PER_THREAD).saturating_sub(1);
    let mut done = thread::scope(|scope| {
        let helpers: Vec<_> = (0..helpers).map(|_| scope.spawn(|| work(&|| queue.small()))).collect();
        let mut done = work(&|| queue.large());
        for helper in helpers {
            done.extend(helper.join().unwrap_or_else(|panic| panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, reading)| reading).collect()
}

/// The work, taken from both ends: one thread has the largest files one after the other, so that their memory is not
/// needed at the same time; the others come from the small end, and nobody waits long for the last one.
struct Queue {
    /// Positions, those of small files first.
    order: Vec<usize>,
    taken: AtomicUsize,
    small: AtomicUsize,
    large: AtomicUsize,
}

impl Queue {
    fn new(places: &[Place], wanted: &[usize]) -> Self {
        // Plain files take too little time and memory to be worth asking for their size.
        let weight = |at: &usize| {
            let path = places[wanted[*at]].path();
            let is_plain = path.extension().is_some_and(|extension| extension == "ko");
            if is_plain { 0 } else { fs::metadata(path).map_or(0, |metadata| metadata.len()) }
        };
        let mut order: Vec<usize> = (0..wanted.len()).collect();
        order.sort_by_cached_key(weight);
        Self { order, taken: AtomicUsize::new(0), small: AtomicUsize::new(0), large: AtomicUsize::new(0) }
    }

    fn small(&self) -> Option<usize> {
        self.is_one_left().then(|| self.order[self.small.fetch_add(1, Ordering::Relaxed)])
    }

    fn large(&self) -> Option<usize> {
        self.is_one_left().then(|| self.order[self.order.len() - 1 - self.large.fetch_add(1, Ordering::Relaxed)])
    }

    /// Each yes is for one: both ends together never take more than there are.
    fn is_one_left(&self) -> bool {
        self.taken.fetch_add(1, Ordering::Relaxed) < self.order.len()
    }
}

/// Reads one module after the other, with memory that it keeps.
#[derive(Default)]
struct Reader {
    /// The file's bytes at their own places; those not read are left over from other files.
    file: Vec<u8>,
    unpacked: Vec<u8>,
}

impl Reader {
    fn read(&mut self, place: &Place, with_crcs: bool) -> Reading {
        let path = place.path();
        let failed = |why: String| format!("failed to load symbols from {}: {why}", path.display());
        let (file, len) = open(path).map_err(|error| vec![failed(cause(&error))])?;
        if len < MAGIC_BYTES {
            return Err(vec![failed(strerror(libc::EINVAL))]);
        }
        self.make_room(len);
        let start = 0..START_BYTES.min(len);
        self.fetch(&file, start.clone()).map_err(|error| vec![failed(cause(&error))])?;
        let bytes = if compression(&self.file[start]).is_some() {
            self.fetch(&file, 0..len).map_err(|error| vec![failed(cause(&error))])?;
            unpack_into(&self.file[..len], &mut self.unpacked)
                .map_err(|error| vec![error.to_string(), failed(strerror(libc::EINVAL))])?;
            &self.unpacked[..]
        } else {
            let fetched = if with_crcs { self.fetch(&file, 0..len) } else { self.fetch_parts(&file, len) };
            fetched.map_err(|error| vec![failed(cause(&error))])?;
            &self.file[..len]
        };
        let elf = Elf::parse(bytes).map_err(|_| vec![failed(why_not_elf(bytes))])?;
        Ok(Facts::of(&elf, with_crcs))
    }

    /// Memory is not copied to get more of it: what it holds is of no use.
    fn make_room(&mut self, len: usize) {
        if self.file.len() < len || self.file.len() / WASTE_MAX > len.max(ROOM_MIN) {
            self.file = Vec::new();
            self.file = vec![0; len];
        }
    }

    fn fetch(&mut self, file: &File, range: Range<usize>) -> io::Result<()> {
        file.read_exact_at(&mut self.file[range.clone()], range.start as u64)
    }

    /// What is needed of a plain file. A damaged one is read as far as it is sound: the parser then finds the damage
    /// before it comes to bytes that were not read.
    fn fetch_parts(&mut self, file: &File, len: usize) -> io::Result<()> {
        let inside = |range: Range<u64>| {
            let range = usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?;
            (range.end <= len).then_some(range)
        };
        let Some(table) = Elf::table_range(&self.file[..START_BYTES.min(len)]).ok().and_then(inside) else {
            return Ok(());
        };
        self.fetch(file, table)?;
        let Some(names) = Elf::parse(&self.file[..len]).ok().and_then(|elf| inside(elf.names_range())) else {
            return Ok(());
        };
        self.fetch(file, names)?;
        match parts(&self.file[..len]) {
            Ok(parts) => parts.into_iter().try_for_each(|range| self.fetch(file, range)),
            Err(_) => self.fetch(file, 0..len),
        }
    }
}

/// Where all lies that [`Facts::of`] looks at, neighbours as one.
fn parts(bytes: &[u8]) -> Result<Vec<Range<usize>>, modfile::Error> {
    let elf = Elf::parse(bytes)?;
    let range = |section: modfile::elf::Section<'_>| section.offset..section.offset + section.data.len() as u64;
    let mut ranges: Vec<_> = elf.sections_named(SECTIONS)?.into_iter().flatten().map(range).collect();
    ranges.extend(elf.symbol_table().map(|symbols| symbols.ranges()).into_iter().flatten());
    ranges.retain(|range| !range.is_empty());
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.dedup_by(|later, before| {
        // Padding between sections costs less than another call.
        let joins = later.start <= before.end + 64;
        if joins {
            before.end = before.end.max(later.end);
        }
        joins
    });
    Ok(ranges.into_iter().map(|range| range.start as usize..range.end as usize).collect())
}

/// Opens without waiting for a writer, should it be a pipe.
fn open(path: &Path) -> io::Result<(File, usize)> {
    let file = fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    let kind = metadata.file_type();
    if kind.is_dir() {
        return Err(io::Error::from_raw_os_error(libc::EISDIR));
    }
    if kind.is_fifo() || kind.is_socket() || kind.is_char_device() || metadata.len() > UNPACKED_BYTES_MAX {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    Ok((file, metadata.len() as usize))
}

/// kmod's words for what is no ELF file, and for what is a damaged one.
fn why_not_elf(bytes: &[u8]) -> String {
    let is_elf = bytes.len() >= 16 && bytes.starts_with(b"\x7fELF");
    strerror(if is_elf { libc::EINVAL } else { libc::ENOEXEC })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use modfile::{elf::Layout, write::Module};

    use super::*;

    /// A directory with one module, and memory that is full of something else before each reading.
    struct Case(tempfile::TempDir);

    impl Case {
        fn read(&self, bytes: &[u8]) -> Reading {
            let path: PathBuf = self.0.path().join("m.ko");
            fs::write(&path, bytes).unwrap();
            let place = Place::new(self.0.path(), path.as_os_str().as_encoded_bytes());
            let mut reader = Reader { file: b"\x01alias=left_over\0__crc_".repeat(400), ..Reader::default() };
            reader.read(&place, false)
        }
    }

    fn module(layout: Layout) -> Vec<u8> {
        let module = Module::new("m").layout(layout).modinfo("alias", "x").exports_with_crc("e", 7).needs("n");
        module.needs_weakly("w").version("n", 1).version("module_layout", 2).build()
    }

    #[test]
    fn parts_are_read_as_the_whole_would_be_however_it_is_damaged() {
        let case = Case(tempfile::tempdir().unwrap());
        for layout in [Layout::ELF64_LE, Layout { is_64: false, is_big: true }] {
            let sound = module(layout);
            for at in 0..sound.len() {
                let mut bytes = sound.clone();
                bytes[at] ^= 1 << (at % 8);
                let whole = Elf::parse(&bytes).map(|elf| Facts::of(&elf, false)).ok();
                assert_eq!(case.read(&bytes).ok(), whole, "{layout:?}: byte {at:#x} changed");
            }
        }
    }

    #[test]
    fn a_module_that_is_cut_is_an_error_or_read_as_far_as_it_goes() {
        let case = Case(tempfile::tempdir().unwrap());
        let sound = module(Layout::ELF64_LE);
        for len in 0..=sound.len() {
            let whole = Elf::parse(&sound[..len]).map(|elf| Facts::of(&elf, false)).ok();
            assert_eq!(case.read(&sound[..len]).ok(), whole, "cut at {len}");
        }
    }

    #[test]
    fn every_module_is_taken_once_and_answers_come_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let places: Vec<Place> = (0..100)
            .map(|i| {
                let path = directory.path().join(format!("m{i}.ko{}", if i % 3 == 0 { ".xz" } else { "" }));
                fs::write(&path, Module::new("m").exports(&format!("e{i}")).build()).unwrap();
                Place::new(directory.path(), path.as_os_str().as_encoded_bytes())
            })
            .collect();
        let wanted: Vec<usize> = (0..100).rev().step_by(2).collect();
        let readings = all(&places, &wanted, false);
        let names: Vec<_> = readings
            .iter()
            .map(|reading| {
                reading.as_ref().unwrap().exports.iter().map(|export| export.name.to_vec()).collect::<Vec<_>>()
            })
            .collect();
        let expected: Vec<_> = wanted.iter().map(|at| vec![format!("e{at}").into_bytes()]).collect();
        assert_eq!(names, expected);
    }
}
