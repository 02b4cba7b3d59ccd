//! What differs by kernel, as data: a scenario asks here instead of deciding by itself.

use std::fmt;

use Source::{Code, Commit};

use crate::errno::describe;

/// A kernel version, `(6, 5)` for 6.5.
pub type Version = (u32, u32);

/// What a statement about kernels rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A commit of the kernel: the first twelve digits of its name, and its subject.
    Commit(&'static str, &'static str),
    /// A function or file of the kernel's source.
    Code(&'static str),
    /// Kernels on which it was seen; where it came from was not found.
    Observed(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commit(hash, subject) => write!(f, "{hash} (\"{subject}\")"),
            Self::Code(place) => f.write_str(place),
            Self::Observed(kernels) => write!(f, "observed on {kernels}"),
        }
    }
}

/// When a fact turned from its first value to its second.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    /// What the fact is.
    pub what: &'static str,
    /// First version of the second value.
    pub since: Version,
    /// What brought it.
    pub source: Source,
}

/// Something that changed once or more.
#[derive(Debug)]
pub struct Fact<T: 'static> {
    /// What it is, for people.
    pub what: &'static str,
    /// Oldest first; each holds from its version up to the next one's.
    pub rows: &'static [Row<T>],
}

/// One value of a fact.
#[derive(Debug)]
pub struct Row<T> {
    /// First version it holds for.
    pub since: Version,
    /// The value.
    pub value: T,
    /// What says so.
    pub source: Source,
}

impl<T: Copy> Fact<T> {
    /// The value for a kernel.
    pub fn on(&self, version: Version) -> T {
        let row = self.rows.iter().rev().find(|row| row.since <= version).unwrap_or(&self.rows[0]);
        row.value
    }
}

/// A value as people read it.
pub trait Value {
    /// Its text, with the names of error numbers.
    fn shown(&self) -> String;
}

impl Value for i64 {
    fn shown(&self) -> String {
        describe(*self)
    }
}

impl Value for &str {
    fn shown(&self) -> String {
        format!("`{self}`")
    }
}

impl Value for bool {
    fn shown(&self) -> String {
        (if *self { "yes" } else { "no" }).to_owned()
    }
}

/// A fact of any kind, for lists of them.
pub trait Described: Sync {
    /// What it is.
    fn what(&self) -> &'static str;
    /// Its rows, with values as people read them.
    fn table(&self) -> Vec<Row<String>>;
}

impl<T: Value + Sync> Described for Fact<T> {
    fn what(&self) -> &'static str {
        self.what
    }

    fn table(&self) -> Vec<Row<String>> {
        self.rows.iter().map(|row| Row { since: row.since, value: row.value.shown(), source: row.source }).collect()
    }
}

impl<T> Fact<T> {
    /// Its second row, for the statement that it ends.
    pub const fn turn(&self) -> Turn {
        Turn { what: self.what, since: self.rows[1].since, source: self.rows[1].source }
    }
}

/// All facts.
pub const ALL: &[&dyn Described] = &[
    &SECOND_LOADER_GETS,
    &SUSPICIOUS_RETURN,
    &LOADER_OF_A_FAILING_FILE_GETS,
    &EEXIST_OF_INIT_BECOMES,
    &INHERITED_TAINT,
    &OOPS_IN_INIT,
    &STRING_TABLE_WITHOUT_END_IS,
    &STRUCT_MODULE_SIZE_IS_CHECKED,
    &GPL_EXPORTS_STAND_IN,
    &LAST_UNLOADED,
    &UNKNOWN_FORMAT_IS_ASKED_FOR,
    &FILE_THAT_OOPSED_BREAKS_LOADING,
    &COMPRESSED_FILE_IS_KNOWN,
    &PRINTK_IS,
];

