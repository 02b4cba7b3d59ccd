//! Whether a release file is the archive's own and of this time. `gpgv` does the cryptography.

use std::{fs, path::PathBuf};

use super::control::{Stanza, stanzas};
use crate::error::{Context as _, Error, Result};

/// Where Debian's archive keys lie on Debian and its relatives.
const KEYRINGS: &str = "/usr/share/keyrings";

/// The fields of a signed release file, when a key of Debian's archive signed it.
///
/// # Errors
/// `gpgv` or the keys are missing, or the signature is not good.
pub(super) fn verified(signed: &[u8], uri: &str, suite: &str) -> Result<Stanza> {
    let keyrings = keyrings(suite)?;
    let directory = tempfile::tempdir().context(|| "cannot make a directory for a signature")?;
    let (input, output) = (directory.path().join("InRelease"), directory.path().join("Release"));
    fs::write(&input, signed).context(|| "cannot write a release file")?;
    let mut words: Vec<std::ffi::OsString> = Vec::new();
    for keyring in keyrings {
        words.extend(["--keyring".into(), keyring.into()]);
    }
    words.extend(["--output".into(), output.clone().into(), input.into()]);
    let ran = duct::cmd("gpgv", words).stderr_capture().stdout_null().unchecked().run().map_err(|cause| {
        Error::new(format!("cannot verify `{uri}`: gpgv does not run")).because(cause).help("install gpgv")
    })?;
    // The exit status is 0 only when there is a good signature and no bad one.
    if !ran.status.success() {
        let said = String::from_utf8_lossy(&ran.stderr);
        let last = said.lines().last().unwrap_or("gpgv said nothing").trim();
        return Err(Error::new(format!("the signature of `{uri}` is not good: {last}"))
            .help("a proxy or a broken mirror may have changed it; name another one with --mirror"));
    }
    let text = fs::read_to_string(&output).context(|| format!("cannot read what gpgv verified of `{uri}`"))?;
    let release = stanzas(&text).next().unwrap_or_default();
    // A good signature of another suite's release is not good enough.
    let codename = release.get("codename").map(String::as_str).unwrap_or_default();
    if codename != suite {
        return Err(Error::new(format!("`{uri}` is the release file of `{codename}`, not of {suite}")));
    }
    Ok(release)
}

fn keyrings(suite: &str) -> Result<Vec<PathBuf>> {
    let mut keyrings: Vec<PathBuf> =
        fs::read_dir(KEYRINGS).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default();
    keyrings.retain(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("debian-archive-") && name.ends_with(".gpg") && !name.contains("removed")
    });
    if keyrings.is_empty() {
        return Err(Error::new(format!(
            "cannot verify the index of {suite}: no keys of Debian's archive in {KEYRINGS}"
        ))
        .help("install debian-archive-keyring"));
    }
    Ok(keyrings)
}

/// Refuses a release file whose time is over, unless told otherwise.
///
/// # Errors
/// It has expired.
pub(super) fn check_date(release: &Stanza, suite: &str, allow_expired: bool) -> Result<()> {
    let Some(until) = release.get("valid-until").filter(|_| !allow_expired) else { return Ok(()) };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.as_secs());
    match seconds_of(until) {
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

    #[test]
    fn dates_of_release_files_are_understood() {
        assert_eq!(seconds_of("Thu, 01 Jan 1970 00:00:00 UTC"), Some(0));
        assert_eq!(seconds_of("Tue, 29 Feb 2000 12:00:01 UTC"), Some(951_825_601));
        assert_eq!(seconds_of("Tue, 24 Nov 2026 00:00:00 UTC"), Some(1_795_478_400));
        assert_eq!(seconds_of("soon"), None);
    }

    #[test]
    fn an_expired_index_is_refused_unless_told_otherwise() {
        let release = Stanza::from([("valid-until".to_owned(), "Thu, 01 Jan 1970 00:00:00 UTC".to_owned())]);
        let error = check_date(&release, "x", false).unwrap_err();
        assert!(error.advice().unwrap().contains("--allow-expired"));
        check_date(&release, "x", true).unwrap();
        check_date(&Stanza::new(), "x", false).unwrap();
    }
}
