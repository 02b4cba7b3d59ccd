//! Titles that depend on the rest of the line.

use super::{
    super::frame::{self, Frame},
    super::report::End,
    Found, Kind, Rule,
};

/// A text without what differs from run to run: addresses, offsets and numbers that stand alone.
fn stable(text: &str) -> String {
    let mut stable = String::new();
    let mut rest = text.trim();
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c: char| !is_of_word(c)).unwrap_or(rest.len()).max(first.len_utf8());
        let (word, behind) = rest.split_at(end);
        stable += if differs(word) { "N" } else { word };
        rest = behind;
    }
    stable
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Whether a word is a number or an address.
fn differs(word: &str) -> bool {
    let hex = word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = word.bytes().all(|byte| byte.is_ascii_digit());
    word.starts_with("0x") || number || (hex && word.len() >= 8)
}

/// `KIND in f+0x1/0x2 ...`, or `KIND at ...`: the words before, and the place.
fn kind_and_place(text: &str) -> (&str, Option<Frame>) {
    match text.split_once(" in ") {
        Some((kind, place)) => (kind, frame::at(place)),
        None => (text.split_once(" at ").map_or(text, |(kind, _)| kind), None),
    }
}

/// `NAME: 0000 [#1] SMP` and `NAME, probably for non-canonical address 0x...: 0000 [#1]`. A line on a process of user
/// space has no such count.
pub(super) fn exception(rule: &Rule, _: &str, after: &str) -> Option<Found> {
    after.contains(" [#").then(|| rule.inside(rule.marker, None))
}

/// `Oops: 0002 [#1] SMP`, since 6.10 `Oops: Oops: 0002 [#1] SMP`; `Oops: NAME: 0000 [#1]` of an exception without a
/// rule of its own.
pub(super) fn oops(rule: &Rule, _: &str, after: &str) -> Option<Found> {
    let (what, _) = after.split_once(" [#")?;
    let name = what.rsplit_once(": ").map_or("", |(name, _)| name.trim_start_matches("Oops: "));
    match name {
        "" | "Oops" => Some(rule.inside("Oops", None)),
        name if super::RULES.iter().any(|rule| name.contains(rule.marker)) => None,
        name => Some(rule.inside(stable(name), None)),
    }
}

/// `Missing ENDBR: f+0x0/0x10`
pub(super) fn missing_endbr(rule: &Rule, _: &str, after: &str) -> Option<Found> {
    Some(rule.inside("missing ENDBR", frame::at(after)))
}

/// `slab-use-after-free in f+0x1/0x2`; the next line says whether it was read or written.
pub(super) fn kasan(rule: &Rule, _: &str, after: &str) -> Option<Found> {
    let (kind, place) = kind_and_place(after);
    Some(rule.inside(format!("KASAN: {kind}"), place))
}

/// `out-of-bounds read in f+0x1/0x2`
pub(super) fn kfence(rule: &Rule, _: &str, after: &str) -> Option<Found> {
    let (kind, place) = kind_and_place(after);
    Some(rule.inside(format!("KFENCE: {kind}"), place))
}

/// `data-race in f / g`, or `data-race in f+0x1/0x2 / g+0x3/0x4`
pub(super) fn kcsan(rule: &Rule, _: &str, after: &str) -> Option<Found> {
    let (kind, places) = after.split_once(" in ")?;
    let names: Vec<&str> = places.split(" / ").map(|place| place.split('+').next().unwrap_or(place).trim()).collect();
    let found = rule.only(format!("KCSAN: {kind} in {}", names.join(" / ")));
    let function = names.first().map(|name| Frame { function: (*name).to_owned(), module: None });
    Some(Found { frame: function, ..found })
}

/// `uninit-value in f+0x1/0x2`
pub(super) fn kmsan(rule: &Rule, _: &str, after: &str) -> Option<Found> {
    let (kind, place) = kind_and_place(after);
    Some(rule.inside(format!("KMSAN: {kind}"), place))
}

/// `array-index-out-of-bounds in file.c:12:3`, before 5.10 `Undefined behaviour in file.c:12:3`
pub(super) fn ubsan(rule: &Rule, _: &str, after: &str) -> Option<Found> {
    let (kind, _) = after.split_once(" in ")?;
    Some(rule.inside(format!("UBSAN: {kind}"), None))
}

/// `smp_processor_id() in preemptible [00000000] code: name/123`
pub(super) fn preemptible(rule: &Rule, _: &str, after: &str) -> Option<Found> {
    let (what, _) = after.split_once(" in preemptible")?;
    Some(rule.inside(format!("BUG: using {what} in preemptible code"), None))
}

/// `bad magic on CPU#0, name/123`, `lockup suspected on CPU#0`
pub(super) fn spinlock(rule: &Rule, _: &str, after: &str) -> Option<Found> {
    let what = after.split(" on CPU").next().unwrap_or(after);
    Some(rule.inside(format!("{}{what}", rule.marker), None))
}

/// `LOCKDEP_CHAINS too low!`
pub(super) fn lockdep_limit(rule: &Rule, _: &str, after: &str) -> Option<Found> {
    Some(rule.only(format!("{}{}", rule.marker, stable(after))))
}

