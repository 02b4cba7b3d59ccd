//! What the kernel runs in place of modprobe when a scenario looks at the call itself.
//!
//! One program; the name it is called by says what it does:
//!
//! | name | does |
//! |---|---|
//! | `record` | writes down how it was called, then exits with 0 |
//! | `exit-N` | the same, then exits with N |
//! | `kill-N` | the same, then dies of signal N |
//! | `sleep-MS` | the same, then exits with 0 after MS milliseconds |
//! | `garbage` | writes bytes that are no frames to the link: a guest gone mad |
//! | `flood` | fills the kernel's log without end |
//! | `mute` | as PID 1: never says a word |

use std::{
    env,
    error::Error,
    fs::{self, File},
    io::Write as _,
    os::unix::process::parent_id,
    process::exit,
    thread::sleep,
    time::Duration,
};

use modrig_agent::call::{Call, DIRECTORY};

fn main() -> Result<(), Box<dyn Error>> {
    let argv: Vec<String> = env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let name = argv.first().and_then(|path| path.rsplit('/').next()).unwrap_or_default().to_owned();
    let (what, number) = match name.split_once('-') {
        Some((what, number)) => (what, number.parse()?),
        None => (&*name, 0),
    };
    match what {
        "garbage" => garbage(),
        "flood" => flood(),
        "mute" => loop {
            sleep(Duration::MAX);
        },
        _ => {}
    }
    record(argv)?;
    match what {
        "record" => Ok(()),
        "exit" => exit(number),
        // SAFETY: raise takes any number and no pointer.
        "kill" => exit(unsafe { libc::raise(number) }),
        "sleep" => {
            sleep(Duration::from_millis(number.try_into()?));
            Ok(())
        }
        _ => Err(format!("{name}: not a name of this program").into()),
    }
}

fn record(argv: Vec<String>) -> Result<(), Box<dyn Error>> {
    let call = Call {
        argv,
        environment: env::vars_os().map(|(name, value)| format!("{}={}", name.display(), value.display())).collect(),
        directory: env::current_dir()?.display().to_string(),
        descriptors: descriptors(),
        status: fs::read_to_string("/proc/self/status")?,
        parent: fs::read_to_string(format!("/proc/{}/comm", parent_id())).unwrap_or_default().trim_end().to_owned(),
    };
    fs::create_dir_all(DIRECTORY)?;
    // Two calls may run at once: the first free number is the one that can be created.
    let mut file = (0..).find_map(|n| File::create_new(format!("{DIRECTORY}/{n}")).ok()).ok_or("no free number")?;
    Ok(file.write_all(&postcard::to_stdvec(&call)?)?)
}

/// Looks at each number itself: reading the directory would open a descriptor of its own and show that too.
fn descriptors() -> Vec<(u32, String)> {
    let target = |n| Some((n, fs::read_link(format!("/proc/self/fd/{n}")).ok()?.display().to_string()));
    (0..64).filter_map(target).collect()
}

fn garbage() -> ! {
    let bytes: Vec<u8> = (0..4096u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 | 0x80).collect();
    loop {
        if let Ok(mut link) = File::options().write(true).open("/dev/ttyS1") {
            let _ = link.write_all(&bytes);
        }
    }
}

fn flood() -> ! {
    let mut log = File::options().write(true).open("/dev/kmsg").expect("every guest has /dev/kmsg");
    loop {
        let _ = log.write_all(b"<1>flood: the same line again and again and again and again");
    }
}
