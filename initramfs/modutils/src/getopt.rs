//! Argument reading as GNU getopt_long does it: options after operands count until `--`, short ones can be
//! bundled, long ones abbreviated. The messages are getopt's, since scripts and people know them.

/// What a tool accepts.
pub struct Spec {
    /// Short options; `:` after one that takes a value.
    pub short: &'static str,
    /// Long options.
    pub long: &'static [Long],
}

/// A long option: its name, whether it takes a value, and the letter it stands for. Options without a short
/// form use a letter that is not in [`Spec::short`].
pub struct Long(pub &'static str, pub bool, pub char);

/// What the arguments say.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// Each option's letter and value, in the order given.
    pub options: Vec<(char, Option<String>)>,
    /// Everything else.
    pub operands: Vec<String>,
    /// What was wrong, without the program's name. Options before the mistake are in `options`: `-V` among
    /// them still wins, as it does where the options are read one by one.
    pub error: Option<String>,
}

/// Reads the arguments, the program's name not among them.
pub fn parse(spec: &Spec, arguments: impl IntoIterator<Item = String>) -> Parsed {
    let mut parsed = Parsed::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let read = if argument == "--" {
            parsed.operands.extend(arguments.by_ref());
            Ok(())
        } else if let Some(long) = argument.strip_prefix("--") {
            read_long(spec, long, &mut arguments, &mut parsed)
        } else if argument.len() > 1 && argument.starts_with('-') {
            read_short(spec, &argument[1..], &mut arguments, &mut parsed)
        } else {
            parsed.operands.push(argument);
            Ok(())
        };
        if let Err(error) = read {
            parsed.error = Some(error);
            break;
        }
    }
    parsed
}

type Rest<'a> = &'a mut dyn Iterator<Item = String>;

fn read_long(spec: &Spec, argument: &str, rest: Rest<'_>, parsed: &mut Parsed) -> Result<(), String> {
    let (name, given) = match argument.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (argument, None),
    };
    let &Long(full, takes_value, letter) = find_long(spec, name)?;
    let value = match (takes_value, given) {
        (false, Some(_)) => return Err(format!("option '--{full}' doesn't allow an argument")),
        (true, None) => Some(rest.next().ok_or_else(|| format!("option '--{full}' requires an argument"))?),
        (_, given) => given,
    };
    parsed.options.push((letter, value));
    Ok(())
}

fn find_long(spec: &Spec, name: &str) -> Result<&'static Long, String> {
    if let Some(exact) = spec.long.iter().find(|long| long.0 == name) {
        return Ok(exact);
    }
    let candidates: Vec<_> = spec.long.iter().filter(|long| long.0.starts_with(name)).collect();
    match candidates[..] {
        [] => Err(format!("unrecognized option '--{name}'")),
        // Names for the same thing do not compete.
        [first, ref others @ ..] if others.iter().all(|other| (other.1, other.2) == (first.1, first.2)) => Ok(first),
        _ => {
            let names: String = candidates.iter().map(|long| format!(" '--{}'", long.0)).collect();
            Err(format!("option '--{name}' is ambiguous; possibilities:{names}"))
        }
    }
}

fn read_short(spec: &Spec, bundle: &str, rest: Rest<'_>, parsed: &mut Parsed) -> Result<(), String> {
    for (at, letter) in bundle.char_indices() {
        let known = spec.short.find(letter).filter(|_| letter != ':');
        let known = known.ok_or_else(|| format!("invalid option -- '{letter}'"))?;
        let after = &bundle[at + letter.len_utf8()..];
        if !spec.short[known + letter.len_utf8()..].starts_with(':') {
            parsed.options.push((letter, None));
            continue;
        }
        let value = if after.is_empty() { rest.next() } else { Some(after.to_owned()) };
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
        ],
    };

    fn read(line: &str) -> Parsed {
        parse(&SPEC, line.split(' ').filter(|word| !word.is_empty()).map(String::from))
    }

    #[track_caller]
    fn check(line: &str, options: &[(char, Option<&str>)], operands: &[&str]) {
        let parsed = read(line);
        let found: Vec<_> = parsed.options.iter().map(|(letter, value)| (*letter, value.as_deref())).collect();
        assert_eq!((found.as_slice(), parsed.error), (options, None), "{line}");
        assert_eq!(parsed.operands, operands, "{line}");
    }

    #[test]
    fn options_are_read_in_every_form() {
        check("", &[], &[]);
        check("x -a y", &[('a', None)], &["x", "y"]);
        check("-acbV x", &[('a', None), ('c', None), ('b', Some("V"))], &["x"]);
        check("-b V", &[('b', Some("V"))], &[]);
        check("--base=V=W --base V", &[('b', Some("V=W")), ('b', Some("V"))], &[]);
        check("--al --ba V", &[('a', None), ('b', Some("V"))], &[]);
        check("--show", &[('c', None)], &[]);
        check("-a -- -b --all", &[('a', None)], &["-b", "--all"]);
        check("- x", &[], &["-", "x"]);
    }

    #[test]
    fn mistakes_have_getopts_words() {
        for (line, message) in [
            ("-z", "invalid option -- 'z'"),
            ("-:", "invalid option -- ':'"),
            ("--zoo=1", "unrecognized option '--zoo'"),
            ("--s", "option '--s' is ambiguous; possibilities: '--show-config' '--showconfig' '--set'"),
            ("--al=1", "option '--all' doesn't allow an argument"),
            ("--ba", "option '--base' requires an argument"),
            ("-ab", "option requires an argument -- 'b'"),
        ] {
            assert_eq!(read(line).error.as_deref(), Some(message), "{line}");
        }
    }

    #[test]
    fn options_before_a_mistake_are_kept() {
        assert_eq!(read("-a -z -c").options, [('a', None)]);
    }
}