/// Any other line that begins with `BUG: `, or has it behind the name of a subsystem.
pub(super) fn any_bug(rule: &Rule, before: &str, after: &str) -> Option<Found> {
    // What follows has a rule of its own.
    if super::MARKERS.find(after).is_some_and(|hit| super::RULES[hit.pattern().as_usize()].kind != Kind::Taint) {
        return None;
    }
    let one_word = before.ends_with(": ") && !before.trim_end().contains(' ');
    (before.is_empty() || one_word).then(|| rule.inside(format!("BUG: {}", stable(after)), None))
}

/// Reports of lockdep in brackets: `[ BUG: Invalid wait context ]`, before 4.11 also `[ INFO: possible circular ... ]`
pub(super) fn lockdep_old(rule: &Rule, _: &str, after: &str) -> Option<Found> {
    let what = after.strip_suffix(" ]")?;
    lockdep(rule, what).or_else(|| Some(rule.inside(lower(what), None)))
}

fn lower(what: &str) -> String {
    what.trim_end_matches('!').to_lowercase()
}

/// The reports of kernel/locking/lockdep.c. A cycle of locks in any of its forms is a possible deadlock.
fn lockdep(rule: &Rule, what: &str) -> Option<Found> {
    const CYCLES: [&str; 5] = [
        "possible circular locking",
        "possible recursive locking",
        "possible irq lock inversion",
        "possible nested",
        "lock order detected",
    ];
    const OTHERS: [&str; 7] = [
        "inconsistent lock state",
        "held lock freed",
        "lock held when returning to user space",
        "bad unlock balance",
        "bad contention detected",
        "Nested lock was not taken",
        "still has locks held",
    ];
    let end = if what.contains("returning to user space") { End::Locks } else { End::Frames };
    let rule = Rule { kind: Kind::Lockdep, end, ..*rule };
    if CYCLES.iter().any(|cycle| what.contains(cycle)) {
        return Some(rule.inside("possible deadlock", None));
    }
    if what.contains("suspicious RCU usage") {
        return Some(Rule { kind: Kind::RcuUsage, ..rule }.inside("suspicious RCU usage", None));
    }
    let title = OTHERS.iter().find(|other| what.contains(**other))?;
    Some(rule.inside(lower(title), None))
}

/// `kmalloc-64 (Not tainted): Poison overwritten`
pub(super) fn slab(rule: &Rule, before: &str, after: &str) -> Option<Found> {
    let (cache, rest) = after.split_once(" (").filter(|(cache, _)| before.is_empty() && !cache.contains(' '))?;
    let (_, what) = rest.split_once("): ").filter(|(taint, _)| taint.to_lowercase().contains("tainted"))?;
    Some(rule.inside(format!("BUG {cache}: {}", stable(what)), None))
}

/// `NAME:PID blocked for more than 120 seconds.`, `NAME:PID blocked in I/O wait for more than ...`
pub(super) fn hung_task(rule: &Rule, _: &str, after: &str) -> Option<Found> {
    let stuck = after.contains(" blocked for more than ") || after.contains(" blocked in I/O wait for more than ");
    (stuck || after.contains(" can't die for more than ")).then(|| rule.inside("INFO: task hung", None))
}

/// `_preempt self-detected stall on CPU`, `_sched detected stalls on CPUs/tasks:`, `... detected expedited stalls`
pub(super) fn rcu_stall(rule: &Rule, _: &str, after: &str) -> Option<Found> {
    (after.contains(" stall")).then(|| rule.inside("INFO: rcu detected stall", None))
}

/// Both forms of a warning's header, and lockdep's reports. Other lines with this word are user space's, or harmless.
///
/// ```text
/// CPU: 0 PID: 103 at /build/warns.c:11 warns_init+0x11/0x1000 [warns]      up to 6.12
/// warns.c:11 at warns_init+0x11/0x1000 [warns], CPU#0: insmod/103          7.3
/// ```
pub(super) fn warning(rule: &Rule, _: &str, after: &str) -> Option<Found> {
    if let Some(found) = lockdep(rule, after) {
        return Some(found);
    }
    let new = after.contains(", CPU#") && after.contains(" at ");
    let (_, place) = after.split_once(" at ").filter(|_| after.starts_with("CPU: ") || new)?;
    let place = if new { place } else { place.split_once(' ').map_or("", |(_, place)| place) };
    Some(rule.inside("WARNING", frame::at(place)))
}

/// `underflow; use-after-free.`, `saturated; leaking memory.`
pub(super) fn refcount(rule: &Rule, _: &str, after: &str) -> Option<Found> {
    let what = after.split(';').next().unwrap_or(after).trim_end_matches('.');
    Some(rule.inside(format!("refcount_t: {what}"), None))
}