/// A second `finit_module` of a file whose first load still runs, once that has succeeded.
pub const SECOND_LOADER_GETS: Fact<i64> = Fact {
    what: "a second finit_module of the same file, waiting for the first, returns",
    rows: &[
        Row {
            since: (0, 0),
            value: -(libc::EEXIST as i64),
            source: Code("kernel/module.c of 5.10, add_unformed_module()"),
        },
        Row {
            since: (6, 5),
            value: 0,
            source: Commit("9b9879fc0327", "modules: catch concurrent module loads, treat them as idempotent"),
        },
    ],
};

/// What the kernel logs, once, when an init returns a positive number.
pub const SUSPICIOUS_RETURN: Fact<&str> = Fact {
    what: "an init that returns 1 is reported as",
    rows: &[
        Row {
            since: (0, 0),
            value: "do_init_module: 'init_fails'->init suspiciously returned 1, it should follow 0/-E convention",
            source: Code("kernel/module/main.c of 6.18, do_init_module()"),
        },
        Row {
            since: (7, 1),
            value: "init_fails: init suspiciously returned 1, it should follow 0/-E convention",
            source: Commit("663385f9155f", "module: Simplify warning on positive returns from module_init()"),
        },
    ],
};

/// A second `finit_module` of a file whose first load fails with ENODEV.
pub const LOADER_OF_A_FAILING_FILE_GETS: Fact<i64> = Fact {
    what: "a second finit_module of the same file, when the first fails with ENODEV, returns",
    rows: &[
        Row {
            since: (0, 0),
            value: -(libc::EBUSY as i64),
            source: Code("kernel/module.c of 5.10, add_unformed_module()"),
        },
        Row {
            since: (6, 5),
            value: -(libc::ENODEV as i64),
            source: Commit("9b9879fc0327", "modules: catch concurrent module loads, treat them as idempotent"),
        },
    ],
};

/// What user space gets when an init returns -EEXIST.
pub const EEXIST_OF_INIT_BECOMES: Fact<i64> = Fact {
    what: "an init that returns -EEXIST makes the load fail with",
    rows: &[
        Row {
            since: (0, 0),
            value: -(libc::EEXIST as i64),
            source: Code("kernel/module/main.c of 6.18, do_init_module()"),
        },
        Row {
            since: (7, 1),
            value: -(libc::EBUSY as i64),
            source: Commit("743f8cae549a", "module: Override -EEXIST module return"),
        },
    ],
};

/// What the kernel logs of a module that uses symbols of a proprietary one.
pub const INHERITED_TAINT: Fact<&str> = Fact {
    what: "a module that uses a proprietary module's symbols is reported as",
    rows: &[
        Row {
            since: (5, 9),
            value: "uses_plain: module uses symbols from proprietary module exporter, inheriting taint.",
            source: Commit("262e6ae7081d", "modules: inherit TAINT_PROPRIETARY_MODULE"),
        },
        Row {
            since: (5, 19),
            value: "uses_plain: module uses symbols exporter_plain from proprietary module exporter, inheriting taint.",
            source: Commit("8eac910a4934", "module: show disallowed symbol name for inherit_taint()"),
        },
    ],
};

/// The line of an oops that names it.
pub const OOPS_IN_INIT: Fact<&str> = Fact {
    what: "a write to address 0 in an init is reported with",
    rows: &[
        Row { since: (0, 0), value: "Oops: 0002 [#1]", source: Code("arch/x86/kernel/dumpstack.c, __die_header()") },
        Row {
            since: (6, 10),
            value: "Oops: Oops: 0002 [#1]",
            source: Commit("f9f62a877da1", "x86/dumpstack: Use uniform \"Oops: \" prefix for die() messages"),
        },
    ],
};

/// A module whose symbols' string table does not end with NUL.
pub const STRING_TABLE_WITHOUT_END_IS: Fact<i64> = Fact {
    what: "a module whose symbol names do not end with NUL fails with",
    rows: &[
        // The last name goes on into what follows, and so is no known symbol.
        Row {
            since: (0, 0),
            value: -(libc::ENOENT as i64),
            source: Code("kernel/module.c of 5.10, simplify_symbols()"),
        },
        Row {
            since: (6, 13),
            value: -(libc::ENOEXEC as i64),
            source: Commit("d979e3dffa93", "module: Additional validation in elf_validity_cache_strtab"),
        },
    ],
};

