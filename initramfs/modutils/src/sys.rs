//! The kernel's three module system calls, with what the kernel itself returned.

use std::{
    ffi::{CStr, CString},
    fmt,
    os::fd::{AsRawFd as _, BorrowedFd},
};

/// `finit_module`: do not compare symbol versions.
pub const IGNORE_MODVERSIONS: u32 = 1;
/// `finit_module`: do not compare the version string.
pub const IGNORE_VERMAGIC: u32 = 2;
/// `finit_module`: the file is compressed; the kernel unpacks it.
pub const COMPRESSED_FILE: u32 = 4;

/// A system call's return value that is not 0.
///
/// Often `-errno`, but a load returns whatever the module's init function did, so any number can come: a
/// stub that hands on the wait status of a program returns -256, or -65280, and the latter lies below the
/// range that the C library takes for an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal(pub i64);

impl Refusal {
    /// Whether the value is this error's.
    pub fn is(self, errno: i32) -> bool {
        self.0 == -i64::from(errno)
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self(-i64::from(error.raw_os_error().unwrap_or(libc::EIO)))
    }
}

impl fmt::Display for Refusal {
    /// The C library's words, such as "File exists" or "Unknown error 256".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match i32::try_from(-i128::from(self.0)) {
            Ok(errno) => f.write_str(&strerror(errno)),
            Err(_) => write!(f, "Unknown error {}", -i128::from(self.0)),
        }
    }
}

impl std::error::Error for Refusal {}

/// The C library's words for an error number.
pub fn strerror(errno: i32) -> String {
    let mut text = [0u8; 128];
    // SAFETY: the buffer is valid for its length; the result ends with NUL within it, also if it is cut.
    unsafe { libc::strerror_r(errno, text.as_mut_ptr().cast(), text.len()) };
    CStr::from_bytes_until_nul(&text).map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Loads a module from memory.
pub fn init_module(image: &[u8], params: &str) -> Result<(), Refusal> {
    let params = c_string(params)?;
    // SAFETY: the image and the string outlive the call; the kernel copies both.
    check(unsafe {
        system_call(libc::SYS_init_module, &[image.as_ptr() as i64, image.len() as i64, params.as_ptr() as i64])
    })
}

/// Loads a module from a file. `flags` are this module's constants.
pub fn finit_module(file: BorrowedFd<'_>, params: &str, flags: u32) -> Result<(), Refusal> {
    let params = c_string(params)?;
    // SAFETY: the descriptor is open and the string outlives the call.
    check(unsafe {
        system_call(libc::SYS_finit_module, &[file.as_raw_fd().into(), params.as_ptr() as i64, flags.into()])
    })
}

/// Unloads a module. It never waits for users to go; `force` takes it away from them.
pub fn delete_module(name: &str, force: bool) -> Result<(), Refusal> {
    delete_module_with(name, (libc::O_NONBLOCK | if force { libc::O_TRUNC } else { 0 }) as u32)
}

/// Unloads a module. `flags` are `O_NONBLOCK` and `O_TRUNC`, or what a test makes of them.
pub fn delete_module_with(name: &str, flags: u32) -> Result<(), Refusal> {
    let name = c_string(name)?;
    // SAFETY: the string outlives the call.
    check(unsafe { system_call(libc::SYS_delete_module, &[name.as_ptr() as i64, flags.into()]) })
}

fn c_string(text: &str) -> Result<CString, Refusal> {
    CString::new(text).map_err(|_| Refusal(-i64::from(libc::EINVAL)))
}

fn check(value: i64) -> Result<(), Refusal> {
    if value == 0 { Ok(()) } else { Err(Refusal(value)) }
}

/// Any system call, without the C library's reading of its result. Arguments that are not given are 0, those after the
/// sixth are ignored.
///
/// # Safety
/// As the system call says.
#[cfg(target_arch = "x86_64")]
pub unsafe fn system_call(number: i64, args: &[i64]) -> i64 {
    let [a, b, c, d, e, f] = six(args);
    let result: i64;
    // SAFETY: the x86-64 system call convention; rcx and r11 are the registers it destroys.
    unsafe {
        std::arch::asm!("syscall", inlateout("rax") number => result, in("rdi") a, in("rsi") b, in("rdx") c,
            in("r10") d, in("r8") e, in("r9") f, out("rcx") _, out("r11") _, options(nostack));
    }
    result
}

/// Any system call, through the C library: values below -4095 arrive as they are, the others as errno.
///
/// # Safety
/// As the system call says.
#[cfg(not(target_arch = "x86_64"))]
pub unsafe fn system_call(number: i64, args: &[i64]) -> i64 {
    let [a, b, c, d, e, f] = six(args);
    // SAFETY: the caller upholds what the system call asks for.
    match unsafe { libc::syscall(number, a, b, c, d, e, f) } {
        -1 => -i64::from(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)),
        value => value.into(),
    }
}

fn six(args: &[i64]) -> [i64; 6] {
    let mut all = [0; 6];
    all.iter_mut().zip(args).for_each(|(place, arg)| *place = *arg);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_return_value_has_words() {
        for (value, words) in [
            (-17, "File exists"),
            (-2, "No such file or directory"),
            (-256, "Unknown error 256"),
            (-65280, "Unknown error 65280"),
            (1, "Unknown error -1"),
            (i64::MIN, "Unknown error 9223372036854775808"),
        ] {
            assert_eq!(Refusal(value).to_string(), words, "{value}");
        }
    }

    #[test]
    fn only_zero_is_success() {
        assert_eq!(check(0), Ok(()));
        for value in [-1, -65280, 1] {
            assert_eq!(check(value), Err(Refusal(value)));
        }
    }

    #[test]
    fn the_kernels_own_number_comes_back() {
        // Whatever this machine's kernel or rights, a name that no module can have is not unloaded.
        let refusal = delete_module("no module has this name", false).unwrap_err();
        assert!([libc::ENOENT, libc::EPERM, libc::ENOSYS].iter().any(|errno| refusal.is(*errno)), "{refusal:?}");
    }
}