/// ` in strlen`; since 6.10 `strlen: ` before and `: 57 byte read of buffer size 56` after.
pub(super) fn fortify(rule: &Rule, before: &str, after: &str) -> Option<Found> {
    let (what, title) = (rule.marker, |function: &str| format!("{function}: {}", rule.marker));
    match (before.strip_suffix(": "), after.strip_prefix(" in ")) {
        (Some(function), _) => Some(rule.inside(title(function.rsplit(' ').next().unwrap_or(function)), None)),
        (None, Some(function)) => Some(rule.inside(title(function.trim_end()), None)),
        _ => Some(rule.inside(what, None)),
    }
}

/// `memcpy: ` before, ` (size 8) of single field "x" at f.c:1 (size 4)` after
pub(super) fn field_spanning(rule: &Rule, before: &str, _: &str) -> Option<Found> {
    let function = before.trim_end_matches(": ").rsplit(' ').next().unwrap_or_default();
    Some(rule.inside(format!("{function}: {}", rule.marker), None))
}

/// `exposure attempt detected from SLUB object 'x' (offset 0, size 100)!`
pub(super) fn usercopy(rule: &Rule, _: &str, after: &str) -> Option<Found> {
    let (what, _) = after.split_once(" detected")?;
    Some(rule.inside(format!("{}{what}", rule.marker), None))
}

/// `3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)`
pub(super) fn kmemleak(rule: &Rule, _: &str, after: &str) -> Option<Found> {
    after.contains("new suspected memory leaks").then(|| rule.only("kmemleak: new suspected memory leaks"))
}

/// `NAME` before
pub(super) fn oom(rule: &Rule, _: &str, _: &str) -> Option<Found> {
    Some(rule.only("out of memory: a process was killed"))
}

/// `lo to become free. Usage count = 2`
pub(super) fn netdevice(rule: &Rule, _: &str, after: &str) -> Option<Found> {
    let device = after.split(' ').next().unwrap_or(after);
    Some(rule.only(format!("{}{device} to become free", rule.marker)))
}

/// ` - not syncing: TEXT`; an exit code or an address in it differs from run to run.
pub(super) fn panic(rule: &Rule, _: &str, after: &str) -> Option<Found> {
    let why = after.strip_prefix(": ").unwrap_or(after);
    let why = why.split(" exitcode=").next().unwrap_or(why);
    let kind = if why.starts_with("stack-protector: ") { Kind::StackProtector } else { Kind::Panic };
    let rule = Rule { kind, ..*rule };
    if let Some((before, place)) = why.split_once(" in: ")
        && let Some(frame) = frame::at(place)
    {
        return Some(rule.inside(format!("kernel panic: {before}"), Some(frame)));
    }
    Some(rule.only(format!("kernel panic: {}", stable(why))))
}

/// kernel/module/kmod.c: `kmod_concurrent_max (0) close to 0 (max_modprobes: 50), for module NAME, throttling...`, and
/// `modprobe NAME cannot be processed, kmod busy with 50 threads for more than 5 seconds now`
pub(super) fn kmod_limit(rule: &Rule, _: &str, after: &str) -> Option<Found> {
    if after.starts_with("kmod_concurrent_max ") {
        return Some(rule.only("request_module: kmod_concurrent_max reached"));
    }
    let busy = after.contains(" cannot be processed, kmod busy");
    if busy {
        return Some(rule.only("request_module: kmod busy for too long"));
    }
    after.starts_with("runaway loop modprobe").then(|| rule.only("request_module: runaway loop"))
}

/// The messages of kernel/module/main.c that go with a taint: text, letter, what the title says.
const TAINTS: [(&str, char, &str); 10] = [
    ("loading out-of-tree module taints kernel", 'O', "out-of-tree module"),
    ("module verification failed", 'E', "unsigned module"),
    ("taints kernel", 'P', "proprietary module"),
    ("from proprietary module", 'P', "uses a proprietary module"),
    ("loading test module taints kernel", 'N', "test module"),
    ("tainting kernel with TAINT_LIVEPATCH", 'K', "livepatch"),
    ("from the staging directory", 'C', "staging module"),
    (": kernel tainted.", 'F', "forced load"),
    ("bad vermagic", 'F', "forced load"),
    ("module license", 'P', "proprietary module"),
];

/// `NAME: loading out-of-tree module taints kernel.` and its like
pub(super) fn taint(rule: &Rule, before: &str, after: &str) -> Option<Found> {
    let line = format!("{before}{}{after}", rule.marker);
    let (module, _) = line.split_once(": ").filter(|(module, _)| !module.contains(char::is_whitespace))?;
    let specific = TAINTS.iter().filter(|(text, _, _)| line.contains(text));
    // `loading test module taints kernel` has the text of another one in it: the longest is meant.
    let (_, letter, why) = specific.max_by_key(|(text, _, _)| text.len())?;
    let found = rule.only(format!("taint {letter}: {why}"));
    Some(Found { taint: Some(*letter), module: Some(module.to_owned()), ..found })
}

/// A taint that shows in a report's header only.
pub(in super::super) fn tainted(letter: char) -> Found {
    let rule = Rule { marker: "", kind: Kind::Taint, end: End::Line, title: super::Title::Only("") };
    Found { taint: Some(letter), ..rule.only(format!("taint {letter}: seen in a report")) }
}
