//! `kmod`: the name that the tools share, with two commands of its own beside the help.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::{ffi::OsStrExt as _, fs::DirBuilderExt as _},
    path::Path,
};

use crate::{
    Tool, VERSION, complain,
    getopt::{self, Long, Order, Spec},
    lsmod, output,
    sys::Refusal,
    tree::Tree,
};

const SPEC: Spec = Spec { short: "Vh", long: &[Long("version", false, 'V'), Long("help", false, 'h')] };

const HELP: &str = "Usage:
\tkmod [options] COMMAND [command's options]
Options:
\t-V, --version  show the version
\t-h, --help     show this text
Commands:
\thelp           show this text
\tlist           the table of loaded modules, as lsmod
\tstatic-nodes   the device nodes that load a module when they are opened
Under their own names this program is:
\tinsmod, rmmod, lsmod, modinfo, modprobe, depmod
";

const NODES_SPEC: Spec =
    Spec { short: "o:f:h", long: &[Long("output", true, 'o'), Long("format", true, 'f'), Long("help", false, 'h')] };

const NODES_HELP: &str = "Usage:
\tkmod static-nodes [options]
Options:
\t-f, --format FORMAT  human (the default), tmpfiles (of systemd) or devname (as depmod writes it)
\t-o, --output FILE    write to FILE
\t-h, --help           show this text
";

/// Runs the command; the exit code.
pub fn run(tool: &Tool, arguments: Vec<OsString>) -> u8 {
    let parsed = getopt::parse(&SPEC, Order::OptionsFirst, arguments);
    let operands = tool.follow(parsed, |letter, _| {
        output(if letter == 'V' { VERSION } else { HELP });
        Err(0)
    });
    let mut operands = match operands {
        Ok(operands) => operands.into_iter(),
        Err(code) => return code,
    };
    let Some(command) = operands.next() else {
        return refuse(&[b"missing command\n"], HELP);
    };
    let named = Tool { name: tool.name, program: command.clone() };
    match command.as_bytes() {
        b"help" => {
            output(HELP);
            0
        }
        b"list" => lsmod::run(&named, options_first(operands.collect())),
        b"static-nodes" => static_nodes(&named, operands.collect(), &Tree::running()),
        unknown => refuse(&[b"invalid command '", unknown, b"'\n"], HELP),
    }
}

/// A command's options end at its first operand, as those of `kmod` itself do.
fn options_first(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let is_option = |argument: &OsString| argument.len() > 1 && argument.as_bytes().starts_with(b"-");
    if let Some(first) = arguments.iter().position(|argument| !is_option(argument)) {
        arguments.insert(first, "--".into());
    }
    arguments
}

/// Says what is wrong, and then what would be right.
fn refuse(complaint: &[&[u8]], help: &str) -> u8 {
    complain(complaint);
    output(help);
    1
}

/// How a node is written.
#[derive(Clone, Copy)]
enum Format {
    Human,
    Tmpfiles,
    Devname,
}

const FORMATS: &[(&str, Format)] =
    &[("human", Format::Human), ("tmpfiles", Format::Tmpfiles), ("devname", Format::Devname)];

fn static_nodes(tool: &Tool, arguments: Vec<OsString>, tree: &Tree) -> u8 {
    let (mut format, mut target, mut unknown) = (FORMATS[0].1, None, None);
    let parsed = getopt::parse(&NODES_SPEC, Order::OptionsFirst, arguments);
    let operands = tool.follow(parsed, |letter, value| {
        match (letter, FORMATS.iter().find(|format| value == format.0)) {
            ('o', _) => target = Some(value.to_owned()),
            ('f', Some(known)) => format = known.1,
            ('f', None) => {
                unknown = Some(value.to_owned());
                return Err(1);
            }
            _ => {
                output(NODES_HELP);
                return Err(0);
            }
        }
        Ok(())
    });
    match (operands, unknown) {
        (_, Some(unknown)) => refuse(&[b"Unknown format: '", unknown.as_bytes(), b"'.\n"], NODES_HELP),
        (Err(code), None) => code,
        (Ok(_), None) => convert(tree, format, target.as_deref()),
    }
}

/// Writes the nodes of a tree; the exit code. A tree without a list of them is no mistake.
fn convert(tree: &Tree, format: Format, target: Option<&OsStr>) -> u8 {
    let path = tree.directory().join("modules.devname");
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            complain(&[b"Warning: ", path.as_os_str().as_bytes(), b" not found - ignoring\n"]);
            return 0;
        }
        Err(error) => {
            let words = format!(" - {}\n", Refusal::from(error));
            complain(&[b"Error: could not open ", path.as_os_str().as_bytes(), words.as_bytes()]);
            return 1;
        }
    };
    let (mut out, mut code) = (Vec::new(), 0);
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"#")) {
        match Node::parse(line) {
            Some(node) => out.extend(node.write(format)),
            // What follows the last line break is no line.
            None if line.is_empty() && line.as_ptr_range().end == text.as_ptr_range().end => {}
            None => {
                complain(&[b"Error: invalid devname entry: ", line, b"\n"]);
                code = 1;
            }
        }
    }
    let Some(target) = target else {
        output(out);
        return code;
    };
    match write(Path::new(target), &out) {
        Ok(()) => code,
        Err(error) => {
            let words = format!(" - {}\n", Refusal::from(error));
            complain(&[b"Error: could not create ", target.as_bytes(), words.as_bytes()]);
            1
        }
    }
}

