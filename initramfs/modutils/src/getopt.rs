//! Argument reading as GNU getopt_long does it: options after operands count until `--`, short ones can be
//! bundled, long ones abbreviated. The messages are getopt's, since scripts and people know them.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
};

/// What a tool accepts.
pub struct Spec {
    /// Short options; `:` after one that takes a value.
    pub short: &'static str,
    /// Long options.
    pub long: &'static [Long],
}

/// A long option: its name, whether it takes a value, and the letter it stands for. Options without a short
/// form use a letter that is not in [`Spec::short`].
///
/// A name that begins with `=` is one that kmod does not have. It has to be written in full: what is short for one
/// of kmod's options, or for none, stays so.
pub struct Long(pub &'static str, pub bool, pub char);

impl Long {
    fn name(&self) -> &'static str {
        self.0.strip_prefix('=').unwrap_or(self.0)
    }

    fn is_ours(&self) -> bool {
        self.0.starts_with('=')
    }
}

/// Where options may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Anywhere before `--`.
    Any,
    /// Only before the first operand, as a user asks for with `POSIXLY_CORRECT`.
    OptionsFirst,
}

/// What the arguments say.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// Each option's letter and value, in the order given.
    pub options: Vec<(char, Option<OsString>)>,
    /// Everything else.
    pub operands: Vec<OsString>,
    /// What was wrong, without the program's name. Options before the mistake are in `options`: `-V` among
    /// them still wins, as it does where the options are read one by one.
    pub error: Option<Vec<u8>>,
}

type Arguments = std::vec::IntoIter<OsString>;

/// Reads the arguments, the program's name not among them.
pub fn parse(spec: &Spec, order: Order, arguments: Vec<OsString>) -> Parsed {
    let mut parsed = Parsed::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let read = match argument.as_bytes() {
            b"--" => {
                parsed.operands.extend(arguments.by_ref());
                Ok(())
            }
            [b'-', b'-', long @ ..] => read_long(spec, long, &mut arguments, &mut parsed),
            [b'-', bundle @ ..] if !bundle.is_empty() => read_short(spec, bundle, &mut arguments, &mut parsed),
            _ => {
                parsed.operands.push(argument);
                if order == Order::OptionsFirst {
                    parsed.operands.extend(arguments.by_ref());
                }
                Ok(())
            }
        };
        if let Err(error) = read {
            parsed.error = Some(error);
            break;
        }
    }
    parsed
}

fn read_long(spec: &Spec, argument: &[u8], rest: &mut Arguments, parsed: &mut Parsed) -> Result<(), Vec<u8>> {
    let equals = argument.iter().position(|byte| *byte == b'=');
    let given = equals.map(|at| OsString::from_vec(argument[at + 1..].into()));
    let long = find_long(spec, argument, &argument[..equals.unwrap_or(argument.len())])?;
    let (full, &Long(_, takes_value, letter)) = (long.name(), long);
    let value = match (takes_value, given) {
        (false, Some(_)) => return Err(format!("option '--{full}' doesn't allow an argument").into()),
        (true, None) => Some(rest.next().ok_or_else(|| format!("option '--{full}' requires an argument"))?),
        (_, given) => given,
    };
    parsed.options.push((letter, value));
    Ok(())
}

/// The option of that name, or the one that it abbreviates. `argument` is the name with its value: the messages
/// repeat both.
fn find_long(spec: &Spec, argument: &[u8], name: &[u8]) -> Result<&'static Long, Vec<u8>> {
    if let Some(exact) = spec.long.iter().find(|long| long.name().as_bytes() == name) {
        return Ok(exact);
    }
    let mut candidates = spec.long.iter().filter(|long| !long.is_ours() && long.0.as_bytes().starts_with(name));
    let Some(first) = candidates.next() else {
        return Err([b"unrecognized option '--", argument, b"'"].concat());
    };
    // Names for the same thing as the first do not compete with it, and are not mentioned.
    let others: String = candidates
        .filter(|other| (other.1, other.2) != (first.1, first.2))
        .map(|other| format!(" '--{}'", other.0))
        .collect();
    if others.is_empty() {
        return Ok(first);
    }
    let possibilities = format!("' is ambiguous; possibilities: '--{}'{others}", first.0);
    Err([b"option '--", argument, possibilities.as_bytes()].concat())
}

