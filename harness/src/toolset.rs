//! Whose module tools a guest has as `/sbin/modprobe` and friends: ours, or other people's in their place.

use std::{fmt, fs, path::Path, sync::Arc};

use crate::{
    cache::Digest,
    error::{Context as _, Result},
    kernel::Store,
    peers::Peers,
    programs,
};

/// Names under which the tools' program is called; the kernel calls `modprobe`.
pub const TOOLS: [&str; 6] = ["depmod", "insmod", "lsmod", "modinfo", "modprobe", "rmmod"];

/// What kmod's program needs beside itself: the loader, and libraries by the names it asks for. kmod 34 opens those of
/// the compressions when it meets them.
const KMOD_LIBRARIES: [&str; 7] = [
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libcrypto.so.3",
    "libkmod.so.2",
    "liblzma.so.5",
    "libz.so.1",
    "libzstd.so.1",
];

/// What the user asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Choice {
    /// Our own.
    #[default]
    Modrig,
    /// kmod of Debian 13.
    Kmod,
    /// busybox of Debian 13.
    Busybox,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Modrig => "modrig",
            Self::Kmod => "kmod",
            Self::Busybox => "busybox",
        })
    }
}

/// A program that is all six tools, with the files it needs.
#[derive(Debug, Clone)]
pub struct Toolset {
    /// What was asked for.
    pub choice: Choice,
    /// The package's version; ours is this program's.
    pub version: String,
    /// The program.
    pub program: Arc<[u8]>,
    /// Further files: path in the guest, and contents.
    pub files: Vec<(String, Arc<[u8]>)>,
}

impl Toolset {
    /// Our own, which this program carries.
    pub fn ours() -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { choice: Choice::Modrig, version, program: programs::MODUTILS.into(), files: Vec::new() }
    }

    /// Brings the tools here.
    ///
    /// # Errors
    /// The archive does not give them.
    pub fn obtain(store: &Store, choice: Choice) -> Result<Self> {
        let (peer, libraries) = match choice {
            Choice::Modrig => return Ok(Self::ours()),
            Choice::Kmod => ("kmod-34", &KMOD_LIBRARIES[..]),
            Choice::Busybox => ("busybox", &[][..]),
        };
        let (version, root) = store.obtain(&Peers::embedded()?, peer)?;
        let library = |name: &&str| Ok((place_of(name), read(&root.join("lib").join(name))?));
        let files = libraries.iter().filter(|name| root.join("lib").join(name).exists()).map(library);
        let files = files.collect::<Result<_>>()?;
        Ok(Self { choice, version, program: read(&root.join("bin").join(choice.to_string()))?, files })
    }

    /// What has to stand on a command line to get these: nothing for ours.
    pub fn option(&self) -> String {
        match self.choice {
            Choice::Modrig => String::new(),
            other => format!(" --modutils {other}"),
        }
    }

    /// The program's name in the guest.
    pub fn program_name(&self) -> &'static str {
        match self.choice {
            Choice::Modrig => "modutils",
            Choice::Kmod => "kmod",
            Choice::Busybox => "busybox",
        }
    }

    /// Of all files. Ours are part of this program, and named by its version here.
    pub fn digest(&self) -> Digest {
        let (name, ours) = (self.name(), self.choice == Choice::Modrig);
        let program: &[u8] = if ours { &[] } else { &self.program };
        let files = self.files.iter().flat_map(|(path, bytes)| [path.as_bytes(), bytes]);
        Digest::of([name.as_bytes(), program].into_iter().chain(files))
    }

    /// For people: `kmod 34.2-2`.
    pub fn name(&self) -> String {
        format!("{} {}", self.choice, self.version)
    }
}

/// Where the loader looks, and where programs look for the loader.
fn place_of(library: &str) -> String {
    let directory = if library.starts_with("ld-linux") { "lib64" } else { "lib/x86_64-linux-gnu" };
    format!("{directory}/{library}")
}

fn read(file: &Path) -> Result<Arc<[u8]>> {
    let bytes = fs::read(file).context(|| format!("cannot read `{}`", file.display()))?;
    Ok(bytes.into())
}
