//! Calls as they stand in the tables: `depmod -b root 6.1 ; touch x ; MODPROBE_OPTIONS='-v -n' modprobe ''`.

/// One call of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Variables beside the few that are always set.
    pub environment: Vec<(String, String)>,
    /// A tool's name, or a program of the host.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl Call {
    /// The calls of a line, which are separated by semicolons.
    pub fn parse(line: &str) -> Vec<Self> {
        let words = words(line);
        words.split(|word| word == ";").filter_map(Self::of_words).collect()
    }

    fn of_words(words: &[String]) -> Option<Self> {
        let is_variable = |word: &String| word.split_once('=').is_some_and(|(name, _)| name == name.to_uppercase());
        let count = words.iter().take_while(|word| is_variable(word)).count();
        let (environment, rest) = words.split_at(count);
        let (program, arguments) = rest.split_first()?;
        Some(Self {
            environment: environment
                .iter()
                .filter_map(|word| word.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            program: program.clone(),
            arguments: arguments.to_vec(),
        })
    }
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, value) in &self.environment {
            write!(f, "{name}={} ", quoted(value))?;
        }
        f.write_str(&self.program)?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {}", quoted(argument)))
    }
}

/// Fit for a shell, so that a person can repeat a call.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+%@$".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// Words separated by blanks; single quotes hold what is between them together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut is_quoted = false;
    for c in line.chars() {
        match c {
            '\'' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            ' ' if !is_quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_and_shown_as_a_shell_would() {
        let calls = Call::parse("MODPROBE_OPTIONS='-v -n' modprobe '' a=b ; touch x");
        let shown: Vec<_> = calls.iter().map(Call::to_string).collect();
        assert_eq!(shown, ["MODPROBE_OPTIONS='-v -n' modprobe '' a=b", "touch x"]);
        assert_eq!(calls[0].environment, [("MODPROBE_OPTIONS".to_owned(), "-v -n".to_owned())]);
        assert_eq!(calls[0].arguments, ["", "a=b"]);
    }
}
