//! `modinfo`: what a module file, or a part of the kernel, says about itself.

use std::path::{Path, PathBuf};

use modfile::{
    alias::module_name,
    elf::Elf,
    index,
    modinfo::{Modinfo, Parameter},
    signature::{self, Signature},
};

use crate::{
    Tool,
    compress::compression,
    config::Config,
    getopt::{Long, Spec},
    log::{Failure, Log, Priority},
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
\t-V, --version            show the version
\t-h, --help               show this text
";

/// How to print.
struct Style {
    /// Only this field.
    field: Option<String>,
    /// What ends a field.
    end: u8,
}

/// Runs the tool; the exit code.
pub fn run(tool: &Tool, arguments: Vec<String>) -> u8 {
    let log = tool.log(Priority::Warning);
    let mut style = Style { field: None, end: b'\n' };
    let (mut only_names, mut release, mut root) = (false, None, None);
    let operands = match tool.read(&SPEC, HELP, arguments, |letter, value| match letter {
        'a' => style.field = Some("author".into()),
        'd' => style.field = Some("description".into()),
        'l' => style.field = Some("license".into()),
        'p' => style.field = Some("parm".into()),
        'n' => style.field = Some("filename".into()),
        'F' => style.field = Some(value.into()),
        '0' => style.end = 0,
        'm' => only_names = true,
        'k' => release = Some(value.to_owned()),
        'b' => root = Some(value.to_owned()),
        _ => {}
    }) {
        Ok(operands) => operands,
        Err(code) => return code,
    };
    if operands.is_empty() {
        log.error("missing module or filename.");
        return 1;
    }
    let tree = Tree::of(root.as_deref(), release.as_deref());
    let mut out = Vec::new();
    let mut failed = false;
    for operand in &operands {
        match subjects(&tree, operand, only_names) {
            Ok(subjects) => {
                for subject in subjects {
                    failed |= describe(&tree, &subject, &style, &log, &mut out).is_err();
                }
            }
            Err(complaint) => {
                log.error(complaint);
                failed = true;
            }
        }
    }
    crate::output(out);
    failed.into()
}

/// What an operand stands for: a module's name, and its file unless it is part of the kernel.
struct Subject {
    name: String,
    file: Option<PathBuf>,
}

fn subjects(tree: &Tree, operand: &str, only_names: bool) -> Result<Vec<Subject>, String> {
    if !only_names && is_module_file(operand) {
        let file = std::path::absolute(operand).unwrap_or(operand.into());
        return Ok(vec![Subject { name: module_name(operand), file: Some(file) }]);
    }
    let names: Vec<_> = if only_names {
        let name = operand.replace('-', "_");
        let known = tree.path(&name).is_some() || tree.is_builtin(&name);
        known.then_some(name).into_iter().collect()
    } else {
        let modules = lookup(tree, &Config::default(), operand);
        let modules = modules.map_err(|_| format!("Module alias {operand} not found."))?;
        modules.into_iter().map(|module| module.name).collect()
    };
    if names.is_empty() {
        return Err(format!("Module {}{operand} not found.", if only_names { "name " } else { "" }));
    }
    Ok(names.into_iter().map(|name| Subject { file: tree.path(&name), name }).collect())
}

fn is_module_file(path: &str) -> bool {
    let extension = [".ko", ".ko.gz", ".ko.xz", ".ko.zst"].iter().find_map(|extension| path.strip_suffix(extension));
    extension.is_some_and(|stem| !stem.is_empty()) && Path::new(path).is_file()
}

/// Prints one module; fails after a message.
fn describe(tree: &Tree, subject: &Subject, style: &Style, log: &Log, out: &mut Vec<u8>) -> Result<(), Failure> {
    let file = subject.file.as_ref().map_or("(builtin)".into(), |file| file.display().to_string());
    if subject.file.is_none() {
        heading(style, "name", &subject.name, out);
    }
    heading(style, "filename", &file, out);
    if style.field.as_deref() == Some("filename") {
        return Ok(());
    }
    let Some(path) = &subject.file else {
        let section = builtin_section(tree, &subject.name);
        print(&Modinfo::new(&section), None, style, log, out);
        return Ok(());
    };
    let complain = |words: String| {
        log.error(format_args!("could not get modinfo from '{}': {words}", subject.name));
        Failure::Failed
    };
    let bytes = std::fs::read(path).map_err(|error| complain(Refusal::from(error).to_string()))?;
    match compression(&bytes).map(|kind| format!("the file is compressed with {kind}; unpack it first")) {
        Some(words) => Err(complain(words)),
        None => {
            let info = info(&bytes).map_err(complain)?;
            print(&info, signature::of(&bytes), style, log, out);
            Ok(())
        }
    }
}

fn info(bytes: &[u8]) -> Result<Modinfo<'_>, String> {
    let elf = Elf::parse(bytes).map_err(|error| error.to_string())?;
    let section = elf.section(".modinfo").map_err(|error| error.to_string())?;
    Ok(Modinfo::new(section.ok_or("the file has no .modinfo section")?.data))
}