/// Whether the size of .gnu.linkonce.this_module is compared with the kernel's struct module.
pub const STRUCT_MODULE_SIZE_IS_CHECKED: Fact<bool> = Fact {
    what: "a struct module of another size is refused",
    rows: &[
        Row { since: (0, 0), value: false, source: Code("kernel/module.c of 5.10, setup_load_info()") },
        Row {
            since: (6, 4),
            value: true,
            source: Commit("46752820f9ab", "module: add sanity check for ELF module section"),
        },
    ],
};

/// Where a module keeps what it exports to GPL modules alone.
pub const GPL_EXPORTS_STAND_IN: Fact<&str> = Fact {
    what: "EXPORT_SYMBOL_GPL fills the section",
    rows: &[
        Row { since: (0, 0), value: "__ksymtab_gpl", source: Code("include/linux/export.h") },
        Row {
            since: (7, 1),
            value: "__ksymtab",
            source: Commit("f18540256b70", "module: remove *_gpl sections from vmlinux and modules"),
        },
    ],
};

/// How a trace names the module that was unloaded last.
pub const LAST_UNLOADED: Fact<&str> = Fact {
    what: "a trace names the last unloaded module as",
    rows: &[
        Row {
            since: (0, 0),
            value: "[last unloaded: hello]",
            source: Code("kernel/module.c of 5.10, print_modules()"),
        },
        Row {
            since: (6, 0),
            value: "[last unloaded: hello(OE)]",
            source: Commit("6f1dae1d84b6", "module: Show the last unloaded module's taint flag(s)"),
        },
    ],
};

/// Whether exec of a file in no known format requests a module.
pub const UNKNOWN_FORMAT_IS_ASKED_FOR: Fact<bool> = Fact {
    what: "exec of a file of unknown format requests a module binfmt-XXXX",
    rows: &[
        Row { since: (0, 0), value: true, source: Code("search_binary_handler() of fs/exec.c") },
        Row {
            since: (6, 14),
            value: false,
            source: Commit("fa1bdca98d74", "exec: remove legacy custom binfmt modules autoloading"),
        },
    ],
};

/// Whether a second `finit_module` of a file whose init oopsed breaks the kernel.
pub const FILE_THAT_OOPSED_BREAKS_LOADING: Fact<bool> = Fact {
    what: "a second finit_module of a file whose init oopsed is an oops itself",
    rows: &[
        Row { since: (0, 0), value: false, source: Code("add_unformed_module(): it waits for the first") },
        Row {
            since: (6, 5),
            value: true,
            source: Commit("9b9879fc0327", "modules: catch concurrent module loads, treat them as idempotent"),
        },
    ],
};

/// Whether finit_module knows the flag for compressed files.
pub const COMPRESSED_FILE_IS_KNOWN: Fact<bool> = Fact {
    what: "finit_module knows the flag MODULE_INIT_COMPRESSED_FILE",
    rows: &[
        Row { since: (0, 0), value: false, source: Code("kernel/module.c of 5.10, finit_module()") },
        Row {
            since: (5, 17),
            value: true,
            source: Commit("b1ae6dc41eaa", "module: add in-kernel support for decompressing"),
        },
    ],
};

/// The symbol that modules print with.
pub const PRINTK_IS: Fact<&str> = Fact {
    what: "the symbol that modules print with is",
    rows: &[
        Row { since: (0, 0), value: "printk", source: Code("include/linux/printk.h of 5.10") },
        Row {
            since: (5, 15),
            value: "_printk",
            source: Commit("337015573718", "printk: Userspace format indexing support"),
        },
    ],
};
