//! What finit_module and init_module take for a file, beside the module in it.

use crate::{
    check::Check,
    errno::Errno,
    guest::{Act, Argument, Guest, Packing},
    scenario,
    scenario::{
        Code,
        Literature::{Busybox, ExecModprobe, Kernel},
        Scenario,
    },
};

pub(super) const ALL: &[Scenario] = &[
    scenario!(only_readable_descriptors)
        .modules(&["hello"])
        .claim(Kernel, "finit_module takes a descriptor that can be read, of a file that nobody writes to"),
    scenario!(only_regular_files).claim(Kernel, "finit_module takes a regular file: no pipe, device or directory"),
    scenario!(an_empty_file_is_einval)
        .claim(Kernel, "an empty file is no module: EINVAL by finit_module, ENOEXEC by init_module"),
    scenario!(a_text_is_enoexec).claim(Busybox, "a file that is no ELF object is refused with ENOEXEC"),
    scenario!(packed_files_need_the_flag)
        .modules(&["hello"])
        .claim(Kernel, "the kernel unpacks a compressed module, when it is told that it is one")
        .note("since b1ae6dc41eaa (\"module: add in-kernel support for decompressing\", 5.17), where it is built so"),
    scenario!(unlinked_files_load)
        .modules(&["hello"])
        .claim(Busybox, "the kernel keeps nothing of the file once the module is loaded"),
    scenario!(system_calls_of_2_4_are_gone)
        .claim(ExecModprobe, "four system calls make a module: create_module, init_module, query_module, delete_module")
        .until(
            "2.6",
            Code("kernel/module.c of 2.6, sys_init_module()"),
            "init_module does all; create_module and query_module fail with ENOSYS",
        ),
    scenario!(names_have_bounds).claim(Busybox, "delete_module takes a name shorter than MODULE_NAME_LEN"),
    scenario!(anonymous_files_load)
        .modules(&["hello"])
        .claim(Kernel, "finit_module takes a file without a name, and reads it from its beginning"),
    scenario!(bad_addresses_are_efault)
        .modules(&["hello"])
        .claim(Busybox, "init_module copies the module and the parameters from the caller's memory")
        .note("memory that is not there is EFAULT, a size that cannot be had ENOMEM"),
];

fn only_readable_descriptors(guest: &mut Guest) -> Check {
    let file = guest.edited("hello", |bytes| Ok(bytes.to_vec()))?;
    for (open, errno) in [(libc::O_WRONLY, Errno::EBADF), (libc::O_PATH, Errno::EBADF), (libc::O_RDWR, Errno::ETXTBSY)]
    {
        guest.load_opened(&file, open, "", 0)?.fails_with(errno)?;
    }
    guest.load_opened(&file, libc::O_RDONLY, "", 0)?.succeeds()
}

fn only_regular_files(guest: &mut Guest) -> Check {
    for path in ["/dev/null", "/sys", "/dev/kmsg", "/proc/version"] {
        guest.load_file(path, "", 0)?.fails_with(Errno::EINVAL)?;
    }
    guest.act(Act::make_node("/tmp/fifo", libc::S_IFIFO, 0, 0))?.works()?;
    guest.load_opened("/tmp/fifo", libc::O_NONBLOCK, "", 0)?.fails_with(Errno::EINVAL)
}

fn an_empty_file_is_einval(guest: &mut Guest) -> Check {
    guest.put("/tmp/empty.ko", b"")?;
    guest.load_file("/tmp/empty.ko", "", 0)?.fails_with(Errno::EINVAL)?;
    guest.load_bytes("nothing", b"")?.fails_with(Errno::ENOEXEC)
}

fn a_text_is_enoexec(guest: &mut Guest) -> Check {
    let text = b"no module ".repeat(100);
    guest.put("/tmp/text.ko", &text)?;
    guest.load_file("/tmp/text.ko", "", 0)?.fails_with(Errno::ENOEXEC)?;
    guest.load_bytes("a text", &text)?.fails_with(Errno::ENOEXEC)?;
    guest.load_bytes("a short text", b"no module")?.fails_with(Errno::ENOEXEC)
}

fn packed_files_need_the_flag(guest: &mut Guest) -> Check {
    const COMPRESSED_FILE: u32 = 4;
    let file = guest.packed("hello", Packing::Xz)?;
    guest.load_file(&file, "", 0)?.fails_with(Errno::ENOEXEC)?;
    if guest.exists("/sys/module/compression")? {
        guest.file_is("/sys/module/compression", "xz")?;
        guest.load_file(&file, "", COMPRESSED_FILE)?.succeeds()?;
        let file = guest.packed("hello", Packing::Gzip)?;
        guest.load_file(&file, "", COMPRESSED_FILE)?.fails_with(Errno::EINVAL)?;
        guest.logged("not an xz compressed module")?;
    }
    Ok(())
}

fn unlinked_files_load(guest: &mut Guest) -> Check {
    let file = guest.edited("hello", |bytes| Ok(bytes.to_vec()))?;
    guest.load_file(&file, "", 0)?.succeeds()?;
    guest.put(&file, b"overwritten")?;
    guest.is_live("hello")?;
    guest.unload("hello")?.succeeds()
}

fn names_have_bounds(guest: &mut Guest) -> Check {
    for name in ["", &"n".repeat(55), &"n".repeat(56), &"n".repeat(5000)] {
        guest.unload(name)?.fails_with(Errno::ENOENT)?;
    }
    Ok(())
}

fn anonymous_files_load(guest: &mut Guest) -> Check {
    let bytes = guest.module_file("hello")?;
    let size = bytes.len() as i64;
    let make = Act::new("loading a file of memory").call(libc::SYS_memfd_create, ["memory".into(), 0.into()]);
    let file = make.result();
    let write = make.call(libc::SYS_write, [file.clone(), bytes.into(), size.into()]);
    guest.act(write.call(libc::SYS_finit_module, [file, "".into(), 0.into()]))?.succeeds()?;
    guest.is_live("hello")
}

fn bad_addresses_are_efault(guest: &mut Guest) -> Check {
    let bytes = guest.module_file("hello")?;
    let size = bytes.len() as i64;
    let init_module = |address: Argument, size: i64, params: Argument| {
        Act::new(format!("init_module of {size} bytes")).call(libc::SYS_init_module, [address, size.into(), params])
    };
    guest.act(init_module(0.into(), 4096, "".into()))?.fails_with(Errno::EFAULT)?;
    guest.act(init_module(bytes.clone().into(), size, 0.into()))?.fails_with(Errno::EFAULT)?;
    guest.act(init_module(bytes.clone().into(), 1 << 47, "".into()))?.fails_with(Errno::ENOMEM)?;
    guest.is_absent("hello")?;
    guest.act(init_module(bytes.into(), size, "".into()))?.succeeds()
}

/// Their numbers on x86-64, which the C library names no longer.
fn system_calls_of_2_4_are_gone(guest: &mut Guest) -> Check {
    for (name, number) in [("create_module", 174), ("get_kernel_syms", 177), ("query_module", 178)] {
        guest.act(Act::new(name).call(number, ["hello".into(), 4096.into()]))?.fails_with(Errno::ENOSYS)?;
    }
    Ok(())
}
