//! Kernels that are built from source, without compiling one: the source is made up, and its makefile does what each
//! test is about. `ci/kernels` builds real ones.

mod common;
#[path = "common/desk.rs"]
mod desk;
#[path = "common/package.rs"]
mod package;

use std::{
    fs,
    io::Read as _,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use modrig::{
    cache::Cache,
    kernel::{FetchOptions, Store, buildroot::Recipe},
    progress::Progress,
};

use common::names_in;
use desk::{Desk, Ran, eventually, run, start};

const NAME: &str = "9.1-kasan";
const RELEASE: &str = "9.1.5-kasan";

/// A makefile that keeps every option.
const CONFIGURES: &str = "allnoconfig:\n\tcp fragment.config .config\nmodules: bzImage\n";
/// A makefile that has everything ready.
const COMPILES: &str = "bzImage:\n\t@echo '  CC      init/main.o'\n\tcp ready arch/x86/boot/bzImage\n\
                        \techo 9.1.5-kasan > include/config/kernel.release\n";
const LOADERS: &str = "KCOV_INSTRUMENT_main.o := n\nobj-y += main.o\n";

/// A kernel without anything in it.
fn bzimage() -> Vec<u8> {
    let mut image = vec![0; 1024];
    image[0x1f1] = 1;
    image[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
    image[0x202..0x208].copy_from_slice(b"HdrS\x0f\x02");
    image
}

/// A source package.
fn source(makefile: &str, loaders: &str) -> Vec<u8> {
    let image = bzimage();
    let files: [(&str, &[u8]); 12] = [
        ("Makefile", makefile.as_bytes()),
        ("Kbuild", b""),
        ("Module.symvers", b""),
        ("System.map", b"ffffffff81000000 T _text\n"),
        ("arch/x86/Makefile", b""),
        ("arch/x86/boot/Makefile", b""),
        ("arch/x86/include/asm/module.h", b""),
        ("include/config/auto.conf", b""),
        ("kernel/module/Makefile", loaders.as_bytes()),
        ("ready", &image),
        ("scripts/Makefile.build", b""),
        ("tools/objtool/objtool", b""),
    ];
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("linux-source-9.1/{name}"), bytes).unwrap();
    }
    let mut packed = Vec::new();
    liblzma::read::XzEncoder::new(&tar.into_inner().unwrap()[..], 1).read_to_end(&mut packed).unwrap();
    package::deb(&[("usr/src/linux-source-9.1.tar.xz", &packed)])
}

/// A list with one kernel to build, whose package is in the cache already.
struct Setting(Desk);

impl Setting {
    fn new(makefile: &str, loaders: &str) -> Self {
        let (desk, deb) = (Desk::new(), source(makefile, loaders));
        let (size, sha256) = (deb.len(), package::sha256(&deb));
        desk.file(
            "list.toml",
            format!("\"{NAME}\" = {{ suite = \"trixie-backports\", build = \"kasan\", compiler = \"gcc-14\" }}\n"),
        );
        desk.file(
            "list.lock",
            format!(
                "[\"{NAME}\"]\nrelease = \"{RELEASE}\"\nversion = \"9.1.5-1\"\n[[\"{NAME}\".packages]]\n\
                 path = \"pool/linux-source-9.1.deb\"\nsize = {size}\nsha256 = \"{sha256}\"\n"
            ),
        );
        let here = desk.path("cache/deb").join(sha256);
        fs::create_dir_all(&here).unwrap();
        fs::write(here.join("deb"), deb).unwrap();
        lend_build_root(&desk.path("cache"));
        Self(desk)
    }

    fn modrig(&self, args: &[&str]) -> Command {
        self.0.modrig(&[&["--cache", "cache", "--kernels", "list.toml", "--offline"], args].concat())
    }

    fn build(&self) -> Ran {
        run(self.modrig(&["kernels", "build", NAME]))
    }

    fn cache(&self, name: &str) -> PathBuf {
        self.0.path("cache").join(name)
    }

    fn assert_nothing_stayed(&self) {
        assert_eq!(names_in(&self.cache("tmp")), Vec::<String>::new(), "something was left half-written");
        assert_eq!(names_in(&self.cache("kernel")), Vec::<String>::new());
    }
}

/// The build root of the machine's cache, made if it is not there.
fn lend_build_root(cache: &Path) {
    let (real, recipe) = (Cache::open(None).unwrap(), Recipe::for_kernels("trixie", "gcc-14"));
    let store = Store { cache: real, progress: Progress::hidden(), options: FetchOptions::default() };
    recipe.prepare(&store).unwrap();
    fs::create_dir_all(cache.join("buildroot")).unwrap();
    let place = Path::new("buildroot").join(recipe.key());
    symlink(store.cache.root().join(&place), cache.join(&place)).unwrap();
}

