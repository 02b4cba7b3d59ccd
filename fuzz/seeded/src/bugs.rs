//! The bugs. `BUG(condition)` in a text is true where the bug is switched on and does harm.

mod module;
mod text;

/// One bug.
#[derive(Debug, Clone, Copy)]
pub struct Bug {
    /// What it is called.
    pub name: &'static str,
    /// What goes wrong, and whose mistake it imitates: `kmod NUMBER` is a pull request there.
    pub what: &'static str,
    /// The target that should find it.
    pub target: &'static str,
    /// The file, below `initramfs/modfile/src`.
    pub file: &'static str,
    /// A text that is in it once.
    pub old: &'static str,
    /// What it becomes.
    pub new: &'static str,
}

/// All bugs; a bug's number is its place here, from 1.
pub fn all() -> impl Iterator<Item = &'static Bug> {
    module::BUGS.iter().chain(text::BUGS)
}

/// The file with its bugs in it.
///
/// # Errors
/// The name of a bug whose text is not in it exactly once.
pub fn apply(file: &str, mut text: String) -> Result<String, &'static str> {
    for (at, bug) in all().enumerate().filter(|(_, bug)| bug.file == file) {
        if text.matches(bug.old).count() != 1 {
            return Err(bug.name);
        }
        let canary = format!("crate::canary::holds({}, || ", at + 1);
        text = text.replace(bug.old, &bug.new.replace("BUG(", &canary));
    }
    Ok(text)
}
