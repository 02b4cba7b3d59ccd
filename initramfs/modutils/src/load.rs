//! Loads one module file.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _},
    os::fd::AsFd as _,
    path::Path,
};

use modfile::{
    edit,
    modinfo::Modinfo,
    parts::{self, Fault},
};

use crate::{
    compress::{MAGIC_BYTES, compression, unpack},
    state::State,
    sys::{self, Refusal},
};

/// Loads a file with its parameters. `flags` are `sys::IGNORE_*`.
///
/// The kernel reads the file itself, and unpacks it where it can. Where it cannot, or knows no `finit_module`, it gets
/// the unpacked bytes, and checks to be left out are made impossible in these.
///
/// # Errors
/// The kernel's, or the file's.
pub fn load(state: &State, path: &Path, params: &str, flags: u32) -> Result<(), Refusal> {
    let mut file = File::open(path)?;
    let kind = peek(&mut file)?;
    let kernel_reads = kind.is_none() || state.compression().as_deref() == kind;
    if kernel_reads {
        let packed = if kind.is_some() { sys::COMPRESSED_FILE } else { 0 };
        match sys::finit_module(file.as_fd(), params, flags | packed) {
            Err(refusal) if refusal.is(libc::ENOSYS) => {}
            result => return result,
        }
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    // A file that does not unpack has no number of its own; kmod's is this one.
    let image = unpack(bytes).map_err(|_| Refusal(-i64::from(libc::EINVAL)))?;
    sys::init_module(&without_checks(image, flags)?, params)
}

/// The module as the kernel shall see it when it has no flags to be told by. The numbers are kmod's; what is damaged
/// in a way that does not matter here is the kernel's to refuse.
fn without_checks(mut image: Vec<u8>, flags: u32) -> Result<Vec<u8>, Refusal> {
    if flags == 0 {
        return Ok(image);
    }
    let refused = |errno: i32| Refusal(-i64::from(errno));
    let info = parts::section(&image, b".modinfo").map_err(|fault| match fault {
        Fault::NotElf => refused(libc::ENOEXEC),
        Fault::Damaged => refused(libc::EINVAL),
    })?;
    let has_info = info.is_some_and(|info| !info.is_empty());
    let has_vermagic = info.is_some_and(|info| Modinfo::new(info).vermagic().is_some());
    if flags & sys::IGNORE_MODVERSIONS != 0 {
        image = edit::hide_versions(&image).unwrap_or(image);
    }
    if flags & sys::IGNORE_VERMAGIC != 0 && has_info {
        if !has_vermagic {
            return Err(refused(libc::ENODATA));
        }
        image = edit::hide_modinfo(&image, "vermagic").unwrap_or(image);
    }
    Ok(image)
}

/// Why a packed file does not unpack, in kmod's words; None if it does.
pub fn unpacking_fault(path: &Path) -> Option<String> {
    let packed = fs::read(path).ok().filter(|bytes| compression(bytes).is_some())?;
    unpack(packed).err().map(|error| error.to_string())
}

/// The compression of a file, which is left at its start. One that is too short to have any is refused.
fn peek(file: &mut File) -> io::Result<Option<&'static str>> {
    let mut start = Vec::new();
    file.by_ref().take(MAGIC_BYTES as u64).read_to_end(&mut start)?;
    if start.len() < MAGIC_BYTES {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    file.rewind()?;
    Ok(compression(&start))
}

#[cfg(test)]
mod tests {
    use modfile::write::Module;

    use super::*;

    #[test]
    fn what_does_not_unpack_is_not_offered_to_the_kernel() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("a.ko");
        fs::write(&file, b"\xfd7zXZ\0rest").unwrap();
        let error = load(&State::new(root.path()), &file, "", 0).unwrap_err();
        assert!(error.is(libc::EINVAL), "{error:?}");
    }

    #[test]
    fn checks_are_left_out_of_a_copy() {
        let module = || Module::new("a").modinfo("vermagic", "6.1").version("module_layout", 1).build();
        assert_eq!(without_checks(module(), 0).unwrap(), module());
        let force = sys::IGNORE_MODVERSIONS | sys::IGNORE_VERMAGIC;
        let expected = edit::hide_modinfo(&edit::hide_versions(&module()).unwrap(), "vermagic").unwrap();
        assert_eq!(without_checks(module(), force).unwrap(), expected);
        for (module, errno) in [
            (Module::new("a").build(), libc::ENODATA),
            (b"no module".to_vec(), libc::ENOEXEC),
            (b"\x7fELF and no more".to_vec(), libc::ENOEXEC),
            (b"\x7fELF and not much more".to_vec(), libc::EINVAL),
        ] {
            let error = without_checks(module, force).unwrap_err();
            assert!(error.is(errno), "{error:?}");
        }
        let mut executable = module();
        executable[16] = 2;
        assert_eq!(without_checks(executable.clone(), force).unwrap(), executable);
    }

    #[test]
    fn what_does_not_unpack_says_why() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("a.ko");
        for (bytes, expected) in [(&b"\xfd7zXZ\0"[..], Some("xz: Unexpected end of input")), (b"\x7fELF..", None)] {
            fs::write(&file, bytes).unwrap();
            assert_eq!(unpacking_fault(&file).as_deref(), expected);
        }
    }

    #[test]
    fn a_missing_file_is_an_errno() {
        let root = tempfile::tempdir().unwrap();
        let error = load(&State::new(root.path()), &root.path().join("a.ko"), "", 0).unwrap_err();
        assert!(error.is(libc::ENOENT), "{error:?}");
    }
}
