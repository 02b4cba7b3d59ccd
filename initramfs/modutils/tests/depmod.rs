//! depmod: exact indexes for small trees, and the same bytes as kmod's where kmod is installed.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, SystemTime},
};

use modfile::write::Module;
use modutils::depmod::{Error, index};
use tempfile::TempDir;

/// In the order in which they are written.
const INDEXES: [&str; 11] = [
    "modules.dep",
    "modules.dep.bin",
    "modules.alias",
    "modules.alias.bin",
    "modules.softdep",
    "modules.weakdep",
    "modules.symbols",
    "modules.symbols.bin",
    "modules.builtin.bin",
    "modules.builtin.alias.bin",
    "modules.devname",
];
const VERSION: &str = "6.1.0-test";

/// Modules by path, on their way into an index or a tree.
type Modules = Vec<(String, Vec<u8>)>;

fn file(name: &str, make: impl FnOnce(Module) -> Module) -> (String, Vec<u8>) {
    (format!("kernel/{name}.ko"), make(Module::new(name)).build())
}

/// A module that exports one symbol, called as it is, and needs those of others.
fn user(name: &str, of: &[&str]) -> (String, Vec<u8>) {
    file(name, |module| of.iter().fold(module.exports(name), |module, other| module.needs(other)))
}

#[track_caller]
fn text(modules: &Modules, file: &str) -> String {
    let modules: Vec<_> = modules.iter().map(|(path, bytes)| (path.clone(), bytes.as_slice())).collect();
    let files = index(&modules, &[]).expect("the modules are sound");
    let (_, text) = files.into_iter().find(|(name, _)| *name == file).expect("depmod always writes this file");
    String::from_utf8(text).expect("the names are ASCII")
}

#[test]
fn a_line_lists_users_before_what_they_use() {
    let modules = vec![user("top", &["low", "middle"]), user("middle", &["low"]), user("low", &["printk"])];
    assert_eq!(
        text(&modules, "modules.dep"),
        "kernel/middle.ko: kernel/low.ko\n\
         kernel/top.ko: kernel/middle.ko kernel/low.ko\n\
         kernel/low.ko:\n"
    );
    assert_eq!(
        text(&modules, "modules.symbols"),
        "# Aliases for symbols, used by symbol_request().\n\
         alias symbol:top top\nalias symbol:middle middle\nalias symbol:low low\n"
    );
}

#[test]
fn strings_of_modinfo_become_lines_as_they_are() {
    let modules = vec![file("a-b", |module| {
        let module = module.modinfo("alias", "pci:v*-[0-9]").modinfo("softdep", "pre: x-y").modinfo("weakdep", "z");
        module.modinfo("alias", "char-major-10-229").modinfo("alias", "devname:a/b")
    })];
    assert_eq!(
        text(&modules, "modules.alias"),
        "# Aliases extracted from modules themselves.\n\
         alias pci:v*-[0-9] a_b\nalias char-major-10-229 a_b\nalias devname:a/b a_b\n"
    );
    assert!(text(&modules, "modules.softdep").ends_with("\nsoftdep a_b pre: x-y\n"));
    assert!(text(&modules, "modules.weakdep").ends_with("\nweakdep a_b z\n"));
    assert!(text(&modules, "modules.devname").ends_with("\na_b a/b c10:229\n"));
}

#[test]
fn modules_in_a_ring_are_named() {
    let modules = [user("a", &["b"]), user("b", &["c"]), user("c", &["a"]), user("d", &["a"])];
    let modules: Vec<_> = modules.iter().map(|(path, bytes)| (path.clone(), bytes.as_slice())).collect();
    let error = index(&modules, &[]).expect_err("nothing can be loaded first").to_string();
    let (rings, count) = error.split_once('\n').expect("a line for each ring and one for the count");
    let whole = ["a -> b -> c -> a", "b -> c -> a -> b", "c -> a -> b -> c"];
    assert!(whole.iter().any(|ring| rings == format!("Cycle detected: {ring}")), "{rings}");
    assert_eq!(count, "Found 3 modules in dependency cycles!");
}

