//! depmod: its eleven files, what it prints, and its configuration.

use std::path::PathBuf;

use modfile::write::Module;

use super::{
    super::{
        case::{Case, Put},
        made::Made,
        trees::Tree,
    },
    RELEASE, Row, case, long_rows, rows,
};

/// Only `out` is written.
const READING: &[Row] = &[
    ("plain", "depmod -b root -o out R", &[]),
    ("all", "depmod -a -b root -o out R", &[]),
    ("long options", "depmod --all --basedir=root --outdir out R", &[]),
    ("abbreviated", "depmod --bas root --outd=out R", &[]),
    ("printed", "depmod -n -b root R", &[]),
    ("dry run", "depmod --dry-run -b root -o out R", &[]),
    ("verbose", "depmod -v -b root -o out R", &[]),
    ("verbose and printed", "depmod -nv -b root R", &[]),
    ("warnings", "depmod -w -b root -o out R", &[]),
    ("warnings and verbose", "depmod -wvn -b root R", &[]),
    ("again over old files", "depmod -b root -o out R ; depmod -b root -o out R", &[]),
    ("quick without files", "depmod -A -b root -o out R", &[]),
    ("quick with files", "depmod -b root -o out R ; depmod -A -n -b root -o out R", &[]),
    ("no release", "depmod -b root -n", &[]),
    ("bad release", "depmod -b root one.two", &[]),
    ("half a release", "depmod -b root -n 6", &[]),
    ("release not there", "depmod -b root -o out 6.98.0 ; depmod -n -b root 6.98.0", &[]),
    ("base not there", "depmod -b nowhere -n R", &[]),
    ("base is a file", "depmod -b file -n R", &[("file", "x")]),
    ("out is a file", "depmod -b root -o file R", &[("file", "x")]),
    ("module directory", "depmod -b root -m lib/modules -o out R ; depmod -b root -m /lib/modules -n R", &[]),
    ("other module directory", "depmod -b root -m /other -n R", &[]),
    ("unknown option", "depmod --nonsense", &[]),
    ("unknown letter", "depmod -k", &[]),
    ("ambiguous option", "depmod --ve", &[]),
    ("option without value", "depmod -b", &[]),
    ("long option without value", "depmod --basedir", &[]),
    ("value where none belongs", "depmod --all=x", &[]),
    ("option after operand", "depmod R -n -b root", &[]),
    ("end of options", "depmod -n -b root -- R", &[]),
    ("removed options", "depmod -u R ; depmod -q R ; depmod -r R", &[]),
    ("prefix", "depmod -n -b root -P b R", &[]),
    ("prefix too long", "depmod -n -b root -P ab R", &[]),
    ("prefix empty", "depmod -n -b root -P '' R", &[]),
    ("errors without a list", "depmod -e -n -b root R", &[]),
    (
        "map",
        "depmod -e -F map -n -b root R",
        &[("map", "0000 T printk\n0001 T module_layout\nffff R __ksymtab_nobody_has_this\n")],
    ),
    ("map without names", "depmod -e -F map -n -b root R", &[("map", "0000 T\n\nx\n")]),
    ("map not there", "depmod -e -F nowhere -n -b root R", &[]),
    (
        "symvers",
        "depmod -e -E symvers -n -b root R",
        &[(
            "symvers",
            "0x11111111\tbase_one\tnet/base\tEXPORT_SYMBOL\n0x00000009\tprintk\tvmlinux\tEXPORT_SYMBOL_GPL\t\n",
        )],
    ),
    ("symvers and map", "depmod -e -E symvers -F map -n -b root R", &[("symvers", "0x1\tx\n"), ("map", "0 T y\n")]),
    ("symvers odd", "depmod -e -E symvers -n -b root R", &[("symvers", "zz base_one\n0x1\n\n0x2 two words here\n")]),
    (
        "symvers verbose",
        "depmod -e -v -E symvers -n -b root R",
        &[("symvers", "0x2\tbase_two\tvmlinux\tEXPORT_SYMBOL\n")],
    ),
    ("search", "depmod -C c -n -b root R", &[("c/a.conf", "search extra updates built-in\n")]),
    ("search twice", "depmod -C c -n -b root R", &[("c/a.conf", "search kernel\nsearch updates extra\n")]),
    ("search external", "depmod -C c -n -b root R", &[("c/a.conf", "search external extra built-in\n")]),
    ("search nothing", "depmod -C c -n -b root R", &[("c/a.conf", "search\n")]),
    ("search below", "depmod -C c -n -b root R", &[("c/a.conf", "search kernel/a updates\n")]),
    ("override", "depmod -C c -n -b root R", &[("c/a.conf", "override twice * kernel/a\n")]),
    ("override a release", "depmod -C c -n -b root R", &[("c/a.conf", "override twice ^6.99 extra\n")]),
    ("override another release", "depmod -C c -n -b root R", &[("c/a.conf", "override twice 5.* extra\n")]),
    ("override a dash", "depmod -C c -n -b root R", &[("c/a.conf", "override dash-ed_name * kernel/odd\n")]),
    ("exclude", "depmod -C c -n -b root R", &[("c/a.conf", "exclude net a\nexclude odd\n")]),
    ("exclude nothing", "depmod -C c -n -b root R", &[("c/a.conf", "exclude\n")]),
    ("external", "depmod -C c -n -b root R", &[("c/a.conf", "external * /nowhere/at/all\nexternal 5.* /x\n")]),
    ("external bad pattern", "depmod -C c -n -b root R", &[("c/a.conf", "external ( /nowhere\n")]),
    ("old directives", "depmod -C c -v -n -b root R", &[("c/a.conf", "include x\nmake_map_files no\n")]),
    (
        "unknown directive",
        "depmod -C c -n -b root R",
        &[("c/a.conf", "nonsense here\n override\nsearch \\\n extra \\\n updates\n# note\n")],
    ),
    (
        "directive incomplete",
        "depmod -C c -n -b root R",
        &[("c/a.conf", "override\noverride twice\noverride twice *\nexternal\nexternal *\n")],
    ),
    (
        "several configurations",
        "depmod -C c -C d/x.conf -n -b root R",
        &[
            ("c/b.conf", "search extra\n"),
            ("c/a.conf", "search kernel\n"),
            ("c/z.txt", "search updates\n"),
            ("d/x.conf", "exclude odd\n"),
        ],
    ),
    ("configuration not there", "depmod -C nowhere -n -b root R", &[]),
    (
        "same name in two",
        "depmod -C c -C d -n -b root R",
        &[("c/a.conf", "search extra\n"), ("d/a.conf", "search updates\n")],
    ),
    ("files", "depmod -n -b root R /nowhere/x.ko", &[]),
    ("file not absolute", "depmod -n -b root R kernel/net/base.ko", &[]),
    ("file alone", "depmod -n -b root /nowhere/x.ko", &[]),
    ("no base", "depmod -n 6.98.0-nowhere", &[]),
    (
        "modules given",
        "depmod -n -b root R $PWD/root/lib/modules/R/kernel/net/mid.ko $PWD/root/lib/modules/R/kernel/net/base.ko",
        &[],
    ),
    ("module given that is none", "depmod -n -b root R $PWD/none/none.conf", &[]),
    ("module given alone", "depmod -n -b root $PWD/root/lib/modules/R/kernel/net/mid.ko", &[]),
];

