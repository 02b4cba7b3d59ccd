//! A campaign: module files come through memory that the host shares with us, and go to `init_module` one after the
//! other. What the kernel returned and logged goes back the same way.

use std::{
    convert::Infallible,
    fs::{self, File},
    io,
    os::fd::AsFd as _,
    ptr, thread,
    time::{Duration, Instant},
};

use modrig_agent::slots::{self, LOG_BYTES_MAX, Outcome, Slots};
use modutils::{kmsg, sys};
use rustix::mm::{MapFlags, ProtFlags, mmap};

use crate::kcov::Kcov;

/// How often each module is loaded before the first case, so that what the kernel does or says only once is done and said.
const WARM_UP: usize = 3;

/// How long we sleep when there is no case.
const PAUSE: Duration = Duration::from_micros(200);

/// Takes cases until the machine ends; the errno if that cannot be done.
pub(crate) fn run(address: u64, warm_up: &[String]) -> Vec<i64> {
    // SAFETY: the host says where that memory begins, and the kernel was told not to use it.
    let slots = match unsafe { map(address) } {
        Ok(slots) => slots,
        Err(error) => return vec![-i64::from(error.raw_os_error().unwrap_or(libc::EIO))],
    };
    let Err(error) = serve(&slots, warm_up);
    let errno = error.raw_os_error().unwrap_or(libc::EIO);
    slots.set_failed(errno);
    vec![-i64::from(errno)]
}

/// # Safety
/// From this physical address on lies memory that nothing else uses.
unsafe fn map(address: u64) -> io::Result<Slots> {
    let memory = File::options().read(true).write(true).open("/dev/mem")?;
    let both = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a mapping at an address of the kernel's choice disturbs nothing of ours; it is never unmapped.
    unsafe {
        let start = mmap(ptr::null_mut(), slots::BYTES, both, MapFlags::SHARED, memory.as_fd(), address)?;
        Ok(Slots::new(start.cast()))
    }
}

fn serve(slots: &Slots, warm_up: &[String]) -> io::Result<Infallible> {
    let mut loader = Loader { log: Log(kmsg::Reader::open()?), kcov: Kcov::begin()?, staying: Vec::new() };
    for path in warm_up {
        let image = fs::read(path)?;
        let (address, len) = (image.as_ptr(), image.len());
        for _ in 0..WARM_UP {
            loader.load(address, len)?;
        }
        // One whose init does not fail stays.
        init_module(address, len);
        loader.log.since(false)?;
        loader.staying = loaded()?;
    }
    slots.set_ready();
    let mut is_first = true;
    loop {
        let Some((number, image, len)) = slots.take() else {
            thread::sleep(PAUSE);
            continue;
        };
        if is_first && let Some(kcov) = &mut loader.kcov {
            // Not before: the guest is saved without a case, and what is watched is told to each copy of it.
            kcov.watch(&slots.watched());
        }
        is_first = false;
        slots.finish(number, &loader.load(image, len)?);
    }
}

/// Loads files, and gathers what becomes of each.
struct Loader {
    log: Log,
    kcov: Option<Kcov>,
    /// What was loaded before the first case.
    staying: Vec<String>,
}

impl Loader {
    fn load(&mut self, image: *const u8, len: usize) -> io::Result<Outcome> {
        self.kcov.as_ref().inspect(|kcov| kcov.clear());
        let begun = Instant::now();
        let result = init_module(image, len);
        let nanoseconds = begun.elapsed().as_nanos() as u64;
        let reached = self.kcov.as_mut().map_or_else(Vec::new, Kcov::reached);
        let left = if result == 0 { self.remove()? } else { 0 };
        let is_refused = result < 0 && result != -i64::from(libc::ENOTNAM);
        Ok(Outcome { result, nanoseconds, left, log: self.log.since(is_refused)?, reached })
    }

    /// Removes what cases have left; how many modules of theirs are loaded then.
    fn remove(&self) -> io::Result<u64> {
        let of_cases = || Ok::<_, io::Error>(loaded()?.into_iter().filter(|name| !self.staying.contains(name)));
        of_cases()?.for_each(|name| drop(sys::delete_module(&name, true)));
        Ok(of_cases()?.count() as u64)
    }
}

fn init_module(image: *const u8, len: usize) -> i64 {
    let args = [image as i64, len as i64, c"".as_ptr() as i64];
    // SAFETY: the kernel only reads the image, and looks itself whether it may.
    unsafe { sys::system_call(libc::SYS_init_module, &args) }
}

/// The names of what is loaded.
fn loaded() -> io::Result<Vec<String>> {
    let modules = fs::read_to_string("/proc/modules")?;
    Ok(modules.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

struct Log(kmsg::Reader);

impl Log {
    /// What the kernel has logged since the last time, a line for each record.
    ///
    /// A message without an end becomes a record only when the next one begins. Where one `must_come` and none has, one of
    /// ours ends it.
    fn since(&mut self, must_come: bool) -> io::Result<Vec<u8>> {
        /// Of the least level, so that no console shows it.
        const MARK: &str = "<7>modrig: end of a message\n";
        let mut records = self.0.new_records(LOG_BYTES_MAX)?;
        if records.is_empty() && must_come {
            fs::write("/dev/kmsg", MARK)?;
            records = self.0.new_records(LOG_BYTES_MAX)?;
            records.retain(|record| !MARK.contains(record.as_str()));
        }
        let text = records.iter().flat_map(|record| [record.as_bytes(), b"\n"]).flatten().copied();
        let text: Vec<u8> = text.take(LOG_BYTES_MAX).collect();
        if text.len() == LOG_BYTES_MAX {
            self.0.skip()?;
        }
        Ok(text)
    }
}
