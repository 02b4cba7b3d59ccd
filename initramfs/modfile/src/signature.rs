//! The signature at the end of a signed module, as `scripts/sign-file` of the kernel appends it.
//!
//! ```text
//! ELF file | signer | key id | signature | trailer, 12 bytes | "~Module signature appended~\n"
//! trailer:  u8 algorithm, u8 hash, u8 id type, u8 signer length, u8 key id length, 3 zero bytes,
//!           u32 signature length, big endian
//! ```
//! With id type 2, the only one in use since 4.3, signer and key id are empty and the signature is a PKCS#7
//! message in DER. Of that only the names are read here: nothing is verified.

const MARK: &[u8] = b"~Module signature appended~\n";
const TRAILER_BYTES: usize = 12;

/// How many algorithms the trailer's number can mean: DSA and RSA.
const ALGORITHMS: u8 = 2;

/// Hashes by the number in the trailer.
const HASHES: &[&str] = &["md4", "md5", "sha1", "rmd160", "sha256", "sha384", "sha512", "sha224", "sm3"];

/// Hashes by the DER of their object identifier, under OpenSSL's names.
const HASH_IDENTIFIERS: &[(&[u8], &str)] = &[
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 4], "md4"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 5], "md5"),
    (&[0x2b, 0x0e, 3, 2, 0x1a], "sha1"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1], "sha256"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2], "sha384"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3], "sha512"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 4], "sha224"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 8], "sha3-256"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 9], "sha3-384"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 10], "sha3-512"),
    (&[0x2a, 0x81, 0x1c, 0xcf, 0x55, 1, 0x83, 0x11], "sm3"),
];

const COMMON_NAME: &[u8] = &[0x55, 4, 3];

/// Who signed a module, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature<'a> {
    /// How the key is named: `PGP`, `X509` or `PKCS#7`.
    pub id_type: &'static str,
    /// The signer's name.
    pub signer: &'a [u8],
    /// The key's identifier; with PKCS#7 the serial number of its certificate.
    pub key_id: &'a [u8],
    /// The hash's name, or `unknown`.
    pub hash: &'static str,
    /// The signature itself.
    pub signature: &'a [u8],
}

/// The signature of a file; None if it has none that can be told apart. A PKCS#7 message that cannot be read is
/// a signature without names.
pub fn of(file: &[u8]) -> Option<Signature<'_>> {
    let (rest, trailer) = file.strip_suffix(MARK)?.split_last_chunk::<TRAILER_BYTES>()?;
    let &[algorithm, hash, id_type, signer_len, key_id_len, _, _, _, len @ ..] = trailer;
    let (rest, signature) = split_end(rest, u32::from_be_bytes(len).try_into().ok()?)?;
    let (rest, key_id) = split_end(rest, key_id_len.into())?;
    let (_, signer) = split_end(rest, signer_len.into())?;
    let id_type = *["PGP", "X509", "PKCS#7"].get(usize::from(id_type))?;
    let hash = *HASHES.get(usize::from(hash))?;
    if algorithm >= ALGORITHMS || signature.is_empty() {
        return None;
    }
    let named = Signature { id_type, signer, key_id, hash, signature };
    if id_type != "PKCS#7" {
        return Some(named);
    }
    let unnamed = Signature { id_type, signer: &[], key_id: &[], hash: "unknown", signature: &[] };
    Some(signer_info(signature).unwrap_or(unnamed))
}

/// Whether a file ends as a signed one does, readable or not.
pub fn is_marked(file: &[u8]) -> bool {
    file.ends_with(MARK)
}

fn split_end(bytes: &[u8], len: usize) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(bytes.len().checked_sub(len)?)
}

/// Reads the first signer's entry of a PKCS#7 message (RFC 2315, sections 9.1 and 9.2).
fn signer_info(message: &[u8]) -> Option<Signature<'_>> {
    let mut content = Der(Der(message).take(SEQUENCE)?);
    content.take(IDENTIFIER)?;
    let mut signed = Der(Der(content.take(CONTEXT_0)?).take(SEQUENCE)?);
    signed.take(INTEGER)?;
    signed.take(SET)?;
    signed.take(SEQUENCE)?;
    signed.skip(CONTEXT_0);
    signed.skip(CONTEXT_1);
    let mut info = Der(Der(signed.take(SET)?).take(SEQUENCE)?);
    info.take(INTEGER)?;
    let mut issuer_and_serial = Der(info.take(SEQUENCE)?);
    let signer = common_name(issuer_and_serial.take(SEQUENCE)?)?;
    let serial = issuer_and_serial.take(INTEGER)?;
    let identifier = Der(info.take(SEQUENCE)?).take(IDENTIFIER)?;
    info.skip(CONTEXT_0);
    info.take(SEQUENCE)?;
    let signature = info.take(OCTETS)?;
    let hash = HASH_IDENTIFIERS.iter().find(|(known, _)| *known == identifier).map_or("unknown", |(_, name)| name);
    let zeros = serial.iter().take_while(|byte| **byte == 0).count();
    Some(Signature { id_type: "PKCS#7", signer, key_id: serial.get(zeros..)?, hash, signature })
}

/// The common name in a distinguished name, or its last part where there is none.
fn common_name(name: &[u8]) -> Option<&[u8]> {
    let (mut parts, mut last) = (Der(name), None);
    while !parts.0.is_empty() {
        let mut part = Der(Der(parts.take(SET)?).take(SEQUENCE)?);
        let identifier = part.take(IDENTIFIER)?;
        let (_, value) = part.next()?;
        last = Some(value);
        if identifier == COMMON_NAME {
            break;
        }
    }
    last
}

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const CONTEXT_0: u8 = 0xa0;
const CONTEXT_1: u8 = 0xa1;

