//! Signatures as `scripts/sign-file` appends them. They verify nothing: no key stands behind them.

use arbitrary::{Arbitrary, Result, Unstructured};
use modfile::signature::{Hash, Signature};

/// What a signature says.
#[derive(Debug, Clone, PartialEq, Eq, Arbitrary)]
pub struct Signing {
    /// Who signed.
    #[arbitrary(with = crate::plan::text)]
    pub signer: String,
    /// The certificate's serial number, or the key's identifier; begins with a byte from 1 to 0x7f.
    #[arbitrary(with = serial)]
    pub key_id: Vec<u8>,
    /// The signature itself.
    #[arbitrary(with = |u: &mut Unstructured<'_>| short(u, 1))]
    pub signature: Vec<u8>,
    /// How these are packed.
    pub form: Form,
}

/// How a signature is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub enum Form {
    /// PKCS#7, the hash by its object identifier.
    Pkcs7 {
        /// Which of the identifiers here.
        hash: KnownHash,
        /// The outermost length is left open, as BER allows.
        is_open: bool,
    },
    /// One after the other, as before 4.3, the hash by its number.
    Plain,
}

/// Hashes that a PKCS#7 message may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub enum KnownHash {
    /// The usual one.
    Sha256,
    /// The one of newer kernels.
    Sha512,
    /// One that nobody knows, 1.2.3.
    Unknown,
}

const UNKNOWN: &[u8] = &[0x2a, 3];

/// 1.2.840.113549.1.7.1, .7.2 and .1.1 (RFC 2315, RFC 8017).
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];

const NULL: &[u8] = &[5, 0];

fn short(u: &mut Unstructured<'_>, least: usize) -> Result<Vec<u8>> {
    let mut bytes = crate::plan::bytes(u, 150)?.to_vec();
    bytes.resize(bytes.len().max(least), b's');
    Ok(bytes)
}

fn serial(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    Ok([&[u.int_in_range(1..=0x7f)?], short(u, 0)?.as_slice()].concat())
}

impl Signing {
    /// One of the usual form.
    pub fn example() -> Self {
        let form = Form::Pkcs7 { hash: KnownHash::Sha256, is_open: false };
        Self { signer: "Build time key".to_owned(), key_id: vec![0x12, 0x34], signature: vec![0x5a; 64], form }
    }

    /// Signs a file.
    pub fn append(&self, file: &mut Vec<u8>) {
        // Algorithm (RSA), hash (SHA-256) and form; a message says the first two itself.
        let (kind, names, signature) = match self.form {
            Form::Pkcs7 { hash, is_open } => ([0, 0, 2], None, self.message(hash, is_open)),
            Form::Plain => ([1, 4, 1], Some((self.signer.as_bytes(), self.key_id.as_slice())), self.signature.clone()),
        };
        let (signer, key_id) = names.unwrap_or_default();
        let lens = [signer.len() as u8, key_id.len() as u8, 0, 0, 0];
        for part in [signer, key_id, &signature, &kind, &lens] {
            file.extend_from_slice(part);
        }
        file.extend((signature.len() as u32).to_be_bytes());
        file.extend_from_slice(b"~Module signature appended~\n");
    }

    /// What a reader finds.
    pub fn expected(&self) -> Signature<'_> {
        let (id_type, hash) = match self.form {
            Form::Pkcs7 { hash, .. } => ("PKCS#7", hash.expected()),
            Form::Plain => ("X509", Hash::Named("sha256")),
        };
        Signature { id_type, signer: self.signer.as_bytes(), key_id: &self.key_id, hash, signature: &self.signature }
    }

    /// A PKCS#7 message of one signer, without certificates.
    fn message(&self, hash: KnownHash, is_open: bool) -> Vec<u8> {
        let common_name = der(0x30, &[&[6, 3, 0x55, 4, 3], &der(0x0c, &[self.signer.as_bytes()])]);
        let issuer = der(0x30, &[&der(0x31, &[&common_name])]);
        let certificate = der(0x30, &[&issuer, &der(2, &[&self.key_id])]);
        let hash = der(0x30, &[&der(6, &[hash.identifier()]), NULL]);
        let rsa = der(0x30, &[&der(6, &[RSA_ENCRYPTION]), NULL]);
        let signer = der(0x30, &[&[2, 1, 1], &certificate, &hash, &rsa, &der(4, &[&self.signature])]);
        let contents = der(0x30, &[&der(6, &[DATA])]);
        let signed = der(0x30, &[&[2, 1, 1], &der(0x31, &[&hash]), &contents, &der(0x31, &[&signer])]);
        let content = [der(6, &[SIGNED_DATA]), der(0xa0, &[&signed])].concat();
        if is_open { [&[0x30, 0x80][..], &content, &[0, 0]].concat() } else { der(0x30, &[&content]) }
    }
}

impl KnownHash {
    const fn identifier(self) -> &'static [u8] {
        match self {
            Self::Sha256 => &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1],
            Self::Sha512 => &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3],
            Self::Unknown => UNKNOWN,
        }
    }

    const fn expected(self) -> Hash<'static> {
        match self {
            Self::Sha256 => Hash::Named("sha256"),
            Self::Sha512 => Hash::Named("sha512"),
            Self::Unknown => Hash::Identifier(UNKNOWN),
        }
    }
}

/// A value in DER: its tag, its length in as few bytes as it takes, its content.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let len = content.len();
    let head = match len {
        0..=0x7f => vec![tag, len as u8],
        0x80..=0xff => vec![tag, 0x81, len as u8],
        _ => vec![tag, 0x82, (len >> 8) as u8, len as u8],
    };
    [head, content].concat()
}
