//! Error numbers by name.

use std::fmt;

/// An error number of Linux on x86-64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

macro_rules! errnos {
    ($($name:ident)*) => {
        impl Errno {
            $(#[doc = concat!("`", stringify!($name), "`")] pub const $name: Self = Self(libc::$name);)*

            /// Its name, where it is one that the module mechanism gives.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $(libc::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

errnos! {
    EPERM ENOENT EINTR EIO ENXIO ENOEXEC EBADF EAGAIN ENOMEM EACCES EFAULT EBUSY EEXIST ENODEV EINVAL EMFILE ENOTTY
    ENOSPC ENODATA EROFS ERANGE ENAMETOOLONG ENOSYS ETIME EBADMSG ENOKEY EKEYREJECTED EOPNOTSUPP ETIMEDOUT ETXTBSY ENOTBLK
    EAFNOSUPPORT EPROTONOSUPPORT ESOCKTNOSUPPORT E2BIG ELIBBAD
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "errno {}", self.0),
        }
    }
}

/// A value as a system call returns it: `0`, `-2 (ENOENT)`, or `-256`, which is no errno.
pub fn describe(raw: i64) -> String {
    match i32::try_from(-raw).ok().and_then(|number| Errno(number).name()) {
        Some(name) => format!("{raw} ({name})"),
        None => raw.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_value_is_named_only_when_it_is_an_errno() {
        assert_eq!(describe(-2), "-2 (ENOENT)");
        assert_eq!(describe(-256), "-256");
        assert_eq!(describe(0), "0");
        assert_eq!(describe(2), "2");
    }
}