/// Writes a file, and the directories above it where they are missing.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
    }
    fs::write(path, bytes)
}

/// A device node, and the module that the kernel loads when someone opens it.
struct Node<'a> {
    module: &'a [u8],
    name: &'a [u8],
    is_block: bool,
    major: u32,
    minor: u32,
}

impl<'a> Node<'a> {
    /// A line such as `fuse fuse c10:229`; what follows the numbers does not matter.
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut rest = line;
        let (module, name) = (word(&mut rest)?, word(&mut rest)?);
        let (kind, numbers) = rest.trim_ascii_start().split_first()?;
        let is_block = match kind {
            b'b' => true,
            b'c' => false,
            _ => return None,
        };
        rest = numbers;
        let major = number(&mut rest)?;
        rest = rest.strip_prefix(b":")?;
        let minor = number(&mut rest)?;
        Some(Self { module, name, is_block, major, minor })
    }

    fn write(&self, format: Format) -> Vec<u8> {
        match format {
            Format::Human => self.for_people(),
            Format::Tmpfiles => self.for_tmpfiles(),
            Format::Devname => self.for_devname(),
        }
    }

    fn for_people(&self) -> Vec<u8> {
        let kind = if self.is_block { "block" } else { "character" };
        let rest = format!("\n\t\tType: {kind} device\n\t\tMajor: {}\n\t\tMinor: {}\n", self.major, self.minor);
        [b"Module: ", self.module, b"\n\tDevice node: /dev/", self.name, rest.as_bytes()].concat()
    }

    /// The node, and the directory that it needs.
    fn for_tmpfiles(&self) -> Vec<u8> {
        let slash = self.name.iter().rposition(|byte| *byte == b'/');
        let directory = slash.map(|at| [b"d /dev/", &self.name[..at], b" 0755 - - -\n"].concat()).unwrap_or_default();
        let rest = format!(" 0600 - - - {}:{}\n", self.major, self.minor);
        [&directory, self.letter(), b"! /dev/", self.name, rest.as_bytes()].concat()
    }

    fn for_devname(&self) -> Vec<u8> {
        let rest = format!("{}:{}\n", self.major, self.minor);
        [self.module, b" ", self.name, b" ", self.letter(), rest.as_bytes()].concat()
    }

    fn letter(&self) -> &'static [u8] {
        if self.is_block { b"b" } else { b"c" }
    }
}

