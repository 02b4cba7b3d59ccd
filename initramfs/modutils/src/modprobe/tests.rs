//! modprobe against a kernel that only takes notes.

use std::{collections::BTreeMap, io, path::Path, time::Duration};

use super::*;
use crate::{config::Softdep, fake::Root, sys::Refusal};

/// A kernel with modules that are live, coming or builtin, and how often each is used.
#[derive(Default)]
struct Notes {
    loaded: BTreeMap<String, (InitState, i32)>,
    holders: Vec<(&'static str, &'static str)>,
    /// What a load of a module returns; 0 for those not named.
    returns: Vec<(&'static str, i64)>,
    command_code: i32,
    calls: Vec<String>,
}

impl Notes {
    fn with(mut self, module: &str, state: InitState, refcnt: i32) -> Self {
        self.loaded.insert(module.into(), (state, refcnt));
        self
    }
}

impl Kernel for Notes {
    fn state(&self, module: &str) -> Option<InitState> {
        self.loaded.get(module).map(|(state, _)| *state)
    }

    fn refcnt(&self, module: &str) -> Option<i32> {
        self.loaded.get(module).map(|(_, refcnt)| *refcnt)
    }

    fn holders(&self, module: &str) -> io::Result<Vec<String>> {
        if !self.loaded.contains_key(module) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let held = self.holders.iter().filter(|(held, holder)| *held == module && self.loaded.contains_key(*holder));
        Ok(held.map(|(_, holder)| (*holder).into()).collect())
    }

    fn insert(&mut self, path: &Path, params: &str, flags: u32) -> Result<(), Refusal> {
        let module = path.file_stem().unwrap().to_string_lossy().into_owned();
        self.calls.push(format!("insert {module} [{params}] {flags}"));
        match self.returns.iter().find(|(name, _)| *name == module) {
            Some((_, value)) => Err(Refusal(*value)),
            None => {
                self.loaded.insert(module, (InitState::Live, 0));
                Ok(())
            }
        }
    }

    fn remove(&mut self, module: &str, force: bool) -> Result<(), Refusal> {
        self.calls.push(format!("remove {module}{}", if force { " by force" } else { "" }));
        match self.loaded.get(module) {
            None => return Err(Refusal(-i64::from(libc::ENOENT))),
            Some((_, 1..)) if !force => return Err(Refusal(-i64::from(libc::EAGAIN))),
            Some(_) => self.loaded.remove(module),
        };
        for (held, holder) in &self.holders {
            if *holder == module
                && let Some((_, refcnt)) = self.loaded.get_mut(*held)
            {
                *refcnt -= 1;
            }
        }
        Ok(())
    }

    /// Users go one by one, one each time.
    fn pause(&mut self, time: Duration) {
        self.calls.push(format!("pause {} ms", time.as_millis()));
        self.loaded.values_mut().for_each(|(_, refcnt)| *refcnt -= 1);
    }

