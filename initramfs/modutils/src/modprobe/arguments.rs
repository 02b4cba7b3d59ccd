//! modprobe's options, from its arguments and from `MODPROBE_OPTIONS`.

use std::path::PathBuf;

use crate::{
    Tool,
    config::{DIRECTORIES, kernel_command_line},
    getopt::{Long, Spec},
    log::{Log, Priority},
    sys::{IGNORE_MODVERSIONS, IGNORE_VERMAGIC},
};

// Capital letters that are not short options stand for options that have only a long name.
const SPEC: Spec = Spec {
    short: "arw:RibfDcnC:d:S:sqvVh",
    long: &[
        Long("all", false, 'a'),
        Long("remove", false, 'r'),
        Long("remove-dependencies", false, 'H'),
        Long("remove-holders", false, 'H'),
        Long("wait", true, 'w'),
        Long("resolve-alias", false, 'R'),
        Long("first-time", false, 'F'),
        Long("ignore-install", false, 'i'),
        Long("ignore-remove", false, 'i'),
        Long("use-blacklist", false, 'b'),
        Long("force", false, 'f'),
        Long("force-modversion", false, 'M'),
        Long("force-vermagic", false, 'W'),
        Long("show-depends", false, 'D'),
        Long("showconfig", false, 'c'),
        Long("show-config", false, 'c'),
        Long("show-modversions", false, 'O'),
        Long("dump-modversions", false, 'O'),
        Long("show-exports", false, 'E'),
        Long("dry-run", false, 'n'),
        Long("show", false, 'n'),
        Long("=explain", false, 'X'),
        Long("=check-config", false, 'K'),
        Long("=json", false, 'J'),
        Long("=sysroot", true, 'Y'),
        Long("config", true, 'C'),
        Long("dirname", true, 'd'),
        Long("set-version", true, 'S'),
        Long("syslog", false, 's'),
        Long("quiet", false, 'q'),
        Long("verbose", false, 'v'),
        Long("version", false, 'V'),
        Long("help", false, 'h'),
    ],
};

const HELP: &str = "Usage:
\tmodprobe [options] [-i] [-b] MODULE [PARAMETER=VALUE...]
\tmodprobe [options] -a [-i] [-b] MODULE...
\tmodprobe [options] -r [-i] MODULE...
\tmodprobe [options] -c
What to do:
\t-a, --all               every operand is a module to load
\t-r, --remove            unload instead of load
\t    --remove-holders    with -r: first unload the modules that use it
\t-w, --wait MSEC         with -r: wait so long for the last user to go
\t-R, --resolve-alias     print the modules a name stands for
\t-D, --show-depends      print what a load would do, as if nothing were loaded
\t-c, --show-config       print the configuration and the alias indexes
\t    --show-modversions  print the symbol versions that a file was built with
\t    --show-exports      print the symbol versions that a file exports
\t-n, --dry-run           do nothing; with -v, print what would be done
\t    --check-config      print the rules of the configuration that have no effect, and why
How:
\t    --explain           when a load fails, say why; at a terminal this is done anyway
\t    --first-time        fail if there is nothing to do
\t-i, --ignore-install, --ignore-remove
\t                        do not run the configuration's commands
\t-b, --use-blacklist     heed the blacklist also for a module's own name
\t-f, --force             load in spite of versions; unload in spite of users
\t    --force-modversion  load in spite of symbol versions
\t    --force-vermagic    load in spite of version magic
Where:
\t-C, --config FILE       the configuration is this file or directory
\t-d, --dirname DIR       modules are in DIR/lib/modules
\t    --sysroot DIR       modules and configuration are those of the system in DIR
\t-S, --set-version VER   modules of this kernel release
Messages:
\t-s, --syslog            to the system log
\t-q, --quiet             none
\t-v, --verbose           more, and what is done
\t    --json              what -c, -D, -R, -v and --check-config print, for programs
\t-V, --version           show the version
\t-h, --help              show this text
";

/// What to do with the operands. Of several things to print the first is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Job {
    /// Load the first; the others are its parameters.
    #[default]
    Insert,
    /// Load each.
    InsertAll,
    /// Unload each.
    Remove,
    /// There are none: say which rules of the configuration have no effect.
    CheckConfig,
    /// There are none: print the configuration.
    ShowConfig,
    /// Print a file's `__versions`.
    ShowModversions,
    /// Print what a file exports.
    ShowExports,
}

