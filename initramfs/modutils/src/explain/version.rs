//! Modules for another kernel or another machine, and files that are no modules.

use modfile::elf::{EM_X86_64, Elf};

use super::{Case, Note};

/// `e_machine` by the names that `uname -m` uses (elf.h of the C library).
const MACHINES: [(u16, &str); 8] = [
    (3, "i386"),
    (20, "ppc"),
    (21, "ppc64"),
    (22, "s390x"),
    (40, "arm"),
    (EM_X86_64, "x86_64"),
    (183, "aarch64"),
    (243, "riscv"),
];

pub(super) fn explain(case: &Case<'_>) -> Vec<Note> {
    if let Some((module, kernel)) = version_magic(case) {
        return differing_magic(&module, &kernel);
    }
    if case.has_logged(".gnu.linkonce.this_module section size must match") {
        return vec![Note::Why("it was built for a kernel with another `struct module`".into()), rebuild()];
    }
    if case.has_logged("decompression failed") {
        let cure = "compress it with `xz --check=crc32`, the only check that the kernel's decoder knows";
        return vec![Note::Why("the kernel cannot unpack the file".into()), Note::Try(cure.into())];
    }
    if !case.is(libc::ENOEXEC) {
        return Vec::new();
    }
    match Elf::parse(case.bytes) {
        Err(damage) => vec![Note::Why(format!("the file is no module: {damage}"))],
        Ok(elf) => other_machine(&elf).into_iter().collect(),
    }
}

/// The module's and the kernel's version magic, as the kernel's message puts them side by side.
fn version_magic(case: &Case<'_>) -> Option<(String, String)> {
    let module = case.logged("version magic '", "' should be '")?.to_owned();
    let kernel = case.logged("' should be '", "'")?.to_owned();
    Some((module, kernel))
}

fn differing_magic(module: &str, kernel: &str) -> Vec<Note> {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let (ours, theirs) = (words(module), words(kernel));
    let differ = |from: &[String], than: &[String]| {
        from.iter().skip(1).filter(|word| !than.contains(word)).cloned().collect::<Vec<_>>().join(", ")
    };
    let mut notes = vec![
        Note::Why(format!("the module was built for   {}", module.trim_end())),
        Note::Why(format!("but the running kernel is  {}", kernel.trim_end())),
    ];
    for (list, says) in [
        (differ(&ours, &theirs), "the module was built with, and the kernel without"),
        (differ(&theirs, &ours), "the kernel was built with, and the module without"),
    ] {
        if !list.is_empty() {
            notes.push(Note::Why(format!("{says}: {list}")));
        }
    }
    notes.push(rebuild());
    notes
}

fn rebuild() -> Note {
    Note::Try("build it against the headers of the running kernel (`uname -r`)".into())
}

fn other_machine(elf: &Elf<'_>) -> Option<Note> {
    let uname = rustix::system::uname();
    let ours = uname.machine().to_string_lossy();
    let (_, theirs) = MACHINES.iter().find(|(number, _)| *number == elf.machine())?;
    (!ours.starts_with(theirs)).then(|| Note::Why(format!("it is for {theirs}, and this machine is {ours}")))
}
