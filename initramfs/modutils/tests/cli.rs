//! The program as a user runs it: standard output, standard error and exit code of whole calls.
//!
//! What needs rights or another kernel is tested inside the library; here nothing is loaded.

mod common;

use std::{
    ffi::OsStr,
    io::Write as _,
    ops::Deref,
    os::unix::{ffi::OsStrExt as _, process::CommandExt as _},
    path::Path,
    process::{Command, Output, Stdio},
};

use common::{RELEASE, Root, transcript};
use modfile::write::Module;

/// Modules in a tree of their own.
struct Machine(Root);

impl Deref for Machine {
    type Target = Root;

    fn deref(&self) -> &Root {
        &self.0
    }
}

impl Machine {
    fn new() -> Self {
        let machine = Self(Root::new());
        let leaf = Module::new("leaf").exports("leaf_symbol").modinfo("license", "GPL").modinfo("alias", "two");
        let middle = Module::new("middle").needs("leaf_symbol").exports("middle_symbol").modinfo("alias", "pci:v1*");
        let top = Module::new("top").needs("middle_symbol").modinfo("alias", "two");
        machine.tree("kernel/leaf.ko", leaf.modinfo("parmtype", "n:int").modinfo("parm", "n:how many").build());
        machine.tree("kernel/middle-one.ko", middle.build());
        machine.tree("kernel/top.ko", top.build());
        machine.tree("modules.order", "kernel/leaf.ko\nkernel/middle-one.ko\nkernel/top.ko\n");
        machine.tree("modules.builtin", "kernel/fixed.ko\n");
        machine.tree("modules.builtin.modinfo", "fixed.license=GPL\0");
        machine.write("junk.ko", "this is no module, whatever its name says");
        machine.write("short.ko", "\x7fELF");
        machine.write("conf", "options top a=1\nblacklist middle_one\ninstall virtual run $CMDLINE_OPTS\n");
        machine
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
        transcript(&self.run(program, line)) + "\n"
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

/// Calls that an older kmod than 34 answers in another way.
const CALLS_OF_34: &[(&str, &str)] = &[
    ("insmod -p x", "insmod: invalid option -- 'p'\n= 1\n"),
    ("insmod --force-v x", "insmod: unrecognized option '--force-v'\n= 1\n"),
    ("insmod --forc -f", "insmod: ERROR: missing filename.\n= 1\n"),
    ("rmmod -w x", "rmmod: invalid option -- 'w'\n= 1\n"),
    ("rmmod --wait x", "rmmod: unrecognized option '--wait'\n= 1\n"),
    ("rmmod / no-such", "rmmod: ERROR: could not use module /: No such file or directory\n= 1\n"),
    ("rmmod no-such.a.ko", "rmmod: ERROR: Module no_such is not currently loaded\n= 1\n"),
    ("rmmod /none/x-y.ko", "rmmod: ERROR: Module /none/x_y is not currently loaded\n= 1\n"),
    ("lsmod x", "lsmod: ERROR: too many arguments provided.\n= 1\n"),
    ("lsmod -sz", "lsmod: invalid option -- 'z'\n= 1\n"),
    ("lsmod --js", "lsmod: unrecognized option '--js'\n= 1\n"),
    ("lsmod --ver=1", "lsmod: option '--ver=1' is ambiguous; possibilities: '--verbose' '--version'\n= 1\n"),
    ("lsmod --vers=1", "lsmod: option '--version' doesn't allow an argument\n= 1\n"),
    ("/sbin/lsmod --bogus=1", "/sbin/lsmod: unrecognized option '--bogus=1'\n= 1\n"),
    ("/sbin/lsmod x", "lsmod: ERROR: too many arguments provided.\n= 1\n"),
    ("kmod -z", "kmod: invalid option -- 'z'\n= 1\n"),
    ("kmod list x", "kmod: ERROR: too many arguments provided.\n= 1\n"),
    ("kmod list x -z", "kmod: ERROR: too many arguments provided.\n= 1\n"),
    ("kmod list -z", "list: invalid option -- 'z'\n= 1\n"),
    ("kmod static-nodes -f", "static-nodes: option requires an argument -- 'f'\n= 1\n"),
    ("kmod static-nodes --f", "static-nodes: option '--format' requires an argument\n= 1\n"),
    ("modinfo -F", "modinfo: option requires an argument -- 'F'\n= 1\n"),
    ("modinfo --f=x", "modinfo: option '--f=x' is ambiguous; possibilities: '--filename' '--field'\n= 1\n"),
    ("modinfo -F license --filen leaf", "{tree}/kernel/leaf.ko\n= 0\n"),
    ("modinfo -n --field= leaf", "= 0\n"),
    ("modinfo -m no-1 leaf.ko -n", "{tree}/kernel/leaf.ko\nmodinfo: ERROR: Module name no-1 not found.\n= 1\n"),
    ("modinfo le[af", "modinfo: ERROR: Module alias le[af not found.\n= 1\n"),
    ("modinfo {root}/none.ko", "modinfo: ERROR: Module {root}/none.ko not found.\n= 1\n"),
    (
        "modinfo {root}/./junk.ko",
        "filename:       {root}/./junk.ko\n\
      modinfo: ERROR: could not get modinfo from 'junk': Exec format error\n= 1\n",
    ),
    ("modinfo -d {root}/short.ko", "modinfo: ERROR: could not get modinfo from 'short': Invalid argument\n= 1\n"),
    ("modinfo -n {root}/short.ko", "{root}/short.ko\n= 0\n"),
];

#[test]
fn calls_have_kmods_words_and_exit_codes() {
    let machine = Machine::new();
    assert_eq!(machine.transcript(modutils(), "depmod"), "= 0\n");
    for (line, expected) in CALLS.iter().chain(CALLS_OF_34) {
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
    let is_34 = machine.transcript(&kmod, "kmod --version").starts_with("kmod version 34");
    for (line, _) in CALLS.iter().chain(if is_34 { CALLS_OF_34 } else { &[] }) {
        assert_eq!(machine.transcript(modutils(), line), machine.transcript(&kmod, line), "{line}");
    }
}

#[test]
fn scripts_find_kmods_version() {
    let machine = Machine::new();
    for line in ["lsmod -V", "kmod --version", "kmod list -V", "depmod --vers", "insmod -vV"] {
        let text = machine.transcript(modutils(), line);
        let words: Vec<_> = text.split_whitespace().take(3).collect();
        assert_eq!(words, ["kmod", "version", "34.2"], "{line}");
        assert!(text.lines().nth(1).unwrap().starts_with("+ZSTD +XZ +ZLIB"), "{line}: {text}");
    }
}

#[test]
fn every_tool_has_its_help() {
    let machine = Machine::new();
    for tool in ["insmod", "rmmod", "lsmod", "modinfo", "modprobe", "depmod", "kmod", "kmod list", "kmod static-nodes"]
    {
        let text = machine.transcript(modutils(), &format!("{tool} --help"));
        assert!(text.starts_with("Usage:\n") && text.ends_with("= 0\n"), "{tool}: {text}");
    }
    for (line, complaint) in [
        ("kmod", "missing command\n= 1\n"),
        ("kmod insmod x", "invalid command 'insmod'\n= 1\n"),
        ("kmod static-nodes -f x", "Unknown format: 'x'.\n= 1\n"),
    ] {
        let text = machine.transcript(modutils(), line);
        assert!(text.starts_with("Usage:\n") && text.ends_with(complaint), "{line}: {text}");
    }
}

#[test]
fn the_file_name_can_come_first() {
    let machine = Machine::new();
    assert_eq!(machine.transcript(modutils(), "modutils lsmod x"), "lsmod: ERROR: too many arguments provided.\n= 1\n");
    for line in ["modutils", "/bin/modutils other", "modutils -V"] {
        let text = machine.transcript(modutils(), line);
        assert!(text.starts_with("modutils: call me as, or give me, one of: insmod, "), "{line}: {text}");
    }
    assert_eq!(machine.transcript(modutils(), "other lsmod"), "= 1\n");
}

#[test]
fn posix_order_makes_late_options_operands() {
    let run = |posix: bool| {
        let mut command = Command::new(modutils());
        command.arg0("lsmod").args(["x", "-z"]).env_remove("POSIXLY_CORRECT");
        if posix {
            command.env("POSIXLY_CORRECT", "");
        }
        String::from_utf8(command.output().unwrap().stderr).unwrap()
    };
    assert_eq!(run(false), "lsmod: invalid option -- 'z'\n");
    assert_eq!(run(true), "lsmod: ERROR: too many arguments provided.\n");
}

#[test]
fn what_is_not_text_is_repeated_as_it_was() {
    for (tool, bytes, expected) in [
        ("modinfo", &b"no\xffne"[..], &b"modinfo: ERROR: Module no\xffne not found.\n"[..]),
        ("rmmod", b"no-\xff", b"rmmod: ERROR: Module no_\xff is not currently loaded\n"),
        ("insmod", b"\xff.ko", b"insmod: ERROR: could not load module \xff.ko: No such file or directory\n"),
        ("lsmod", b"--\xff", b"lsmod: unrecognized option '--\xff'\n"),
    ] {
        let output = Command::new(modutils()).arg0(tool).arg(OsStr::from_bytes(bytes)).output().unwrap();
        assert_eq!((output.stderr.as_slice(), output.status.code()), (expected, Some(1)), "{tool}");
    }
}

#[test]
fn packed_modules_are_shown_in_the_order_given() {
    let machine = Machine::new();
    let (mut packed, mut expected) = (String::from("modinfo"), String::new());
    for at in 0..60 {
        let module = Module::new(&format!("m{at}")).modinfo("license", &"x".repeat(at)).build();
        let name = format!("m{at}.ko.xz");
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
        encoder.write_all(&module).unwrap();
        machine.write(&name, if at == 30 { vec![0xfd; 9] } else { encoder.finish().unwrap() });
        packed += &format!(" {{root}}/{name}");
        expected += &match at {
            30 => format!("filename:       {{root}}/{name}\n"),
            _ => {
                format!("filename:       {{root}}/{name}\nname:           m{at}\nlicense:        {}\n", "x".repeat(at))
            }
        };
    }
    expected += "modinfo: ERROR: could not get modinfo from 'm30': Exec format error\n= 1\n";
    assert_eq!(machine.transcript(modutils(), &packed), machine.fill(&expected));
}

#[test]
fn a_file_is_checked_for_a_release() {
    let machine = Machine::new();
    machine.write("sound.ko", Module::new("sound").build());
    for (line, expected) in [
        ("modinfo --check {root}/sound.ko", "{root}/sound.ko: accept\n= 0\n"),
        (
            "modinfo --check {root}/short.ko {root}/sound.ko",
            "{root}/short.ko: reject\n{root}/short.ko: file is shorter than an ELF header; refused, ENOEXEC\n\
             {root}/sound.ko: accept\n= 1\n",
        ),
        (
            "modinfo --check -k soon {root}/sound.ko",
            "modinfo: ERROR: --check: the kernel release of -k begins with two numbers, such as 6.1\n= 1\n",
        ),
        ("modinfo --check fixed", "modinfo: ERROR: fixed is part of the kernel, and has no file to check\n= 1\n"),
    ] {
        assert_eq!(machine.transcript(modutils(), line), machine.fill(expected), "{line}");
    }
}
