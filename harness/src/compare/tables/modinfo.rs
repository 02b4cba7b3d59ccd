//! modinfo: every field of every module, by file, by name and by alias.

use super::{
    super::{case::Case, made::Made, trees::Tree, words::Call},
    Row, case, rows,
};
use crate::error::Result;

const BY_FILE: &[Row] = &[
    ("full", "modinfo root/lib/modules/R/kernel/tell/full.ko", &[]),
    ("nul", "modinfo -0 root/lib/modules/R/kernel/tell/full.ko", &[]),
    ("author", "modinfo -a root/lib/modules/R/kernel/tell/full.ko", &[]),
    ("description", "modinfo -d root/lib/modules/R/kernel/tell/full.ko", &[]),
    ("license", "modinfo -l root/lib/modules/R/kernel/tell/full.ko", &[]),
    ("parameters", "modinfo -p root/lib/modules/R/kernel/tell/full.ko", &[]),
    ("parameters nul", "modinfo -0 -p root/lib/modules/R/kernel/tell/full.ko", &[]),
    ("filename", "modinfo -n root/lib/modules/R/kernel/tell/full.ko", &[]),
    ("field parm", "modinfo -F parm root/lib/modules/R/kernel/tell/full.ko", &[]),
    ("field parmtype", "modinfo -F parmtype root/lib/modules/R/kernel/tell/full.ko", &[]),
    ("field name", "modinfo -F name root/lib/modules/R/kernel/tell/full.ko", &[]),
    ("field unknown", "modinfo -F nothing root/lib/modules/R/kernel/tell/full.ko", &[]),
    ("field empty", "modinfo -F '' root/lib/modules/R/kernel/tell/full.ko", &[]),
    ("field of no value", "modinfo -F empty root/lib/modules/R/kernel/tell/full.ko", &[]),
    ("field nul", "modinfo -0 -F author root/lib/modules/R/kernel/tell/full.ko", &[]),
    ("last field wins", "modinfo -a -d -F version root/lib/modules/R/kernel/tell/full.ko", &[]),
    (
        "several files",
        "modinfo -F license root/lib/modules/R/kernel/tell/full.ko nowhere.ko root/lib/modules/R/kernel/sign/signed_old.ko",
        &[],
    ),
    (
        "signed",
        "modinfo root/lib/modules/R/kernel/sign/signed_old.ko root/lib/modules/R/kernel/sign/signed_pgp.ko root/lib/modules/R/kernel/sign/signed_junk.ko root/lib/modules/R/kernel/sign/signed_other.ko",
        &[],
    ),
    ("signed nul", "modinfo -0 root/lib/modules/R/kernel/sign/signed_old.ko", &[]),
    (
        "signed fields",
        "modinfo -F signer root/lib/modules/R/kernel/sign/signed_old.ko ; modinfo -F sig_key root/lib/modules/R/kernel/sign/signed_old.ko ; modinfo -F signature root/lib/modules/R/kernel/sign/signed_old.ko",
        &[],
    ),
    (
        "packed",
        "modinfo root/lib/modules/R/kernel/packed/packed_xz.ko.xz root/lib/modules/R/kernel/packed/packed_zst.ko.zst",
        &[],
    ),
    (
        "other machines",
        "modinfo root/lib/modules/R/kernel/odd/small.ko root/lib/modules/R/kernel/odd/big.ko root/lib/modules/R/kernel/odd/old.ko",
        &[],
    ),
    ("not a module's name", "modinfo none/none.conf ; modinfo ./none/none.conf ; modinfo none", &[]),
    ("not in ASCII", "modinfo root/lib/modules/R/kernel/odd/wide.ko root/lib/modules/R/kernel/odd/lines.ko", &[]),
    (
        "a text called so",
        "modinfo x.ko ; modinfo -F filename x.ko ; modinfo y.ko",
        &[("x.ko", "this is no module\n"), ("y.ko", "")],
    ),
    ("a file that is not there", "modinfo ./nowhere.ko", &[]),
];

const ODD: &[Row] = &[
    (
        "misnamed",
        "modinfo root/lib/modules/R/kernel/packed/misnamed.ko.xz root/lib/modules/R/kernel/packed/misnamed_plain.ko",
        &[],
    ),
    ("strange", "modinfo root/lib/modules/R/kernel/odd/runs.ko root/lib/modules/R/kernel/odd/silent.ko", &[]),
    ("strange nul", "modinfo -0 root/lib/modules/R/kernel/odd/runs.ko", &[]),
];