impl Job {
    /// Whether there is nothing to do without an operand.
    pub(super) fn needs_operands(self) -> bool {
        !matches!(self, Self::ShowConfig | Self::CheckConfig)
    }
}

/// The options.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) job: Job,
    /// How grave it is if a module is unknown.
    pub(super) gravity: Priority,
    /// Only print what a name stands for.
    pub(super) resolve: bool,
    pub(super) remove_holders: bool,
    /// Milliseconds to wait for users to go.
    pub(super) wait_ms: u64,
    pub(super) first_time: bool,
    pub(super) ignore_commands: bool,
    pub(super) use_blacklist: bool,
    /// Unload by force.
    pub(super) force: bool,
    /// Load by force: `sys::IGNORE_*`.
    pub(super) flags: u32,
    pub(super) dry_run: bool,
    pub(super) show: bool,
    pub(super) explain: bool,
    /// Output for programs.
    pub(super) json: bool,
    pub(super) ignore_loaded: bool,
    /// Up to which priority messages are printed, in the numbers of syslog.
    pub(super) level: i32,
    /// Where the configuration is instead of the usual directories.
    given_paths: Vec<PathBuf>,
    /// What comes before the usual directories, and before the modules' unless they have a root of their own.
    sysroot: Option<String>,
    root: Option<String>,
    pub(super) release: Option<String>,
    /// `MODPROBE_OPTIONS` for the commands we start, so that a modprobe among them behaves as this one.
    pub(super) inherited: String,
}

impl Options {
    /// Where the configuration is.
    pub(super) fn config_paths(&self) -> Vec<PathBuf> {
        if !self.given_paths.is_empty() {
            return self.given_paths.clone();
        }
        let root = self.sysroot.as_deref().unwrap_or_default();
        DIRECTORIES.iter().map(|directory| format!("{root}{directory}").into()).collect()
    }

    /// The kernel's command line. It is that of the kernel we run on, and says nothing about another system's.
    pub(super) fn command_line(&self) -> String {
        if self.sysroot.is_some() { String::new() } else { kernel_command_line() }
    }

    /// What the module directory is below.
    pub(super) fn module_root(&self) -> Option<&str> {
        self.root.as_deref().or(self.sysroot.as_deref())
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            job: Job::default(),
            gravity: Priority::Fatal,
            resolve: false,
            remove_holders: false,
            wait_ms: 0,
            first_time: false,
            ignore_commands: false,
            use_blacklist: false,
            force: false,
            flags: 0,
            dry_run: false,
            show: false,
            explain: false,
            json: false,
            ignore_loaded: false,
            level: Priority::Warning as i32,
            given_paths: Vec::new(),
            sysroot: None,
            root: None,
            release: None,
            inherited: String::new(),
        }
    }
}

/// Reads options and operands; the exit code if there is nothing left to do. The log learns where messages go, but not
/// yet which of them: as with kmod, `-q` is about what comes after.
pub(super) fn read(
    tool: &Tool,
    environment: &str,
    arguments: Vec<String>,
    log: &mut Log,
) -> Result<(Options, Vec<String>), u8> {
    let mut options = Options { inherited: environment.into(), ..Options::default() };
    let (mut all, mut remove, mut shows) = (false, false, Vec::new());
    let mut bad_wait = None;
    let arguments = split(environment).into_iter().chain(arguments).collect();
    let operands = tool.read(&SPEC, HELP, arguments, |letter, value| {
        match letter {
            'a' => (all, options.gravity) = (true, Priority::Warning),
            'r' => remove = true,
            'H' => options.remove_holders = true,
            'w' => match milliseconds(value) {
                Some(wait) => options.wait_ms = wait,
                None => bad_wait = Some(value.to_owned()),
            },
            'R' => options.resolve = true,
            'F' => options.first_time = true,
            'i' => options.ignore_commands = true,
            'b' => options.use_blacklist = true,
            'f' => (options.force, options.flags) = (true, IGNORE_MODVERSIONS | IGNORE_VERMAGIC),
            'M' => options.flags |= IGNORE_MODVERSIONS,
            'W' => options.flags |= IGNORE_VERMAGIC,
            'D' => (options.ignore_loaded, options.dry_run, options.show) = (true, true, true),
            'c' => shows.push(Job::ShowConfig),
            'O' => shows.push(Job::ShowModversions),
            'E' => shows.push(Job::ShowExports),
            'n' => options.dry_run = true,
            'X' => options.explain = true,
            'C' => {
                options.given_paths.push(value.into());
                inherit(&mut options.inherited, &format!("-C {value}"));
            }
            'd' => options.root = Some(value.into()),
            'S' => options.release = Some(value.into()),
            's' => log.syslog = true,
            'q' => options.level = libc::LOG_EMERG,
            'v' => options.level += 1,
            'K' => shows.push(Job::CheckConfig),
            'J' => options.json = true,
            'Y' => options.sysroot = Some(value.into()),
            _ => {}
        }
        if matches!(letter, 's' | 'q' | 'v') {
            inherit(&mut options.inherited, &format!("-{letter}"));
        }
    })?;
    if let Some(value) = bad_wait {
        log.error(format_args!("unexpected wait value '{value}'."));
        return Err(1);
    }
    // The kernel starts us without open files; messages then go where someone may look for them.
    log.syslog |= rustix::fs::fstat(rustix::stdio::stderr()).is_err();
    options.job = match shows.into_iter().min() {
        Some(show) => show,
        None if remove => Job::Remove,
        None if all => Job::InsertAll,
        None => Job::Insert,
    };
    Ok((options, operands))
}

