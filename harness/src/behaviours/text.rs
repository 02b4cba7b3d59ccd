//! Words, links and lines of the page.

use textwrap::{Options, WordSeparator, WordSplitter};

use crate::{behaviour::Source, claim::Claim};

/// A line of the page, broken where it is longer than others of the project's texts; tables cannot be broken.
pub(super) fn wrapped(line: &str) -> String {
    if line.starts_with('|') || line.starts_with('#') {
        return format!("{line}\n");
    }
    let indent = if line.starts_with("- ") || line.starts_with("  ") { "  " } else { "" };
    let options = Options::new(120)
        .subsequent_indent(indent)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation);
    textwrap::fill(line, options) + "\n"
}

/// A commit as a link that the kernel's own server resolves.
pub(super) fn cited(source: Source) -> String {
    match source {
        Source::Commit(hash, subject) => format!("[{hash}](https://git.kernel.org/linus/{hash}) \"{subject}\""),
        Source::Code(place) => format!("`{place}`"),
        Source::Observed(_) => source.to_string(),
    }
}

/// The place of a statement that no scenario carries.
pub(super) fn anchor(claim: &Claim) -> String {
    format!("{}-{}", claim.source.key(), slug(claim.statement))
}

/// The first 60 characters that a fragment may have.
pub(super) fn slug(text: &str) -> String {
    let mut slug = String::new();
    for character in text.chars() {
        match character {
            _ if character.is_ascii_alphanumeric() => slug.push(character.to_ascii_lowercase()),
            _ if slug.ends_with('-') || slug.is_empty() => {}
            _ => slug.push('-'),
        }
    }
    slug.chars().take(60).collect::<String>().trim_end_matches('-').to_owned()
}

/// What renderers of Markdown make of a heading.
pub(super) fn heading_anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

/// Programs, whose names are not capitalised.
const TOOLS: [&str; 7] = ["modprobe", "insmod", "rmmod", "lsmod", "modinfo", "depmod", "udev"];

/// As a sentence begins; a name in code keeps its case.
pub(super) fn capitalised(text: &str) -> String {
    let word = text.split(' ').next().unwrap_or_default();
    let mut characters = text.chars();
    match characters.next() {
        Some(first) if !word.contains(['_', '(', '.', '`', ':', '-', '/']) && !TOOLS.contains(&word) => {
            first.to_uppercase().chain(characters).collect()
        }
        _ => text.to_owned(),
    }
}