const BY_NAME: &[Row] = &[
    ("name", "modinfo -b root -k R full", &[]),
    ("name with a dash", "modinfo -b root -k R dash-ed-name", &[]),
    ("alias", "modinfo -b root -k R pci:v00001AF4d00001000sv0sd0bc0sc0i0", &[]),
    ("alias of several", "modinfo -b root -k R shared:12", &[]),
    ("alias with brackets", "modinfo -b root -k R usb:v5p-b", &[]),
    ("symbol", "modinfo -b root -k R symbol:base_one", &[]),
    ("unknown", "modinfo -b root -k R nothing_like_it", &[]),
    ("unknown and known", "modinfo -b root -k R nothing_like_it base", &[]),
    ("builtin", "modinfo -b root -k R inner", &[]),
    ("builtin nul", "modinfo -0 -b root -k R inner", &[]),
    (
        "builtin fields",
        "modinfo -b root -k R -F license inner ; modinfo -b root -k R -n inner ; modinfo -b root -k R -p inner ; modinfo -b root -k R -F name inner",
        &[],
    ),
    ("builtin without more", "modinfo -b root -k R third built_in_two", &[]),
    ("builtin alias", "modinfo -b root -k R fs-inner ; modinfo -b root -k R pci:v1d-c9", &[]),
    ("module only", "modinfo -m -b root -k R base", &[]),
    ("module only of an alias", "modinfo -m -b root -k R shared:12 ; modinfo -m -b root -k R packed:1", &[]),
    ("module only of a builtin", "modinfo -m -b root -k R inner", &[]),
    ("soft and weak", "modinfo -b root -k R soft weakly", &[]),
    ("duplicate", "modinfo -b root -k R twice", &[]),
    ("upper case", "modinfo -b root -k R UPPER upper Upper", &[]),
    ("release not there", "modinfo -b root -k 6.98.0 base", &[]),
    ("base not there", "modinfo -b nowhere -k R base", &[]),
    ("long options", "modinfo --basedir=root --set-version R --field license full", &[]),
    ("more long options", "modinfo --basedir=root --set-version R --modname full --null --author", &[]),
    ("abbreviated", "modinfo --base root --set R --auth full", &[]),
    ("empty operand", "modinfo -b root -k R ''", &[]),
    ("bad alias", "modinfo -b root -k R a[b ; modinfo -b root -k R a]b", &[]),
    ("no operand", "modinfo ; modinfo -b root -k R ; modinfo -F license", &[]),
    ("unknown option", "modinfo --nonsense x ; modinfo -Z x", &[]),
    ("option without value", "modinfo -F ; modinfo --field ; modinfo -k", &[]),
    ("ambiguous option", "modinfo --a x ; modinfo --se x ; modinfo --n x", &[]),
];

pub(super) fn on_made(made: &Made) -> Vec<Case> {
    let mut cases = rows("modinfo/files", &made.sound(), BY_FILE);
    cases.extend(rows("modinfo/odd", &made.odd(), ODD));
    cases.extend(rows("modinfo/names", &made.indexed(), BY_NAME));
    cases
}

/// What is asked of every module of a plain tree.
const FIELDS: &[&str] = &[
    "",
    "-0",
    "-p",
    "-p -0",
    "-a",
    "-d",
    "-l",
    "-n",
    "-F alias",
    "-F parm",
    "-F parmtype",
    "-F depends",
    "-F vermagic",
    "-F softdep",
    "-F firmware",
    "-F srcversion",
    "-F import_ns",
    "-F intree",
    "-F retpoline",
    "-F name",
    "-F sig_id",
    "-F signer",
    "-F sig_key",
    "-F sig_hashalgo",
    "-F signature",
    "-F version",
];

/// What is asked of every module of a packed tree.
const FIELDS_PACKED: &[&str] = &["", "-n", "-F alias"];

/// How many modules one call is given.
const PER_CALL: usize = 200;

pub(super) fn on_tree(tree: &Tree) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for options in if tree.is_packed() { FIELDS_PACKED } else { FIELDS } {
        let paths = tree.modules.iter().map(|module| format!("root/lib/modules/{}/{module}", tree.release));
        cases.push(with_all(tree, options, paths.collect()));
    }
    if !tree.is_packed() {
        cases.push(with_all(tree, "-b root -k R", tree.modules.iter().map(|path| name_of(path)).collect()));
        let builtin = tree.index_text("modules.builtin")?;
        cases.push(with_all(tree, "-b root -k R -0", builtin.lines().map(name_of).collect()));
    }
    Ok(cases)
}

fn with_all(tree: &Tree, options: &str, operands: Vec<String>) -> Case {
    let label = if options.is_empty() { "all" } else { options };
    let name = format!("modinfo/{}/{label}", tree.name);
    let first = case(name, &tree.release, &format!("modinfo {options}"), &tree.indexed(), &[]);
    let call = |operands: &[String]| {
        let mut call = first.calls[0].clone();
        call.arguments.extend_from_slice(operands);
        call
    };
    Case { calls: operands.chunks(PER_CALL).map(call).collect::<Vec<Call>>(), is_long: true, ..first }
}

/// A module's name, of its path.
pub(super) fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or_default();
    file.split('.').next().unwrap_or_default().replace('-', "_")
}