fn inherit(options: &mut String, more: &str) {
    if !options.is_empty() {
        options.push(' ');
    }
    options.push_str(more);
}

/// A number as strtoul with base 0 reads it: blanks and a sign first, hexadecimal after `0x`, octal after `0`. What is
/// too large is the largest number.
fn milliseconds(text: &str) -> Option<u64> {
    let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (16, digits),
        None if text.len() > 1 && text.starts_with('0') => (8, text),
        None => (10, text),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let value = u64::from_str_radix(digits, radix).unwrap_or(u64::MAX);
    Some(if negative && value < u64::MAX { value.wrapping_neg() } else { value })
}

/// Splits at blanks outside of quotes, and takes the quotes away.
fn split(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote): (Vec<String>, Option<String>, Option<char>) = (Vec::new(), None, None);
    for character in text.chars() {
        match (quote, character) {
            (None, ' ') => words.extend(word.take()),
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (Some(open), _) if open == character => quote = None,
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_line(environment: &str, line: &str) -> (Options, Vec<String>) {
        let tool = Tool { name: "modprobe", program: "modprobe".into() };
        let mut log = tool.log(Priority::Warning);
        read(&tool, environment, split(line), &mut log).unwrap()
    }

    #[test]
    fn the_kernels_call_is_silent() {
        let (options, operands) = read_line("", "-q -- net-pf-10");
        assert_eq!((options.job, operands, options.level), (Job::Insert, vec!["net-pf-10".to_owned()], 0));
    }

    #[test]
    fn the_environment_comes_first_and_is_handed_on() {
        let (options, operands) = read_line("-b --config='/a b'", "-v -C /c -q x");
        assert_eq!(options.config_paths(), [PathBuf::from("/a b"), PathBuf::from("/c")]);
        assert_eq!(options.inherited, "-b --config='/a b' -C /a b -v -C /c -q");
        assert_eq!((options.use_blacklist, operands), (true, vec!["x".to_owned()]));
    }

    #[test]
    fn a_sysroot_is_for_configuration_and_modules() {
        let (options, _) = read_line("", "--sysroot /s x");
        assert_eq!(options.config_paths()[0], PathBuf::from("/s/etc/modprobe.d"));
        assert_eq!(options.module_root(), Some("/s"));
        let (options, _) = read_line("", "--sysroot=/s -d /d -C /c x");
        assert_eq!((options.config_paths(), options.module_root()), (vec![PathBuf::from("/c")], Some("/d")));
    }

    #[test]
    fn removing_wins_over_all() {
        let (options, _) = read_line("", "-ra x");
        assert_eq!((options.job, options.gravity), (Job::Remove, Priority::Warning));
    }

    #[test]
    fn waits_are_in_any_base() {
        for (text, expected) in [
            ("10", Some(10)),
            ("0x10", Some(16)),
            ("010", Some(8)),
            ("0", Some(0)),
            ("", None),
            ("1s", None),
            (" +5", Some(5)),
            ("08", None),
            ("0x", None),
            ("-", None),
            ("-1", Some(u64::MAX)),
            ("99999999999999999999", Some(u64::MAX)),
            ("5 ", None),
        ] {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
    }

    #[test]
    fn quotes_join_words() {
        assert_eq!(split("a 'b c' d\"e f\"  ''"), ["a", "b c", "de f", ""]);
    }
}
