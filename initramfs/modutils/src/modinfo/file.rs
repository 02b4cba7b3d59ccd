//! What `modinfo` takes out of a module's file: the `.modinfo` section and the signature, and no more bytes than that
//! needs.

use std::{
    borrow::Cow,
    cell::RefCell,
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
    compress::{MAGIC_BYTES, compression, unpack_into},
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
    /// What the decompressor said, in the words of kmod's library.
    pub(super) unpacking: Option<String>,
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

/// What is read of a module.
pub(super) struct Contents<'a> {
    pub(super) info: Modinfo<'a>,
    pub(super) signature: Option<Signature<'a>>,
    /// All bytes, if they were asked for.
    pub(super) whole: Option<&'a [u8]>,
}

/// Hands a file's contents to `tell`, with all its bytes or without.
pub(super) fn read<T>(path: &Path, is_whole: bool, tell: impl FnOnce(Contents<'_>) -> T) -> Result<T, Trouble> {
    let mut file = File::open(path)?;
    let mut start = [0; HEADER_BYTES];
    let len = read_start(&mut file, &mut start)?;
    let start = &start[..len];
    if start.len() < MAGIC_BYTES {
        return Err(Trouble::new(libc::EINVAL));
    }
    let Some(kind) = compression(start) else {
        return parse(&Source::File(&file, file.metadata()?.len()), start, is_whole, tell);
    };
    UNPACKED.with_borrow_mut(|module| {
        let mut packed = start.to_vec();
        file.read_to_end(&mut packed)?;
        unpack_into(&packed, module).map_err(|error| Trouble {
            unpacking: Some(format!("{}: {error}", function(kind))),
            ..Trouble::new(libc::EINVAL)
        })?;
        let told = parse(&Source::Memory(module), &module[..module.len().min(HEADER_BYTES)], is_whole, tell);
        module.clear();
        module.shrink_to(KEPT_BYTES);
        told
    })
}

/// The few modules that are larger than this give their memory back.
const KEPT_BYTES: usize = 4 << 20;

thread_local! {
    /// Where files are unpacked: new memory for each would cost more than what is done with it.
    static UNPACKED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The function of kmod that unpacks; its messages begin with it.
fn function(kind: &str) -> &'static str {
    match kind {
        "xz" => "xz_uncompress_belch",
        "zstd" => "kmod_file_load_zstd",
        _ => "load_zlib",
    }
}

fn read_start(file: &mut File, start: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < start.len() {
        match file.read(&mut start[len..])? {
            0 => break,
            more => len += more,
        }
    }
    Ok(len)
}

fn parse<T>(
    source: &Source<'_>,
    start: &[u8],
    is_whole: bool,
    tell: impl FnOnce(Contents<'_>) -> T,
) -> Result<T, Trouble> {
    let len = source.len();
    let table = Table::of(start, len)?;
    let from = table.range.start.saturating_sub(NAMES_BYTES);
    let window = Window::new(source, if is_whole { 0..len } else { from..len.min(from + WINDOW_BYTES) })?;
    let headers = window.get(table.range.clone())?;
    let names = window.get(table.names(&headers)?)?;
    let section = table.find(&headers, &names, b".modinfo")?.ok_or(Trouble::new(libc::ENODATA))?;
    let info = window.get(section)?;
    let mut end = window.get(len.saturating_sub(SIGNATURE_BYTES)..len)?;
    if signature::is_marked(&end) && signature::of(&end).is_none() {
        // Longer than any that the kernel's build appends, or damaged.
        end = window.get(0..len)?;
    }
    let whole = is_whole.then_some(&*window.bytes);
    Ok(tell(Contents { info: Modinfo::new(&info), signature: signature::of(&end), whole }))
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

#[cfg(test)]
mod tests {
    use std::fs;

    use modfile::write::Module;

    use super::*;

    fn module() -> Vec<u8> {
        Module::new("a").modinfo("license", "GPL").exports("symbol").build()
    }

    fn signed(module: &[u8], len: u32) -> Vec<u8> {
        let trailer = [&[1, 4, 1, 2, 0, 0, 0, 0][..], &len.to_be_bytes(), b"~Module signature appended~\n"].concat();
        [module, b"Me", &vec![7; len as usize], &trailer].concat()
    }

    /// The licence, and the signer with the length of the signature.
    type Told = (Option<Vec<u8>>, Option<(Vec<u8>, usize)>);

    fn told(bytes: &[u8]) -> Result<Told, Trouble> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.ko");
        fs::write(&path, bytes).unwrap();
        let read = |is_whole| {
            read(&path, is_whole, |contents| {
                assert_eq!(contents.whole.is_some(), is_whole);
                let signature =
                    contents.signature.map(|signature| (signature.signer.to_vec(), signature.signature.len()));
                (contents.info.get("license").map(Into::into), signature)
            })
        };
        assert_eq!(read(false), read(true));
        read(false)
    }

    #[test]
    fn contents_are_found_wherever_they_lie() {
        let (module, gpl) = (module(), Some(b"GPL".to_vec()));
        assert_eq!(told(&module), Ok((gpl.clone(), None)));
        for signature in [1, 300, 5000, 100_000] {
            // Also with the section table far away from the file's end.
            for gap in [0, 10_000, 200_000] {
                let file = signed(&[&module[..], &vec![0; gap]].concat(), signature);
                let expected = Some((b"Me".to_vec(), signature as usize));
                assert_eq!(told(&file), Ok((gpl.clone(), expected)), "{signature} bytes after {gap}");
            }
        }
    }

    #[test]
    fn a_packed_file_tells_the_same() {
        let file = signed(&module(), 300);
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        io::Write::write_all(&mut encoder, &file).unwrap();
        assert_eq!(told(&encoder.finish().unwrap()), told(&file));
    }

    #[test]
    fn errors_have_kmods_numbers() {
        let module = module();
        let no_info = Module::new("a").build();
        let name = no_info.windows(9).position(|window| window == b".modinfo\0").unwrap();
        let no_info = [&no_info[..name], b".other__\0", &no_info[name + 9..]].concat();
        for (bytes, errno) in [
            (&b""[..], libc::EINVAL),
            (b"\x7fELF\x02", libc::EINVAL),
            (b"\x7fELF\x02\x01", libc::ENOEXEC),
            (b"no module at all, but long enough for one", libc::ENOEXEC),
            (&module[..100], libc::EINVAL),
            (&no_info, libc::ENODATA),
        ] {
            assert_eq!(told(bytes), Err(Trouble::new(errno)), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn what_can_not_be_unpacked_has_the_librarys_words() {
        let trouble = told(b"\xfd7zXZ\0").unwrap_err();
        assert_eq!(trouble.unpacking.as_deref(), Some("xz_uncompress_belch: xz: Unexpected end of input"));
        let trouble = told(b"\xfd7zXZ\0not at all").unwrap_err();
        assert_eq!(trouble.unpacking.as_deref(), Some("xz_uncompress_belch: xz: File is corrupt"));
        assert!(trouble.refusal.is(libc::EINVAL));
    }
}