/// kmod 30 does not end on some of these, where rings share modules: it tells of ever longer ones.
#[test]
fn every_ring_told_is_one() {
    let mut numbers = Numbers(2);
    for case in 0..200 {
        let needs: Vec<(String, Vec<String>)> = (0..12)
            .map(|i| (format!("m{i}"), (0..numbers.below(3)).map(|_| format!("m{}", numbers.below(12))).collect()))
            .collect();
        let module =
            |(name, of): &(String, Vec<String>)| user(name, &of.iter().map(String::as_str).collect::<Vec<_>>());
        let modules: Modules = needs.iter().map(module).collect();
        let modules: Vec<_> = modules.iter().map(|(path, bytes)| (path.clone(), bytes.as_slice())).collect();
        let Err(Error::Cycles(cycles)) = index(&modules, &[]) else { continue };
        assert!(!cycles.0.is_empty(), "case {case}");
        for ring in cycles.0 {
            for (user, used) in ring.iter().zip(ring.iter().cycle().skip(1)) {
                assert!(needs.iter().any(|(name, of)| name == user && of.contains(used)), "case {case}: {ring:?}");
            }
        }
    }
}

#[test]
fn a_damaged_module_is_named() {
    let error = index(&[("kernel/bad.ko".into(), b"\x7fELF")], &[]).expect_err("four bytes are no module");
    assert!(matches!(error, Error::Damaged { path, .. } if path == "kernel/bad.ko"));
}

#[test]
fn updates_win_over_the_kernels_own() {
    let own = user("same", &[]);
    let newer = ("updates/same.ko".to_owned(), own.1.clone());
    for modules in [vec![own.clone(), newer.clone()], vec![newer, own]] {
        assert_eq!(text(&modules, "modules.dep"), "updates/same.ko:\n");
    }
}

/// A root directory with the modules of one kernel.
struct Root(TempDir);

impl Root {
    fn with(modules: &Modules, order: &str) -> Self {
        let root = Self(TempDir::new().expect("the temporary directory is writable"));
        for (path, bytes) in modules {
            root.put(path, bytes);
        }
        root.put("modules.order", order.as_bytes());
        // Without these there are warnings.
        root.put("modules.builtin", b"");
        root.put("modules.builtin.modinfo", b"");
        root
    }

    fn tree(&self) -> PathBuf {
        self.0.path().join("lib/modules").join(VERSION)
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.tree().join(path);
        fs::create_dir_all(path.parent().expect("it lies in the tree")).expect("the root is ours");
        fs::write(path, bytes).expect("the root is ours");
    }

    /// Options that do not begin with the machine's own configuration come first.
    fn run(&self, program: &Path, options: &[&str]) -> Output {
        self.run_for(program, options, &[VERSION])
    }

    fn run_for(&self, program: &Path, options: &[&str], operands: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.arg0("depmod").args(options).arg("-b").arg(self.0.path());
        if !options.contains(&"-C") {
            command.args(["-C", "/dev/null"]);
        }
        command.args(operands).output().expect("the program was found before")
    }

    /// Runs ours, which is to do without a message.
    #[track_caller]
    fn make(&self, options: &[&str]) {
        let output = self.run(ours(), options);
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""), "{options:?}");
    }

    fn index(&self, name: &str) -> Option<String> {
        fs::read(self.tree().join(name)).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn indexes(&self) -> BTreeMap<&'static str, Vec<u8>> {
        INDEXES.iter().filter_map(|name| Some((*name, fs::read(self.tree().join(name)).ok()?))).collect()
    }

    /// Names in the module directory.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.tree()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    /// Gives a file a time of its own, seconds ago.
    fn age(&self, path: &str, seconds: u64) {
        let time = SystemTime::now() - Duration::from_secs(seconds);
        fs::File::options().append(true).open(self.tree().join(path)).unwrap().set_modified(time).unwrap();
    }

    /// Removes what depmod wrote.
    fn clean(&self) {
        for name in INDEXES {
            let _ = fs::remove_file(self.tree().join(name));
        }
    }
}

fn ours() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_modutils"))
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_tool_writes_eleven_indexes_and_leaves_nothing_else() {
    let root = Root::with(&vec![user("b", &["a"]), user("a", &[])], "kernel/b.ko\nkernel/a.ko\n");
    root.make(&[]);
    assert_eq!(root.index("modules.dep").as_deref(), Some("kernel/b.ko: kernel/a.ko\nkernel/a.ko:\n"));
    let mut expected =
        [&INDEXES[..], &["kernel", "modules.builtin", "modules.builtin.modinfo", "modules.order"]].concat();
    expected.sort_unstable();
    assert_eq!(root.names(), expected);
}

