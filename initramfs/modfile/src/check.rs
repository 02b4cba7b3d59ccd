//! What a kernel's loader makes of a module's file, told from the file alone.
//!
//! ```text
//! image, kernel ─▶ header ─▶ sections ─▶ index ─▶ layout ─▶ symbols ─▶ relocations
//!                 ─▶ contents ─▶ tables ─▶ references ─▶ findings ─▶ the first is the verdict
//! ```
//! Every step follows the loader of one [`Series`], as its source has it: `kernel/module.c` and `arch/x86/kernel/module.c`
//! of 5.10.262; `kernel/module/*.c` of 6.1.192, 6.12.118, 7.2.12 and 7.3.4, with Debian's patches. A rule says since
//! which release the kernel does what about it, so that releases in between have an answer, too. Only x86-64 is known.
//!
//! It is about structure. Which symbols the kernel has, version magic, checksums, licences, signatures and the values of
//! parameters are not looked at: a file that is accepted here may still be refused for one of those.

mod contents;
mod header;
mod image;
mod index;
mod layout;
mod place;
mod references;
mod relocations;
mod rule;
mod sections;
mod series;
mod symbols;
mod tables;

use alloc::vec::Vec;

use self::{image::Image, index::Index, layout::Layout, relocations::Relocations, rule::Stage, symbols::Objects};
pub use self::{
    place::{Place, Places},
    rule::{ALL as RULES, Effect, Rule, errno_name},
    series::{Kernel, Series, StructModule},
};
use crate::signature;

/// What a kernel would do with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Load it, as far as its structure goes.
    Accept,
    /// Refuse it.
    Reject(Finding),
    /// Go on, and then read or write where it should not, crash or hang; or so it may turn out.
    Danger(Finding),
}

/// Something wrong with a file, and what the kernel would do about it if it came that far.
#[derive(Debug, Clone, Copy)]
pub struct Finding {
    /// What is wrong.
    pub rule: &'static Rule,
    /// Where.
    pub place: Place,
    /// What the kernel does.
    pub effect: Effect,
    /// When the kernel comes to it: the stage, and what it is there for the how-manieth thing.
    order: (Stage, u32),
}

impl PartialEq for Finding {
    fn eq(&self, other: &Self) -> bool {
        self.rule.name == other.rule.name && self.place == other.place && self.effect == other.effect
    }
}

impl Eq for Finding {}

/// What the kernel would do with these bytes, handed to `init_module` without parameters or flags.
pub fn check(image: &[u8], kernel: impl Into<Kernel>) -> Verdict {
    match findings(image, kernel).first() {
        None => Verdict::Accept,
        Some(first) if first.effect.is_rejection() => Verdict::Reject(*first),
        Some(first) => Verdict::Danger(*first),
    }
}

/// Everything that is wrong for that kernel, in the order in which it would come to it. The first decides: those behind
/// it are what would be left to mend.
pub fn findings(image: &[u8], kernel: impl Into<Kernel>) -> Vec<Finding> {
    let mut run = Run::new(kernel);
    run.all(signature::signed_part(image));
    run.found.sort_by_key(|finding| finding.order);
    run.found
}

/// What the first steps have found out about a file, for those that look at what it points to.
struct Known<'a> {
    image: &'a Image<'a>,
    index: &'a Index,
    layout: &'a Layout,
    objects: &'a Objects,
    relocations: &'a Relocations,
}

struct Run {
    kernel: Kernel,
    found: Vec<Finding>,
}

impl Run {
    fn new(kernel: impl Into<Kernel>) -> Self {
        Self { kernel: kernel.into(), found: Vec::new() }
    }

    fn all(&mut self, bytes: &[u8]) {
        let Some(image) = header::read(self, bytes) else { return };
        sections::check(self, &image);
        let Some(index) = index::find(self, &image) else { return };
        let layout = layout::check(self, &image, &index);
        sections::duplicates(self, &image, &layout);
        symbols::check(self, &image, &index);
        let relocations = relocations::check(self, &image, &index, &layout);
        let objects = Objects::check(self, &image, &index);
        contents::check(self, &image, &index, &relocations);
        let known =
            Known { image: &image, index: &index, layout: &layout, objects: &objects, relocations: &relocations };
        tables::check(self, &known);
        references::check(self, &known);
    }

    /// Notes that a rule is broken, as the `at`-th thing of its stage, if it makes a difference to this kernel.
    fn report(&mut self, rule: &'static Rule, place: Place, at: usize) {
        let Some((stage, effect)) = rule.in_series(self.kernel.series) else { return };
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        // simplify_symbols() goes on behind a symbol that it refuses: it comes to what endangers it all the same, and what it
        // returns is the last refusal.
        let at = if stage == Stage::Symbols && effect.is_rejection() { u32::MAX - at } else { at };
        self.found.push(Finding { rule, place, effect, order: (stage, at) });
    }

    /// Notes that something is wrong with a section.
    fn section(&mut self, rule: &'static Rule, index: usize) {
        self.report(rule, section(index), index);
    }

    fn since(&self, major: u16, minor: u16) -> bool {
        self.kernel.series >= Series::new(major, minor)
    }
}

/// Indices come from a table of at most 65535 headers.
const fn section(index: usize) -> Place {
    Place::Section(index as u16)
}

#[cfg(test)]
mod tests;
