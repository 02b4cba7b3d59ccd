//! `modinfo`: what a module file, or a part of the kernel, says about itself.

mod ahead;
mod check;
mod file;
mod json;
mod text;

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Path, PathBuf},
};

use modfile::{alias::module_name, check::Series, modinfo::Modinfo, signature::Signature};

use self::{file::Contents, text::Style};
use crate::{
    Tool,
    config::Config,
    getopt::{Long, Spec},
    json::{Stream, Value},
    log::{Log, Priority},
    lookup::lookup,
    sys::Refusal,
    tree::Tree,
};

const SPEC: Spec = Spec {
    short: "adlpn0mF:k:b:Vh",
    long: &[
        Long("author", false, 'a'),
        Long("description", false, 'd'),
        Long("license", false, 'l'),
        Long("parameters", false, 'p'),
        Long("filename", false, 'n'),
        Long("null", false, '0'),
        Long("modname", false, 'm'),
        Long("field", true, 'F'),
        Long("set-version", true, 'k'),
        Long("basedir", true, 'b'),
        Long("version", false, 'V'),
        Long("help", false, 'h'),
        Long("=json", false, 'j'),
        Long("=check", false, 'c'),
    ],
};

const HELP: &str = "Usage:
\tmodinfo [options] MODULE|ALIAS|FILE...
Options:
\t-a, --author, -d, --description, -l, --license, -p, --parameters, -n, --filename
\t                         print only this
\t-F, --field FIELD        print only this field
\t-0, --null               a NUL ends a field instead of a line break
\t-m, --modname            operands are names of modules
\t-k, --set-version VER    modules of this kernel release
\t-b, --basedir DIR        modules are in DIR/lib/modules
\t    --json               for programs: all fields of each module
\t    --check              tell what is wrong with the file's structure, and what kernels would do; with -k, that kernel
\t-V, --version            show the version
\t-h, --help               show this text
";

/// What the arguments ask for.
struct Options {
    style: Style,
    is_json: bool,
    /// Check the file instead of printing what it says.
    is_check: bool,
    only_names: bool,
    release: Option<String>,
    root: Option<String>,
}

/// Runs the tool; the exit code.
pub fn run(tool: &Tool, arguments: Vec<OsString>) -> u8 {
    let style = Style { field: None, end: b'\n' };
    let mut options = Options { style, is_json: false, is_check: false, only_names: false, release: None, root: None };
    let log = tool.log(Priority::Warning);
    let operands = match tool.read_bytes(&SPEC, HELP, arguments, |letter, value| options.take(letter, value)) {
        Ok(operands) => operands,
        Err(code) => return code,
    };
    if operands.is_empty() {
        log.error("missing module or filename.");
        return 1;
    }
    if options.is_check && options.series().is_none() {
        log.error("--check: the kernel release of -k begins with two numbers, such as 6.1");
        return 1;
    }
    let tree = Tree::of(options.root.as_deref(), options.release.as_deref());
    let subjects: Vec<_> = operands.iter().flat_map(|operand| options.subjects(&tree, operand)).collect();
    let mut printer = Printer::new(log, options.is_json.then(Stream::default));
    // Most of the time goes into unpacking; where there is nothing to unpack, threads only cost.
    if subjects.iter().any(Subject::is_packed) {
        ahead::in_order(&subjects, |subject| subject.describe(&options), |answer| printer.print(answer));
    } else {
        subjects.iter().for_each(|subject| printer.print(subject.describe(&options)));
    }
    printer.finish()
}

impl Options {
    fn take(&mut self, letter: char, value: &OsStr) {
        let text = || value.to_string_lossy().into_owned();
        match letter {
            'a' => self.field("author"),
            'd' => self.field("description"),
            'l' => self.field("license"),
            'p' => self.field("parm"),
            'n' => self.field("filename"),
            'F' => self.field(value),
            '0' => self.style.end = 0,
            'm' => self.only_names = true,
            'j' => self.is_json = true,
            'c' => self.is_check = true,
            'k' => self.release = Some(text()),
            'b' => self.root = Some(text()),
            _ => {}
        }
    }