#[test]
fn the_library_writes_what_the_tool_writes() {
    let (path, plain) = user("packed", &["b"]);
    let mut modules = vec![user("a", &["b"]), user("b", &[]), (format!("{path}.xz"), xz(&plain))];
    let order = "kernel/b.ko\nkernel/packed.ko\nkernel/a.ko\n";
    let root = Root::with(&modules, order);
    let lists = [("modules.builtin", "kernel/inside.ko\n"), ("modules.builtin.modinfo", "inside.alias=x:y\0")];
    for (name, list) in lists {
        root.put(name, list.as_bytes());
    }
    root.make(&[]);
    modules.reverse();
    let modules: Vec<_> = modules.iter().map(|(path, bytes)| (path.clone(), bytes.as_slice())).collect();
    let lists = lists.into_iter().chain([("modules.order", order)]);
    let lists: Vec<_> = lists.map(|(name, list)| (name.to_owned(), list.as_bytes())).collect();
    let files = index(&modules, &lists).expect("the modules are sound");
    assert_eq!(files.into_iter().collect::<BTreeMap<_, _>>(), root.indexes());
}

/// The bytes are those that kmod 34.2 writes.
#[test]
fn binary_indexes_have_kmods_bytes() {
    let root = Root::with(&vec![file("a", |module| module.modinfo("alias", "x-[a-b]"))], "");
    root.put("modules.builtin", b"kernel/a.ko\nkernel/b-c.d.ko\n");
    root.put("modules.builtin.modinfo", b"a.alias=x-y\0a.license=GPL\0noeq\0a.alias=\0.alias=z\0b.end\0c.alias=q\0");
    root.make(&[]);
    const HEAD: &[u8] = b"\xb0\x07\xf4\x57\0\x02\0\x01\x20\0\0\x0c";
    for (name, expected) in [
        ("modules.dep.bin", &b"aa\x40\0\0\x12\0\0\0\x01\0\0\0\0kernel/a.ko:\0"[..]),
        ("modules.alias.bin", b"xx\xc0\0\0\x12_[a-b]\0\0\0\0\x01\0\0\0\0a\0"),
        ("modules.builtin.bin", b"ab\x40\0\0\x16\xc0\0\0\x1f\0\0\0\x01\0\0\0\0\0_c\0\0\0\0\x01\0\0\0\0\0"),
        ("modules.builtin.alias.bin", b"xx\xc0\0\0\x12_y\0\0\0\0\x01\0\0\0\0a\0"),
    ] {
        assert_eq!(fs::read(root.tree().join(name)).unwrap(), [HEAD, expected].concat(), "{name}");
    }
    assert_eq!(fs::read(root.tree().join("modules.symbols.bin")).unwrap(), b"\xb0\x07\xf4\x57\0\x02\0\x01\0\0\0\x0c");
}

#[test]
fn lists_that_are_missing_are_told_of_and_leave_empty_files() {
    let root = Root::with(&vec![user("a", &[])], "");
    for name in ["modules.order", "modules.builtin", "modules.builtin.modinfo"] {
        fs::remove_file(root.tree().join(name)).unwrap();
    }
    let output = root.run(ours(), &[]);
    let line = |name: &str| {
        let tree = root.tree().display().to_string();
        format!("depmod: WARNING: could not open {name} at {tree}: No such file or directory\n")
    };
    let expected = ["modules.order", "modules.builtin", "modules.builtin.modinfo"].map(line).concat();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), expected));
    assert_eq!(
        (root.index("modules.builtin.bin"), root.index("modules.builtin.alias.bin")),
        (Some(String::new()), Some(String::new()))
    );
}

#[test]
fn a_ring_leaves_the_old_indexes_alone() {
    let root = Root::with(&vec![user("a", &["b"]), user("b", &["a"])], "");
    root.put("modules.dep", b"old");
    let output = root.run(ours(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).ends_with("depmod: ERROR: Found 2 modules in dependency cycles!\n"), "{output:?}");
    assert_eq!(root.indexes(), BTreeMap::from([("modules.dep", b"old".to_vec())]));
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
    encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap()
}

