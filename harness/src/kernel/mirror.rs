//! Where Debian's archives are: as the user says, or as this machine's own apt does.
//!
//! modrig names no archive itself.

use std::{env, fmt, fs, path::Path};

use super::{FetchOptions, control::stanzas};
use crate::error::{Error, Result};

/// Code names of the suites that are known to be Debian's. Other archives' lists use other names, or none.
const SUITES: [&str; 5] = ["bullseye", "bookworm", "trixie", "forky", "sid"];

/// Base addresses of the archives, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirrors {
    /// Of the main archive: releases, updates, backports.
    pub main: String,
    /// Of the security archive.
    pub security: String,
    /// Who named them.
    pub named_by: String,
}

impl Mirrors {
    /// Base address of the archive that has a suite, such as `bookworm-security`.
    pub fn of_suite(&self, suite: &str) -> &str {
        if suite.ends_with("-security") { &self.security } else { &self.main }
    }
}

impl fmt::Display for Mirrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} and {} (from {})", self.main, self.security, self.named_by)
    }
}

/// The archives: from the command line, `MODRIG_MIRROR` and `MODRIG_SECURITY_MIRROR`, or apt's sources.
///
/// # Errors
/// None is named anywhere.
pub fn find(options: &FetchOptions) -> Result<Mirrors> {
    let set = |option: &Option<String>, name: &str| {
        option.clone().or_else(|| env::var(name).ok()).filter(|uri| !uri.is_empty())
    };
    let main = set(&options.mirror, "MODRIG_MIRROR");
    let security = set(&options.security_mirror, "MODRIG_SECURITY_MIRROR");
    let apt = of_apt(Path::new("/etc/apt"));
    choose(main, security, apt).ok_or_else(|| {
        Error::new("no Debian archive is known on this machine").help(
            "name one with --mirror ADDRESS or MODRIG_MIRROR (and --security-mirror or MODRIG_SECURITY_MIRROR where \
             its security archive is not at ADDRESS-security)",
        )
    })
}

/// What apt's sources say: address of the main archive, address of the security archive.
type Found = (Option<String>, Option<String>);

fn choose(main: Option<String>, security: Option<String>, apt: Found) -> Option<Mirrors> {
    let named_by = if main.is_some() { "the settings" } else { "apt's sources" }.to_owned();
    // Beside a main archive that was named, apt's security archive may be out of reach: mirrors keep both together.
    let beside = main.as_ref().map(|main| format!("{}-security", main.trim_end_matches('/')));
    let main = main.or(apt.0)?;
    let security = security.or(beside).or(apt.1).unwrap_or_else(|| format!("{main}-security"));
    let trim = |uri: String| uri.trim_end_matches('/').to_owned();
    Some(Mirrors { main: trim(main), security: trim(security), named_by })
}

fn of_apt(directory: &Path) -> Found {
    let mut files = vec![directory.join("sources.list")];
    if let Ok(entries) = fs::read_dir(directory.join("sources.list.d")) {
        files.extend(entries.flatten().map(|entry| entry.path()));
    }
    files.sort();
    let mut found: Found = (None, None);
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let entries = match file.extension().and_then(|extension| extension.to_str()) {
            Some("list") => one_line_entries(&text),
            Some("sources") => stanza_entries(&text),
            _ => continue,
        };
        for (uri, suite) in entries {
            let slot = if suite.ends_with("-security") { &mut found.1 } else { &mut found.0 };
            slot.get_or_insert(uri);
        }
    }
    found
}

/// `deb [options] URI SUITE COMPONENT...`
fn one_line_entries(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter_map(|line| {
            let rest = line.trim().strip_prefix("deb ")?.trim_start();
            let rest = if rest.starts_with('[') { rest.split_once(']')?.1 } else { rest };
            let mut words = rest.split_whitespace();
            let (uri, suite) = (words.next()?, words.next()?);
            usable(uri, suite, &mut words).then(|| (uri.to_owned(), suite.to_owned()))
        })
        .collect()
}

fn stanza_entries(text: &str) -> Vec<(String, String)> {
    let mut entries = Vec::new();
    for stanza in stanzas(text) {
        let words = |field: &str| stanza.get(field).map(|value| value.split_whitespace()).into_iter().flatten();
        if stanza.get("enabled").is_some_and(|value| value == "no") || !words("types").any(|kind| kind == "deb") {
            continue;
        }
        for uri in words("uris") {
            let suites = words("suites").filter(|suite| usable(uri, suite, &mut words("components")));
            entries.extend(suites.map(|suite| (uri.to_owned(), suite.to_owned())));
        }
    }
    entries
}

fn usable<'a>(uri: &str, suite: &str, components: &mut impl Iterator<Item = &'a str>) -> bool {
    let name = suite.split(['-', '/']).next().unwrap_or_default();
    uri.starts_with("http") && SUITES.contains(&name) && components.any(|component| component == "main")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apt(files: &[(&str, &str)]) -> Found {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("sources.list.d")).unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        of_apt(directory.path())
    }

    #[test]
    fn both_forms_of_sources_are_read_and_foreign_ones_skipped() {
        let found = apt(&[
            (
                "sources.list",
                "deb [arch=amd64 signed-by=/k] http://a.example/debian/ bookworm main contrib\n# deb http://b.example bookworm main\n",
            ),
            (
                "sources.list.d/x.sources",
                "Types: deb\nURIs: http://c.example/sec\nSuites: bookworm-security\nComponents: main\n\nTypes: deb\nURIs: http://d.example\nSuites: nodistro\nComponents: main\n",
            ),
            (
                "sources.list.d/y.sources",
                "Enabled: no\nTypes: deb\nURIs: http://e.example\nSuites: trixie\nComponents: main\n",
            ),
        ]);
        assert_eq!(found, (Some("http://a.example/debian/".into()), Some("http://c.example/sec".into())));
    }

    #[test]
    fn what_the_user_names_comes_first_and_nothing_is_guessed() {
        let apt = (Some("http://a/".to_owned()), Some("http://b".to_owned()));
        let named = choose(Some("http://m/debian/".into()), None, apt.clone()).unwrap();
        assert_eq!((&*named.main, &*named.security), ("http://m/debian", "http://m/debian-security"));
        let own = choose(None, None, apt).unwrap();
        assert_eq!((own.of_suite("trixie-backports"), own.of_suite("trixie-security")), ("http://a", "http://b"));
        assert_eq!(choose(None, None, (None, None)), None);
    }
}
