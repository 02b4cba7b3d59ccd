//! Child processes that never outlive us.

use std::{io, os::unix::process::CommandExt as _};

use duct::Expression;

/// Ties the child to this thread: the kernel kills it when the thread that starts it ends, however it ends
/// (return, panic, SIGKILL of the process). Also puts it in a process group of its own, so that Ctrl-C in the
/// terminal reaches us first and we decide.
///
/// Start it from a thread that lives as long as the child should.
pub fn tied(expression: Expression) -> Expression {
    let parent = std::process::id();
    expression.before_spawn(move |command| {
        command.process_group(0);
        // SAFETY: between fork and exec only async-signal-safe calls are made: prctl, getppid.
        unsafe { command.pre_exec(move || die_with(parent)) };
        Ok(())
    })
}

fn die_with(parent: u32) -> io::Result<()> {
    // SAFETY: prctl with PR_SET_PDEATHSIG takes a signal number and no pointer.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // The parent may have died before the call above; then nobody will send the signal.
    // SAFETY: getppid has no preconditions.
    if unsafe { libc::getppid() } as u32 != parent {
        return Err(io::Error::other("the parent process is gone"));
    }
    Ok(())
}