/// Values one after the other, each a tag, a length and its content.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next value's tag and content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], rest) = self.0.split_first_chunk()?;
        let (len, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // DER has no indefinite length, and no content here is longer than four bytes can count.
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (digits.iter().fold(0, |len, digit| len << 8 | usize::from(*digit)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The content of the next value, which must have this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|next| next.0 == tag).map(|(_, content)| content)
    }

    /// Passes over the next value if it has this tag.
    fn skip(&mut self, tag: u8) {
        if self.0.first() == Some(&tag) {
            self.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;

    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let len = content.len();
        let header = if len < 0x80 { vec![tag, len as u8] } else { vec![tag, 0x82, (len >> 8) as u8, len as u8] };
        [header, content].concat()
    }

    fn name_part(identifier: &[u8], text: &[u8]) -> Vec<u8> {
        der(SET, &[&der(SEQUENCE, &[&der(IDENTIFIER, &[identifier]), &der(0x0c, &[text])])])
    }

    fn message(issuer: &[u8], hash: &[u8], signature: &[u8]) -> Vec<u8> {
        let algorithm = der(SEQUENCE, &[&der(IDENTIFIER, &[hash])]);
        let certificate = der(SEQUENCE, &[issuer, &der(INTEGER, &[&[0, 0x8f, 1]])]);
        let info = [&der(INTEGER, &[&[1]]), &certificate, &algorithm, &algorithm, &der(OCTETS, &[signature])];
        let info = der(SEQUENCE, &info.map(Vec::as_slice));
        let signed = [
            der(INTEGER, &[&[1]]),
            der(SET, &[&algorithm]),
            der(SEQUENCE, &[]),
            der(CONTEXT_0, &[b"certificates"]),
            der(SET, &[&info]),
        ];
        let signed = der(SEQUENCE, &[&signed.concat()]);
        der(SEQUENCE, &[&der(IDENTIFIER, &[b"signed"]), &der(CONTEXT_0, &[&signed])])
    }

    /// A signed file: hash number and id type, and what lies before the trailer.
    fn file(hash: u8, id_type: u8, signer: &[u8], key_id: &[u8], signature: &[u8]) -> Vec<u8> {
        let trailer = [1, hash, id_type, signer.len() as u8, key_id.len() as u8, 0, 0, 0];
        let len = (signature.len() as u32).to_be_bytes();
        [b"ELF", signer, key_id, signature, &trailer, &len, MARK].concat()
    }

    const SHA256: &[u8] = HASH_IDENTIFIERS[3].0;

    #[test]
    fn a_pkcs7_message_names_signer_key_and_hash() {
        let issuer = der(SEQUENCE, &[&name_part(&[0x55, 4, 10], b"Maker"), &name_part(COMMON_NAME, b"Key")]);
        let message = message(&issuer, SHA256, &[7; 300]);
        let expected =
            Signature { id_type: "PKCS#7", signer: b"Key", key_id: &[0x8f, 1], hash: "sha256", signature: &[7; 300] };
        assert_eq!(of(&file(0, 2, b"", b"", &message)), Some(expected));
    }

    #[test]
    fn without_a_common_name_the_last_part_is_the_signer() {
        let issuer = der(SEQUENCE, &[&name_part(&[0x55, 4, 6], b"XX"), &name_part(&[0x55, 4, 10], b"Maker")]);
        let file = file(0, 2, b"", b"", &message(&issuer, b"other", b"s"));
        let found = of(&file).unwrap();
        assert_eq!((found.signer, found.hash), (&b"Maker"[..], "unknown"));
    }

    #[test]
    fn a_damaged_message_is_a_signature_without_names() {
        let issuer = der(SEQUENCE, &[&name_part(COMMON_NAME, b"Key")]);
        let message = message(&issuer, SHA256, b"sig");
        let unnamed = Signature { id_type: "PKCS#7", signer: b"", key_id: b"", hash: "unknown", signature: b"" };
        for len in 1..message.len() {
            assert_eq!(of(&file(0, 2, b"", b"", &message[..len])), Some(unnamed), "{len}");
        }
    }

    #[test]
    fn the_old_types_have_their_names_beside_them() {
        let signed = file(4, 1, b"Me", &[1, 2], b"sig");
        let expected = Signature { id_type: "X509", signer: b"Me", key_id: &[1, 2], hash: "sha256", signature: b"sig" };
        assert_eq!(of(&signed), Some(expected));
    }

    #[test]
    fn what_does_not_fit_is_no_signature() {
        assert_eq!(of(b"ELF"), None);
        assert_eq!(of(MARK), None);
        assert_eq!(of(&file(0, 3, b"", b"", b"sig")), None);
        assert_eq!(of(&file(9, 1, b"", b"", b"sig")), None);
        assert_eq!(of(&file(0, 2, b"", b"", b"")), None);
        let mut unknown_algorithm = file(0, 1, b"", b"", b"sig");
        unknown_algorithm[b"ELFsig".len()] = 2;
        assert_eq!(of(&unknown_algorithm), None);
        let mut too_long = file(0, 2, b"", b"", b"sig");
        let at = too_long.len() - MARK.len() - 4;
        too_long[at] = 0xff;
        assert_eq!(of(&too_long), None);
    }
}
