//! The differences that are meant. docs/differences.md tells what each is and why, in a row that begins in the same way.

/// Names of cases (one that ends in `*` stands for all that begin so), and how the row begins.
const KNOWN: &[(&str, &str)] = &[
    ("modprobe/plans/dry run told more", "addresses in debug messages"),
    ("modprobe/plans/dry run told all", "addresses in debug messages"),
    ("modprobe/shows/log level by environment", "addresses in debug messages"),
    ("depmod/odd/*", "depmod: a zstd frame that does not say how long its contents are"),
    ("depmod/cycles/joined", "depmod: rings that share modules"),
    ("damaged/depmod/no entries", "depmod: a module that makes kmod die"),
    ("damaged/depmod/one entry", "depmod: a module that makes kmod die"),
    ("damaged/depmod/no names", "depmod: a module that makes kmod die"),
    ("damaged/depmod/names outside", "depmod: a module that makes kmod die"),
    ("damaged/depmod/symbol section outside", "depmod: a module that makes kmod die"),
    ("damaged/depmod/executable", "depmod: `e_type` that is not `ET_REL`"),
    ("damaged/depmod/no type", "depmod: `e_type` that is not `ET_REL`"),
    ("damaged/depmod/modinfo without bytes", "depmod: a damaged section header"),
    ("damaged/depmod/packed xz cut", "depmod: a damaged compressed module"),
    ("damaged/depmod/packed zstd cut", "depmod: a damaged compressed module"),
    ("damaged/depmod/packed gzip cut", "depmod: a damaged compressed module"),
    ("damaged/depmod/packed xz of nothing", "depmod: a damaged compressed module"),
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