#[test]
fn a_source_becomes_a_kernel_once() {
    let setting = Setting::new(&format!("{CONFIGURES}{COMPILES}"), LOADERS);
    run(setting.modrig(&["kernels", "list"])).ends(0, &[NAME, RELEASE, "to be built"]);
    setting.build().ends(0, &["9.1-kasan: 9.1.5-kasan is here"]);
    let [key] = &names_in(&setting.cache("kernel"))[..] else { panic!("not one kernel") };
    let place = setting.cache("kernel").join(key);
    assert_eq!(names_in(&place), ["System.map", "build.log", "bzImage", "config", "usr"]);
    assert_eq!(fs::read(place.join("bzImage")).unwrap(), bzimage());
    assert!(fs::read_to_string(place.join("config")).unwrap().contains("CONFIG_KCOV=y\n"));
    let headers = place.join("usr/src/linux-headers-9.1.5-kasan");
    for file in ["Makefile", "include/config/auto.conf", "scripts/Makefile.build", "tools/objtool/objtool"] {
        assert!(headers.join(file).exists(), "{file}");
    }
    assert!(!headers.join("kernel").exists());

    // The package is gone from the cache, and nothing can be fetched: it is not built again.
    assert_eq!(names_in(&setting.cache("deb")), Vec::<String>::new());
    run(setting.modrig(&["kernels", "list"])).ends(0, &["here"]);
    setting.build().ends(0, &["is here"]);
    run(setting.modrig(&["doctor"])).ends(0, &["9.1-kasan is here"]);
}

#[test]
fn lost_options_are_all_named() {
    let drops = "allnoconfig:\n\tgrep -v -e KASAN_VMALLOC -e CONFIG_KCOV= fragment.config > .config\n";
    let setting = Setting::new(drops, LOADERS);
    let words = "Kconfig has not kept 2 options: CONFIG_KASAN_VMALLOC=y is not set, CONFIG_KCOV=y is not set";
    setting.build().ends(3, &["cannot be configured by harness/kernels/kasan.config", words, "help: "]);
    setting.assert_nothing_stayed();
}

#[test]
fn what_does_not_compile_shows_the_compilers_errors_and_keeps_the_log() {
    let fails = "bzImage:\n\t@echo '  CC      a.o'; echo 'a.c:1:2: error: no such thing'; exit 1\n";
    let setting = Setting::new(&format!("{CONFIGURES}{fails}"), LOADERS);
    let ran = setting.build();
    ran.ends(
        3,
        &["9.1.5-kasan does not compile:\na.c:1:2: error: no such thing\n", "the whole log is `", "build.log`"],
    );
    let log = fs::read_to_string(setting.cache("log/9.1.5-kasan/build.log")).unwrap();
    assert!(log.contains("  CC      a.o\n"), "{log}");
    setting.assert_nothing_stayed();
}

#[test]
fn a_loader_that_is_left_out_in_another_way_is_an_error() {
    let setting = Setting::new(&format!("{CONFIGURES}{COMPILES}"), "obj-y += main.o\n");
    setting.build().ends(3, &["kernel/module/Makefile` of 9.1.5-kasan has no line that leaves the loader out"]);
    setting.assert_nothing_stayed();
}

#[test]
fn a_source_of_another_release_is_an_error() {
    let other = COMPILES.replace("9.1.5", "9.1.6");
    let setting = Setting::new(&format!("{CONFIGURES}{other}"), LOADERS);
    setting.build().ends(3, &["the source makes 9.1.6-kasan, not 9.1.5-kasan"]);
    setting.assert_nothing_stayed();
}

#[test]
fn ctrl_c_ends_make_and_leaves_nothing() {
    // A number that tells this process from all others.
    let seconds = format!("1{:06}", std::process::id());
    let waits = format!("bzImage:\n\t@echo '  CC      a.o'; sleep {seconds}\n");
    let setting = Setting::new(&format!("{CONFIGURES}{waits}"), LOADERS);
    let child = start(setting.modrig(&["kernels", "build", NAME]));
    eventually("it compiles", || is_running(&seconds));
    // SAFETY: kill takes two numbers. The child has not been waited for, so its number is still its own.
    assert_eq!(unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGINT) }, 0);
    Ran::from(child.wait_with_output().unwrap()).ends(130, &["stopping after cleaning up", "error: interrupted"]);
    eventually("make is gone", || !is_running(&seconds));
    setting.assert_nothing_stayed();
}

/// Whether some `sleep` has this argument.
fn is_running(seconds: &str) -> bool {
    names_in(Path::new("/proc")).iter().any(|number| {
        let line = fs::read(Path::new("/proc").join(number).join("cmdline")).unwrap_or_default();
        line == format!("sleep\0{seconds}\0").as_bytes()
    })
}

#[test]
fn what_is_not_built_here_is_wrong_usage() {
    let desk = Desk::new();
    let build = |name| run(desk.modrig(&["--cache", "cache", "kernels", "build", name]));
    build("6.1").ends(2, &["kernel 6.1 is not built here: `modrig run -k 6.1` fetches it", "help: those that are"]);
    build("6.13-kasan").ends(2, &["no kernel is called `6.13-kasan`", "did you mean 6.1"]);
}