/// A part of the kernel's strings, as a `.modinfo` section would hold them. Like kmod 34 it ends at the first
/// string of another module.
fn builtin_section(tree: &Tree, name: &str) -> Vec<u8> {
    index::builtin_modinfo(tree.builtin_modinfo_text())
        .skip_while(|(module, ..)| *module != name)
        .take_while(|(module, ..)| *module == name)
        .flat_map(|(_, key, value)| format!("{key}={value}\0").into_bytes())
        .collect()
}

fn print(info: &Modinfo<'_>, signature: Option<Signature<'_>>, style: &Style, log: &Log, out: &mut Vec<u8>) {
    let signed = signature.map(signature_fields);
    let entries = info.entries().filter(|entry| style.field.is_some() || !is_parameter(entry.key));
    let own = entries.map(|entry| (entry.key, entry.value));
    let fields = own.chain(signed.iter().flatten().map(|(key, value)| (key.as_bytes(), value.as_slice())));
    match style.field.as_deref() {
        Some("parm") => print_parameters(info, style, log, out),
        Some(field) => {
            for (_, value) in fields.filter(|(key, _)| *key == field.as_bytes()) {
                out.extend([value, &[style.end]].concat());
            }
        }
        None => {
            for (key, value) in fields {
                let label = if style.end == 0 { [key, b"="].concat() } else { label(key) };
                out.extend([&label, value, &[style.end]].concat());
            }
            print_parameters(info, style, log, out);
        }
    }
}

fn signature_fields(signature: Signature<'_>) -> [(&'static str, Vec<u8>); 5] {
    [
        ("sig_id", signature.id_type.into()),
        ("signer", signature.signer.into()),
        ("sig_key", hex(signature.key_id)),
        ("sig_hashalgo", signature.hash.into()),
        ("signature", hex(signature.signature)),
    ]
}

/// Pairs of digits with colons between, twenty to a line.
fn hex(bytes: &[u8]) -> Vec<u8> {
    let lines = bytes.chunks(20).map(|line| {
        let pairs: Vec<_> = line.iter().map(|byte| format!("{byte:02X}")).collect();
        pairs.join(":")
    });
    lines.collect::<Vec<_>>().join(":\n\t\t").into()
}

fn is_parameter(key: &[u8]) -> bool {
    matches!(key, b"parm" | b"parmtype")
}

/// Prints the parameters, those mentioned last first.
fn print_parameters(info: &Modinfo<'_>, style: &Style, log: &Log, out: &mut Vec<u8>) {
    for entry in info.entries().filter(|entry| is_parameter(entry.key) && !entry.value.contains(&b':')) {
        log.error(format_args!("Found invalid \"{}\": missing ':'", String::from_utf8_lossy(entry.text)));
    }
    for parameter in info.parameters().iter().rev() {
        let label = if style.field.is_none() { label(b"parm") } else { Vec::new() };
        out.extend([&label, parameter.name, b":", &parameter_text(parameter, style), &[style.end]].concat());
    }
}

fn parameter_text(parameter: &Parameter<'_>, style: &Style) -> Vec<u8> {
    match (parameter.description, parameter.kind) {
        (Some(description), Some(kind)) => [description, b" (", kind, b")"].concat(),
        (Some(description), None) => description.into(),
        // kmod's two ways of printing a parameter differ here.
        (None, kind) if style.field.is_some() => [b" (", kind.unwrap_or_default(), b")"].concat(),
        (None, kind) => kind.unwrap_or_default().into(),
    }
}

