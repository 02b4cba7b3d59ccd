//! Whether a release file is the archive's own and of this time. `gpgv` does the cryptography.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use debfile::control::{Stanza, stanzas};

use super::FetchOptions;
use crate::{
    error::{Context as _, Error, Result},
    process,
};

/// Where Debian's archive keys lie on Debian and its relatives.
const KEYRINGS: &str = "/usr/share/keyrings";

/// The text of a signed release file, when a key of Debian's archive signed it.
///
/// # Errors
/// `gpgv` or the keys are missing, or the signature is not good.
pub(super) fn verified(signed: &[u8], uri: &str, suite: &str, options: &FetchOptions) -> Result<String> {
    let keyrings = keyrings(suite, options)?;
    let directory = tempfile::tempdir().context(|| "cannot make a directory for a signature")?;
    let (input, output) = (directory.path().join("InRelease"), directory.path().join("Release"));
    fs::write(&input, signed).context(|| "cannot write a release file")?;
    judge(uri, &status(&input, &output, directory.path(), &keyrings, uri)?)?;
    // Only what gpgv has written is what the signature covers.
    let text = fs::read_to_string(&output).context(|| format!("cannot read what gpgv verified of `{uri}`"))?;
    let release = stanzas(&text).next();
    // A good signature of another suite's release is not good enough.
    let codename = release.and_then(|release| release.get("codename")).unwrap_or_default();
    if codename != suite {
        return Err(Error::new(format!("`{uri}` is the release file of `{codename}`, not of {suite}")));
    }
    Ok(text)
}

/// The status lines of gpgv. Its exit code will not do: it is a failure as soon as one of several signatures is by a
/// key that is not installed, which is usual where the archive is newer than the machine.
fn status(input: &Path, output: &Path, home: &Path, keyrings: &[PathBuf], uri: &str) -> Result<String> {
    let mut words: Vec<&OsStr> = ["--status-fd", "1", "--homedir"].map(OsStr::new).to_vec();
    words.push(home.as_os_str());
    for keyring in keyrings {
        words.extend([OsStr::new("--keyring"), keyring.as_os_str()]);
    }
    words.extend([OsStr::new("--output"), output.as_os_str(), input.as_os_str()]);
    process::tied(duct::cmd("gpgv", words)).stderr_null().unchecked().read().map_err(|cause| {
        Error::new(format!("cannot verify `{uri}`: gpgv does not run"))
            .because(cause)
            .help("install gpgv; kernels as locked do not need it")
    })
}

/// Reads gpgv's status lines (GnuPG's doc/DETAILS): one good signature is enough, one bad is too much.
fn judge(uri: &str, status: &str) -> Result<()> {
    let has = |keyword: &str| {
        status.lines().filter_map(|line| line.strip_prefix("[GNUPG:] ")?.split(' ').next()).any(|word| word == keyword)
    };
    let refused = |why: &str, help: &str| Err(Error::new(format!("`{uri}` cannot be trusted: {why}")).help(help));
    let keys = "install a newer debian-archive-keyring, or name the keys with --keyring";
    match () {
        () if has("BADSIG") => refused(
            "its signature is bad",
            "a proxy or a broken mirror may have changed it; name another with --mirror",
        ),
        () if has("GOODSIG") && has("VALIDSIG") => Ok(()),
        () if has("EXPKEYSIG") => refused("the key that signed it has expired", keys),
        () if has("REVKEYSIG") => refused("the key that signed it was revoked", keys),
        () if has("NO_PUBKEY") => refused("none of the known keys has signed it", keys),
        () => refused("it is not signed", "name another archive with --mirror"),
    }
}

