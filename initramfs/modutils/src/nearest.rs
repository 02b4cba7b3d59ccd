//! The name that somebody may have meant.

/// The known name that is most like an unknown one, if it is more alike than `likeness_min`, of 1.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>, likeness_min: f64) -> Option<&'a str> {
    let likeness = |known: &str| strsim::jaro_winkler(known, name);
    let best = known.max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
    best.filter(|known| likeness(known) > likeness_min)
}
