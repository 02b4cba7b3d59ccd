//! The child that asks libkmod: it takes files from the tray, one by one, and keeps a record of each call, so that what was
//! at work is known when it dies.

use std::{
    env,
    ffi::{CStr, CString, c_char, c_int, c_void},
    fs::File,
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsFd, AsRawFd as _},
        unix::{fs::FileExt as _, net::UnixStream},
    },
    process::ExitCode,
    ptr,
};

use anstream::eprintln;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use super::{Call, FILES, LENGTHS, NAME, RECORD, Record, TRAY_CASES, memory};

/// Memory that libkmod may use, bytes: a damaged count must not take the machine's.
const MEMORY_MAX: u64 = 1 << 30;

/// Is the child, if that is what this program was started for.
pub(crate) fn run_if_called() -> Option<ExitCode> {
    (env::args_os().next()? == NAME).then(|| {
        serve().map_or_else(
            |error| {
                eprintln!("{error}");
                ExitCode::FAILURE
            },
            |()| ExitCode::SUCCESS,
        )
    })
}

/// Answers until there is nobody to ask.
fn serve() -> io::Result<()> {
    // It dies often: no file of its memory, and no collector of such files is to be called, as would be with a limit of 0.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    setrlimit(Resource::As, Rlimit { current: Some(MEMORY_MAX), maximum: Some(MEMORY_MAX) })?;
    let mut line = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let tray = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let libkmod = Libkmod::open()?;
    let image = memory("module")?;
    let path = CString::new(format!("/proc/self/fd/{}", image.as_raw_fd()))?;
    loop {
        line.write_all(&[1])?;
        let mut count = [0];
        if line.read(&mut count)? == 0 {
            return Ok(());
        }
        let mut offset = FILES as u64;
        for (number, len) in lengths(&tray)?.into_iter().take(count[0].into()).enumerate() {
            let mut bytes = vec![0; len];
            tray.read_exact_at(&mut bytes, offset)?;
            offset += len as u64;
            image.write_all_at(&bytes, 0)?;
            image.set_len(len as u64)?;
            libkmod.read(&path, |record| tray.write_all_at(&record.bytes(), (number * RECORD) as u64))?;
        }
    }
}

fn lengths(tray: &File) -> io::Result<[usize; TRAY_CASES]> {
    let mut bytes = [[0; 4]; TRAY_CASES];
    // What is beyond the last length of this time is of no interest, and may not be there.
    let _ = tray.read_at(bytes.as_flattened_mut(), LENGTHS as u64)?;
    Ok(bytes.map(|len| u32::from_ne_bytes(len) as usize))
}

/// A module, or a list of what it has.
type Thing = *mut c_void;
type Get = unsafe extern "C" fn(Thing, *mut Thing) -> c_int;
type Free = unsafe extern "C" fn(Thing);

/// The functions that are needed of the library, and its context. For each [`Call`] what makes a list, and what frees it.
struct Libkmod {
    context: Thing,
    open: unsafe extern "C" fn(Thing, *const c_char, *mut Thing) -> c_int,
    close: unsafe extern "C" fn(Thing) -> Thing,
    lists: [(Get, Free); Call::ALL.len()],
}

impl Libkmod {
    fn open() -> io::Result<Self> {
        // SAFETY: the path is a C string; what runs when the library is loaded is what kmod's own tools run.
        let library = unsafe { libc::dlopen(c"libkmod.so.2".as_ptr(), libc::RTLD_NOW) };
        if library.is_null() {
            return Err(error());
        }
        // SAFETY: all types are those of libkmod.h, LIBKMOD_5 to LIBKMOD_22, which a later libkmod.so.2 keeps.
        unsafe {
            let new: unsafe extern "C" fn(*const c_char, *const *const c_char) -> Thing = symbol(library, c"kmod_new")?;
            let hush: unsafe extern "C" fn(Thing, c_int) = symbol(library, c"kmod_set_log_priority")?;
            // Neither this machine's modules nor its configuration are of any interest.
            let context = new(c"/dev/null".as_ptr(), [ptr::null()].as_ptr());
            if context.is_null() {
                return Err(io::Error::other("kmod_new gives nothing"));
            }
            hush(context, 0);
            Ok(Self {
                context,
                open: symbol(library, c"kmod_module_new_from_path")?,
                close: symbol(library, c"kmod_module_unref")?,
                lists: [
                    (symbol(library, c"kmod_module_get_info")?, symbol(library, c"kmod_module_info_free_list")?),
                    (
                        symbol(library, c"kmod_module_get_versions")?,
                        symbol(library, c"kmod_module_versions_free_list")?,
                    ),
                    (symbol(library, c"kmod_module_get_symbols")?, symbol(library, c"kmod_module_symbols_free_list")?),
                    (
                        symbol(library, c"kmod_module_get_dependency_symbols")?,
                        symbol(library, c"kmod_module_dependency_symbols_free_list")?,
                    ),
                ],
            })
        }
    }

    /// Makes all calls, also when one has failed: other tools make only some of them. Keeps the record before each and after
    /// the last.
    fn read(&self, path: &CStr, keep: impl Fn(Record) -> io::Result<()>) -> io::Result<()> {
        let mut record = Record { begun: 1, ..Record::default() };
        keep(record)?;
        let mut module = ptr::null_mut();
        // SAFETY: context and path are valid, and the module is written to a place for it.
        let opened = unsafe { (self.open)(self.context, path.as_ptr(), &raw mut module) };
        if opened < 0 {
            return Err(io::Error::from_raw_os_error(-opened));
        }
        for (call, (get, free)) in Call::ALL.into_iter().zip(self.lists) {
            let mut list = ptr::null_mut();
            // SAFETY: the module is valid until it is closed; the list is written to a place for it, which says that there
            // is none yet, and is freed by the function of its kind.
            let result = unsafe { get(module, &raw mut list) };
            // SAFETY: as above.
            unsafe { free(list) };
            // A module needs no versions and no symbols; that its description is missing is an error of `modinfo`'s.
            let is_none = result == -libc::ENODATA && call != Call::Info;
            if result < 0 && !is_none && record.failed == 0 {
                (record.failed, record.errno) = (record.begun, -result);
            }
            record.begun += 1;
            if record.begun < Record::DONE {
                keep(record)?;
            }
        }
        // SAFETY: the module is not used any more.
        unsafe { (self.close)(module) };
        keep(record)
    }
}

/// A function of a library.
///
/// # Safety
/// `F` is the type of a pointer to that function.
unsafe fn symbol<F: Copy>(library: *mut c_void, name: &CStr) -> io::Result<F> {
    // SAFETY: the library is open, and the name is a C string.
    let address = unsafe { libc::dlsym(library, name.as_ptr()) };
    if address.is_null() {
        return Err(error());
    }
    // SAFETY: `F` is a pointer, so the caller says, and that is what is copied.
    Ok(unsafe { std::mem::transmute_copy(&address) })
}

/// What dlopen or dlsym has just said.
fn error() -> io::Error {
    // SAFETY: dlerror takes nothing.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return io::Error::other("the loader gives no reason");
    }
    // SAFETY: what dlerror gives is a C string that stays until its next call.
    io::Error::other(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}
