//! What `modinfo` takes out of a module's file: the `.modinfo` section and the signature, and no more bytes than that
//! needs.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read as _},
    ops::Range,
    os::unix::fs::FileExt as _,
    path::Path,
};

use modfile::{
    modinfo::Modinfo,
    parts::{Fault, HEADER_BYTES, Table},
    signature::{self, Signature},
};

use crate::{
    compress::{MAGIC_BYTES, compression, unpack},
    sys::Refusal,
};

/// What lies before the section table, in the files that the kernel's build makes, is the section names; what comes
/// after it is the signature. Both are read with it.
const NAMES_BYTES: u64 = 2048;
/// Bytes from the file's end in which a signature is looked for first.
const SIGNATURE_BYTES: u64 = 4096;
/// A table that begins far from the end is not read together with all that follows.
const WINDOW_BYTES: u64 = 64 << 10;

/// Why a file has nothing to tell.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// kmod's error number for it.
    pub(super) refusal: Refusal,
    /// What the decompressor said, in kmod's words.
    pub(super) unpacking: Option<&'static str>,
}

impl Trouble {
    fn new(errno: i32) -> Self {
        Self { refusal: Refusal(-i64::from(errno)), unpacking: None }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(errno) => Self::new(errno),
            // The file has become shorter meanwhile.
            None => Self::new(libc::EINVAL),
        }
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::new(match fault {
            Fault::NotElf => libc::ENOEXEC,
            Fault::Damaged => libc::EINVAL,
        })
    }
}

/// Hands a file's contents to `tell`.
pub(super) fn read<T>(path: &Path, tell: impl FnOnce(Modinfo<'_>, Option<Signature<'_>>) -> T) -> Result<T, Trouble> {
    let mut file = File::open(path)?;
    let mut start = [0; HEADER_BYTES];
    let len = read_start(&mut file, &mut start)?;
    let start = &start[..len];
    if start.len() < MAGIC_BYTES {
        return Err(Trouble::new(libc::EINVAL));
    }
    let Some(kind) = compression(start) else {
        return parse(&Source::File(&file, file.metadata()?.len()), start, tell);
    };
    let mut bytes = start.to_vec();
    file.read_to_end(&mut bytes)?;
    let bytes = unpack(bytes)
        .map_err(|error| Trouble { unpacking: Some(words(kind, &error)), ..Trouble::new(libc::EINVAL) })?;
    parse(&Source::Memory(&bytes), &bytes[..bytes.len().min(HEADER_BYTES)], tell)
}

fn read_start(file: &mut File, start: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    loop {
        match file.read(&mut start[len..])? {
            0 => return Ok(len),
            more => len += more,
        }
    }
}

fn parse<T>(
    source: &Source<'_>,
    start: &[u8],
    tell: impl FnOnce(Modinfo<'_>, Option<Signature<'_>>) -> T,
) -> Result<T, Trouble> {
    let len = source.len();
    let table = Table::of(start, len)?;
    let from = table.range.start.saturating_sub(NAMES_BYTES);
    let window = Window::new(source, from..len.min(from + WINDOW_BYTES))?;
    let headers = window.get(table.range.clone())?;
    let names = window.get(table.names(&headers)?)?;
    let section = table.find(&headers, &names, b".modinfo")?.ok_or(Trouble::new(libc::ENODATA))?;
    let info = window.get(section)?;
    let end = window.get(len.saturating_sub(SIGNATURE_BYTES)..len)?;
    if signature::of(&end).is_some() || !signature::is_marked(&end) {
        return Ok(tell(Modinfo::new(&info), signature::of(&end)));
    }
    // Longer than any that the kernel's build appends, or damaged.
    let whole = window.get(0..len)?;
    Ok(tell(Modinfo::new(&info), signature::of(&whole)))
}

/// Where bytes come from.
enum Source<'a> {
    /// A file of that length.
    File(&'a File, u64),
    Memory(&'a [u8]),
}

impl<'a> Source<'a> {
    fn len(&self) -> u64 {
        match self {
            Self::File(_, len) => *len,
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }

    fn get(&self, range: Range<u64>) -> io::Result<Cow<'a, [u8]>> {
        let len = (range.end - range.start) as usize;
        match self {
            Self::Memory(bytes) => Ok(Cow::Borrowed(&bytes[range.start as usize..][..len])),
            Self::File(file, _) => {
                let mut bytes = vec![0; len];
                file.read_exact_at(&mut bytes, range.start)?;
                Ok(Cow::Owned(bytes))
            }
        }
    }
}

/// A part that is kept, since most of what is asked for lies in it. All ranges are inside the source.
struct Window<'a> {
    source: &'a Source<'a>,
    range: Range<u64>,
    bytes: Cow<'a, [u8]>,
}

impl<'a> Window<'a> {
    fn new(source: &'a Source<'a>, range: Range<u64>) -> io::Result<Self> {
        Ok(Self { source, bytes: source.get(range.clone())?, range })
    }

    fn get(&self, range: Range<u64>) -> io::Result<Cow<'_, [u8]>> {
        if range.start < self.range.start || range.end > self.range.end {
            return self.source.get(range);
        }
        let from = (range.start - self.range.start) as usize;
        Ok(Cow::Borrowed(&self.bytes[from..from + (range.end - range.start) as usize]))
    }
}

/// The words of kmod's libraries, as far as ours say the same.
fn words(kind: &str, error: &io::Error) -> &'static str {
    match (kind, error.kind()) {
        ("xz", io::ErrorKind::UnexpectedEof) => "xz_uncompress_belch: xz: Unexpected end of input",
        ("xz", _) => "xz_uncompress_belch: xz: File is corrupt",
        ("zstd", io::ErrorKind::UnexpectedEof) => "kmod_file_load_zstd: zstd: Src size is incorrect",
        ("zstd", _) => "kmod_file_load_zstd: zstd: Data corruption detected",
        _ => "load_zlib: gzip: File is corrupt",
    }
}
