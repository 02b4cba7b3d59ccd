//! The differences that are meant. docs/differences.md tells what each is and why, under the same heading.

/// Names of cases (one that ends in `*` stands for all that begin so), and the heading of the reason.
const KNOWN: &[(&str, &str)] = &[];

/// The heading of the reason why a case differs, if it should.
pub(super) fn heading(case: &str) -> Option<&'static str> {
    let is_meant = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => case.starts_with(start),
        None => case == pattern,
    };
    KNOWN.iter().find(|(pattern, _)| is_meant(pattern)).map(|(_, heading)| *heading)
}
