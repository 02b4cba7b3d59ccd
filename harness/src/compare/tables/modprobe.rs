//! modprobe: what it would do, and what it shows. It never does it: that is for scenarios in the guest.

use super::{
    super::{case::Case, made::Made, trees::Tree, words::Call},
    Row, case,
    modinfo::name_of,
    rows,
};
use crate::error::Result;

const PLANS: &[Row] = &[
    ("alone", "modprobe -d root -S R -C none -D base", &[]),
    ("depending", "modprobe -d root -S R -C none -D top", &[]),
    ("with a dash", "modprobe -d root -S R -C none -D dash-ed-name", &[]),
    (
        "soft",
        "modprobe -d root -S R -C none -D soft ; modprobe -d root -S R -C none -D softly ; modprobe -d root -S R -C none -D weakly",
        &[],
    ),
    ("alias", "modprobe -d root -S R -C none -D shared:12 ; modprobe -d root -S R -C none -D packed:x", &[]),
    ("several", "modprobe -d root -S R -C none -a -D base mid top base", &[]),
    ("several with an unknown one", "modprobe -d root -S R -C none -a -D base nothing mid", &[]),
    (
        "parameters",
        "modprobe -d root -S R -C none -D top a=1 b='two words' c ; modprobe -d root -S R -C none -D top 'd=\"x y\"'",
        &[],
    ),
    (
        "builtin",
        "modprobe -d root -S R -C none -D inner ; modprobe -d root -S R -C none -D fs-inner ; modprobe -d root -S R -C none -D third",
        &[],
    ),
    ("symbol", "modprobe -d root -S R -C none -D symbol:left_one", &[]),
    ("unknown", "modprobe -d root -S R -C none -D nothing ; modprobe -q -d root -S R -C none -D nothing", &[]),
    ("duplicate", "modprobe -d root -S R -C none -D twice", &[]),
    (
        "dotted",
        "modprobe -d root -S R -C none -D a ; modprobe -d root -S R -C none -D a.b.c ; modprobe -d root -S R -C none -D dotted",
        &[],
    ),
    (
        "by path",
        "modprobe -d root -S R -C none -D ./root/lib/modules/R/kernel/net/top.ko ; modprobe -d root -S R -C none -D ./nowhere.ko",
        &[],
    ),
    (
        "by path not a module",
        "modprobe -d root -S R -C none -D ./none/none.conf ; modprobe -d root -S R -C none -D $PWD/root",
        &[],
    ),
    (
        "upper case",
        "modprobe -d root -S R -C none -D UPPER ; modprobe -d root -S R -C none -D Upper ; modprobe -d root -S R -C none -D upper",
        &[],
    ),
    ("dry run", "modprobe -n -d root -S R -C none top", &[]),
    ("dry run told", "modprobe -n -v -d root -S R -C none top ; modprobe -nv -d root -S R -C none top x=1", &[]),
    ("dry run told more", "modprobe -n -vv -d root -S R -C none top", &[]),
    ("dry run told all", "modprobe -n -vvv -d root -S R -C none base", &[]),
    ("show", "modprobe --show -v -d root -S R -C none mid", &[]),
    (
        "removal",
        "modprobe -r -n -v -d root -S R -C none top ; modprobe -r -n -d root -S R -C none nothing ; modprobe -r -n -v -d root -S R -C none inner",
        &[],
    ),
    ("removal quiet", "modprobe -r -q -n -d root -S R -C none nothing", &[]),
    (
        "force",
        "modprobe -n -v -f -d root -S R -C none mid ; modprobe -n -v --force-vermagic -d root -S R -C none mid ; modprobe -n -v --force-modversion -d root -S R -C none mid",
        &[],
    ),
    (
        "first time",
        "modprobe -n --first-time -d root -S R -C none inner ; modprobe -n --first-time -d root -S R -C none base",
        &[],
    ),
    (
        "not there, not dry",
        "modprobe -d root -S R -C none nothing ; modprobe -q -d root -S R -C none nothing ; modprobe -d root -S R -C none -a nothing less",
        &[],
    ),
    (
        "without privilege",
        "modprobe -d root -S R -C none base ; modprobe -d root -S R -C none top ; modprobe -a -d root -S R -C none base many_00",
        &[],
    ),
    (
        "removal of what is not loaded",
        "modprobe -r -d root -S R -C none base ; modprobe -r --first-time -d root -S R -C none base",
        &[],
    ),
    ("builtin, not dry", "modprobe -d root -S R -C none inner ; modprobe -r -d root -S R -C none inner", &[]),
];

