//! Digests: what names an entry of the cache, and what verifies a download.

use std::{fmt, io};

use sha2::{Digest as _, Sha256};

/// SHA-256 of something, printed as 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Digest(String);

impl Digest {
    /// Digest of parts; each part's length is part of it, so that ("ab", "c") and ("a", "bc") differ.
    pub fn of<T: AsRef<[u8]>>(parts: impl IntoIterator<Item = T>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            let part = part.as_ref();
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self::of_hash(hash)
    }

    /// Plain SHA-256 of a stream, as `sha256sum` prints it.
    ///
    /// # Errors
    /// What reading gives.
    pub fn of_stream(mut source: impl io::Read) -> io::Result<Self> {
        let mut hash = Sha256::new();
        let mut chunk = vec![0; 1 << 16];
        loop {
            match source.read(&mut chunk)? {
                0 => return Ok(Self::of_hash(hash)),
                n => hash.update(&chunk[..n]),
            }
        }
    }

    /// A digest written as 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        hex.then(|| Self(text.to_ascii_lowercase()))
    }

    /// What a hash that was fed in pieces amounts to.
    pub fn of_hash(hash: Sha256) -> Self {
        Self(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The first 12 digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }

    /// All 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_keep_their_parts_apart() {
        assert_ne!(Digest::of(["ab", "c"]), Digest::of(["a", "bc"]));
        assert_eq!(Digest::of_stream(&b""[..]).unwrap().short(), "e3b0c44298fc");
    }
}