/// The tree has things to complain of.
const ODD: &[Row] = &[
    ("plain", "depmod -b root -o out R", &[]),
    ("printed", "depmod -n -b root R", &[]),
    ("verbose", "depmod -v -b root -o out R", &[]),
    ("warnings", "depmod -w -b root -o out R", &[]),
];

/// The tree itself is written.
const WRITING: &[Row] = &[
    ("in place", "depmod -b root R", &[]),
    (
        "quick when newer",
        "depmod -b root R ; touch -d 2001-01-01 root/lib/modules/R/modules.dep ; depmod -A -b root R",
        &[],
    ),
    (
        "quick when older",
        "touch -d 2001-01-01 root/lib/modules/R/modules.order ; depmod -b root R ; rm root/lib/modules/R/modules.alias ; find root -newer none/none.conf -exec touch -d 2001-01-01 {} + ; touch root/lib/modules/R/modules.dep ; depmod -A -b root R",
        &[],
    ),
    ("without order", "rm root/lib/modules/R/modules.order ; depmod -b root R", &[]),
    ("without builtin", "rm root/lib/modules/R/modules.builtin ; depmod -b root R", &[]),
    ("without builtin modinfo", "rm root/lib/modules/R/modules.builtin.modinfo ; depmod -b root R", &[]),
    ("without anything", "rm -r root/lib/modules/R ; mkdir root/lib/modules/R ; depmod -b root R", &[]),
    ("without modules", "rm -r root/lib/modules/R/kernel root/lib/modules/R/updates ; depmod -b root R", &[]),
    (
        "builtin odd",
        "cp order root/lib/modules/R/modules.builtin ; depmod -b root R",
        &[("order", "1digit.ko\n/abs/one.ko\nkernel/no-suffix\nkernel/x.ko.xz\n\n\nkernel/last.ko")],
    ),
    (
        "order odd",
        "cp order root/lib/modules/R/modules.order ; depmod -b root R",
        &[("order", "kernel/net/top.ko\nkernel/net/top.ko\n\nkernel/net/base.ko.xz\nnet/mid.ko\nkernel/odd/big.ko")],
    ),
    (
        "builtin modinfo odd",
        "cp text root/lib/modules/R/modules.builtin.modinfo ; depmod -b root R",
        &[("text", "no dot\0x.alias=a\0x.alias=[bad\0.alias=b\0y.alias=\0y.aliases=c\0z.alias=un-do[-ne]")],
    ),
    ("link to a module", "ln -s base.ko root/lib/modules/R/kernel/net/linked.ko ; depmod -b root R", &[]),
    ("link to nothing", "ln -s gone.ko root/lib/modules/R/kernel/net/dangling.ko ; depmod -b root R", &[]),
    ("link to a directory", "ln -s net root/lib/modules/R/kernel/net2 ; depmod -b root R", &[]),
    ("empty module", "cp none/empty root/lib/modules/R/kernel/void.ko ; depmod -b root R", &[("none/empty", "")]),
    ("short module", "cp none/short root/lib/modules/R/kernel/short.ko ; depmod -b root R", &[("none/short", "ELF")]),
    (
        "text module",
        "cp none/text root/lib/modules/R/kernel/text.ko ; depmod -b root R",
        &[("none/text", "This is a text, no module.\n")],
    ),
    ("directory like a module", "mkdir root/lib/modules/R/kernel/dir.ko ; depmod -b root R", &[]),
    (
        "release is a link",
        "mv root/lib/modules/R root/lib/modules/real ; ln -s real root/lib/modules/R ; depmod -b root R",
        &[],
    ),
    (
        "old files stay",
        "cp none/none.conf root/lib/modules/R/modules.dep ; chmod 600 root/lib/modules/R/modules.dep ; depmod -b root R",
        &[],
    ),
];

