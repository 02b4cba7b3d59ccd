//! What udev does for modules: for each device that appears, modprobe is run with the alias that the kernel gives it.

use std::{
    error::Error,
    fs::File,
    io::{self, Write as _},
    process::Command,
};

use modrig_agent::{call::HOTPLUG_LOG, uevents::Listener};

/// Listens for ever; [`HOTPLUG_LOG`] appears when it does, and gets a line for each modprobe that has ended:
/// `ALIAS EXIT_CODE`.
pub(crate) fn listen() -> Result<(), Box<dyn Error>> {
    let mut listener = Listener::new()?;
    let mut log = File::create(HOTPLUG_LOG)?;
    loop {
        for message in listener.new_messages()? {
            if let Some(alias) = alias_of(&message) {
                writeln!(log, "{alias} {}", modprobe(alias)?)?;
            }
        }
        listener.wait()?;
    }
}

/// The alias of a device that was added.
fn alias_of(message: &str) -> Option<&str> {
    let added = message.starts_with("add@");
    message.split(' ').find_map(|word| word.strip_prefix("MODALIAS=")).filter(|_| added)
}

fn modprobe(alias: &str) -> io::Result<i32> {
    // As udev's kmod builtin does: what is unknown or forbidden is no error worth a word.
    let status = Command::new("/sbin/modprobe").args(["-b", "-q", "--", alias]).status()?;
    Ok(status.code().unwrap_or(-1))
}
