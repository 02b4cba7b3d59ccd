//! A configuration fragment: what a kernel that is built here must have, and whether Kconfig has kept it.

use super::Config;
use crate::error::{Error, Result};

/// An option, and what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Setting<'a> {
    /// Without `CONFIG_`.
    name: &'a str,
    /// As in a `.config`; `None` where the option must not be set.
    value: Option<&'a str>,
}

/// What a fragment says for a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fragment<'a> {
    settings: Vec<Setting<'a>>,
}

impl<'a> Fragment<'a> {
    /// Reads a fragment: lines of a `.config`, some of them for some series only (`CONFIG_A=y # since 6.4`), and
    /// comments.
    ///
    /// # Errors
    /// The first line that is none of these.
    pub(super) fn read(text: &'a str, series: (u32, u32)) -> Result<Self, String> {
        let mut settings = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let wrong = || format!("`{line}` is neither an option nor a comment");
            if let Some(comment) = line.strip_prefix('#') {
                settings.extend(not_set(comment));
                continue;
            }
            let (setting, condition) = line.split_once(" # ").unwrap_or((line, ""));
            let option = setting.strip_prefix("CONFIG_").and_then(|option| option.split_once('='));
            let (name, value) = option.ok_or_else(wrong)?;
            if holds(condition, series).ok_or_else(wrong)? {
                settings.push(Setting { name, value: Some(value) });
            }
        }
        Ok(Self { settings })
    }

    /// The lines as Kconfig reads them.
    pub(super) fn text(&self) -> String {
        let line = |Setting { name, value }: &Setting<'_>| match value {
            Some(value) => format!("CONFIG_{name}={value}\n"),
            None => format!("# CONFIG_{name} is not set\n"),
        };
        self.settings.iter().map(line).collect()
    }

    /// That a configuration has what the fragment says.
    ///
    /// # Errors
    /// It has not; all options are named that it has not.
    pub(super) fn check(&self, config: &Config) -> Result<()> {
        let seen = |name: &str| config.get(name).map_or_else(|| "is not set".to_owned(), |seen| format!("is {seen}"));
        let is_lost = |setting: &&Setting<'_>| config.get(setting.name) != setting.value.map(|it| it.trim_matches('"'));
        let words = |Setting { name, value }: &Setting<'_>| match value {
            Some(value) => format!("CONFIG_{name}={value} {}", seen(name)),
            None => format!("CONFIG_{name} should not be set and {}", seen(name)),
        };
        let lost: Vec<String> = self.settings.iter().filter(is_lost).map(words).collect();
        match lost.len() {
            0 => Ok(()),
            1 => Err(Error::new(format!("Kconfig has not kept an option: {}", lost[0]))),
            count => Err(Error::new(format!("Kconfig has not kept {count} options: {}", lost.join(", ")))),
        }
    }
}

/// The option of `# CONFIG_A is not set`.
fn not_set(comment: &str) -> Option<Setting<'_>> {
    let name = comment.trim().strip_prefix("CONFIG_")?.strip_suffix(" is not set")?;
    (!name.contains(' ')).then_some(Setting { name, value: None })
}

/// Whether `since 6.4`, `until 6.1` or nothing is true of a series; `None` if it is something else.
fn holds(condition: &str, series: (u32, u32)) -> Option<bool> {
    let Some((word, limit)) = condition.split_once(' ') else { return condition.is_empty().then_some(true) };
    let (major, minor) = limit.split_once('.')?;
    let limit = (major.parse().ok()?, minor.parse().ok()?);
    match word {
        "since" => Some(series >= limit),
        "until" => Some(series <= limit),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Two of them are for some series.\nCONFIG_A=y\n\nCONFIG_B=y # since 6.4\n\
                        CONFIG_C=y # until 6.1\nCONFIG_NAME=\"-x\"\n# CONFIG_D is not set\n";

    fn lost(config: &str) -> Option<String> {
        let fragment = Fragment::read(TEXT, (6, 12)).unwrap();
        fragment.check(&Config::new(config.to_owned())).err().map(|error| error.to_string())
    }

    #[test]
    fn lines_for_other_series_are_left_out() {
        let text = |series| Fragment::read(TEXT, series).unwrap().text();
        assert_eq!(text((6, 12)), "CONFIG_A=y\nCONFIG_B=y\nCONFIG_NAME=\"-x\"\n# CONFIG_D is not set\n");
        assert_eq!(text((6, 1)), "CONFIG_A=y\nCONFIG_C=y\nCONFIG_NAME=\"-x\"\n# CONFIG_D is not set\n");
    }

    #[test]
    fn a_configuration_that_has_everything_is_good() {
        assert_eq!(lost("CONFIG_A=y\nCONFIG_B=y\nCONFIG_NAME=\"-x\"\nCONFIG_MORE=7\n"), None);
    }

    #[test]
    fn all_lost_options_are_named_with_what_became_of_them() {
        let config = "CONFIG_B=m\n# CONFIG_A is not set\nCONFIG_NAME=\"-x\"\nCONFIG_D=3\nCONFIG_AB=y\n";
        let expected = "Kconfig has not kept 3 options: CONFIG_A=y is not set, CONFIG_B=y is m, \
                        CONFIG_D should not be set and is 3";
        assert_eq!(lost(config).as_deref(), Some(expected));
        let one = lost("CONFIG_A=y\nCONFIG_B=y\nCONFIG_NAME=\"\"\n").unwrap();
        assert_eq!(one, "Kconfig has not kept an option: CONFIG_NAME=\"-x\" is ");
    }

    #[test]
    fn a_line_that_is_no_option_is_named() {
        for line in ["A=y", "CONFIG_A", "CONFIG_A=y # with 6.4", "CONFIG_A=y # since 6", "CONFIG_A=y # since"] {
            let error = Fragment::read(line, (6, 12)).unwrap_err();
            assert_eq!(error, format!("`{line}` is neither an option nor a comment"));
        }
    }
}