fn keyrings(suite: &str, options: &FetchOptions) -> Result<Vec<PathBuf>> {
    if let Some(named) = options.keyring.clone().or_else(|| env::var_os("MODRIG_KEYRING").map(PathBuf::from)) {
        // gpgv looks for a name without a slash in its home directory.
        let found = fs::canonicalize(&named)
            .map_err(|cause| Error::usage(format!("cannot read the keyring `{}`", named.display())).because(cause))?;
        return Ok(vec![found]);
    }
    let mut keyrings: Vec<PathBuf> =
        fs::read_dir(KEYRINGS).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default();
    keyrings.retain(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_binary = name.ends_with(".gpg") || name.ends_with(".pgp");
        name.starts_with("debian-archive-") && is_binary && !name.contains("removed")
    });
    if keyrings.is_empty() {
        return Err(Error::new(format!(
            "cannot verify the index of {suite}: no keys of Debian's archive in {KEYRINGS}"
        ))
        .help("install debian-archive-keyring, or name the keys with --keyring"));
    }
    Ok(keyrings)
}

/// Refuses a release file whose time is over, unless told otherwise.
///
/// # Errors
/// It has expired.
pub(super) fn check_date(release: Stanza<'_>, suite: &str, allow_expired: bool) -> Result<()> {
    let Some(until) = release.get("valid-until").filter(|_| !allow_expired) else { return Ok(()) };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.as_secs());
    match seconds_of(&until) {
        Some(end) if end >= now => Ok(()),
        _ => Err(Error::new(format!("the index of {suite} was valid until {until}"))
            .help("the mirror is stale: name another one with --mirror, or accept it with --allow-expired")),
    }
}

/// Seconds since 1970 of `Sat, 05 Dec 2026 08:00:00 UTC`.
fn seconds_of(date: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = date.split_whitespace().collect();
    let [_, day, month, year, time, _] = words[..] else { return None };
    let (day, year): (u64, u64) = (day.parse().ok()?, year.parse().ok()?);
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let clock: Vec<u64> = time.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [hour, minute, second] = clock[..] else { return None };
    // Days from civil, counting years from March so that leap days come last.
    let (year, month) = if month <= 2 { (year.checked_sub(1)?, month + 9) } else { (year, month - 3) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day.checked_sub(1)?;
    Some((days.checked_sub(719_468)?) * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: &str, expected: Option<&str>) {
        let message = judge("InRelease", status).err().map(|error| error.to_string());
        assert_eq!(message.as_deref(), expected.map(|why| format!("`InRelease` cannot be trusted: {why}")).as_deref());
    }

    #[test]
    fn a_good_signature_beside_one_of_an_unknown_key_is_enough() {
        check("[GNUPG:] NO_PUBKEY 1\n[GNUPG:] GOODSIG 2 Debian\n[GNUPG:] VALIDSIG 3\n", None);
    }

    #[test]
    fn a_bad_or_missing_signature_is_refused_with_the_reason() {
        check("[GNUPG:] GOODSIG 2\n[GNUPG:] VALIDSIG 3\n[GNUPG:] BADSIG 1\n", Some("its signature is bad"));
        check("[GNUPG:] NO_PUBKEY 1\n", Some("none of the known keys has signed it"));
        check("[GNUPG:] EXPKEYSIG 1\n[GNUPG:] VALIDSIG 3\n", Some("the key that signed it has expired"));
        check("[GNUPG:] NODATA 1\n", Some("it is not signed"));
        check("gpgv: [GNUPG:] GOODSIG 1\n", Some("it is not signed"));
    }

    #[test]
    fn dates_of_release_files_are_understood() {
        assert_eq!(seconds_of("Thu, 01 Jan 1970 00:00:00 UTC"), Some(0));
        assert_eq!(seconds_of("Tue, 29 Feb 2000 12:00:01 UTC"), Some(951_825_601));
        assert_eq!(seconds_of("Tue, 24 Nov 2026 00:00:00 UTC"), Some(1_795_478_400));
        assert_eq!(seconds_of("soon"), None);
    }

    #[test]
    fn an_expired_index_is_refused_unless_told_otherwise() {
        let release = stanzas("Valid-Until: Thu, 01 Jan 1970 00:00:00 UTC").next().unwrap();
        let error = check_date(release, "x", false).unwrap_err();
        assert!(error.advice().unwrap().contains("--allow-expired"));
        check_date(release, "x", true).unwrap();
        check_date(Stanza::default(), "x", false).unwrap();
    }
}