const SHOWS: &[Row] = &[
    (
        "resolve",
        "modprobe -d root -S R -C none -R shared:12 ; modprobe -d root -S R -C none -R base ; modprobe -d root -S R -C none -R pci:v00001AF4d00001000sv0sd0bc0sc0i0",
        &[],
    ),
    ("resolve several", "modprobe -d root -S R -C none -a -R shared:12 base nothing usb:v5p-b", &[]),
    ("resolve unknown", "modprobe -d root -S R -C none -R nothing ; modprobe -q -d root -S R -C none -R nothing", &[]),
    (
        "resolve symbol",
        "modprobe -d root -S R -C none -R symbol:base_two ; modprobe -d root -S R -C none -R symbol:none",
        &[],
    ),
    ("resolve builtin", "modprobe -d root -S R -C none -R inner ; modprobe -d root -S R -C none -R pci:v1d-b", &[]),
    (
        "resolve with brackets",
        "modprobe -d root -S R -C none -R usb:v5p-c ; modprobe -d root -S R -C none -R usb:v5p- ; modprobe -d root -S R -C none -R 'open:[a-'",
        &[],
    ),
    ("resolve with a dash", "modprobe -d root -S R -C none -R x-y1z ; modprobe -d root -S R -C none -R x_y1z", &[]),
    ("configuration", "modprobe -d root -S R -C none -c", &[]),
    (
        "configuration of all options",
        "modprobe -d root -S R -C none --showconfig ; modprobe -d root -S R -C none --show-config",
        &[],
    ),
    (
        "versions",
        "modprobe --show-modversions root/lib/modules/R/kernel/net/top.ko ; modprobe --dump-modversions root/lib/modules/R/kernel/net/mid.ko",
        &[],
    ),
    (
        "versions of none",
        "modprobe --show-modversions root/lib/modules/R/kernel/tell/full.ko ; modprobe --show-modversions nowhere.ko ; modprobe --show-modversions base",
        &[],
    ),
    (
        "versions of other machines",
        "modprobe --show-modversions root/lib/modules/R/kernel/odd/small.ko ; modprobe --show-modversions root/lib/modules/R/kernel/odd/big.ko",
        &[],
    ),
    (
        "exports",
        "modprobe --show-exports root/lib/modules/R/kernel/net/base.ko ; modprobe --show-exports root/lib/modules/R/kernel/net/left.ko",
        &[],
    ),
    (
        "exports of none",
        "modprobe --show-exports root/lib/modules/R/kernel/tell/full.ko ; modprobe --show-exports ./none/none.conf",
        &[],
    ),
    (
        "exports of other machines",
        "modprobe --show-exports root/lib/modules/R/kernel/odd/small.ko ; modprobe --show-exports root/lib/modules/R/kernel/odd/big.ko",
        &[],
    ),
    ("exports packed", "modprobe --show-exports root/lib/modules/R/kernel/packed/packed_xz.ko.xz", &[]),
    ("base not there", "modprobe -d nowhere -S R -C none -D base ; modprobe -d nowhere -S R -C none -c", &[]),
    (
        "release not there",
        "modprobe -d root -S 6.98.0 -C none -D base ; modprobe -d root -S 6.98.0 -C none -R base",
        &[],
    ),
    ("no operand", "modprobe ; modprobe -n ; modprobe -r ; modprobe -a ; modprobe -D ; modprobe -R", &[]),
    ("unknown option", "modprobe --nonsense ; modprobe -Z x ; modprobe -l", &[]),
    ("ambiguous option", "modprobe --re x ; modprobe --show x ; modprobe --s x ; modprobe --force x -n", &[]),
    ("option without value", "modprobe -C ; modprobe --set-version ; modprobe -d", &[]),
    ("value where none belongs", "modprobe --quiet=1 x ; modprobe --all=x y", &[]),
    ("wait", "modprobe -w x -r -n base ; modprobe --wait=5 -r -n -v -d root -S R -C none base", &[]),
    ("empty operand", "modprobe -d root -S R -C none -D '' ; modprobe -d root -S R -C none -R ''", &[]),
    (
        "options after operands",
        "modprobe base -D -d root -S R -C none ; modprobe -d root -S R -C none -D -- base -n",
        &[],
    ),
    (
        "options by environment",
        "MODPROBE_OPTIONS='-D -d root' modprobe -S R -C none base ; MODPROBE_OPTIONS=-q modprobe -d root -S R -C none -D nothing ; MODPROBE_OPTIONS='-S \"6.99.1-made\"' modprobe -d root -C none -D base",
        &[],
    ),
    (
        "bad options by environment",
        "MODPROBE_OPTIONS='--nonsense' modprobe -d root -S R -C none -D base ; MODPROBE_OPTIONS='-C \"none' modprobe -d root -S R -D base",
        &[],
    ),
    (
        "log level by environment",
        "KMOD_LOG=debug modprobe -d root -S R -C none -q -D nothing ; KMOD_LOG=3 modprobe -d root -S R -C none -D base",
        &[],
    ),
    ("syslog", "modprobe -s -d root -S R -C none -D nothing", &[]),
];