fn word<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let start = rest.trim_ascii_start();
    let end = start.iter().position(u8::is_ascii_whitespace).unwrap_or(start.len());
    let (word, after) = start.split_at(end);
    *rest = after;
    (!word.is_empty()).then_some(word)
}

/// A number as C's scanf reads one: blanks and a sign before it, cut to 32 bits.
fn number(rest: &mut &[u8]) -> Option<u32> {
    let start = rest.trim_ascii_start();
    let digits = start.strip_prefix(b"-").or(start.strip_prefix(b"+")).unwrap_or(start);
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    let (digits, after) = digits.split_at(end);
    let value = std::str::from_utf8(digits).ok().filter(|digits| !digits.is_empty())?.parse().unwrap_or(u64::MAX);
    *rest = after;
    Some(if start.starts_with(b"-") { value.wrapping_neg() } else { value } as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Root;

    const LINES: &str = "# Comment\nfuse fuse c10:229\ntun  net/tun c10:200\n  x y b 8: 16 rest\nneg n c-1:4294967296";

    #[test]
    fn each_format_is_kmods() {
        let root = Root::new();
        root.tree("modules.devname", LINES);
        for (format, expected) in [
            (
                "human",
                "Module: fuse\n\tDevice node: /dev/fuse\n\t\tType: character device\n\t\tMajor: 10\n\t\tMinor: 229\n\
                 Module: tun\n\tDevice node: /dev/net/tun\n\t\tType: character device\n\t\tMajor: 10\n\t\tMinor: 200\n\
                 Module: x\n\tDevice node: /dev/y\n\t\tType: block device\n\t\tMajor: 8\n\t\tMinor: 16\n\
                 Module: neg\n\tDevice node: /dev/n\n\t\tType: character device\n\t\tMajor: 4294967295\n\
                 \t\tMinor: 0\n",
            ),
            (
                "tmpfiles",
                "c! /dev/fuse 0600 - - - 10:229\nd /dev/net 0755 - - -\nc! /dev/net/tun 0600 - - - 10:200\n\
                 b! /dev/y 0600 - - - 8:16\nc! /dev/n 0600 - - - 4294967295:0\n",
            ),
            ("devname", "fuse fuse c10:229\ntun net/tun c10:200\nx y b8:16\nneg n c4294967295:0\n"),
        ] {
            let target = root.path("new/directory/out");
            let arguments = ["-f", format, "-o"].map(OsString::from).into_iter().chain([target.clone().into()]);
            let tool = Tool { name: "kmod", program: "static-nodes".into() };
            assert_eq!(static_nodes(&tool, arguments.collect(), &root.indexes()), 0);
            assert_eq!(fs::read_to_string(target).unwrap(), expected);
        }
    }

    #[test]
    fn a_bad_line_costs_the_exit_code_but_not_the_others() {
        for (text, code) in [("", 0), ("a a c1:2\n", 0), ("a a c1:2\n\n", 1), ("\na a c1:2", 1), (" # no\na a c1:2", 1)]
        {
            let root = Root::new();
            root.tree("modules.devname", text);
            let target = root.path("out");
            assert_eq!(convert(&root.indexes(), Format::Devname, Some(target.as_os_str())), code, "{text:?}");
            let expected = if text.is_empty() { "" } else { "a a c1:2\n" };
            assert_eq!(fs::read_to_string(target).unwrap(), expected);
        }
        for line in ["a", "a b", "a b x1:2", "a b c", "a b c1", "a b c1 :2", "a b c1:", "a b c- 1:2", "a b cc1:2"] {
            assert!(Node::parse(line.as_bytes()).is_none(), "{line}");
        }
    }

    #[test]
    fn a_missing_list_is_no_mistake() {
        let root = Root::new();
        let target = root.path("out");
        assert_eq!(convert(&root.indexes(), Format::Devname, Some(target.as_os_str())), 0);
        assert!(!target.exists());
    }
}
