//! The differences that are meant. docs/differences.md tells what each is and why, in a row that begins in the same way.

use modfile::alias::matches;

use super::{Finding, Judged, Verdict};

/// Names of cases, with `*` for any text, and how the row begins. Of the cases that match one line, at least one must
/// differ.
const KNOWN: &[(&str, &str)] = &[
    ("modprobe/plans/dry run told more", "addresses in debug messages"),
    ("modprobe/plans/dry run told all", "addresses in debug messages"),
    ("modprobe/shows/log level by environment", "addresses in debug messages"),
    ("kmod/made/no command", "help after a mistake of `kmod`'s"),
    ("kmod/made/unknown command", "help after a mistake of `kmod`'s"),
    ("kmod/made/tools as commands", "help after a mistake of `kmod`'s"),
    ("kmod/made/insert and remove", "help after a mistake of `kmod`'s"),
    ("kmod/made/static nodes wrong", "help after a mistake of `kmod`'s"),
    ("damaged/modinfo/packed zstd cut", "words for damaged zstd files"),
    ("damaged/modinfo/packed gzip cut", "gzip"),
    ("damaged/insmod/packed zstd cut", "words for damaged zstd files"),
    ("damaged/insmod/packed gzip cut", "gzip"),
    ("index/modinfo/soft dependencies odd", "modinfo and bad lines of `modules.softdep`"),
    ("damaged/*/packed zstd without a size", "zstd without its contents' size"),
    ("damaged/*/packed gzip cut", "gzip"),
    ("index/*/aliases *", "damaged indexes"),
    ("index/*/dependencies *", "damaged indexes"),
    ("index/*/symbols *", "damaged indexes"),
    ("index/*/builtin empty", "damaged indexes"),
    ("index/*/builtin half", "damaged indexes"),
    ("index/*/builtin aliases *", "damaged indexes"),
    ("damaged/exports/executable", "damaged symbol tables"),
    ("damaged/exports/no type", "damaged symbol tables"),
    ("damaged/exports/names in another section", "damaged symbol tables"),
    ("damaged/exports/names not terminated", "damaged symbol tables"),
    ("damaged/exports/symbols missing", "damaged symbol tables"),
    ("damaged/exports/symbols of another kind", "damaged symbol tables"),
    ("damaged/exports/symbols not whole", "damaged symbol tables"),
    ("damaged/exports/symbols too long", "damaged symbol tables"),
    ("damaged/exports/symbols far away", "damaged symbol tables"),
    ("damaged/exports/symbols linked elsewhere", "damaged symbol tables"),
    ("damaged/exports/symbols linked outside", "damaged symbol tables"),
    ("damaged/exports/strings missing", "damaged symbol tables"),
    ("damaged/exports/strings empty", "damaged symbol tables"),
    ("damaged/exports/strings not terminated", "damaged symbol tables"),
    ("damaged/exports/strings far away", "damaged symbol tables"),
    ("damaged/exports/symbol name outside", "damaged symbol tables"),
    ("damaged/exports/symbol value outside", "damaged symbol tables"),
    ("damaged/exports/symbol value at the edge", "damaged symbol tables"),
    ("damaged/exports/checksums of no bytes", "damaged symbol tables"),
    ("damaged/exports/checksums far away", "damaged symbol tables"),
    ("damaged/exports/packed zstd cut", "words for damaged zstd files"),
    ("damaged/versions/executable", "damaged symbol tables"),
    ("damaged/versions/no type", "damaged symbol tables"),
    ("damaged/versions/a name outside", "damaged symbol tables"),
    ("damaged/versions/packed zstd cut", "words for damaged zstd files"),
    ("damaged/depmod/symbol section outside", "depmod: a module that makes kmod die"),
    ("damaged/depmod/executable", "depmod: `e_type` that is not `ET_REL`"),
    ("damaged/depmod/no type", "depmod: `e_type` that is not `ET_REL`"),
    ("damaged/depmod/modinfo without bytes", "depmod: a damaged section header"),
    ("damaged/depmod/packed xz cut", "depmod: a damaged compressed module"),
    ("damaged/depmod/packed zstd cut", "depmod: a damaged compressed module"),
    ("damaged/depmod/packed xz of nothing", "depmod: a damaged compressed module"),
];

fn row(case: &str) -> Option<&'static (&'static str, &'static str)> {
    KNOWN.iter().find(|(pattern, _)| matches(pattern, case))
}

/// A verdict in the light of what is known about the case.
pub(super) fn finding(case: &str, verdict: Verdict) -> Finding {
    match verdict {
        Verdict::Same => Finding::Same,
        Verdict::KmodDied(text) => Finding::KmodDied(text),
        Verdict::Differs(text) => match row(case) {
            Some((_, row)) => Finding::Known(row, text),
            None => Finding::Difference(text),
        },
    }
}

/// Marks the cases that should differ, when none that matches the same line does. What insmod says depends on what this
/// machine's kernel can do.
pub(super) fn mark_missing(judged: &mut [Judged]) {
    for known in KNOWN {
        let is_of = |one: &&mut Judged| row(&one.name) == Some(known) && !one.name.contains("insmod/");
        let mut same = judged.iter_mut().filter(is_of).collect::<Vec<_>>();
        if same.iter().all(|one| one.finding == Finding::Same) {
            same.iter_mut().for_each(|one| one.finding = Finding::Missing(known.1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_difference_is_told_to_users() {
        let told = include_str!("../../../docs/differences.md");
        for (case, row) in KNOWN {
            assert!(told.contains(&format!("\n| {row} |")), "{case}: docs/differences.md has no row `{row}`");
        }
    }

    #[test]
    fn a_known_difference_that_is_nowhere_is_noticed() {
        let judged = |name: &str, verdict| Judged {
            name: name.into(),
            group: String::new(),
            calls: 1,
            finding: finding(name, verdict),
        };
        let differs = || Verdict::Differs("text".into());
        let mut cases = [
            judged("kmod/made/no command", Verdict::Same),
            judged("damaged/insmod/packed gzip cut", Verdict::Same),
            judged("index/plans/aliases one", Verdict::Same),
            judged("index/plans/aliases two", differs()),
            judged("depmod/made/plain", differs()),
        ];
        mark_missing(&mut cases);
        let expected = [
            Finding::Missing("help after a mistake of `kmod`'s"),
            Finding::Same,
            Finding::Same,
            Finding::Known("damaged indexes", "text".into()),
            Finding::Difference("text".into()),
        ];
        assert_eq!(cases.map(|case| case.finding), expected);
    }
}