    fn field(&mut self, name: impl AsRef<OsStr>) {
        self.style.field = Some(name.as_ref().as_bytes().into());
    }

    /// What is checked may have any name: it is often no module yet, or no longer.
    fn subjects(&self, tree: &Tree, operand: &OsStr) -> Vec<Subject> {
        if self.is_check && !self.only_names && Path::new(operand).is_file() {
            return vec![Subject::File { name: String::new(), path: operand.into() }];
        }
        subjects(tree, operand, self.only_names)
    }

    /// The kernels to check for: that of `-k`, or all that are known; None where `-k` names none.
    fn series(&self) -> Option<Vec<Series>> {
        match &self.release {
            None => Some(Series::KNOWN.to_vec()),
            Some(release) => Series::of_release(release).map(|series| vec![series]),
        }
    }

    /// Whether a file need not even be opened.
    fn is_filename(&self) -> bool {
        !self.is_json && self.style.field.as_deref() == Some(b"filename")
    }
}

/// What an operand stands for.
#[derive(Debug)]
enum Subject {
    /// A module in a file.
    File { name: String, path: PathBuf },
    /// A part of the kernel, and its strings as a `.modinfo` section would hold them; None if they are damaged.
    Builtin { name: String, info: Option<Vec<u8>> },
    /// Nothing, for the reason given.
    Nothing(Vec<u8>),
}

fn subjects(tree: &Tree, operand: &OsStr, only_names: bool) -> Vec<Subject> {
    let given = operand.to_string_lossy();
    if !only_names && is_module_file(operand) {
        return vec![Subject::File { name: module_name(&given), path: absolute(operand) }];
    }
    let nothing = |what: &[u8]| vec![Subject::Nothing([b"Module ", what, operand.as_bytes(), b" not found."].concat())];
    let names: Vec<_> = if only_names {
        // Aliases of what is part of the kernel count as names.
        let name = given.split('.').next().unwrap_or_default().replace('-', "_");
        let known = tree.path(&name).is_some() || tree.is_builtin(&name);
        if known { vec![name] } else { tree.builtin_aliased(&name) }
    } else {
        let Ok(modules) = lookup(tree, &Config::default(), &given) else { return nothing(b"alias ") };
        modules.into_iter().map(|module| module.name).collect()
    };
    if names.is_empty() {
        return nothing(if only_names { b"name " } else { b"" });
    }
    let subject = |name: String| match tree.path(&name) {
        Some(path) => Subject::File { name, path },
        None => Subject::Builtin { info: builtin_section(tree, &name), name },
    };
    names.into_iter().map(subject).collect()
}

fn is_module_file(path: &OsStr) -> bool {
    let extensions = [".ko", ".ko.gz", ".ko.xz", ".ko.zst"];
    let mut stems = extensions.iter().filter_map(|extension| path.as_bytes().strip_suffix(extension.as_bytes()));
    stems.any(|stem| !stem.is_empty()) && Path::new(path).is_file()
}

/// The path from the root; nothing else about it changes.
fn absolute(path: &OsStr) -> PathBuf {
    if path.as_bytes().starts_with(b"/") {
        return path.into();
    }
    let mut absolute = std::env::current_dir().unwrap_or_default().into_os_string().into_vec();
    absolute.push(b'/');
    absolute.extend(path.as_bytes());
    OsString::from_vec(absolute).into()
}

/// Like kmod 34 it ends at the first string of another module, and up to there each has to have a module's name.
fn builtin_section(tree: &Tree, name: &str) -> Option<Vec<u8>> {
    let mut section = Vec::new();
    for string in tree.builtin_modinfo_text().split_terminator('\0') {
        let (module, entry) = string.split_once('.')?;
        if module == name {
            section.extend_from_slice(entry.as_bytes());
            section.push(0);
        } else if !section.is_empty() {
            break;
        }
    }
    Some(section)
}