    fn run(&mut self, module: &str, command: &str) -> io::Result<i32> {
        self.calls.push(format!("run {command} for {module}"));
        Ok(self.command_code)
    }
}

/// top needs middle needs leaf, middle also other; `fixed` is builtin; `net-pf-1` is top.
fn root() -> Root {
    let root = Root::new();
    root.tree("modules.dep", "top.ko: middle.ko other.ko leaf.ko\nmiddle.ko: other.ko leaf.ko\nother.ko:\nleaf.ko:\n");
    root.tree("modules.alias", "alias net-pf-1 top\nalias two leaf\nalias two other\n");
    root.tree("modules.builtin", "kernel/fixed.ko\n");
    root
}

/// The result, what was printed, and the calls made.
fn run(root: &Root, config: &Config, kernel: &mut Notes, line: &str) -> (Result<(), Failure>, String) {
    let tool = Tool { name: "modprobe", program: "modprobe".into() };
    let mut log = tool.log(Priority::Warning);
    let arguments = line.split(' ').map(String::from).collect();
    let (options, operands) = arguments::read(&tool, "", arguments, &mut log).unwrap();
    log.level = options.level;
    let (mut out, tree) = (Vec::new(), root.indexes());
    let session = &mut Session {
        tree: &tree,
        config,
        options: &options,
        log: &log,
        explainer: &mut Explainer::default(),
        kernel,
        out: &mut out,
        records: Vec::new(),
    };
    let result = session.run(&operands);
    session.finish();
    (result, String::from_utf8(out).unwrap())
}

#[track_caller]
fn check(config: &Config, mut kernel: Notes, line: &str, result: Result<(), Failure>, calls: &[&str]) {
    let (found, _) = run(&root(), config, &mut kernel, line);
    assert_eq!(
        (kernel.calls.as_slice(), found),
        (calls.iter().map(|call| call.to_string()).collect::<Vec<_>>().as_slice(), result),
        "{line}"
    );
}

const FAILED: Result<(), Failure> = Err(Failure::Failed);
const STOP: Result<(), Failure> = Err(Failure::Stop);

fn plain() -> Config {
    Config::default()
}

fn empty() -> Notes {
    Notes::default()
}

#[test]
fn dependencies_are_loaded_first_and_parameters_go_to_the_last() {
    let calls = ["insert leaf [] 0", "insert other [] 0", "insert middle [] 0", "insert top [a=1 b=\"x y\"] 0"];
    let (mut kernel, root) = (empty(), root());
    let (tree, out) = (root.indexes(), &mut Vec::new());
    let (log, options) = (Log::new("modprobe", Priority::Warning), Options::default());
    let mut session = Session {
        tree: &tree,
        config: &plain(),
        options: &options,
        log: &log,
        explainer: &mut Explainer::default(),
        kernel: &mut kernel,
        out,
        records: Vec::new(),
    };
    session.run(&["top".into(), "a=1".into(), "b=x y".into()]).unwrap();
    assert_eq!(kernel.calls, calls);
}

#[test]
fn what_is_live_or_builtin_is_not_loaded_again() {
    let live = || empty().with("top", InitState::Live, 0);
    check(&plain(), live(), "top", Ok(()), &[]);
    check(&plain(), live(), "--first-time top", FAILED, &[]);
    check(&plain(), empty(), "fixed", Ok(()), &[]);
    check(&plain(), empty(), "--first-time fixed", FAILED, &[]);
    let partly = empty().with("leaf", InitState::Live, 1).with("other", InitState::Live, 0);
    check(&plain(), partly, "--first-time middle", Ok(()), &["insert middle [] 0"]);
}

#[test]
fn a_module_that_is_coming_is_left_to_the_kernel() {
    let coming = || Notes { returns: vec![("leaf", -17)], ..empty().with("leaf", InitState::Coming, 1) };
    check(&plain(), coming(), "leaf", Ok(()), &["insert leaf [] 0"]);
    check(&plain(), coming(), "--first-time leaf", FAILED, &["insert leaf [] 0"]);
}

#[test]
fn a_failed_dependency_ends_the_load() {
    for value in [-1, -256, -65280, 1] {
        let kernel = Notes { returns: vec![("other", value)], ..empty() };
        check(&plain(), kernel, "top", FAILED, &["insert leaf [] 0", "insert other [] 0"]);
    }
}

#[test]
fn a_failed_soft_dependency_does_not() {
    let softdep = Softdep { pattern: "leaf".into(), pre: vec!["other".into()], post: vec![] };
    let config = Config { softdeps: vec![softdep], ..plain() };
    let kernel = Notes { returns: vec![("other", -1)], ..empty() };
    check(&config, kernel, "leaf", Ok(()), &["insert other [] 0", "insert leaf [] 0"]);
}

#[test]
fn the_blacklist_is_about_aliases() {
    let config = Config { blacklist: vec!["top".into(), "leaf".into()], ..plain() };
    check(&config, empty(), "net-pf-1", Ok(()), &[]);
    check(&config, empty(), "leaf", Ok(()), &["insert leaf [] 0"]);
    check(&config, empty(), "-b leaf", Ok(()), &[]);
    check(&config, empty(), "-b other", Ok(()), &["insert other [] 0"]);
    check(&config, empty(), "-b two", Ok(()), &["insert other [] 0"]);
}

#[test]
fn an_unknown_name_stops_unless_silent_or_one_of_all() {
    check(&plain(), empty(), "nothing", STOP, &[]);
    check(&plain(), empty(), "-q -- nothing", FAILED, &[]);
    check(&plain(), empty(), "-a nothing leaf", FAILED, &["insert leaf [] 0"]);
    check(&plain(), empty(), "odd]", STOP, &[]);
}

#[test]
fn force_is_handed_to_the_kernel() {
    check(&plain(), empty(), "-f leaf", Ok(()), &["insert leaf [] 3"]);
    check(&plain(), empty(), "--force-vermagic leaf", Ok(()), &["insert leaf [] 2"]);
    check(&plain(), empty().with("leaf", InitState::Live, 0), "-rf leaf", Ok(()), &["remove leaf by force"]);
}

#[test]
fn an_install_command_takes_the_modules_place() {
    let config = Config {
        install: vec![("le*".into(), "go $CMDLINE_OPTS".into())],
        options: vec![("leaf".into(), "a=1".into())],
        ..plain()
    };
    check(&config, empty(), "leaf", Ok(()), &["run go a=1  for leaf"]);
    check(&config, empty(), "-i leaf", Ok(()), &["insert leaf [a=1 ] 0"]);
    check(&config, Notes { command_code: 1, ..empty() }, "leaf", FAILED, &["run go a=1  for leaf"]);
}

/// All four of `root` loaded, as a load of `top` leaves them.
fn full() -> Notes {
    let holders = vec![("middle", "top"), ("leaf", "top"), ("leaf", "middle"), ("other", "top"), ("other", "middle")];
    let kernel = empty().with("top", InitState::Live, 0).with("middle", InitState::Live, 1);
    Notes { holders, ..kernel.with("leaf", InitState::Live, 2).with("other", InitState::Live, 2) }
}

#[test]
fn unloading_takes_what_is_no_longer_used_in_one_pass() {
    check(&plain(), full(), "-r top", Ok(()), &["remove top", "remove middle"]);
    check(
        &plain(),
        full(),
        "-r --remove-holders middle",
        Ok(()),
        &["remove top", "remove middle", "remove leaf", "remove other"],
    );
    check(&plain(), full(), "-r middle", STOP, &[]);
    check(&plain(), full(), "-rq middle", FAILED, &[]);
}

#[test]
fn waiting_lasts_until_the_last_user_is_gone_or_time_is_up() {
    let used = || empty().with("leaf", InitState::Live, 2);
    let calls = ["remove leaf", "pause 1 ms", "remove leaf", "pause 2 ms", "remove leaf"];
    check(&plain(), used(), "-rw 9 leaf", Ok(()), &calls);
    check(&plain(), used(), "-rw 1 leaf", FAILED, &calls[..3]);
}

#[test]
fn unloading_what_is_not_there_is_no_error_but_the_first_time() {
    check(&plain(), empty(), "-r top", Ok(()), &[]);
    check(&plain(), empty(), "-r --first-time top", STOP, &[]);
    check(&plain(), empty(), "-r fixed", STOP, &[]);
    check(&plain(), empty(), "-r nothing", STOP, &[]);
    check(&plain(), full(), "-ra nothing top", FAILED, &["remove top", "remove middle"]);
}

#[test]
fn soft_dependencies_go_after_and_before_their_module() {
    let softdep = Softdep { pattern: "leaf".into(), pre: vec!["top".into()], post: vec!["other".into()] };
    let config = Config { softdeps: vec![softdep], ..plain() };
    let kernel = || ["leaf", "top", "other"].iter().fold(empty(), |kernel, name| kernel.with(name, InitState::Live, 0));
    check(&config, kernel(), "-r leaf", Ok(()), &["remove other", "remove leaf", "remove top"]);
    check(&config, kernel(), "-ri leaf", Ok(()), &["remove leaf"]);
}

#[test]
fn a_remove_command_takes_the_modules_place() {
    let config = Config { remove: vec![("top".into(), "bye$CMDLINE_OPTS".into())], ..plain() };
    check(&config, full(), "-r top", Ok(()), &["run bye for top"]);
    check(&config, Notes { command_code: 3, ..full() }, "-r top", STOP, &["run bye for top"]);
}

#[test]
fn verbose_shows_what_is_done_and_a_dry_run_does_nothing() {
    let root = root();
    let directory = root.indexes().directory().display().to_string();
    let options = vec![("leaf".into(), "a=1".into())];
    let config = Config { options, install: vec![("other".into(), "go $CMDLINE_OPTS".into())], ..plain() };
    let shown = format!("insmod {directory}/leaf.ko a=1 \ninstall go $CMDLINE_OPTS \ninsmod {directory}/middle.ko \n");
    for (line, expected, calls) in [
        ("-v middle", shown.as_str(), 3),
        ("-n middle", "", 0),
        ("-nv middle", &shown, 0),
        ("-D middle", &shown, 0),
        ("-R two", "leaf\nother\n", 0),
        ("-D fixed", "builtin fixed\n", 0),
        ("-qv middle", "", 3),
    ] {
        let mut kernel = empty();
        assert_eq!(run(&root, &config, &mut kernel, line), (Ok(()), expected.to_owned()), "{line}");
        assert_eq!(kernel.calls.len(), calls, "{line}");
    }
    let (mut kernel, shown) = (full(), "rmmod top\nrmmod middle\n".to_owned());
    assert_eq!(run(&root, &plain(), &mut kernel, "-rv top"), (Ok(()), shown));
}

#[test]
fn the_configuration_is_shown_with_the_indexes_sorted() {
    let root = root();
    root.tree("modules.symbols", "alias symbol:b leaf\nalias symbol:a leaf\n");
    let config = Config { blacklist: vec!["x".into()], ..plain() };
    let expected = "blacklist x

# End of configuration files. Dumping indexes now:

alias net_pf_1 top
alias two leaf
alias two other
alias symbol:a leaf
alias symbol:b leaf
";
    assert_eq!(run(&root, &config, &mut empty(), "-c"), (Ok(()), expected.to_owned()));
}

#[test]
fn a_files_symbol_versions_are_shown() {
    let root = root();
    let module = modfile::write::Module::new("m").exports_with_crc("out", 0x12).version("in", 0xabcd_ef01).build();
    std::fs::write(root.path("m.ko"), module).unwrap();
    let file = root.path("m.ko").display().to_string();
    for (option, expected) in [("--show-exports", "0x00000012\tout\n"), ("--show-modversions", "0xabcdef01\tin\n")] {
        let line = format!("{option} {file}");
        assert_eq!(run(&root, &plain(), &mut empty(), &line), (Ok(()), expected.to_owned()));
        let line = format!("{option} {file}.not");
        assert_eq!(run(&root, &plain(), &mut empty(), &line), (STOP, String::new()));
    }
}