/// More than one thread takes.
#[test]
fn packed_and_plain_modules_give_the_same() {
    let names: Vec<String> = (0..150).map(|i| format!("m{i}")).collect();
    let module = |(i, name): (usize, &String)| user(name, &[names[i / 2].as_str()][..usize::from(i > 0)]);
    let plain: Modules = names.iter().enumerate().map(module).collect();
    let packed = plain.iter().map(|(path, bytes)| (format!("{path}.xz"), xz(bytes))).collect();
    let [plain, packed] = [&plain, &packed].map(|modules| {
        let root = Root::with(modules, "kernel/m7.ko\n");
        root.make(&[]);
        root
    });
    let dep = packed.index("modules.dep").unwrap();
    assert!(dep.starts_with("kernel/m7.ko.xz: kernel/m3.ko.xz kernel/m1.ko.xz kernel/m0.ko.xz\n"), "{dep}");
    assert_eq!(plain.index("modules.dep").unwrap(), dep.replace(".xz", ""));
    assert_eq!(plain.index("modules.symbols"), packed.index("modules.symbols"));
}

#[test]
fn a_damaged_module_is_told_of_and_listed_alone() {
    let good = user("good", &["cut", "sound"]);
    let packed = xz(&good.1);
    for (name, bytes, messages) in [
        ("empty.ko", &b""[..], &["failed to load symbols from {}: Invalid argument"][..]),
        ("short.ko", b"\x7fELF", &["failed to load symbols from {}: Invalid argument"]),
        ("text.ko", b"hello world, said the module", &["failed to load symbols from {}: Exec format error"]),
        ("cut.ko", &good.1[..100], &["failed to load symbols from {}: Invalid argument"]),
        (
            "cut.ko.xz",
            &packed[..packed.len() / 2],
            &["xz: Unexpected end of input", "failed to load symbols from {}: Invalid argument"],
        ),
        ("bad.ko", b"\xfd7zXZ\0garbage", &["xz: File is corrupt", "failed to load symbols from {}: Invalid argument"]),
    ] {
        let path = format!("kernel/{name}");
        let root = Root::with(&vec![good.clone(), user("sound", &[]), (path.clone(), bytes.to_vec())], "");
        let full = root.tree().join(&path).display().to_string();
        let expected: String =
            messages.iter().map(|line| format!("depmod: ERROR: {}\n", line.replace("{}", &full))).collect();
        let output = root.run(ours(), &[]);
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), expected), "{name}");
        let dep = root.index("modules.dep").unwrap();
        assert!(dep.contains(&format!("{path}:\n")) && dep.contains("kernel/good.ko: kernel/sound.ko\n"), "{dep}");
    }
}

#[test]
fn odd_entries_of_directories_are_passed_over() {
    let root = Root::with(&vec![user("a", &[]), user("dir.ko/b", &[])], "");
    root.put("kernel/.ko", b"");
    root.put("kernel/a.ko.bak", b"");
    root.put("build/c.ko", b"");
    let kernel = root.tree().join("kernel");
    std::os::unix::fs::symlink("a.ko", kernel.join("link.ko")).unwrap();
    std::os::unix::fs::symlink("nowhere", kernel.join("dangling.ko")).unwrap();
    let output = root.run(ours(), &[]);
    let expected = "depmod: ERROR: fstatat(4, dangling.ko): No such file or directory\n";
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), expected));
    assert_eq!(root.index("modules.dep").as_deref(), Some("kernel/dir.ko/b.ko:\nkernel/a.ko:\nkernel/link.ko:\n"));
}

