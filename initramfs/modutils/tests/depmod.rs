//! depmod: exact indexes for small trees, and the same bytes as kmod's where kmod is installed.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use modfile::write::Module;
use modutils::depmod::{Error, index};
use tempfile::TempDir;

const INDEXES: [&str; 5] = ["modules.dep", "modules.alias", "modules.softdep", "modules.symbols", "modules.devname"];
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
    let files = index(&modules).expect("the modules are sound");
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
    let error = index(&modules).expect_err("nothing can be loaded first").to_string();
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
        let Err(Error::Cycles(cycles)) = index(&modules) else { continue };
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
    let error = index(&[("kernel/bad.ko".into(), b"\x7fELF")]).expect_err("four bytes are no module");
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
        // Without these kmod warns; our depmod does not read them yet.
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

    fn run(&self, program: &Path, options: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.arg0("depmod").args(options).arg("-b").arg(self.0.path()).arg(VERSION);
        command.output().expect("the program was found before")
    }

    fn indexes(&self) -> Vec<Option<String>> {
        INDEXES.iter().map(|name| fs::read_to_string(self.tree().join(name)).ok()).collect()
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
fn the_tool_writes_the_tree_and_leaves_nothing_else() {
    let root = Root::with(&vec![user("b", &["a"]), user("a", &[])], "kernel/b.ko\nkernel/a.ko\n");
    let output = root.run(ours(), &[]);
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    assert_eq!(root.indexes()[0].as_deref(), Some("kernel/b.ko: kernel/a.ko\nkernel/a.ko:\n"));
    let mut names: Vec<_> = fs::read_dir(root.tree()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort_unstable();
    let expected = "kernel modules.alias modules.builtin modules.builtin.modinfo modules.dep modules.devname \
                    modules.order modules.softdep modules.symbols modules.weakdep";
    assert_eq!(names, expected.split(' ').collect::<Vec<_>>());
}

#[test]
fn a_ring_leaves_the_old_indexes_alone() {
    let root = Root::with(&vec![user("a", &["b"]), user("b", &["a"])], "");
    root.put("modules.dep", b"old");
    let output = root.run(ours(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).ends_with("depmod: ERROR: Found 2 modules in dependency cycles!\n"), "{output:?}");
    assert_eq!(root.indexes(), [Some("old".into()), None, None, None, None]);
}

#[test]
fn a_compressed_module_is_refused_by_name() {
    let root = Root::with(&vec![("kernel/a.ko.xz".into(), b"\xfd7zXZ\0...".to_vec())], "");
    let output = root.run(ours(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("kernel/a.ko.xz is compressed"), "{output:?}");
    assert_eq!(root.indexes()[0], None);
}

#[test]
fn quick_does_nothing_unless_a_module_is_newer() {
    let root = Root::with(&vec![user("a", &[])], "kernel/a.ko\n");
    root.put("modules.dep", b"old");
    let at = |path: &str, seconds| {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        fs::File::options().append(true).open(root.tree().join(path)).unwrap().set_modified(time).unwrap();
    };
    at("kernel/a.ko", 1000);
    at("modules.dep", 1000);
    assert_eq!(root.run(ours(), &["-A"]).status.code(), Some(0));
    assert_eq!(root.indexes()[0].as_deref(), Some("old"));
    at("kernel/a.ko", 1001);
    assert_eq!(root.run(ours(), &["-A"]).status.code(), Some(0));
    assert_eq!(root.indexes()[0].as_deref(), Some("kernel/a.ko:\n"));
}

/// kmod's depmod, or why the comparison is left out.
fn kmod() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let is_kmods = |program: &PathBuf| {
        let version = Command::new(program).arg("--version").output();
        version.is_ok_and(|output| output.stdout.starts_with(b"kmod version"))
    };
    let found = places.map(|place| place.join("depmod")).find(is_kmods);
    if found.is_none() {
        eprintln!("skipped: no depmod of kmod in PATH, /usr/sbin or /sbin to compare with");
    }
    found
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
fn check_against(kmod: &Path, root: &Root, case: &str) {
    let (theirs, their_files) = (root.run(kmod, &[]), root.indexes());
    root.clean();
    let (output, files) = (root.run(ours(), &[]), root.indexes());
    assert_eq!(files, their_files, "{case}");
    assert_eq!((output.status.code(), stderr(&output)), (theirs.status.code(), stderr(&theirs)), "{case}");
}