fn read_short(spec: &Spec, bundle: &[u8], rest: &mut Arguments, parsed: &mut Parsed) -> Result<(), Vec<u8>> {
    for (at, letter) in bundle.iter().enumerate() {
        let known = spec.short.bytes().position(|known| known == *letter && known != b':');
        let known = known.ok_or_else(|| [b"invalid option -- '", &[*letter][..], b"'"].concat())?;
        let (letter, after) = (char::from(*letter), &bundle[at + 1..]);
        if spec.short.as_bytes().get(known + 1) != Some(&b':') {
            parsed.options.push((letter, None));
            continue;
        }
        let value = if after.is_empty() { rest.next() } else { Some(OsStr::from_bytes(after).into()) };
        let value = value.ok_or_else(|| format!("option requires an argument -- '{letter}'"))?;
        parsed.options.push((letter, Some(value)));
        break;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: Spec = Spec {
        short: "ab:c",
        long: &[
            Long("all", false, 'a'),
            Long("base", true, 'b'),
            Long("show-config", false, 'c'),
            Long("showconfig", false, 'c'),
            Long("set", true, 'S'),
            Long("silent", false, 'q'),
            Long("skip", false, 'c'),
            Long("=skipped", false, 'j'),
            Long("=json", false, 'j'),
        ],
    };

    fn read(line: impl AsRef<[u8]>, order: Order) -> Parsed {
        let words = line.as_ref().split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        parse(&SPEC, order, words.map(|word| OsString::from_vec(word.into())).collect())
    }

    #[track_caller]
    fn check(line: &str, order: Order, options: &[(char, Option<&str>)], operands: &[&str]) {
        let parsed = read(line, order);
        let found =
            parsed.options.iter().map(|(letter, value)| (*letter, value.as_ref().map(|value| value.to_str().unwrap())));
        assert_eq!((found.collect::<Vec<_>>().as_slice(), parsed.error), (options, None), "{line}");
        assert_eq!(parsed.operands, operands, "{line}");
    }

    #[test]
    fn options_are_read_in_every_form() {
        use Order::Any;
        check("", Any, &[], &[]);
        check("x -a y", Any, &[('a', None)], &["x", "y"]);
        check("-acbV x", Any, &[('a', None), ('c', None), ('b', Some("V"))], &["x"]);
        check("-b V", Any, &[('b', Some("V"))], &[]);
        check("-b -- x", Any, &[('b', Some("--"))], &["x"]);
        check("--base=V=W --base V", Any, &[('b', Some("V=W")), ('b', Some("V"))], &[]);
        check("--al --ba V", Any, &[('a', None), ('b', Some("V"))], &[]);
        check("--base= x", Any, &[('b', Some(""))], &["x"]);
        check("--json --ski", Any, &[('j', None), ('c', None)], &[]);
        check("--show", Any, &[('c', None)], &[]);
        check("-a -- -b --all", Any, &[('a', None)], &["-b", "--all"]);
        check("- x", Any, &[], &["-", "x"]);
    }

    #[test]
    fn options_after_an_operand_can_be_operands() {
        check("-a x -a -- --all", Order::OptionsFirst, &[('a', None)], &["x", "-a", "--", "--all"]);
        check("-a -- x", Order::OptionsFirst, &[('a', None)], &["x"]);
    }

    #[test]
    fn mistakes_have_getopts_words() {
        for (line, message) in [
            ("-z", "invalid option -- 'z'"),
            ("-:", "invalid option -- ':'"),
            ("--zoo=1", "unrecognized option '--zoo=1'"),
            ("--s=x", "option '--s=x' is ambiguous; possibilities: '--show-config' '--set' '--silent'"),
            (
                "--=",
                "option '--=' is ambiguous; possibilities: '--all' '--base' '--show-config' '--showconfig' '--set' '--silent' '--skip'",
            ),
            ("--js", "unrecognized option '--js'"),
            ("--json=1", "option '--json' doesn't allow an argument"),
            ("--al=1", "option '--all' doesn't allow an argument"),
            ("--ba", "option '--base' requires an argument"),
            ("-ab", "option requires an argument -- 'b'"),
        ] {
            let error = read(line, Order::Any).error.map(|error| String::from_utf8(error).unwrap());
            assert_eq!(error.as_deref(), Some(message), "{line}");
        }
    }

    #[test]
    fn arguments_are_bytes() {
        assert_eq!(read(b"-a\xe9", Order::Any).error.unwrap(), b"invalid option -- '\xe9'");
        assert_eq!(read(b"--\xe9=\xff", Order::Any).error.unwrap(), b"unrecognized option '--\xe9=\xff'");
        let parsed = read(b"--base=\xe9 -b\xff \xfe", Order::Any);
        let values: Vec<_> = parsed.options.iter().map(|(_, value)| value.as_ref().unwrap().as_bytes()).collect();
        assert_eq!((values, parsed.operands[0].as_bytes()), (vec![&b"\xe9"[..], b"\xff"], &b"\xfe"[..]));
    }

    #[test]
    fn options_before_a_mistake_are_kept() {
        assert_eq!(read("-a -z -c", Order::Any).options, [('a', None)]);
    }
}
