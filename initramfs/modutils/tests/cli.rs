//! The program as a user runs it: standard output, standard error and exit code of whole calls.
//!
//! What needs rights or another kernel is tested inside the library; here nothing is loaded.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use modfile::write::Module;

const RELEASE: &str = "6.1.0-test";

/// Modules in a tree of their own; `{root}` and `{tree}` in arguments and expectations are its places.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        let leaf = Module::new("leaf").exports("leaf_symbol").modinfo("license", "GPL").modinfo("alias", "two");
        let middle = Module::new("middle").needs("leaf_symbol").exports("middle_symbol").modinfo("alias", "pci:v1*");
        let top = Module::new("top").needs("middle_symbol").modinfo("alias", "two");
        machine.tree("kernel/leaf.ko", leaf.modinfo("parmtype", "n:int").modinfo("parm", "n:how many").build());
        machine.tree("kernel/middle-one.ko", middle.build());
        machine.tree("kernel/top.ko", top.build());
        machine.tree("modules.order", "kernel/leaf.ko\nkernel/middle-one.ko\nkernel/top.ko\n");
        machine.tree("modules.builtin", "kernel/fixed.ko\n");
        machine.tree("modules.builtin.modinfo", "fixed.license=GPL\0");
        machine.write("conf", "options top a=1\nblacklist middle_one\ninstall virtual run $CMDLINE_OPTS\n");
        machine
    }

    fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn tree(&self, path: &str, bytes: impl AsRef<[u8]>) {
        self.write(&format!("lib/modules/{RELEASE}/{path}"), bytes);
    }

    fn fill(&self, text: &str) -> String {
        let root = self.0.path().display().to_string();
        text.replace("{tree}", &format!("{root}/lib/modules/{RELEASE}")).replace("{root}", &root)
    }

    /// Runs a line with a program; the tool is the first word, and the modules' place is added to it.
    fn run(&self, program: &Path, line: &str) -> Output {
        let mut words = line.split(' ').map(|word| self.fill(word));
        let tool = words.next().unwrap();
        let place = match tool.as_str() {
            "modprobe" => self.fill("-C {root}/conf -d {root} -S ") + RELEASE,
            "modinfo" => self.fill("-b {root} -k ") + RELEASE,
            "depmod" => self.fill("-b {root} ") + RELEASE,
            _ => String::new(),
        };
        let mut command = Command::new(program);
        command.arg0(tool).args(place.split(' ').filter(|word| !word.is_empty())).args(words);
        command.env_remove("MODPROBE_OPTIONS").stdin(Stdio::null()).output().unwrap()
    }

    /// Exit code, standard output and standard error, as one text.
    fn transcript(&self, program: &Path, line: &str) -> String {
        let output = self.run(program, line);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().map_or("killed".into(), |code| code.to_string());
        format!("{}{}= {code}\n", text(&output.stdout), text(&output.stderr))
    }
}

fn modutils() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_modutils"))
}

/// kmod's program, if this machine has it.
fn kmod() -> Option<std::path::PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    path.split(':').map(|directory| Path::new(directory).join("kmod")).find(|file| file.is_file())
}

