//! What `--check-config` says of small trees.

use modfile::write::Module;

use super::*;
use crate::fake::Root;

/// `user` needs `lib`; `soft` comes with a soft dependency on `lib`; `fixed` is part of the kernel.
fn root() -> Root {
    let root = Root::new();
    root.tree("modules.dep", "user.ko: lib.ko\nlib.ko:\nsoft.ko:\nother.ko:\n");
    root.tree("modules.alias", "alias net-pf-1 other\n");
    root.tree("modules.softdep", "softdep soft pre: lib\nsoftdep soft lib\nbogus\n");
    root.tree("modules.builtin", "kernel/fixed.ko\n");
    root.tree_bytes(
        "other.ko",
        &Module::new("other").modinfo("parm", "speed:How fast").modinfo("parmtype", "speed:int").build(),
    );
    root
}

/// The findings on files of `etc`, each as it is printed, without the root.
fn findings(root: &Root, files: &[(&str, &str)], command_line: &str) -> String {
    files.iter().for_each(|(name, text)| root.write(&format!("etc/{name}"), text));
    let found = super::findings(&[root.path("etc")], &root.indexes(), command_line);
    let text: String = found.iter().map(Finding::to_string).collect();
    text.replace(&format!("{}/", root.path("").display().to_string().trim_end_matches('/')), "")
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let found = findings(&root(), &[("m.conf", text)], "");
    let expected: String = expected.iter().map(|line| format!("{line}\n")).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn rules_with_an_effect_are_not_named() {
    check(
        "# all is well\nalias x-y other\nalias net-pf-2 fixed\nblacklist other\noptions other speed=1\noptions net-pf-1 speed=2\n\
         install lib /bin/true\ninstall no-module /bin/true\nremove other /bin/true\nsoftdep user pre: lib post: no-module\n\
         softdep lib pre:\nblacklist user\n",
        &[],
    );
}

#[test]
fn an_install_command_and_what_cancels_it() {
    check(
        "install soft /bin/false\n",
        &[
            "etc/m.conf:1: install soft: not run for `soft`: modprobe skips it for a module with soft dependencies \
             (lib/modules/6.1.0-test/modules.softdep:1)",
            "    instead: the first softdep counts, and an empty one leaves the command in force: write `softdep soft pre:` \
             in a file whose name sorts before modules.softdep",
        ],
    );
    check("install soft /bin/false\nsoftdep soft pre:\n", &[]);
    check(
        "install us* /bin/a\ninstall user /bin/b\n",
        &[
            "etc/m.conf:2: install user: never run: etc/m.conf:1 comes first",
            "    instead: write both as one, or put this into a file whose name sorts before that one",
        ],
    );
}

#[test]
fn a_blacklist_is_passed_by() {
    check(
        "blacklist lib\nblacklist net-pf-1\nblacklist fixed\nblacklist othr\n",
        &[
            "etc/m.conf:1: blacklist lib: `lib` is loaded all the same when `soft`, `user` is: dependencies pass by",
            "    instead: to keep it out whoever needs it, write `install lib /bin/false`",
            "etc/m.conf:2: blacklist net_pf_1: `net_pf_1` is an alias, and the blacklist is about modules",
            "    instead: write `blacklist other`",
            "etc/m.conf:3: blacklist fixed: `fixed` is part of the kernel itself",
            "etc/m.conf:4: blacklist othr: there is no module `othr` in lib/modules/6.1.0-test",
            "    instead: did you mean `other`?",
        ],
    );
    let found = findings(&root(), &[], "quiet modprobe.blacklist=other,snd-x");
    assert_eq!(
        found,
        "/proc/cmdline: modprobe.blacklist=snd-x: no module's name has a `-`, and here it is not taken for a `_`\n    \
         instead: write snd_x\n"
    );
}

#[test]
fn names_that_lead_nowhere() {
    check(
        "alias a zzz\nalias b net-pf-1\nalias c off\noptions zzz x=1\noptions fixed p=1\noptions other sped=1\n\
         softdep zzz pre: lib\nsoftdep user pre: libb\n",
        &[
            "etc/m.conf:1: alias a: there is no module `zzz` in lib/modules/6.1.0-test",
            "etc/m.conf:2: alias b: there is no module `net_pf_1` in lib/modules/6.1.0-test",
            "    instead: an alias leads to modules only, not to another alias: write `other`",
            "etc/m.conf:3: alias c: there is no module `off` in lib/modules/6.1.0-test",
            "    instead: to switch it off, write `install c /bin/false`",
            "etc/m.conf:4: options zzz: there is no module `zzz` in lib/modules/6.1.0-test",
            "etc/m.conf:5: options fixed: `fixed` is part of the kernel itself, which modprobe does not load",
            "    instead: write fixed.p=1 on the kernel's command line",
            "etc/m.conf:6: options other: it has no parameter `sped`, so that is ignored; did you mean `speed`?",
            "etc/m.conf:7: softdep zzz: there is no module `zzz` in lib/modules/6.1.0-test",
            "etc/m.conf:8: softdep user: there is no module `libb` in lib/modules/6.1.0-test",
            "    instead: did you mean `lib`?",
        ],
    );
}

#[test]
fn only_the_first_softdep_counts() {
    let files = [("a.conf", "softdep user pre: lib\n"), ("z.conf", "softdep soft pre: other\nsoftdep us* post: lib\n")];
    assert_eq!(
        findings(&root(), &files, ""),
        "etc/z.conf:1: softdep soft: not heeded: the first one counts, and that is lib/modules/6.1.0-test/modules.softdep:1\n    \
         instead: write both as one, or put this into a file whose name sorts before that one\n"
    );
}

#[test]
fn lines_that_say_nothing() {
    check(
        " # x\nblaklist other\ninclude x\noptions other\nalias a] other\nsoftdep user  pre: lib\nsoftdep lib other\n",
        &[
            "etc/m.conf:1: #: passed over: a comment begins in the first column",
            "    instead: remove the blanks before the `#`",
            "etc/m.conf:2: blaklist: passed over: there is no such directive",
            "    instead: write `blacklist`",
            "etc/m.conf:3: include: passed over: kmod reads no further files",
            "    instead: put the files into /etc/modprobe.d",
            "etc/m.conf:4: options: passed over: something is missing after `options`",
            "    instead: write `options MODULE PARAMETER=VALUE`",
            "etc/m.conf:5: alias: passed over: a bracket in a name has no partner",
            "    instead: write `[` and `]` around a set of characters",
            "etc/m.conf:6: softdep user: names nothing: with two blanks after the module kmod does not see the first word",
            "    instead: leave one blank there",
            "etc/m.conf:7: softdep lib: names nothing: what comes before `pre:` and `post:` is dropped",
            "    instead: write `pre:` or `post:` before the names",
        ],
    );
    check(
        "\r\nblacklist other\r\n",
        &[
            "etc/m.conf:1: passed over: the line is not empty, it ends with CR LF",
            "    instead: end lines with LF only",
            "etc/m.conf:2: blacklist other: the name ends with a CR, so that it is no module's",
            "    instead: end lines with LF only",
        ],
    );
}

#[test]
fn files_that_are_not_read() {
    let root = root();
    for file in ["etc/b.conf", "etc/notes.txt", "etc/.c.conf", "lib/b.conf", "etc/sub.conf/x"] {
        root.write(file, "");
    }
    std::os::unix::fs::symlink("none", root.path("etc/gone.conf")).unwrap();
    std::os::unix::fs::symlink("etc", root.path("again")).unwrap();
    let paths = ["etc", "lib", "again", "absent"].map(|path| root.path(path));
    let found = super::findings(&paths[..2], &root.indexes(), "");
    let found: Vec<_> = found
        .iter()
        .map(|finding| format!("{} {}", finding.place.path.strip_prefix(root.path("")).unwrap().display(), finding.why))
        .collect();
    assert_eq!(
        found,
        [
            "etc/.c.conf not read: its name begins with a dot".to_owned(),
            "etc/gone.conf not read: it is a link to what does not exist".to_owned(),
            "etc/notes.txt not read: its name does not end in .conf".to_owned(),
            "etc/sub.conf not read: it is a directory".to_owned(),
            format!("lib/b.conf not read: {} has the same name and comes first", root.path("etc/b.conf").display()),
        ]
    );
    let twice = super::findings(&[root.path("etc"), root.path("again")], &root.indexes(), "");
    assert!(!twice.iter().any(|finding| finding.why.contains("the same name")), "{twice:?}");
}

#[test]
fn findings_are_for_programs_too() {
    let finding = Finding {
        place: Place { path: "a.conf".into(), line: Some(3) },
        rule: "alias a".into(),
        why: "it is so".into(),
        instead: String::new(),
    };
    let mut text = Vec::new();
    finding.json().write(&mut text);
    let expected = "{\n  \"file\": \"a.conf\",\n  \"line\": 3,\n  \"rule\": \"alias a\",\n  \"why\": \"it is so\",\n  \"instead\": null\n}\n";
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}