/// The lines before the module's own, which keep their form also where a NUL ends them.
fn heading(style: &Style, key: &str, value: &str, out: &mut Vec<u8>) {
    let label = match style.field.as_deref() {
        None => label(key.as_bytes()),
        Some(field) if field == key => Vec::new(),
        Some(_) => return,
    };
    out.extend([&label, value.as_bytes(), &[style.end]].concat());
}

/// The key and its colon, padded to 16 columns; a longer key is directly followed by the value.
fn label(key: &[u8]) -> Vec<u8> {
    let mut label = [key, b":"].concat();
    label.resize(label.len().max(16), b' ');
    label
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Root;

    const INFO: &[u8] = b"license=GPL\0parmtype=n:int\0author=A\xe9\0a_very_long_key_name=v\0parm=n:how many\0\
        parmtype=bare:bool\0parm=told:words\0alias=x\0alias=y\0parm=broken\0alone\0";

    #[track_caller]
    fn check(field: Option<&str>, end: u8, expected: &[u8]) {
        let style = Style { field: field.map(String::from), end };
        let mut out = Vec::new();
        print(&Modinfo::new(INFO), None, &style, &Log::new("modinfo", Priority::Error), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(expected));
    }

    #[test]
    fn everything_in_order_and_parameters_last_and_backwards() {
        check(
            None,
            b'\n',
            b"license:        GPL
author:         A\xe9
a_very_long_key_name:v
alias:          x
alias:          y
alone:          \n\
parm:           told:words
parm:           bare:bool
parm:           n:how many (int)
",
        );
    }

    #[test]
    fn a_signature_is_the_last_of_the_fields() {
        let signature =
            Signature { id_type: "PKCS#7", signer: b"Me", key_id: &[1], hash: "sha256", signature: &[0xab; 21] };
        let style = Style { field: None, end: b'\n' };
        let (info, log, mut out) = (Modinfo::new(b"parm=a:b\0x=y\0"), Log::new("modinfo", Priority::Error), Vec::new());
        print(&info, Some(signature), &style, &log, &mut out);
        let expected = format!(
            "x:              y\nsig_id:         PKCS#7\nsigner:         Me\nsig_key:        01\n\
             sig_hashalgo:   sha256\nsignature:      {}\n\t\tAB\nparm:           a:b\n",
            "AB:".repeat(20)
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_field_is_its_raw_values() {
        check(Some("alias"), b'\n', b"x\ny\n");
        check(Some("parmtype"), b'\n', b"n:int\nbare:bool\n");
        check(Some("parm"), b'\n', b"told:words\nbare: (bool)\nn:how many (int)\n");
        check(Some("nothing"), b'\n', b"");
        check(Some("alias"), 0, b"x\0y\0");
    }

    #[test]
    fn nul_ends_key_and_value_pairs_but_parameters_stay_padded() {
        check(
            None,
            0,
            b"license=GPL\0author=A\xe9\0a_very_long_key_name=v\0alias=x\0alias=y\0alone=\0\
              parm:           told:words\0parm:           bare:bool\0parm:           n:how many (int)\0",
        );
    }

    #[test]
    fn a_part_of_the_kernel_has_a_name_and_no_file() {
        let root = Root::new();
        root.tree("modules.builtin", "kernel/fixed.ko\n");
        root.tree("modules.builtin.modinfo", "a.license=X\0fixed.license=GPL\0fixed.alias=f-1\0b.x=y\0fixed.lost=1\0");
        let tree = root.indexes();
        assert_eq!(subjects(&tree, "f-1", false).unwrap()[0].name, "fixed");
        let (subject, style) = (&subjects(&tree, "fixed", true).unwrap()[0], Style { field: None, end: b'\n' });
        let mut out = Vec::new();
        describe(&tree, subject, &style, &Log::new("modinfo", Priority::Error), &mut out).unwrap();
        let expected = "name:           fixed\nfilename:       (builtin)\nlicense:        GPL\nalias:          f-1\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
