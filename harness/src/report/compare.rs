//! What changed between two runs.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{Record, Totals, Verdict, cases, collection::Collection, markdown};

/// A case is slower by much when it takes this many times as long, and [`SLOWER_MS`] longer.
const SLOWER_TIMES: u64 = 2;

/// See [`SLOWER_TIMES`], milliseconds. Less is the noise of a busy machine.
const SLOWER_MS: u64 = 500;

/// In what way a case is not what it was. In the order of their weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It fails, and did not before, or was not there.
    NewlyFailing,
    /// The rig fails in it, and did not before, or it was not there.
    NewlyBroken,
    /// It failed before and still does, for another reason.
    FailsOtherwise,
    /// It failed or was broken, and passes.
    Fixed,
    /// It ran before, and is skipped.
    NoLongerRun,
    /// It was skipped before, and passes.
    NowRun,
    /// It is there for the first time, and does not fail.
    New,
    /// It is there no longer.
    Gone,
    /// It passes, but takes much longer.
    Slower,
}

impl Kind {
    /// All kinds.
    const ALL: [Self; 9] = [
        Self::NewlyFailing,
        Self::NewlyBroken,
        Self::FailsOtherwise,
        Self::Fixed,
        Self::NoLongerRun,
        Self::NowRun,
        Self::New,
        Self::Gone,
        Self::Slower,
    ];

    /// What a list of them is called.
    fn title(self) -> &'static str {
        match self {
            Self::NewlyFailing => "newly failing",
            Self::NewlyBroken => "newly broken",
            Self::FailsOtherwise => "failing for another reason",
            Self::Fixed => "fixed",
            Self::NoLongerRun => "no longer run",
            Self::NowRun => "run now, skipped before",
            Self::New => "new",
            Self::Gone => "gone",
            Self::Slower => "slower by much",
        }
    }

    /// How a case changed, if it did.
    fn of(before: Option<&Record>, after: Option<&Record>) -> Option<Self> {
        use Verdict::{Broken, Failed, Passed, Skipped};
        let (Some(before), Some(after)) = (before, after) else {
            return Some(match after.map(|after| &after.verdict) {
                None => Self::Gone,
                Some(Failed { .. }) => Self::NewlyFailing,
                Some(Broken { .. }) => Self::NewlyBroken,
                Some(Passed | Skipped { .. }) => Self::New,
            });
        };
        match (&before.verdict, &after.verdict) {
            (Failed { why: old, .. }, Failed { why: new, .. }) => (old != new).then_some(Self::FailsOtherwise),
            (Broken { .. }, Broken { .. }) | (Skipped { .. }, Skipped { .. }) => None,
            (_, Failed { .. }) => Some(Self::NewlyFailing),
            (_, Broken { .. }) => Some(Self::NewlyBroken),
            (Failed { .. } | Broken { .. }, Passed) => Some(Self::Fixed),
            (_, Skipped { .. }) => Some(Self::NoLongerRun),
            (Skipped { .. }, Passed) => Some(Self::NowRun),
            (Passed, Passed) => much_slower(before.duration_ms, after.duration_ms).then_some(Self::Slower),
        }
    }
}

fn much_slower(before: u64, after: u64) -> bool {
    after >= before.saturating_mul(SLOWER_TIMES) && after >= before.saturating_add(SLOWER_MS)
}

/// One case that is not what it was.
#[derive(Debug, Clone, Copy)]
struct Change<'a> {
    kind: Kind,
    before: Option<&'a Record>,
    after: Option<&'a Record>,
}

