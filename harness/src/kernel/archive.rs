//! Fetching from an archive, every byte verified: files by a digest that is known beforehand, indexes by the
//! archive's signature.

use std::{
    fs::File,
    io::{self, Read, Write as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use sha2::{Digest as _, Sha256};

use debfile::control::{Index, Stanza, stanzas};

use super::{Store, catalog::Package};
use crate::{
    cache::Digest,
    error::{Context as _, Error, Result},
    interrupt,
};

/// How often the archive is asked for one file.
const ATTEMPTS: u32 = 3;

/// Before the second attempt; longer before each further one.
const PAUSE: Duration = Duration::from_millis(300);

/// Largest index accepted, bytes.
const INDEX_BYTES_MAX: u64 = 64 << 20;

/// What fetching needs.
#[derive(Debug)]
pub(super) struct Archive<'a> {
    pub(super) store: &'a Store,
}

impl Archive<'_> {
    /// The file of a package, from the cache or fetched into it; `None` when the archive has dropped it.
    pub(super) fn package(&self, suite: &str, package: &Package) -> Result<Option<PathBuf>> {
        if self.store.cache.has("deb", package.sha256.as_str()) {
            return self.store.cache.entry("deb", package.sha256.as_str(), |_| Ok(())).map(|dir| Some(dir.join("deb")));
        }
        let mut gone = false;
        let entry = self.store.cache.entry("deb", package.sha256.as_str(), |place| {
            let uri = format!("{}/{}", self.store.mirrors(package.file_name())?.of_suite(suite), package.path);
            gone = !self.fetch(&uri, &place.join("deb"), package)?;
            if gone { Err(Error::new("gone")) } else { Ok(()) }
        });
        if gone {
            return Ok(None);
        }
        entry.map(|dir| Some(dir.join("deb")))
    }

    /// Fetches a file of known size and digest; `false` when the archive does not have it.
    fn fetch(&self, uri: &str, target: &Path, expected: &Package) -> Result<bool> {
        let Some(mut transfer) = Transfer::start(uri)? else { return Ok(false) };
        let failed = || format!("cannot write `{}`", target.display());
        let mut file = File::create(target).context(failed)?;
        let bar = self.store.progress.bytes(expected.file_name().to_owned(), expected.size);
        let mut hash = Sha256::new();
        let mut chunk = vec![0; 1 << 16];
        while transfer.offset <= expected.size {
            let count = transfer.read(&mut chunk)?;
            if count == 0 {
                break;
            }
            hash.update(&chunk[..count]);
            file.write_all(&chunk[..count]).context(failed)?;
            bar.inc(count as u64);
        }
        file.flush().context(failed)?;
        if transfer.offset != expected.size {
            return Err(wrong_size(uri, expected.size));
        }
        let digest = Digest::of_hash(hash);
        if digest != expected.sha256 {
            return Err(wrong_digest(uri, &expected.sha256, &digest));
        }
        Ok(true)
    }

    /// A small file whose content is verified by the caller.
    fn small(&self, uri: &str) -> Result<Option<Vec<u8>>> {
        let Some(mut transfer) = Transfer::start(uri)? else { return Ok(None) };
        let mut bytes = Vec::new();
        let mut chunk = vec![0; 1 << 16];
        while transfer.offset <= INDEX_BYTES_MAX {
            match transfer.read(&mut chunk)? {
                0 => return Ok(Some(bytes)),
                count => bytes.extend_from_slice(&chunk[..count]),
            }
        }
        Err(Error::new(format!("`{uri}` has more than the {INDEX_BYTES_MAX} bytes that an index may have")))
    }

    /// The packages of a suite's main component, by name, after checking signature and digest.
    pub(super) fn index(&self, suite: &str) -> Result<Index> {
        let _spinner = self.store.progress.spinner(format!("{suite}: index"));
        let base = format!("{}/dists/{suite}", self.store.mirrors(&format!("the index of {suite}"))?.of_suite(suite));
        let uri = format!("{base}/InRelease");
        let signed = self.small(&uri)?.ok_or_else(|| no_suite(suite, &uri))?;
        let release = super::signature::verified(&signed, &uri, suite, &self.store.options)?;
        let release = stanzas(&release).next().unwrap_or_default();
        super::signature::check_date(release, suite, self.store.options.allow_expired)?;
        let digest = digest_of_index(release, &uri)?;
        let by_hash = format!("{base}/main/binary-amd64/by-hash/SHA256/{digest}");
        // A mirror may announce by-hash and not have it.
        let (uri, packed) = match self.small(&by_hash)? {
            Some(packed) => (by_hash, packed),
            None => {
                let plain = format!("{base}/{PACKAGES}");
                let packed = self.small(&plain)?.ok_or_else(|| no_suite(suite, &plain))?;
                (plain, packed)
            }
        };
        let seen = Digest::of_stream(&packed[..]).context(|| "cannot hash an index")?;
        if seen.as_str() != digest {
            return Err(wrong_digest(&uri, &digest, &seen));
        }
        let mut text = String::new();
        let mut unpacked = liblzma::read::XzDecoder::new(&packed[..]).take(8 * INDEX_BYTES_MAX);
        unpacked.read_to_string(&mut text).context(|| format!("`{uri}` does not unpack"))?;
        Ok(Index::new(text))
    }
}

