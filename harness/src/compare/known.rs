//! The differences that are meant. docs/differences.md tells what each is and why, in a row that begins in the same way.

/// Names of cases (one that ends in `*` stands for all that begin so), and how the row begins.
const KNOWN: &[(&str, &str)] = &[
    ("modprobe/plans/dry run told more", "addresses in debug messages"),
    ("modprobe/plans/dry run told all", "addresses in debug messages"),
    ("modprobe/shows/log level by environment", "addresses in debug messages"),
    ("kmod/made/no command", "help after a mistake of `kmod`'s"),
    ("kmod/made/unknown command", "help after a mistake of `kmod`'s"),
    ("kmod/made/tools as commands", "help after a mistake of `kmod`'s"),
    ("kmod/made/insert and remove", "help after a mistake of `kmod`'s"),
    ("kmod/made/static nodes wrong", "help after a mistake of `kmod`'s"),
    ("modinfo/odd/misnamed", "zstd without its contents' size"),
    ("damaged/modinfo/packed zstd cut", "words for damaged zstd files"),
    ("damaged/modinfo/packed gzip cut", "gzip"),
    ("damaged/insmod/packed zstd cut", "words for damaged zstd files"),
    ("damaged/insmod/packed gzip cut", "gzip"),
    ("insmod/made/forced without privilege", "a forced load on a kernel without `finit_module`"),
    ("index/modinfo/soft dependencies odd", "modinfo and bad lines of `modules.softdep`"),
];

/// How the row begins that says why a case differs, if it should.
pub(super) fn heading(case: &str) -> Option<&'static str> {
    let is_meant = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => case.starts_with(start),
        None => case == pattern,
    };
    KNOWN.iter().find(|(pattern, _)| is_meant(pattern)).map(|(_, heading)| *heading)
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
}