/// Configurations; every row is asked about the same names.
const RULES: &[(&str, &str)] = &[
    ("alias", "alias mine base\nalias mi*ne mid\nalias mine top\n"),
    ("alias to nothing", "alias mine nothing\nalias base gone\n"),
    ("alias to itself", "alias mine mine\nalias one two\nalias two one\nalias top mid\n"),
    ("alias with dashes", "alias my-name dash-ed-name\nalias m[a-c]ne base\nalias m[ine bad\n"),
    ("options", "options base x=1 y=\"a b\"\noptions base z\noptions mid n=2\n"),
    ("options by alias", "alias mine base\noptions mine by=alias\noptions base by=name\n"),
    ("options with dashes", "options dash-ed-name x=1\noptions dash_ed_name y=2\n"),
    ("options of a builtin", "options inner x=1\n"),
    ("install", "install base echo one ; echo two\n"),
    ("install with options", "options base x=1\ninstall base /bin/true $CMDLINE_OPTS and $CMDLINE_OPTS\n"),
    ("install of a dependency", "install mid /bin/false\n"),
    ("install of nothing", "install mine /bin/true\n"),
    ("install twice", "install base one\ninstall base two\n"),
    ("remove", "remove base /bin/true\nremove mine /bin/false\n"),
    ("blacklist", "blacklist base\nblacklist pci\n"),
    ("blacklist by alias", "alias mine base\nblacklist base\nblacklist shared-a\n"),
    ("softdep", "softdep base pre: full post: pci ranges\n"),
    ("softdep of many lines", "softdep base pre: full\nsoftdep base post: pci\n"),
    ("softdep and install", "softdep base pre: full\ninstall base /bin/true\n"),
    ("softdep of itself", "softdep base pre: base\nsoftdep mid pre: soft post: mid\n"),
    ("softdep in circles", "softdep base pre: full\nsoftdep full pre: base\n"),
    ("softdep optional", "softdep base pre: nothing full\nsoftdep mid nothing: here\nsoftdep top\n"),
    ("softdep odd", "softdep base full pci\nsoftdep mid pre:full\nsoftdep top pre: post:\n"),
    ("weakdep", "weakdep base full\nweakdep mid nothing pci\n"),
    ("weakdep empty", "weakdep base\n"),
    ("incomplete", "alias\nalias one\noptions\noptions base\ninstall base\nblacklist\nremove\n"),
    ("unknown", "nonsense base\nconfig x\ninclude none\n"),
    ("continued", "options base a=1 \\\n b=2 \\\n\n# a note \\\noptions mid hidden=1\noptions top seen=1"),
    ("blanks", "  \t options\t base \t x=1  y=2  \t\n\n\n   # note\noptions mid # not a note\n"),
    ("quotes", "options base x=\"a  b\" y='c d'\ninstall mid echo \"quoted ; text\" 'more'\n"),
    ("carriage returns", "options base x=1\r\nalias mine base\r\n"),
    ("no newline at the end", "options base x=1"),
    ("upper case directive", "OPTIONS base x=1\nAlias mine base\n"),
];

