//! Modules that the machine does not want: signatures, lockdown, blacklists, rights.

use std::fs;

use modfile::signature;

use super::{Case, Note};

pub(super) fn explain(case: &Case<'_>) -> Vec<Note> {
    let signature_errnos = [libc::EKEYREJECTED, libc::ENOKEY, libc::EBADMSG, libc::ENOPKG];
    if signature_errnos.iter().any(|errno| case.is(*errno)) {
        return signing(case);
    }
    if !case.is(libc::EPERM) {
        return Vec::new();
    }
    if !rustix::process::geteuid().is_root() {
        return vec![Note::Why("only root, or who has CAP_SYS_MODULE, may load modules".into())];
    }
    if read(case, "proc/sys/kernel/modules_disabled") == "1" {
        return vec![Note::Why("modules are switched off until the next boot (kernel.modules_disabled=1)".into())];
    }
    if case.has_logged(" is blacklisted") {
        return vec![Note::Why("module_blacklist= on the kernel's command line names it".into())];
    }
    if case.has_logged("unsigned module loading is restricted") {
        let mode = read(case, "sys/kernel/security/lockdown");
        let mut notes =
            vec![Note::Why(format!("the kernel is locked down ({mode}), so that it loads signed modules only"))];
        notes.extend(signing(case));
        return notes;
    }
    Vec::new()
}

fn signing(case: &Case<'_>) -> Vec<Note> {
    let why = match signature::of(case.bytes) {
        None if signature::is_marked(case.bytes) => "its signature cannot be read".into(),
        None => "it is not signed, and this kernel loads signed modules only".into(),
        Some(found) => {
            let signer = String::from_utf8_lossy(found.signer).into_owned();
            let key: Vec<String> = found.key_id.iter().map(|byte| format!("{byte:02X}")).collect();
            format!("it is signed by `{signer}` with key {}, which this kernel does not trust", key.join(":"))
        }
    };
    vec![
        Note::Why(why),
        Note::Try(
            "sign it with a key that is enrolled here; /proc/keys lists those (.builtin_trusted_keys, .machine)".into(),
        ),
    ]
}

fn read(case: &Case<'_>, path: &str) -> String {
    fs::read_to_string(case.root(path)).unwrap_or_default().trim().to_owned()
}