#[test]
fn the_configuration_says_which_file_is_taken() {
    let module = || user("a", &[]).1;
    let modules: Modules = ["kernel", "updates", "extra"].map(|place| (format!("{place}/a.ko"), module())).into();
    for (text, expected) in [
        ("", "updates/a.ko:\n"),
        ("search extra built-in\n", "extra/a.ko:\n"),
        ("search extra\nsearch updates\n", "extra/a.ko:\n"),
        ("override a ^6\\.1 kernel\n", "kernel/a.ko:\n"),
        ("override a ^5 kernel\n", "updates/a.ko:\n"),
        ("exclude updates extra\n", "kernel/a.ko:\n"),
    ] {
        let root = Root::with(&modules, "");
        root.put("test.conf", text.as_bytes());
        root.make(&["-C", root.tree().join("test.conf").to_str().unwrap()]);
        assert_eq!(root.index("modules.dep").as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn configurations_are_read_by_name_and_bad_lines_told_of() {
    let root = Root::with(&vec![user("a", &[])], "");
    for (path, text) in [
        ("one/b.conf", "bad b\n"),
        ("two/b.conf", "bad hidden\n"),
        ("two/a.conf", "\nworse\\\n word\n"),
        ("two/x.txt", "bad\n"),
    ] {
        root.put(path, text.as_bytes());
    }
    fs::create_dir(root.tree().join("two/sub.conf")).unwrap();
    let path = |name: &str| root.tree().join(name).display().to_string();
    let output = root.run(ours(), &["-C", &path("one"), "-C", &path("two")]);
    let expected = format!(
        "depmod: ERROR: Directories inside directories are not supported: {}\n\
         depmod: ERROR: {}:3: ignoring bad line starting with 'worse'\n\
         depmod: ERROR: {}:1: ignoring bad line starting with 'bad'\n",
        path("two/sub.conf"),
        path("two/a.conf"),
        path("one/b.conf")
    );
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), expected));
}

#[test]
fn modules_outside_of_the_tree_have_absolute_paths() {
    let root = Root::with(&vec![user("a", &["out"])], "");
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("out.ko"), user("out", &[]).1).unwrap();
    root.put("test.conf", format!("external * {}\n", outside.path().display()).as_bytes());
    root.make(&["-C", root.tree().join("test.conf").to_str().unwrap()]);
    let out = outside.path().join("out.ko").display().to_string();
    assert_eq!(root.index("modules.dep"), Some(format!("kernel/a.ko: {out}\n{out}:\n")));
}

#[test]
fn aliases_that_no_index_can_hold_are_told_of() {
    let aliases = ["x[a", "y]", "twice", "twice"];
    let module = |module: Module| aliases.iter().fold(module, |module, alias| module.modinfo("alias", alias));
    let root = Root::with(&vec![file("a", module)], "");
    let output = root.run(ours(), &["-w"]);
    assert_eq!(
        stderr(&output),
        "depmod: WARNING: Unmatched bracket in x[a\n\
         depmod: WARNING: Unmatched bracket in y]\n\
         depmod: WARNING: duplicate module alias:\ntwice a\n"
    );
    assert!(
        root.index("modules.alias").unwrap().ends_with("\nalias x[a a\nalias y] a\nalias twice a\nalias twice a\n")
    );

    let root = Root::with(&vec![file("a", |module| module.modinfo("alias", "x\u{e4}"))], "");
    let output = root.run(ours(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).ends_with("=0xc3 - only 7-bit ASCII is supported:\nx\u{e4}\n"), "{output:?}");
    assert_eq!(root.indexes().keys().copied().collect::<Vec<_>>(), ["modules.alias", "modules.dep", "modules.dep.bin"]);
    assert_eq!(root.names().len(), 3 + 4, "no half-written file");
}

#[test]
fn modules_are_checked_against_the_kernels_symbols() {
    let exporter = file("a", |module| module.exports_with_crc("s", 0x11));
    let needy = file("b", |module| {
        let module = module.needs("s").needs("printk").needs("nobody").needs_weakly("maybe");
        module.version("s", 0x12).version("printk", 0x21).version("module_layout", 0x31)
    });
    let root = Root::with(&vec![exporter, needy], "");
    root.put(
        "symvers",
        b"0x00000021\tprintk\tvmlinux\tEXPORT_SYMBOL\n0x31 module_layout vmlinux x\n0x1 nobody net/x y\n",
    );
    root.put("map", b"c0 r __ksymtab_printk\nbad line\nc1 r __ksymtab_module_layout\nc2 T nobody\n");
    let path = |name: &str| root.tree().join(name).display().to_string();
    let b = path("kernel/b.ko");
    let unknown = format!("depmod: WARNING: {b} needs unknown symbol nobody\n");
    let disagrees = format!("depmod: WARNING: {b} disagrees about version of symbol s\n");
    let bad = format!("depmod: ERROR: {}:2: invalid line: bad line\n\n", path("map"));
    for (options, expected) in [
        (&["-e"][..], "depmod: WARNING: -e needs -E or -F\n".to_owned()),
        (&["-E", &path("symvers")], String::new()),
        (&["-e", "-E", &path("symvers")], disagrees + &unknown),
        (&["-e", "-F", &path("map")], bad + &unknown),
    ] {
        let output = root.run(ours(), options);
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), expected), "{options:?}");
    }
}