impl Change<'_> {
    fn record(&self) -> &Record {
        self.after.or(self.before).expect("one of both has the case")
    }

    /// The case, with whose tools where they are not ours.
    fn name(&self) -> String {
        let record = self.record();
        let tools = if record.tools() == "modrig" { String::new() } else { format!(" ({})", record.tools()) };
        format!("{}{tools}", record.path())
    }

    /// What it was and what it is.
    fn turn(&self) -> String {
        let shown = |record: Option<&Record>| match record {
            None => "-".to_owned(),
            Some(record) if self.kind == Kind::Slower => format!("{} ms", record.duration_ms),
            Some(record) => record.verdict.word().to_owned(),
        };
        format!("{} -> {}", shown(self.before), shown(self.after))
    }

    /// Why it is what it is now.
    fn why(&self) -> Option<&str> {
        self.after?.verdict.why()
    }
}

/// Two runs beside each other.
#[derive(Debug)]
pub struct Comparison<'a> {
    before: &'a Collection,
    after: &'a Collection,
    changes: Vec<Change<'a>>,
}

impl<'a> Comparison<'a> {
    /// Compares case by case: same kernel by name, same scenario, same module tools.
    pub fn of(before: &'a Collection, after: &'a Collection) -> Self {
        let mut pairs: BTreeMap<_, (Option<&Record>, Option<&Record>)> = BTreeMap::new();
        let case = |record: &'a Record| (record.path(), record.tools());
        for record in &before.records {
            pairs.entry(case(record)).or_default().0 = Some(record);
        }
        for record in &after.records {
            pairs.entry(case(record)).or_default().1 = Some(record);
        }
        let change = |(before, after)| Kind::of(before, after).map(|kind| Change { kind, before, after });
        Self { before, after, changes: pairs.into_values().filter_map(change).collect() }
    }

    /// As the program's exit code: 1 when a case fails that did not, 3 when one is broken that was not, else 0.
    pub fn exit_code(&self) -> u8 {
        let any = |kind| self.changes.iter().any(|change| change.kind == kind);
        match (any(Kind::NewlyFailing), any(Kind::NewlyBroken)) {
            (true, _) => 1,
            (_, true) => 3,
            _ => 0,
        }
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let mut text = self.heads().map(|(name, head)| format!("{name} {head}\n")).concat();
        for (kind, changes) in self.lists() {
            let _ = writeln!(text, "\n{} ({})", kind.title(), changes.len());
            for change in changes {
                let _ = writeln!(text, "  {}  {}", change.name(), change.turn());
                if let Some(why) = change.why() {
                    let _ = writeln!(text, "     {}", why.trim_end().replace('\n', "\n     "));
                }
            }
        }
        let _ = writeln!(text, "\n{}", self.unchanged());
        text
    }

    /// For a job's summary or a comment.
    pub fn markdown(&self) -> String {
        let mut text = "# modrig: two runs compared\n\n".to_owned();
        for (name, head) in self.heads() {
            let _ = writeln!(text, "- {name} {head}");
        }
        for (kind, changes) in self.lists() {
            let _ = writeln!(text, "\n## {} ({})\n", kind.title(), changes.len());
            for change in changes {
                let _ =
                    writeln!(text, "- {} {}", markdown::code(&change.name()), change.turn().replace("->", "\u{2192}"));
                if let Some(why) = change.why() {
                    let _ = writeln!(text, "\n{}", markdown::indented(&markdown::fence(why)));
                }
            }
        }
        let _ = writeln!(text, "\n{}", self.unchanged());
        markdown::bounded(text)
    }

