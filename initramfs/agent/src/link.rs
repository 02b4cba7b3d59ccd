//! The guest's end of the link to the host.

use std::{fs::File, io, os::unix::fs::OpenOptionsExt as _};

use rustix::termios::{OptionalActions, speed, tcgetattr, tcsetattr};

/// The second 16550 port: the only channel besides the console that every distribution kernel has built in.
const LINK: &str = "/dev/ttyS1";

/// Opens the port without line discipline: every byte arrives as it is. And at its highest speed: QEMU tells the guest of
/// a frame's last bytes after the time of four characters, which at the port's first speed is 4 ms.
///
/// # Errors
/// There is no such port, or it cannot be set.
pub fn open() -> io::Result<File> {
    let link = File::options().read(true).write(true).custom_flags(libc::O_NOCTTY).open(LINK)?;
    let mut settings = tcgetattr(&link)?;
    settings.make_raw();
    settings.set_speed(speed::B115200)?;
    tcsetattr(&link, OptionalActions::Now, &settings)?;
    Ok(link)
}