#[test]
fn bad_arguments_have_kmods_messages() {
    let root = Root::with(&vec![user("a", &[])], "");
    let path = |name: &str| root.tree().join(name).display().to_string();
    let (a, none) = (path("kernel/a.ko"), path("none.ko"));
    for (options, operands, message) in [
        (&["-P", "ab"][..], &[VERSION][..], "FATAL: -P only takes a single char"),
        (&["-E", "/none"], &[VERSION], "FATAL: could not load /none: No such file or directory"),
        (&["-F", "/none"], &[VERSION], "FATAL: could not load /none: No such file or directory"),
        (&[], &["6"], "ERROR: Bad version passed 6"),
        (&[], &["x6.1"], "ERROR: Bad version passed x6.1"),
        (&[], &[VERSION, "a.ko"], "FATAL: a.ko: not absolute path."),
        (&[], &[VERSION, &none], &format!("FATAL: could not create module {none}: No such file or directory")),
        (&[], &[VERSION, &a, &a], &format!("FATAL: could not add module {a}: File exists")),
        (&[], &["6.2"], "FATAL: could not search modules: No such file or directory"),
    ] {
        let output = root.run_for(ours(), options, operands);
        assert_eq!(output.status.code(), Some(1), "{options:?} {operands:?}");
        assert!(stderr(&output).ends_with(&format!("depmod: {message}\n")), "{options:?} {operands:?}: {output:?}");
    }
    assert!(root.indexes().is_empty());
}

#[test]
fn directories_and_the_symbols_prefix_can_be_others() {
    let root = Root::with(&vec![user("a", &[])], "");
    let out = tempfile::tempdir().unwrap();
    root.make(&["-o", out.path().to_str().unwrap()]);
    let written = fs::read_to_string(out.path().join("lib/modules").join(VERSION).join("modules.dep")).unwrap();
    assert_eq!((written.as_str(), root.indexes().len()), ("kernel/a.ko:\n", 0));

    fs::rename(root.0.path().join("lib"), root.0.path().join("usr")).unwrap();
    root.make(&["-m", "/usr/modules"]);
    assert!(root.0.path().join("usr/modules").join(VERSION).join("modules.dep").exists());

    let root = Root::with(
        &vec![user("_a", &[]), file("b", |module| module.needs("_a")), file("c", |module| module.needs("._a"))],
        "",
    );
    root.make(&["-P", "_"]);
    assert!(root.index("modules.symbols").unwrap().ends_with("().\nalias symbol:a _a\n"));
    assert!(root.index("modules.dep").unwrap().contains("kernel/c.ko: kernel/_a.ko\n"));
}

#[test]
fn files_that_are_given_are_all_that_is_indexed() {
    let root = Root::with(&vec![user("a", &[]), user("b", &["a"])], "");
    let b = root.tree().join("kernel/b.ko").display().to_string();
    for (options, expected) in [(&[][..], "kernel/b.ko:\n"), (&["-a"], "kernel/b.ko: kernel/a.ko\nkernel/a.ko:\n")] {
        let output = root.run_for(ours(), options, &[VERSION, &b]);
        assert_eq!((output.status.code(), root.index("modules.dep").as_deref()), (Some(0), Some(expected)));
    }
}