/// A file on its way, which goes on where it broke off.
struct Transfer<'a> {
    agent: ureq::Agent,
    uri: &'a str,
    body: Option<Box<dyn Read>>,
    /// Bytes that have come.
    offset: u64,
    attempt: u32,
}

impl<'a> Transfer<'a> {
    /// `None` when the archive does not have the file.
    fn start(uri: &'a str) -> Result<Option<Self>> {
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(20)))
            .timeout_per_read(Some(Duration::from_secs(30)))
            .timeout_recv_response(Some(Duration::from_secs(30)))
            .accept_encoding("identity");
        let agent = config.build().into();
        let mut transfer = Self { agent, uri, body: None, offset: 0, attempt: 1 };
        loop {
            match transfer.connect() {
                Ok(()) => return Ok(Some(transfer)),
                Err(ureq::Error::StatusCode(404 | 410)) => return Ok(None),
                Err(cause @ (ureq::Error::BadUri(_) | ureq::Error::StatusCode(400..500))) => {
                    return Err(cannot_fetch(uri, cause));
                }
                Err(cause) => transfer.again(cause)?,
            }
        }
    }

    fn connect(&mut self) -> Result<(), ureq::Error> {
        // Servers in front of object stores read a plus sign as a space.
        let mut request = self.agent.get(self.uri.replace('+', "%2B"));
        if self.offset > 0 {
            request = request.header("range", format!("bytes={}-", self.offset));
        }
        let response = request.call()?;
        let goes_on = response.status() == 206;
        let mut body = response.into_body().into_reader();
        if !goes_on {
            // A server that knows no ranges begins anew: what is here already is read over.
            io::copy(&mut (&mut body).take(self.offset), &mut io::sink())?;
        }
        self.body = Some(Box::new(body));
        Ok(())
    }

    /// Pauses before the next attempt, or gives up.
    fn again(&mut self, cause: ureq::Error) -> Result<()> {
        interrupt::check()?;
        self.body = None;
        if self.attempt >= ATTEMPTS {
            return Err(cannot_fetch(self.uri, cause));
        }
        thread::sleep(PAUSE * self.attempt);
        self.attempt += 1;
        Ok(())
    }

    /// 0 at the end of the file; one that is shorter than announced is an error of the connection.
    fn read(&mut self, chunk: &mut [u8]) -> Result<usize> {
        loop {
            interrupt::check()?;
            match self.try_read(chunk) {
                Ok(count) => {
                    self.offset += count as u64;
                    return Ok(count);
                }
                Err(cause) => self.again(cause)?,
            }
        }
    }

    fn try_read(&mut self, chunk: &mut [u8]) -> Result<usize, ureq::Error> {
        if self.body.is_none() {
            self.connect()?;
        }
        Ok(self.body.as_mut().expect("connect has set it").read(chunk)?)
    }
}

fn cannot_fetch(uri: &str, cause: ureq::Error) -> Error {
    Error::new(format!("cannot fetch `{uri}`"))
        .because(cause)
        .help("is the archive reachable? name another one with --mirror, or use --offline when all is cached")
}

fn wrong_size(uri: &str, expected: u64) -> Error {
    Error::new(format!("`{uri}` is not what it should be: it does not have {expected} bytes"))
        .help("a proxy or a broken mirror may have changed it; name another one with --mirror")
}

fn wrong_digest(uri: &str, expected: impl std::fmt::Display, seen: &Digest) -> Error {
    Error::new(format!("`{uri}` is not what it should be: SHA-256 {seen}, expected {expected}"))
        .help("a proxy or a broken mirror may have changed it; name another one with --mirror")
}

fn no_suite(suite: &str, uri: &str) -> Error {
    Error::new(format!("the archive does not have {suite}: no `{uri}`")).help("name another archive with --mirror")
}

/// The index of packages, compressed, beside the release file.
const PACKAGES: &str = "main/binary-amd64/Packages.xz";

/// SHA-256 of the index of packages, from the release file.
fn digest_of_index(release: Stanza<'_>, uri: &str) -> Result<String> {
    let sums = release.get("sha256").unwrap_or_default();
    sums.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (digest, _size, path) = (words.next()?, words.next()?, words.next()?);
            (path == PACKAGES).then(|| digest.to_owned())
        })
        .next()
        .ok_or_else(|| Error::new(format!("`{uri}` names no index of main for amd64")))
}
