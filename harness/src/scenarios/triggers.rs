//! What user space does that makes the kernel request a module, and under which names.

use crate::{
    check::Check,
    errno::Errno,
    guest::{Act, Guest, same},
    scenario,
    scenario::{Literature::ExecModprobe, Scenario},
};

pub(super) const ALL: &[Scenario] = &[scenario!(mount_asks_for_the_file_system)
    .claim(ExecModprobe, "mounting a file system that is not known requests the module fs-NAME")];

/// The names that the kernel has requested so far, in order. [`Guest::set_helper`] has named the recording helper.
fn requested(guest: &mut Guest, expected: &[&str]) -> Check {
    let names: Vec<String> = guest.calls()?.iter().map(|call| call.argv.last().cloned().unwrap_or_default()).collect();
    same("requested", &names.join(" "), &expected.join(" "))
}

fn mount_asks_for_the_file_system(guest: &mut Guest) -> Check {
    guest.set_helper("record")?;
    guest.act(Act::mount("none", "/tmp", "nosuchfs", 0))?.fails_with(Errno::ENODEV)?;
    requested(guest, &["fs-nosuchfs"])
}