/// What is asked of every configuration.
const QUESTIONS: &str = "modprobe -d root -S R -C c -c ; modprobe -d root -S R -C c -D base ; \
    modprobe -d root -S R -C c -D top ; modprobe -d root -S R -C c -D mine ; modprobe -d root -S R -C c -D mine p=1 ; \
    modprobe -d root -S R -C c -R mine ; modprobe -d root -S R -C c -b -D base ; modprobe -d root -S R -C c -b -a -D top pci mine ; \
    modprobe -d root -S R -C c -i -D base ; modprobe -d root -S R -C c --ignore-remove -r -n -v base ; \
    modprobe -d root -S R -C c -D shared:12 ; modprobe -d root -S R -C c -b -D shared:12 ; modprobe -d root -S R -C c -D dash-ed-name ; \
    modprobe -d root -S R -C c -n -v base ; modprobe -d root -S R -C c -n -v top q=2 ; modprobe -d root -S R -C c -r -n -v top ; \
    modprobe -d root -S R -C c -D my-name ; modprobe -d root -S R -C c -R mane ; modprobe -d root -S R -C c -D one ; \
    modprobe -d root -S R -C c -D inner ; modprobe -d root -S R -C c -n -v mine ; modprobe -d root -S R -C c -n -v softly";

/// Where configuration comes from.
const PLACES: &[Row] = &[
    ("file", "modprobe -d root -S R -C f.conf -D base", &[("f.conf", "options base x=1\n")]),
    ("file of any name", "modprobe -d root -S R -C f -D base", &[("f", "options base x=1\n")]),
    (
        "directory in order",
        "modprobe -d root -S R -C c -D base ; modprobe -d root -S R -C c -c",
        &[
            ("c/b.conf", "options base x=b\n"),
            ("c/a.conf", "options base x=a\n"),
            ("c/c.txt", "options base x=txt\n"),
            ("c/d.alias", "alias mine base\n"),
        ],
    ),
    (
        "two directories",
        "modprobe -d root -S R -C c -C d -D base",
        &[("c/b.conf", "options base x=c\n"), ("d/b.conf", "options base x=d\n"), ("d/a.conf", "options base x=a\n")],
    ),
    (
        "hidden file",
        "modprobe -d root -S R -C c -D base",
        &[("c/.a.conf", "options base x=1\n"), ("c/b.conf", "options base y=1\n")],
    ),
    ("not there", "modprobe -d root -S R -C nowhere -D base", &[]),
    ("empty file", "modprobe -d root -S R -C f -c", &[("f", "")]),
    (
        "binary file",
        "modprobe -d root -S R -C f -c ; modprobe -d root -S R -C f -D base",
        &[("f", "options base a\0b\nalias \u{1} \u{fc}\n\0\0\n")],
    ),
    ("by environment", "MODPROBE_OPTIONS='-C c' modprobe -d root -S R -D base", &[("c/a.conf", "options base x=1\n")]),
];

pub(super) fn on_made(made: &Made) -> Vec<Case> {
    let mut cases = rows("modprobe/plans", &made.indexed(), PLANS);
    cases.extend(rows("modprobe/shows", &made.indexed(), SHOWS));
    cases.extend(rows("modprobe/places", &made.indexed(), PLACES));
    for (name, text) in RULES {
        let rule = [("c/rule.conf", *text)];
        cases.push(case(format!("modprobe/rules/{name}"), super::RELEASE, QUESTIONS, &made.indexed(), &rule));
    }
    cases
}

/// How many names or aliases one case asks about, each in a call of its own.
const PER_CASE: usize = 100;