/// On every tree.
const WHOLE: &[Row] = &[("plain", "depmod -b root -o out R", &[])];

/// On trees that are not packed, which are read fast.
const WHOLE_PLAIN: &[Row] = &[
    ("printed", "depmod -n -b root R", &[]),
    ("verbose", "depmod -v -b root -o out R", &[]),
    ("warnings", "depmod -w -b root -o out R", &[]),
    ("search", "depmod -C c -b root -o out R", &[("c/a.conf", "search kernel/drivers built-in\nexclude sound\n")]),
    ("override", "depmod -C c -b root -o out R", &[("c/a.conf", "override ext4 * kernel/fs\n")]),
    ("errors by a map", "depmod -e -F map -b root -o out R", &[("map", "0 T printk\n0 T kfree\n")]),
    (
        "errors by symvers",
        "depmod -e -E symvers -b root -o out R",
        &[("symvers", "0x1\t_printk\tvmlinux\tEXPORT_SYMBOL\n0x2\tjbd2_journal_start\tfs/jbd2\tEXPORT_SYMBOL\n")],
    ),
    ("prefix", "depmod -P _ -b root -o out R", &[]),
    ("quick again", "depmod -b root -o out R ; depmod -A -b root -o out R", &[]),
];

pub(super) fn on_made(made: &Made) -> Vec<Case> {
    let mut cases = rows("depmod/made", &made.sound(), READING);
    cases.extend(rows("depmod/written", &made.copy(), WRITING));
    cases.extend(rows("depmod/odd", &made.odd(), ODD));
    cases.extend(cycles());
    cases
}

pub(super) fn on_tree(tree: &Tree) -> Vec<Case> {
    let group = format!("depmod/{}", tree.name);
    let mut cases = long_rows(&group, &tree.release, &tree.plain(), WHOLE);
    if !tree.is_packed() {
        cases.extend(long_rows(&group, &tree.release, &tree.plain(), WHOLE_PLAIN));
    }
    cases
}

/// Modules that need each other in circles: each with those that it needs behind a colon.
const CYCLES: &[(&str, &str)] = &[
    ("itself", "a:a"),
    ("two", "a:b b:a"),
    ("three", "a:b b:c c:a"),
    ("two of two", "a:b b:a c:d d:c"),
    ("with a tail", "a:b b:c c:b d:a"),
    ("joined", "a:b,c b:a c:a d:"),
];

fn cycles() -> Vec<Case> {
    let of = |(name, modules): &(&str, &str)| {
        let input = modules.split(' ').filter_map(|module| module.split_once(':')).map(in_circle).collect();
        case(format!("depmod/cycles/{name}"), RELEASE, "depmod -b root R", &input, &[])
    };
    CYCLES.iter().map(of).collect()
}

fn in_circle((name, needs): (&str, &str)) -> (PathBuf, Put) {
    let symbol = |name: &str| format!("{name}_symbol");
    let module = Module::new(name).exports(&symbol(name));
    let needs = needs.split(',').filter(|need| !need.is_empty());
    let module = needs.fold(module, |module, need| module.needs(&symbol(need)));
    (format!("root/lib/modules/{RELEASE}/{name}.ko").into(), Put::File(module.build().into()))
}
