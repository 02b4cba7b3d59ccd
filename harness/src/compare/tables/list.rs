//! lsmod, rmmod, insmod and kmod's own commands: usage, messages, and what this machine's kernel allows to be asked.

use super::{
    super::{case::Case, made::Made},
    Row, rows,
};

/// The list of loaded modules is this machine's own, which may have none; both sides see the same.
const ROWS: &[(&str, &[Row])] = &[
    (
        "lsmod",
        &[
            ("list", "lsmod", &[]),
            ("verbose", "lsmod -v ; lsmod --verbose ; lsmod -s", &[]),
            ("operand", "lsmod x ; lsmod x y", &[]),
            ("unknown option", "lsmod --nonsense ; lsmod -Z", &[]),
        ],
    ),
    (
        "rmmod",
        &[
            ("no operand", "rmmod ; rmmod -f ; rmmod -v", &[]),
            ("not loaded", "rmmod nothing_like_it ; rmmod no-thing ; rmmod -v nothing", &[]),
            ("several", "rmmod one two three", &[]),
            ("forced", "rmmod -f nothing_like_it ; rmmod --force nothing_like_it", &[]),
            ("by file", "rmmod root/lib/modules/R/kernel/net/base.ko ; rmmod ./none/none.conf", &[]),
            ("unknown option", "rmmod --nonsense x ; rmmod -Z x ; rmmod -w x", &[]),
            ("empty name", "rmmod ''", &[]),
            ("syslog", "rmmod -s nothing_like_it", &[]),
        ],
    ),
    (
        "insmod",
        &[
            ("no operand", "insmod ; insmod -f ; insmod -v", &[]),
            ("standard input", "insmod - ; insmod - x=1", &[]),
            ("not there", "insmod nowhere.ko ; insmod ./nowhere.ko x=1 ; insmod nowhere", &[]),
            ("directory", "insmod root", &[]),
            ("text", "insmod none/none.conf", &[]),
            ("empty", "insmod empty.ko", &[("empty.ko", "")]),
            (
                "without privilege",
                "insmod root/lib/modules/R/kernel/net/base.ko ; insmod root/lib/modules/R/kernel/net/base.ko a=1 'b=two words'",
                &[],
            ),
            (
                "packed without privilege",
                "insmod root/lib/modules/R/kernel/packed/packed_xz.ko.xz ; insmod root/lib/modules/R/kernel/packed/packed_zst.ko.zst",
                &[],
            ),
            ("forced without privilege", "insmod -f root/lib/modules/R/kernel/tell/full.ko", &[]),
            ("verbose", "insmod -v root/lib/modules/R/kernel/net/base.ko ; insmod -vv nowhere.ko", &[]),
            ("unknown option", "insmod --nonsense x ; insmod -Z x ; insmod -p x", &[]),
            ("empty name", "insmod ''", &[]),
            ("syslog", "insmod -s nowhere.ko", &[]),
        ],
    ),
    (
        "kmod",
        &[
            ("no command", "kmod", &[]),
            ("unknown command", "kmod nonsense ; kmod --nonsense ; kmod -Z", &[]),
            ("list", "kmod list ; kmod list x ; kmod list --nonsense", &[]),
            (
                "tools as commands",
                "kmod lsmod ; kmod modinfo nowhere.ko ; kmod depmod --nonsense ; kmod rmmod nothing_like_it",
                &[],
            ),
            (
                "insert and remove",
                "kmod insert nothing_like_it ; kmod remove nothing_like_it ; kmod insert ; kmod remove",
                &[],
            ),
            (
                "static nodes",
                "kmod static-nodes -o out ; kmod static-nodes -f human ; kmod static-nodes -f tmpfiles -o out2 ; kmod static-nodes -f devname",
                &[],
            ),
            (
                "static nodes wrong",
                "kmod static-nodes -f nonsense ; kmod static-nodes x ; kmod static-nodes --nonsense ; kmod static-nodes -o",
                &[],
            ),
            ("another name", "no-such-tool ; no-such-tool --version ; no-such-tool lsmod", &[]),
        ],
    ),
];

pub(super) fn on_made(made: &Made) -> Vec<Case> {
    ROWS.iter().flat_map(|(tool, cases)| rows(&format!("{tool}/made"), &made.sound(), cases)).collect()
}