/// What is to be printed about a subject.
#[derive(Default)]
struct Answer {
    text: Vec<u8>,
    value: Option<Value>,
    /// What reading found wrong, in the words of kmod's library.
    library: Option<String>,
    complaints: Vec<Vec<u8>>,
    failed: bool,
}

impl Subject {
    fn is_packed(&self) -> bool {
        matches!(self, Self::File { path, .. } if !path.as_os_str().as_bytes().ends_with(b".ko"))
    }

    fn describe(&self, options: &Options) -> Answer {
        let mut answer = Answer::default();
        match self {
            Self::File { path, .. } if options.is_check => answer.check(path, options),
            Self::Builtin { name, .. } if options.is_check => {
                answer.fail(format!("{name} is part of the kernel, and has no file to check").into_bytes());
            }
            Self::File { name, path } => answer.file(name, path, options),
            Self::Builtin { name, info } => answer.builtin(name, info.as_deref().map(Modinfo::new), options),
            Self::Nothing(reason) => answer.fail(reason.clone()),
        }
        answer
    }
}

impl Answer {
    fn fail(&mut self, reason: Vec<u8>) {
        self.complaints.push(reason);
        self.failed = true;
    }

    fn refuse(&mut self, name: &str, refusal: Refusal) {
        self.fail(format!("could not get modinfo from '{name}': {refusal}").into_bytes());
    }

    fn file(&mut self, name: &str, path: &Path, options: &Options) {
        let file = path.as_os_str().as_bytes();
        if !options.is_json {
            options.style.heading("filename", file, &mut self.text);
        }
        if options.is_filename() {
            return;
        }
        let read = file::read(path, options.is_json, |contents| {
            if options.is_json {
                self.value = Some(json::object(name, Some(file), &contents));
            } else {
                self.contents(&contents.info, contents.signature.as_ref(), &options.style);
            }
        });
        if let Err(trouble) = read {
            self.library = trouble.unpacking;
            self.refuse(name, trouble.refusal);
        }
    }

    fn check(&mut self, path: &Path, options: &Options) {
        match check::report(path, &options.series().unwrap_or_default()) {
            Ok(report) => {
                self.failed = !report.is_accepted();
                match options.is_json {
                    true => self.value = Some(report.json()),
                    false => self.text = report.text().into_bytes(),
                }
            }
            Err(why) => self.fail(why.into_bytes()),
        }
    }

    fn builtin(&mut self, name: &str, info: Option<Modinfo<'_>>, options: &Options) {
        if !options.is_json {
            options.style.heading("name", name.as_bytes(), &mut self.text);
            options.style.heading("filename", b"(builtin)", &mut self.text);
        }
        match info {
            _ if options.is_filename() => {}
            None => {
                self.library = Some("get_strings: get_strings: unexpected string without modname prefix".into());
                self.refuse(name, Refusal(-i64::from(libc::EINVAL)));
            }
            Some(info) if options.is_json => {
                let contents = Contents { info, signature: None, whole: None };
                self.value = Some(json::object(name, None, &contents));
            }
            Some(info) => self.contents(&info, None, &options.style),
        }
    }

    fn contents(&mut self, info: &Modinfo<'_>, signature: Option<&Signature<'_>>, style: &Style) {
        // Only who prints the parameters sees what is wrong with them.
        if style.field.as_deref().is_none_or(|field| field == b"parm") {
            self.complaints.extend(text::complaints(info));
        }
        style.contents(info, signature, &mut self.text);
    }
}

/// So much output is collected before it is written.
const OUTPUT_BYTES: usize = 64 << 10;

struct Printer {
    log: Log,
    /// For what kmod's library says on its own, in its name.
    library: Log,
    json: Option<Stream>,
    out: Vec<u8>,
    failed: bool,
}

impl Printer {
    fn new(log: Log, json: Option<Stream>) -> Self {
        let mut library = Log::new("libkmod", Priority::Error);
        library.level = std::env::var_os("KMOD_LOG").map_or(library.level, |level| log_level(level.as_bytes()));
        Self { log, library, json, out: Vec::new(), failed: false }
    }