/// Calls and their transcripts.
const CALLS: &[(&str, &str)] = &[
    (
        "modprobe -D top",
        "insmod {tree}/kernel/leaf.ko \ninsmod {tree}/kernel/middle-one.ko \ninsmod {tree}/kernel/top.ko a=1 \n= 0\n",
    ),
    ("modprobe -n -v leaf x=1 y", "insmod {tree}/kernel/leaf.ko x=1 y\n= 0\n"),
    ("modprobe -n leaf", "= 0\n"),
    ("modprobe -R two", "leaf\ntop\n= 0\n"),
    ("modprobe -R middle-one", "middle_one\n= 0\n"),
    ("modprobe -D symbol:leaf_symbol", "insmod {tree}/kernel/leaf.ko \n= 0\n"),
    ("modprobe -D pci:v12", "= 0\n"),
    ("modprobe -D fixed", "builtin fixed\n= 0\n"),
    ("modprobe -D virtual a=b", "install run $CMDLINE_OPTS a=b\n= 0\n"),
    ("modprobe fixed", "= 0\n"),
    ("modprobe --first-time fixed", "modprobe: ERROR: could not insert 'fixed': Module already in kernel\n= 1\n"),
    ("modprobe nothing", "modprobe: FATAL: Module nothing not found in directory {tree}\n= 1\n"),
    ("modprobe -q -- nothing", "= 1\n"),
    (
        "modprobe -a no-1 no-2",
        "modprobe: WARNING: Module no-1 not found in directory {tree}\n\
         modprobe: WARNING: Module no-2 not found in directory {tree}\n= 1\n",
    ),
    ("modprobe -r nothing", "modprobe: FATAL: Module nothing not found.\n= 1\n"),
    ("modprobe -r leaf", "= 0\n"),
    ("modprobe -r fixed", "modprobe: FATAL: Module fixed is builtin.\n= 1\n"),
    ("modprobe", "modprobe: ERROR: missing parameters. See -h.\n= 1\n"),
    ("modprobe -w soon leaf", "modprobe: ERROR: unexpected wait value 'soon'.\n= 1\n"),
    ("modprobe -z", "modprobe: invalid option -- 'z'\n= 1\n"),
    ("modprobe --show", "modprobe: ERROR: missing parameters. See -h.\n= 1\n"),
    (
        "modinfo leaf",
        "filename:       {tree}/kernel/leaf.ko\nname:           leaf\nlicense:        GPL\nalias:          two\n\
         parm:           n:how many (int)\n= 0\n",
    ),
    ("modinfo -F alias two", "two\ntwo\n= 0\n"),
    ("modinfo -0 -p {tree}/kernel/leaf.ko", "n:how many (int)\0= 0\n"),
    ("modinfo -n fixed leaf", "(builtin)\n{tree}/kernel/leaf.ko\n= 0\n"),
    ("modinfo fixed", "name:           fixed\nfilename:       (builtin)\nlicense:        GPL\n= 0\n"),
    ("modinfo nothing", "modinfo: ERROR: Module nothing not found.\n= 1\n"),
    ("modinfo -m two", "modinfo: ERROR: Module name two not found.\n= 1\n"),
    ("modinfo", "modinfo: ERROR: missing module or filename.\n= 1\n"),
    ("insmod", "insmod: ERROR: missing filename.\n= 1\n"),
    ("insmod -", "insmod: ERROR: this tool does not support loading from stdin!\n= 1\n"),
    ("insmod {root}/none.ko", "insmod: ERROR: could not load module {root}/none.ko: No such file or directory\n= 1\n"),
    ("rmmod", "rmmod: ERROR: missing module name.\n= 1\n"),
    (
        "rmmod no-such-module no2",
        "rmmod: ERROR: Module no_such_module is not currently loaded\n\
         rmmod: ERROR: Module no2 is not currently loaded\n= 1\n",
    ),
];

#[test]
fn calls_have_kmods_words_and_exit_codes() {
    let machine = Machine::new();
    assert_eq!(machine.transcript(modutils(), "depmod"), "= 0\n");
    for (line, expected) in CALLS {
        assert_eq!(machine.transcript(modutils(), line), machine.fill(expected), "{line}");
    }
}

#[test]
fn kmod_says_the_same() {
    let Some(kmod) = kmod() else {
        eprintln!("skipped: there is no kmod on this machine");
        return;
    };
    let machine = Machine::new();
    assert_eq!(machine.transcript(&kmod, "depmod"), "= 0\n");
    for (line, _) in CALLS {
        assert_eq!(machine.transcript(modutils(), line), machine.transcript(&kmod, line), "{line}");
    }
}
