//! What the kernel runs in place of modprobe when a scenario looks at the call itself.
//!
//! One program; the name it is called by says what it does:
//!
//! | name | does |
//! |---|---|
//! | `record` | writes down how it was called, then exits with 0 |
//! | `exit-N` | the same, then exits with N |
//! | `kill-N` | the same, then dies of signal N |
//! | `sleep-N` | the same, then sleeps N seconds and exits with 0 |
//! | `hold` | the same, then waits for [`LET_GO`] and exits with 0 |
//! | `hotplug` | runs modprobe for every device that appears, as udev does |
//! | `storm` | loads and unloads in many threads at once |
//! | `garbage` | writes bytes that are no frames to the link: a guest gone mad |
//! | `init` | as PID 1: says [`INIT_REACHED`] on the console and no word to the host |

mod hotplug;
mod storm;

use std::{
    env,
    error::Error,
    fs::{self, File},
    io::Write as _,
    os::unix::process::parent_id,
    process::exit,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    thread::sleep,
    time::Duration,
};

use modrig_agent::call::{Call, DIRECTORY, INIT_REACHED, LET_GO};

/// Descriptors that were open when the process began, one bit each.
static OPEN_AT_START: AtomicU64 = AtomicU64::new(0);

/// `/proc/self/status` when the process began.
static STATUS_AT_START: OnceLock<String> = OnceLock::new();

/// Before `main`, Rust's runtime opens `/dev/null` in place of missing standard streams and ignores SIGPIPE; the kernel
/// gives its helpers neither, and that is what shall be seen. The C library calls this array's functions first.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK_FIRST: extern "C" fn() = look_first;

extern "C" fn look_first() {
    for descriptor in 0..64 {
        // SAFETY: fcntl with F_GETFD takes no pointer.
        if unsafe { libc::fcntl(descriptor, libc::F_GETFD) } != -1 {
            OPEN_AT_START.fetch_or(1 << descriptor, Ordering::Relaxed);
        }
    }
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        let _ = STATUS_AT_START.set(status);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let argv: Vec<String> = env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let name = argv.first().and_then(|path| path.rsplit('/').next()).unwrap_or_default().to_owned();
    let (what, number) = match name.split_once('-') {
        Some((what, number)) => (what, number.parse()?),
        None => (&*name, 0),
    };
    match what {
        "garbage" => garbage(),
        "init" => init(),
        "hotplug" => return hotplug::listen(),
        "storm" => return storm::run(),
        _ => {}
    }
    record(argv)?;
    match what {
        "record" => Ok(()),
        "exit" => exit(number),
        "sleep" => {
            sleep(Duration::from_secs(number.unsigned_abs().into()));
            Ok(())
        }
        "hold" => {
            while !fs::exists(LET_GO)? {
                sleep(Duration::from_millis(100));
            }
            Ok(())
        }
        // SAFETY: raise takes any number and no pointer.
        "kill" => exit(unsafe { libc::raise(number) }),
        _ => Err(format!("{name}: not a name of this program").into()),
    }
}

fn record(argv: Vec<String>) -> Result<(), Box<dyn Error>> {
    let call = Call {
        argv,
        environment: env::vars_os().map(|(name, value)| format!("{}={}", name.display(), value.display())).collect(),
        directory: env::current_dir()?.display().to_string(),
        descriptors: descriptors(),
        status: STATUS_AT_START.get().cloned().unwrap_or_default(),
        stat: fs::read_to_string("/proc/self/stat")?,
        limits: fs::read_to_string("/proc/self/limits")?,
        parent: fs::read_to_string(format!("/proc/{}/comm", parent_id())).unwrap_or_default().trim_end().to_owned(),
    };
    fs::create_dir_all(DIRECTORY)?;
    // A record appears whole: it may be read as soon as it is there. Two calls may run at once: the first free
    // number is the one that can be linked to.
    let draft = format!("{DIRECTORY}/draft-{}", std::process::id());
    fs::write(&draft, postcard::to_stdvec(&call)?)?;
    (0..10_000).find(|n| fs::hard_link(&draft, format!("{DIRECTORY}/{n}")).is_ok()).ok_or("no free number")?;
    Ok(fs::remove_file(&draft)?)
}

fn descriptors() -> Vec<(u32, String)> {
    let open = OPEN_AT_START.load(Ordering::Relaxed);
    let target = |n| fs::read_link(format!("/proc/self/fd/{n}")).map_or("?".into(), |path| path.display().to_string());
    (0..64).filter(|n| open & (1 << n) != 0).map(|n| (n, target(n))).collect()
}

fn init() -> ! {
    eprintln!("{INIT_REACHED}");
    loop {
        sleep(Duration::MAX);
    }
}

fn garbage() -> ! {
    let bytes: Vec<u8> = (0..4096u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 | 0x80).collect();
    loop {
        if let Ok(mut link) = File::options().write(true).open("/dev/ttyS1") {
            let _ = link.write_all(&bytes);
        }
    }
}
