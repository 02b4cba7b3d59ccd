//! Module parameters given as arguments.

/// One line for the kernel, blanks between. A value that holds a blank is put in quotes unless it is already:
/// the shell has taken away those that the user wrote.
pub fn join(arguments: &[String]) -> String {
    let quoted: Vec<_> = arguments.iter().map(|argument| quote(argument)).collect();
    quoted.join(" ")
}

fn quote(argument: &str) -> String {
    match argument.split_once('=') {
        Some((name, value)) if value.contains(' ') && !value.starts_with(['"', '\'']) => format!("{name}=\"{value}\""),
        _ => argument.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_open_blanks_are_quoted() {
        for (arguments, line) in [
            (&[][..], ""),
            (&["a=1", "b"], "a=1 b"),
            (&["a=x y"], "a=\"x y\""),
            (&["a=\"x y\"", "b='x y'"], "a=\"x y\" b='x y'"),
            (&["a b"], "a b"),
            (&["a=b=c d"], "a=\"b=c d\""),
        ] {
            let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
            assert_eq!(join(&arguments), line);
        }
    }
}
