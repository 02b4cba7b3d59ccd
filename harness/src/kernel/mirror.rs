//! Where Debian's archives are: as the user says, or as this machine's own apt does.
//!
//! modrig names no archive itself.

use std::{env, fmt, fs, path::Path};

use debfile::control::stanzas;

use super::FetchOptions;
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
    let mut entries = Vec::new();
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("list") => entries.extend(one_line_entries(&text)),
            Some("sources") => entries.extend(stanza_entries(&text)),
            _ => {}
        }
    }
    entries.sort_by_key(|entry| entry.doubt);
    let first = |security| {
        entries.iter().find(|entry| entry.suite.ends_with("-security") == security).map(|entry| entry.uri.clone())
    };
    (first(false), first(true))
}

/// `deb [options] URI SUITE COMPONENT...`
fn one_line_entries(text: &str) -> Vec<Entry> {
    let entry = |line: &str| {
        let rest = line.split('#').next()?.trim().strip_prefix("deb")?.strip_prefix([' ', '\t'])?.trim_start();
        let (options, rest) = match rest.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => ("", rest),
        };
        let key = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by="));
        let mut words = rest.split_whitespace();
        let (uri, suite) = (words.next()?, words.next()?);
        usable(suite, &mut words).then(|| addresses(uri, suite, key))
    };
    text.lines().filter_map(entry).flatten().collect()
}

fn stanza_entries(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    for stanza in stanzas(text) {
        let value = |field: &str| stanza.get(field).unwrap_or_default();
        let is_no = |word: &str| ["no", "false", "0"].contains(&word.to_ascii_lowercase().as_str());
        if value("enabled").split_whitespace().any(is_no) || value("types").split_whitespace().all(|kind| kind != "deb")
        {
            continue;
        }
        let (suites, components, key) = (value("suites"), value("components"), stanza.get("signed-by"));
        for uri in value("uris").split_whitespace() {
            let suites = suites.split_whitespace().filter(|suite| usable(suite, &mut components.split_whitespace()));
            entries.extend(suites.flat_map(|suite| addresses(uri, suite, key.as_deref())));
        }
    }
    entries
}

fn usable<'a>(suite: &str, components: &mut impl Iterator<Item = &'a str>) -> bool {
    let mut parts = suite.trim_end_matches('/').splitn(2, '-');
    let name = parts.next().unwrap_or_default();
    let kind = parts.next().unwrap_or_default();
    SUITES.contains(&name)
        && ["", "updates", "backports", "security"].contains(&kind)
        && components.any(|component| component == "main")
}

/// An archive as apt's sources name it.
struct Entry {
    uri: String,
    suite: String,
    /// How likely it is another's. Others, too, use Debian's code names and a component `main`; the key that must
    /// have signed them tells. A company's copy of Debian may have a key of its own, so these come last, not never.
    doubt: u8,
}

/// The archive itself, or those in a list of mirrors, which is what images for clouds have.
fn addresses(uri: &str, suite: &str, key: Option<&str>) -> Vec<Entry> {
    let listed = uri.strip_prefix("mirror+file:").map(|list| fs::read_to_string(list).unwrap_or_default());
    let first_word = |line: &str| line.split('#').next()?.split_whitespace().next().map(str::to_owned);
    let uris = match listed {
        Some(list) => list.lines().filter_map(first_word).collect(),
        None => vec![uri.to_owned()],
    };
    let fetchable = |uri: &String| uri.starts_with("http://") || uri.starts_with("https://");
    let doubt = match key {
        Some(key) if key.contains("debian-archive") => 0,
        None => 1,
        Some(_) => 2,
    };
    uris.into_iter().filter(fetchable).map(|uri| Entry { uri, suite: suite.to_owned(), doubt }).collect()
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
    fn archives_that_only_look_like_debians_do_not_come_first() {
        let found = apt(&[
            (
                "sources.list.d/a.sources",
                "Types: deb\nURIs: http://a.example\nSuites: trixie\nComponents: main\nSigned-By: /k/other.gpg\n",
            ),
            ("sources.list.d/b.list", "deb [signed-by=/k/other.gpg] http://b.example trixie main\n"),
            ("sources.list.d/c.list", "deb http://c.example trixie-pgdg main\n"),
            ("sources.list.d/d.list", "deb-src http://d.example trixie main\n"),
            ("sources.list.d/e.sources.save", "Types: deb\nURIs: http://e.example\nSuites: trixie\nComponents: main\n"),
            (
                "sources.list.d/f.list",
                "deb\t[signed-by=/k/debian-archive-keyring.gpg] http://f.example trixie main # mine\n",
            ),
        ]);
        assert_eq!(found, (Some("http://f.example".into()), None));
    }

    #[test]
    fn a_list_of_mirrors_stands_for_its_first() {
        let list = tempfile::NamedTempFile::new().unwrap();
        fs::write(list.path(), "# mirrors\nhttps://a.example/debian\tpriority:1\nhttps://b.example/debian\n").unwrap();
        let line = format!("deb mirror+file:{} trixie main\n", list.path().display());
        assert_eq!(apt(&[("sources.list", &line)]), (Some("https://a.example/debian".into()), None));
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
