//! Functions in registers and call traces.

/// A place in the kernel's code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// Its name, without what the compiler appended when it split or cloned it.
    pub(super) function: String,
    /// Its module.
    pub(super) module: Option<String>,
}

/// Longest name taken, bytes: the kernel's own limit, `KSYM_NAME_LEN`.
const NAME_BYTES_MAX: usize = 512;

/// The place at the beginning of `text`: `f+0x1/0x2 [module]`, or `f (file.c:12) module` of a decoded trace.
pub(super) fn at(text: &str) -> Option<Frame> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$');
    let end = text.find(|c| !is_name(c)).filter(|end| (1..=NAME_BYTES_MAX).contains(end))?;
    let (name, rest) = text.split_at(end);
    if name.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let rest = offset(rest).or_else(|| source(rest))?;
    let module = rest.strip_prefix(" [").and_then(|rest| rest.split([']', ' ', '(']).next());
    let function = name.split('.').next().unwrap_or(name);
    Some(Frame { function: function.to_owned(), module: module.map(str::to_owned) })
}

/// What follows `+0x1a/0x2b`.
fn offset(text: &str) -> Option<&str> {
    let hex = |text: &'_ str| text.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(text.len());
    let offset = text.strip_prefix("+0x")?;
    let (digits, rest) = offset.split_at(hex(offset));
    let size = rest.strip_prefix("/0x")?;
    let end = hex(size);
    (!digits.is_empty() && end > 0).then(|| &size[end..])
}

/// What follows ` (path/file.c:12 (discriminator 3))`, as scripts/decode_stacktrace.sh writes places.
fn source(text: &str) -> Option<&str> {
    let inside = text.strip_prefix(" (")?;
    let (place, _) = inside.split_once(')')?;
    let line = place.rsplit_once(':')?.1;
    line.starts_with(|c: char| c.is_ascii_digit() || c == '?').then(|| inside.split_once(')').map_or("", |(_, r)| r))
}

/// A line of a call trace that the unwinder vouches for.
pub(super) fn in_trace(line: &str) -> Option<Frame> {
    let line = line.trim_start();
    // Before 4.10 the address stood before the name.
    let line = line.strip_prefix("[<").and_then(|rest| rest.split_once(">] ")).map_or(line, |(_, rest)| rest);
    at(line)
}

/// Whether a line can stand in a call trace, also one that names no certain place.
pub(super) fn is_of_trace(line: &str) -> bool {
    let text = line.trim_start();
    if in_trace(text).is_some() {
        return true;
    }
    let marker = text.starts_with('<') && text.ends_with('>') && text.len() < 16;
    let uncertain = text.strip_prefix("? ").is_some_and(|rest| rest.starts_with("0x") || in_trace(rest).is_some());
    marker || uncertain || text.starts_with("0x") || is_register(text)
}

/// Whether a line shows registers or code bytes.
pub(super) fn is_register(line: &str) -> bool {
    const NAMES: [&str; 24] = [
        "RIP:",
        "RSP:",
        "RAX:",
        "RDX:",
        "RBP:",
        "R10:",
        "R13:",
        "FS:",
        "CS:",
        "CR2:",
        "DR0:",
        "DR3:",
        "PKRU:",
        "Code:",
        "EIP:",
        "EAX:",
        "ESI:",
        "DS:",
        "CR0:",
        "ORIG_RAX:",
        "pc :",
        "lr :",
        "sp :",
        "pstate:",
    ];
    NAMES.iter().any(|name| line.starts_with(name))
}

/// The place of a line with the instruction pointer, in the kernel: `RIP: 0010:f+0x1/0x2`, `pc : f+0x1/0x2`.
pub(super) fn instruction(line: &str) -> Option<Frame> {
    if let Some(place) = line.strip_prefix("pc : ") {
        return at(place);
    }
    let (segment, place) = line.strip_prefix("RIP: ").or_else(|| line.strip_prefix("EIP: "))?.split_once(':')?;
    let user = ["0033", "0023"].contains(&segment);
    // `RIP: 0010:[<ffffffff81000000>]  [<ffffffff81000000>] f+0x1/0x2` before 4.9.
    let place = place.rsplit_once(">] ").map_or(place, |(_, place)| place);
    if user { None } else { at(place.trim_start()) }
}

/// A line of a call trace that the unwinder found on the stack and does not vouch for.
pub(super) fn uncertain(line: &str) -> Option<Frame> {
    at(line.trim_start().strip_prefix("? ")?).filter(|place| !place.function.starts_with("__pfx_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, module: Option<&str>) -> Option<Frame> {
        Some(Frame { function: function.into(), module: module.map(str::to_owned) })
    }

    #[test]
    fn places_are_read_in_every_form() {
        assert_eq!(in_trace(" oopses_init+0x5/0x1000 [oopses]"), frame("oopses_init", Some("oopses")));
        assert_eq!(in_trace(" f.part.0+0x5/0x10 [m 0123456789abcdef]"), frame("f", Some("m")));
        assert_eq!(in_trace("[<ffffffff81000000>] f+0x1/0x2"), frame("f", None));
        assert_eq!(in_trace(" f (fs/a.c:12 (discriminator 2)) "), frame("f", None));
        for none in ["? f+0x1/0x2", " ? f (fs/a.c:12)", "f+0x1", "+0x1/0x2", "f (no place)", "0xffffffffc0000000", ""] {
            assert_eq!(in_trace(none), None, "{none}");
        }
        assert_eq!(instruction("RIP: 0010:f+0x1/0x2 [m]"), frame("f", Some("m")));
        assert_eq!(instruction("RIP: 0010:[<ffffffff81000000>]  [<ffffffff81000000>] f+0x1/0x2"), frame("f", None));
        assert_eq!(instruction("pc : f+0x1/0x2 [m]"), frame("f", Some("m")));
        assert_eq!(instruction("RIP: 0033:0x7f52e345dece"), None);
        assert_eq!(instruction("RIP: 0010:0x0"), None);
    }
}