    fn print(&mut self, answer: Answer) {
        match (&mut self.json, answer.value) {
            (Some(stream), Some(value)) => stream.push(&value, &mut self.out),
            _ => self.out.extend_from_slice(&answer.text),
        }
        if self.out.len() >= OUTPUT_BYTES || !answer.complaints.is_empty() {
            self.flush();
        }
        if let Some(words) = answer.library {
            self.library.error(words);
        }
        for complaint in &answer.complaints {
            self.log.error_bytes(&[complaint]);
        }
        self.failed |= answer.failed;
    }

    fn flush(&mut self) {
        crate::output(&self.out);
        self.out.clear();
    }

    fn finish(mut self) -> u8 {
        if let Some(stream) = self.json.take() {
            stream.finish(&mut self.out);
        }
        self.flush();
        self.failed.into()
    }
}

/// The level that `KMOD_LOG` asks for: a number or the start of a name.
fn log_level(text: &[u8]) -> i32 {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match text {
        _ if digits > 0 => {
            std::str::from_utf8(&text[..digits]).ok().and_then(|text| text.parse().ok()).unwrap_or(i32::MAX)
        }
        [b'e', b'r', b'r', ..] => libc::LOG_ERR,
        [b'i', b'n', b'f', b'o', ..] => libc::LOG_INFO,
        [b'd', b'e', b'b', b'u', b'g', ..] => libc::LOG_DEBUG,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Root;

    fn options() -> Options {
        let style = Style { field: None, end: b'\n' };
        Options { style, is_json: false, is_check: false, only_names: false, release: None, root: None }
    }

    #[test]
    fn a_part_of_the_kernel_has_a_name_and_no_file() {
        let root = Root::new();
        root.tree("modules.builtin", "kernel/fixed.ko\n");
        root.tree("modules.builtin.modinfo", "a.license=X\0fixed.license=GPL\0fixed.alias=f-1\0b.x=y\0fixed.lost=1\0");
        for (operand, only_names) in [("f-1", false), ("fixed", false), ("fixed", true)] {
            let found = subjects(&root.indexes(), OsStr::new(operand), only_names);
            let [subject] = &found[..] else { panic!("{found:?}") };
            let expected =
                "name:           fixed\nfilename:       (builtin)\nlicense:        GPL\nalias:          f-1\n";
            assert_eq!(String::from_utf8(subject.describe(&options()).text).unwrap(), expected);
        }
    }

    #[test]
    fn strings_of_the_kernel_have_to_name_a_module_up_to_the_end_of_those_wanted() {
        for (strings, name, expected) in [
            ("a.x=1\0a.y\0b.z=2\0no", "a", Some(&b"x=1\0y\0"[..])),
            ("a.x=1\0no\0b.z=2\0", "a", None),
            ("a.x=1\0no\0b.z=2\0", "b", None),
            ("a.x=1\0\0", "a", None),
            ("a.x=1\0.y=2", "a", Some(b"x=1\0")),
            ("", "a", Some(b"")),
        ] {
            let root = Root::new();
            root.tree("modules.builtin.modinfo", strings);
            assert_eq!(builtin_section(&root.indexes(), name).as_deref(), expected, "{name} in {strings:?}");
        }
    }

    #[test]
    fn a_relative_path_is_only_put_behind_the_directory() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(absolute(OsStr::new("./a/../b.ko")).as_os_str(), &*format!("{}/./a/../b.ko", here.display()));
        assert_eq!(absolute(OsStr::new("/./b.ko")).as_os_str(), "/./b.ko");
    }

    #[test]
    fn a_level_is_a_number_or_a_name() {
        for (text, level) in [("7", 7), ("3x", 3), ("errors", 3), ("info", 6), ("debug", 7), ("", 0), ("warning", 0)] {
            assert_eq!(log_level(text.as_bytes()), level, "{text}");
        }
    }
}