/// One of so many modules is asked what only a call of its own can be asked.
const SAMPLED: usize = 8;

/// How many names or aliases one call is given.
const PER_CALL: usize = 250;

/// On trees of both packings nothing but the paths differs, so one of them is asked everything.
pub(super) fn on_tree(tree: &Tree) -> Result<Vec<Case>> {
    let names: Vec<String> = tree.modules.iter().map(|path| name_of(path)).collect();
    let mut cases = vec![case_of(tree, "configuration", "-c", vec![vec![]])];
    if tree.is_packed() {
        cases.push(case_of(tree, "plans", "-D", one_each(&names[..PER_CASE])));
        return Ok(cases);
    }
    for (number, names) in names.chunks(PER_CASE).enumerate() {
        cases.push(case_of(tree, &format!("plans {number}"), "-D", one_each(names)));
    }
    cases.push(case_of(tree, "plans together", "-a -D", in_chunks(&names)));
    cases.push(case_of(tree, "dry runs", "-a -n -v", in_chunks(&names)));
    let aliases = aliases(&tree.index_text("modules.alias")?);
    cases.push(case_of(tree, "aliases", "-a -R", in_chunks(&aliases)));
    let sample: Vec<String> = aliases.iter().step_by(4 * SAMPLED).cloned().collect();
    cases.push(case_of(tree, "aliases one by one", "-R", one_each(&sample)));
    let symbols = tree.index_text("modules.symbols")?;
    let symbols: Vec<String> = symbols.lines().filter_map(|line| line.split(' ').nth(1)).map(str::to_owned).collect();
    cases.push(case_of(tree, "symbols", "-a -R", in_chunks(&symbols)));
    let builtin: Vec<String> = tree.index_text("modules.builtin")?.lines().map(name_of).collect();
    cases.push(case_of(tree, "builtin", "-D", one_each(&builtin)));
    for (label, option) in [("versions", "--show-modversions"), ("exports", "--show-exports")] {
        let modules = tree.modules.iter().step_by(SAMPLED);
        let paths = modules.map(|module| vec![format!("root/lib/modules/{}/{module}", tree.release)]);
        cases.push(case_of(tree, label, option, paths.collect()));
    }
    Ok(cases)
}

fn one_each(operands: &[String]) -> Vec<Vec<String>> {
    operands.iter().map(|operand| vec![operand.clone()]).collect()
}

fn in_chunks(operands: &[String]) -> Vec<Vec<String>> {
    operands.chunks(PER_CALL).map(<[String]>::to_vec).collect()
}

fn case_of(tree: &Tree, label: &str, options: &str, calls: Vec<Vec<String>>) -> Case {
    let name = format!("modprobe/{}/{label}", tree.name);
    let line = format!("modprobe -d root -S R -C none {options}");
    let first = case(name, &tree.release, &line, &tree.indexed(), &[]);
    let call = |operands: Vec<String>| {
        let mut call: Call = first.calls[0].clone();
        call.arguments.extend(operands);
        call
    };
    Case { calls: calls.into_iter().map(call).collect(), is_long: true, ..first }
}

/// A name that each pattern matches, and the pattern itself where it has brackets.
fn aliases(text: &str) -> Vec<String> {
    let patterns = text.lines().filter_map(|line| line.strip_prefix("alias ")?.split(' ').next());
    patterns.map(matching).collect()
}

/// A star becomes a zero, a range its first character.
fn matching(pattern: &str) -> String {
    let mut name = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find(['*', '?', '[']) {
        let (plain, special) = rest.split_at(at);
        name.push_str(plain);
        match special.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            Some((inner, behind)) => {
                name.extend(inner.chars().next());
                rest = behind;
            }
            None => {
                name.push('0');
                rest = &special[1..];
            }
        }
    }
    name + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_gets_a_name_that_it_matches() {
        assert_eq!(matching("pci:v*d[1-3]x?"), "pci:v0d1x0");
        assert_eq!(aliases("# note\nalias a* b\nalias c d\n"), ["a0", "c"]);
    }
}