#[test]
fn the_dry_run_writes_the_texts_or_one_document() {
    let device = |module: Module| module.modinfo("alias", "devname:x/y").modinfo("alias", "char-major-10-7");
    let modules = vec![user("b", &["a"]), file("a", |module| device(module).exports("a").modinfo("softdep", "pre: z"))];
    let root = Root::with(&modules, "kernel/b.ko\nkernel/a.ko\n");
    let output = root.run(ours(), &["-n", "-v"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let full = |name: &str| root.tree().join(name).display().to_string();
    let need = format!("{} needs \"a\": {}\n", full("kernel/b.ko"), full("kernel/a.ko"));
    assert!(text.starts_with(&format!("{need}kernel/b.ko: kernel/a.ko\nkernel/a.ko:\n# Aliases")), "{text}");
    assert!(text.ends_with("\na x/y c10:7\n"), "{text}");

    let output = root.run(ours(), &["--json"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        document,
        serde_json::json!({
            "release": VERSION,
            "directory": root.tree(),
            "modules": [
                {
                    "name": "b", "path": "kernel/b.ko", "dependencies": ["kernel/a.ko"], "aliases": [], "softdeps": [],
                    "weakdeps": [], "symbols": ["b"], "device": null,
                },
                {
                    "name": "a", "path": "kernel/a.ko", "dependencies": [], "aliases": ["devname:x/y", "char-major-10-7"],
                    "softdeps": ["pre: z"], "weakdeps": [], "symbols": ["a"],
                    "device": {"node": "x/y", "type": "c", "major": 10, "minor": 7},
                },
            ],
        })
    );
    assert!(root.indexes().is_empty());
}

#[test]
fn quick_does_nothing_unless_a_module_is_newer() {
    let root = Root::with(&vec![user("a", &[])], "kernel/a.ko\n");
    root.put("modules.dep", b"old");
    root.age("kernel/a.ko", 1000);
    root.age("modules.dep", 1000);
    root.make(&["-A"]);
    assert_eq!(root.index("modules.dep").as_deref(), Some("old"));
    root.age("kernel/a.ko", 998);
    root.make(&["-A"]);
    assert_eq!(root.index("modules.dep").as_deref(), Some("kernel/a.ko:\n"));
}

/// Of an incremental run, and of a full one that must have written the same.
#[track_caller]
fn check_incremental(root: &Root, change: &str) -> BTreeMap<&'static str, Vec<u8>> {
    // Files that are as new as this cannot be told from others just as new.
    std::thread::sleep(Duration::from_millis(30));
    root.make(&["--incremental"]);
    let found = root.indexes();
    root.clean();
    root.make(&[]);
    assert_eq!(found, root.indexes(), "{change}");
    found
}

#[test]
fn an_incremental_run_writes_what_a_full_one_does() {
    let root = Root::with(&vec![user("a", &["b"]), user("b", &[]), user("c", &[])], "");
    let before = check_incremental(&root, "at first");
    root.put("kernel/d.ko", &user("d", &["a"]).1);
    assert_ne!(before, check_incremental(&root, "a new module"));
    root.put("kernel/b.ko", &user("b", &["c"]).1);
    let with_c = check_incremental(&root, "a changed module");
    assert!(
        String::from_utf8_lossy(&with_c["modules.dep"]).contains("kernel/d.ko: kernel/a.ko kernel/b.ko kernel/c.ko\n")
    );
    fs::remove_file(root.tree().join("kernel/c.ko")).unwrap();
    assert_ne!(with_c, check_incremental(&root, "a module less"));
    root.put("modules.order", b"kernel/d.ko\nkernel/b.ko\n");
    check_incremental(&root, "another order");
    root.put("modules.builtin", b"kernel/x.ko\n");
    check_incremental(&root, "another list");
    root.put("updates/a.ko", &user("a", &[]).1);
    check_incremental(&root, "another file of a module");
    root.put("modules.depmod.cache", b"depmod cache 1");
    check_incremental(&root, "a damaged cache");
}

#[test]
fn an_incremental_run_without_a_change_writes_nothing() {
    let root = Root::with(&vec![user("a", &[])], "");
    std::thread::sleep(Duration::from_millis(30));
    root.make(&["--incremental"]);
    let stamp = |name: &str| {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(root.tree().join(name)).unwrap().ino()
    };
    let before = INDEXES.map(stamp);
    root.make(&["--incremental"]);
    assert_eq!(INDEXES.map(stamp), before);
    root.put("modules.dep", b"something else");
    root.make(&["--incremental"]);
    assert_eq!(root.index("modules.dep").as_deref(), Some("kernel/a.ko:\n"));
}

#[test]
fn an_incremental_run_repeats_its_messages() {
    let root = Root::with(&vec![user("a", &[]), ("kernel/bad.ko".into(), b"nothing at all".to_vec())], "");
    std::thread::sleep(Duration::from_millis(30));
    let [first, second] = [(); 2].map(|()| stderr(&root.run(ours(), &["--incremental"])));
    assert!(first.contains("kernel/bad.ko: Exec format error\n"), "{first}");
    assert_eq!(first, second);
}

/// kmod's depmod, or why the comparison is left out.
fn kmod() -> Option<Kmod> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let of_kmod = |program: PathBuf| {
        let version = Command::new(&program).arg("--version").output().ok()?;
        let version = String::from_utf8(version.stdout).ok()?;
        let number = version.strip_prefix("kmod version ")?.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u32>();
        Some(Kmod { program, has_our_layout: number.ok()? >= 34 })
    };
    let found = places.map(|place| place.join("depmod")).find_map(of_kmod);
    if found.is_none() {
        eprintln!("skipped: no depmod of kmod in PATH, /usr/sbin or /sbin to compare with");
    }
    found
}

struct Kmod {
    program: PathBuf,
    /// Earlier versions write the nodes of binary indexes in another order.
    has_our_layout: bool,
}

/// Numbers that look random and are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Modules that need earlier ones at random. Names, symbols, aliases and places vary.
fn random_modules(numbers: &mut Numbers) -> Modules {
    let count = 1 + numbers.below(24);
    let name = |i: u64| format!("m{}-{i}", i * 7919 % 31);
    let module = |numbers: &mut Numbers, i: u64| {
        let mut module = Module::new(&name(i).replace('-', "_"));
        for symbol in 0..numbers.below(4) {
            let symbol = format!("s{i}_{symbol}");
            module = if numbers.below(3) == 0 { module.exports_with_crc(&symbol, 7) } else { module.exports(&symbol) };
        }
        module = module.exports(&format!("own{i}"));
        for _ in 0..numbers.below(4) {
            let other = numbers.below(i.max(1));
            module = match numbers.below(4) {
                0 => module.needs_weakly(&format!("own{other}")),
                1 => module.version(&format!("own{other}"), 1),
                2 => module.needs(&format!(".own{other}")),
                _ => module.needs(&format!("own{other}")),
            };
        }
        for alias in ["a:-*", "char-major-10-7", "devname:x", "block-major-8-1", "symbol:s"] {
            module = if numbers.below(6) == 0 { module.modinfo("alias", alias) } else { module };
        }
        let place = ["kernel/a", "kernel/b/c", "extra", "updates/dkms"][numbers.below(4) as usize];
        (format!("{place}/{}.ko", name(i)), module.build())
    };
    (0..count).map(|i| module(numbers, i)).collect()
}

#[test]
fn random_trees_get_kmods_bytes() {
    let Some(kmod) = kmod() else { return };
    let mut numbers = Numbers(1);
    for case in 0..100 {
        let modules = random_modules(&mut numbers);
        let listed = modules.iter().filter(|_| numbers.below(3) > 0);
        let order: String = listed.map(|(path, _)| format!("{path}\n")).collect();
        check_against(&kmod, &Root::with(&modules, &order), &format!("case {case}"));
    }
}

#[test]
fn rings_are_refused_as_kmod_refuses_them() {
    let Some(kmod) = kmod() else { return };
    for ring in [
        vec![user("a", &["a"])],
        vec![user("a", &["b"]), user("b", &["a"])],
        vec![user("a", &["b"]), user("b", &["c"]), user("c", &["a"]), user("d", &["a"]), user("e", &[])],
    ] {
        check_against(&kmod, &Root::with(&ring, ""), &format!("{} modules", ring.len()));
    }
}

/// The same files, exit code and messages from both.
#[track_caller]
fn check_against(kmod: &Kmod, root: &Root, case: &str) {
    let (theirs, their_files) = (root.run(&kmod.program, &[]), root.indexes());
    root.clean();
    let (output, files) = (root.run(ours(), &[]), root.indexes());
    for name in INDEXES.iter().filter(|name| kmod.has_our_layout || !name.ends_with(".bin")) {
        let text = |files: &BTreeMap<_, Vec<u8>>| files.get(name).map(|bytes| bytes.escape_ascii().to_string());
        // kmod 30 and before do not write this one.
        if their_files.contains_key(name) || *name != "modules.weakdep" {
            assert_eq!(text(&files), text(&their_files), "{case}: {name}");
        }
    }
    assert_eq!((output.status.code(), stderr(&output)), (theirs.status.code(), stderr(&theirs)), "{case}");
}