    fn heads(&self) -> [(&'static str, String); 2] {
        let head = |collection: &Collection| {
            let totals = Totals::of(&collection.records).text();
            let last = collection.records.iter().map(|record| record.ended).max();
            let when = last.map(|last| last.format(" (until %F %R UTC)").to_string()).unwrap_or_default();
            format!("{}: {}{when}", cases(collection.records.len()), totals)
        };
        [("before:", head(self.before)), ("after: ", head(self.after))]
    }

    fn lists(&self) -> impl Iterator<Item = (Kind, Vec<&Change<'a>>)> {
        let list = |kind| (kind, self.changes.iter().filter(|change| change.kind == kind).collect::<Vec<_>>());
        Kind::ALL.into_iter().map(list).filter(|(_, changes)| !changes.is_empty())
    }

    fn unchanged(&self) -> String {
        let gone = self.changes.iter().filter(|change| change.kind == Kind::Gone).count();
        let same = self.after.records.len() + gone - self.changes.len();
        match self.changes.len() {
            0 => "nothing changed".into(),
            _ => format!("{} as before", cases(same)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{failed, record};

    fn kinds(before: Vec<Record>, after: Vec<Record>) -> (Vec<Kind>, u8, String) {
        let (before, after) = (Collection::of(before), Collection::of(after));
        let comparison = Comparison::of(&before, &after);
        let kinds = comparison.changes.iter().map(|change| change.kind).collect();
        (kinds, comparison.exit_code(), comparison.text())
    }

    #[test]
    fn each_way_to_change_has_its_name_and_only_new_failures_count() {
        let skipped = |name| Record { verdict: Verdict::Skipped { why: "old".into() }, ..record("6.1", name) };
        let broken = |name| Record { verdict: Verdict::Broken { why: "no".into(), help: None }, ..record("6.1", name) };
        let slow = |name, ms| Record { duration_ms: ms, ..record("6.1", name) };
        let one = |before: Option<Record>, after: Option<Record>| {
            let (kinds, code, _) = kinds(before.into_iter().collect(), after.into_iter().collect());
            (kinds.first().copied(), code)
        };
        let passed = || record("6.1", "a");
        assert_eq!(one(Some(passed()), Some(failed("6.1", "a"))), (Some(Kind::NewlyFailing), 1));
        assert_eq!(one(None, Some(failed("6.1", "a"))), (Some(Kind::NewlyFailing), 1));
        assert_eq!(one(Some(passed()), Some(broken("a"))), (Some(Kind::NewlyBroken), 3));
        assert_eq!(one(Some(failed("6.1", "a")), Some(passed())), (Some(Kind::Fixed), 0));
        assert_eq!(one(Some(passed()), Some(skipped("a"))), (Some(Kind::NoLongerRun), 0));
        assert_eq!(one(Some(skipped("a")), Some(passed())), (Some(Kind::NowRun), 0));
        assert_eq!(one(None, Some(passed())), (Some(Kind::New), 0));
        assert_eq!(one(Some(passed()), None), (Some(Kind::Gone), 0));
        assert_eq!(one(Some(slow("a", 400)), Some(slow("a", 900))), (Some(Kind::Slower), 0));
        assert_eq!(one(Some(slow("a", 40)), Some(slow("a", 400))), (None, 0));
        assert_eq!(one(Some(failed("6.1", "a")), Some(failed("6.1", "a"))), (None, 0));
    }

    #[test]
    fn the_text_says_what_turned_into_what_and_why() {
        let before = vec![record("6.1", "a"), record("6.1", "b"), record("6.1", "c")];
        let after = vec![failed("6.1", "a"), record("6.1", "b"), record("7.3", "c")];
        let (_, _, text) = kinds(before, after);
        assert!(text.contains("newly failing (1)\n  6.1::group::a  passed -> failed\n     expected this"), "{text}");
        assert!(text.contains("new (1)\n  7.3::group::c  - -> passed\n"), "{text}");
        assert!(text.contains("gone (1)\n  6.1::group::c  passed -> -\n"), "{text}");
        assert!(text.ends_with("\n1 case as before\n"), "{text}");
    }

    #[test]
    fn other_tools_are_another_case() {
        let kmod = Record { modutils: "kmod 34".into(), ..failed("6.1", "a") };
        let (_, _, text) = kinds(vec![record("6.1", "a")], vec![record("6.1", "a"), kmod]);
        assert!(text.contains("newly failing (1)\n  6.1::group::a (kmod)  - -> failed\n"), "{text}");
    }
}
