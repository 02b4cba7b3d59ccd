//! The signature at the end of a signed module, as `scripts/sign-file` of the kernel appends it.
//!
//! ```text
//! ELF file | signer | key id | signature | trailer, 12 bytes | "~Module signature appended~\n"
//! trailer:  u8 algorithm, u8 hash, u8 id type, u8 signer length, u8 key id length, 3 zero bytes,
//!           u32 signature length, big endian
//! ```
//! With id type 2, the only one in use since 4.3, signer and key id are empty and the signature is a PKCS#7
//! message in DER, or in BER with lengths left open. Of that only the names are read here: nothing is verified.

use alloc::string::String;
use core::fmt::{self, Write as _};

use crate::bytes::nul;

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
    (&[0x2b, 0x24, 3, 2, 1], "ripemd160"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1], "sha256"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2], "sha384"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3], "sha512"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 4], "sha224"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 5], "sha512-224"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 6], "sha512-256"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 7], "sha3-224"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 8], "sha3-256"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 9], "sha3-384"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 10], "sha3-512"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 11], "shake128"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 12], "shake256"),
    (&[0x2a, 0x81, 0x1c, 0xcf, 0x55, 1, 0x83, 0x11], "sm3"),
];

const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];

/// Who signed a module, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature<'a> {
    /// How the key is named: `PGP`, `X509` or `PKCS#7`.
    pub id_type: &'static str,
    /// The signer's name.
    pub signer: &'a [u8],
    /// The key's identifier; with PKCS#7 the serial number of its certificate.
    pub key_id: &'a [u8],
    /// The hash.
    pub hash: Hash<'a>,
    /// The signature itself.
    pub signature: &'a [u8],
}

/// The hash whose value is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash<'a> {
    /// One of those that kernels use, by OpenSSL's name.
    Named(&'static str),
    /// Another, by the DER of its object identifier.
    Identifier(&'a [u8]),
}

impl fmt::Display for Hash<'_> {
    /// The name, or the identifier's numbers with dots between.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Identifier(identifier) => f.write_str(&dotted(identifier)),
        }
    }
}

/// An object identifier (X.690, section 8.19): each number in groups of seven bits, and the first two in one.
fn dotted(identifier: &[u8]) -> String {
    let (mut text, mut number) = (String::new(), 0u128);
    for byte in identifier {
        number = number << 7 | u128::from(byte & 0x7f);
        if *byte >= 0x80 {
            continue;
        }
        // Writing to a string does not fail.
        let _ = if text.is_empty() {
            let first = (number / 40).min(2);
            write!(text, "{first}.{}", number - 40 * first)
        } else {
            write!(text, ".{number}")
        };
        number = 0;
    }
    text
}

/// The file as the kernel's loader takes it: without what was appended to sign it. Without the mark it is all of it;
/// of a signature that the kernel cannot read, only the mark goes (`module_sig_check()` of `kernel/module/signing.c`).
pub fn signed_part(file: &[u8]) -> &[u8] {
    const PKCS7: u8 = 2;
    let Some(rest) = file.strip_suffix(MARK).filter(|rest| !rest.is_empty()) else { return file };
    let Some((before, &[_, _, PKCS7, _, _, _, _, _, len @ ..])) = rest.split_last_chunk::<TRAILER_BYTES>() else {
        return rest;
    };
    let signed = before.len().checked_sub(u32::from_be_bytes(len) as usize).filter(|signed| *signed > 0);
    signed.and_then(|signed| before.get(..signed)).unwrap_or(rest)
}

/// The signature of a file; None if it has none that can be read.
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
    if id_type == "PKCS#7" {
        return signer_info(signature);
    }
    Some(Signature { id_type, signer, key_id, hash: Hash::Named(hash), signature })
}

/// Whether a file ends as a signed one does, readable or not.
pub fn is_marked(file: &[u8]) -> bool {
    file.ends_with(MARK)
}

fn split_end(bytes: &[u8], len: usize) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(bytes.len().checked_sub(len)?)
}

/// Reads the first signer's entry of a PKCS#7 message (RFC 2315, sections 9.1 and 9.2). As OpenSSL does, it wants the
/// whole message to be as it should, but for certificates, of which a module has none.
fn signer_info(message: &[u8]) -> Option<Signature<'_>> {
    let content = Der(message).within(SEQUENCE, |outer| {
        (outer.identifier()? == SIGNED_DATA).then_some(())?;
        outer.take(CONTEXT_0)
    })?;
    Der(content).last(SEQUENCE, |signed| {
        signed.integer()?;
        signed.within(SET, |hashes| hashes.each(Der::algorithm))?;
        signed.within(SEQUENCE, |contents| {
            contents.identifier()?;
            contents.skip(CONTEXT_0)
        })?;
        signed.skip(CONTEXT_0)?;
        signed.skip(CONTEXT_1)?;
        let mut first = None;
        signed.within(SET, |signers| {
            signers.each(|signers| {
                let signer = signers.within(SEQUENCE, signer)?;
                first.get_or_insert(signer);
                Some(())
            })
        })?;
        first
    })
}

fn signer<'a>(info: &mut Der<'a>) -> Option<Signature<'a>> {
    info.integer()?;
    let (name, serial) = info.within(SEQUENCE, |certificate| {
        let name = certificate.within(SEQUENCE, common_name)?;
        Some((name, certificate.integer()?))
    })?;
    // To C a name ends at the first NUL.
    let signer = &name[..nul(name).unwrap_or(name.len())];
    let identifier = info.algorithm_identifier()?;
    info.skip(CONTEXT_0)?;
    info.algorithm()?;
    let signature = info.take(OCTETS)?;
    info.skip(CONTEXT_1)?;
    let named = HASH_IDENTIFIERS.iter().find(|(known, _)| *known == identifier);
    let hash = named.map_or(Hash::Identifier(identifier), |(_, name)| Hash::Named(name));
    let zeros = serial.iter().take_while(|byte| **byte == 0).count();
    Some(Signature { id_type: "PKCS#7", signer, key_id: serial.get(zeros..)?, hash, signature })
}

/// The first common name in a distinguished name, or its last part where there is none; of an empty one nothing.
fn common_name<'a>(name: &mut Der<'a>) -> Option<&'a [u8]> {
    let (mut common, mut last) = (None, None);
    name.each(|parts| {
        parts.within(SET, |part| {
            part.each(|part| {
                let (identifier, value) = part.within(SEQUENCE, |part| Some((part.identifier()?, part.string()?)))?;
                last = Some(value);
                if identifier == COMMON_NAME {
                    common.get_or_insert(value);
                }
                Some(())
            })
        })
    })?;
    Some(common.or(last).unwrap_or_default())
}

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const UNIVERSAL_STRING: u8 = 0x1c;
const BMP_STRING: u8 = 0x1e;
/// Numeric, printable, teletex and IA5 strings.
const OTHER_STRINGS: &[u8] = &[0x12, 0x13, 0x14, 0x16];
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const CONTEXT_0: u8 = 0xa0;
const CONTEXT_1: u8 = 0xa1;

/// Values one after the other, each a tag, a length and its content.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next value's tag and content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, len) = self.header()?;
        let content = match len {
            Some(len) => self.split(len)?,
            None => self.split_at_end()?,
        };
        Some((tag, content))
    }

    /// The next tag and length, which is None where it is left open, as DER forbids and OpenSSL reads.
    fn header(&mut self) -> Option<(u8, Option<usize>)> {
        let (&[tag, first], rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        let len = match first {
            0..=0x7f => Some(usize::from(first)),
            0x80 => None,
            // No content here is longer than four bytes can count.
            0x81..=0x84 => {
                let digits = self.split(usize::from(first & 0x7f))?;
                Some(digits.iter().fold(0, |len, digit| len << 8 | usize::from(*digit)))
            }
            _ => return None,
        };
        Some((tag, len))
    }

    fn split(&mut self, len: usize) -> Option<&'a [u8]> {
        let (content, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(content)
    }

    /// The values up to the mark that ends those of a length left open: a tag and a length of zero.
    fn split_at_end(&mut self) -> Option<&'a [u8]> {
        let (start, mut open) = (self.0, 1_usize);
        loop {
            let before = start.len() - self.0.len();
            match self.header()? {
                (0, Some(0)) if open == 1 => return start.get(..before),
                (0, Some(0)) => open -= 1,
                (_, Some(len)) => _ = self.split(len)?,
                (_, None) => open += 1,
            }
        }
    }

    /// The content of the next value, which must have this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|next| next.0 == tag).map(|(_, content)| content)
    }

    /// What `read` makes of the content of the next value, which must have this tag and is to be read to its end.
    fn within<T>(&mut self, tag: u8, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let mut content = Der(self.take(tag)?);
        let value = read(&mut content)?;
        content.0.is_empty().then_some(value)
    }

    /// As [`Der::within`], of a value after which nothing follows.
    fn last<T>(mut self, tag: u8, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let value = self.within(tag, read)?;
        self.0.is_empty().then_some(value)
    }

    /// Reads to the end.
    fn each(&mut self, mut read: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        while !self.0.is_empty() {
            read(self)?;
        }
        Some(())
    }

    /// Passes over the next value if it has this tag.
    fn skip(&mut self, tag: u8) -> Option<()> {
        if self.0.first() == Some(&tag) {
            self.next()?;
        }
        Some(())
    }

    /// A number that is not longer than it has to be.
    fn integer(&mut self) -> Option<&'a [u8]> {
        let number = self.take(INTEGER)?;
        match number {
            [] | [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => None,
            _ => Some(number),
        }
    }

    /// An object identifier: whole numbers, none of which begins with zeros.
    fn identifier(&mut self) -> Option<&'a [u8]> {
        let identifier = self.take(IDENTIFIER)?;
        let mut starts = true;
        for byte in identifier {
            if starts && *byte == 0x80 {
                return None;
            }
            starts = *byte < 0x80;
        }
        (starts && !identifier.is_empty()).then_some(identifier)
    }

    /// An algorithm, with a parameter or without.
    fn algorithm_identifier(&mut self) -> Option<&'a [u8]> {
        self.within(SEQUENCE, |algorithm| {
            let identifier = algorithm.identifier()?;
            if !algorithm.0.is_empty() {
                algorithm.next()?;
            }
            Some(identifier)
        })
    }

    fn algorithm(&mut self) -> Option<()> {
        self.algorithm_identifier().map(|_| ())
    }

    /// A part of a name, which may be of any kind that holds letters.
    fn string(&mut self) -> Option<&'a [u8]> {
        let (tag, content) = self.next()?;
        let is_sound = match tag {
            UTF8_STRING => core::str::from_utf8(content).is_ok(),
            UNIVERSAL_STRING => content.len().is_multiple_of(4),
            BMP_STRING => content.len().is_multiple_of(2),
            _ => OTHER_STRINGS.contains(&tag),
        };
        is_sound.then_some(content)
    }
}

#[cfg(test)]
mod tests {
    use alloc::{string::ToString as _, vec, vec::Vec};

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
            der(SEQUENCE, &[&der(IDENTIFIER, &[b"data"])]),
            der(CONTEXT_0, &[b"certificates"]),
            der(SET, &[&info]),
        ];
        let signed = der(SEQUENCE, &[&signed.concat()]);
        der(SEQUENCE, &[&der(IDENTIFIER, &[SIGNED_DATA]), &der(CONTEXT_0, &[&signed])])
    }

    /// A signed file: hash number and id type, and what lies before the trailer.
    fn file(hash: u8, id_type: u8, signer: &[u8], key_id: &[u8], signature: &[u8]) -> Vec<u8> {
        let trailer = [1, hash, id_type, signer.len() as u8, key_id.len() as u8, 0, 0, 0];
        let len = (signature.len() as u32).to_be_bytes();
        [b"ELF", signer, key_id, signature, &trailer, &len, MARK].concat()
    }

    const SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];

    #[test]
    fn a_loader_takes_a_file_without_what_was_appended() {
        let cut = |before: &[u8], id_type: u8, len: u32| {
            let trailer = [0, 0, id_type, 0, 0, 0, 0, 0];
            let file = [before, &trailer, &len.to_be_bytes(), MARK].concat();
            signed_part(&file).len()
        };
        assert_eq!(cut(b"ELFsig", 2, 3), 3);
        assert_eq!(cut(b"ELFsig", 2, 5), 1);
        // Where it cannot be what was signed, only the mark goes.
        assert_eq!([cut(b"ELFsig", 1, 3), cut(b"ELFsig", 2, 6), cut(b"ELFsig", 2, 7)], [18; 3]);
        assert_eq!(cut(b"", 2, 0), 12);
        assert_eq!(signed_part(&[b"ELF", MARK].concat()), b"ELF");
        assert_eq!([signed_part(b"ELF"), signed_part(MARK)], [b"ELF", MARK]);
    }

    #[test]
    fn a_pkcs7_message_names_signer_key_and_hash() {
        let issuer = der(SEQUENCE, &[&name_part(&[0x55, 4, 10], b"Maker"), &name_part(COMMON_NAME, b"Key")]);
        let message = message(&issuer, SHA256, &[7; 300]);
        let expected = Signature {
            id_type: "PKCS#7",
            signer: b"Key",
            key_id: &[0x8f, 1],
            hash: Hash::Named("sha256"),
            signature: &[7; 300],
        };
        assert_eq!(of(&file(0, 2, b"", b"", &message)), Some(expected));
        // The key's number is no longer than it has to be.
        let number = message.windows(3).position(|bytes| *bytes == [0, 0x8f, 1]).unwrap();
        for longer in [[0, 0x7f, 1], [0xff, 0x80, 1]] {
            let mut message = message.clone();
            message[number..number + 3].copy_from_slice(&longer);
            assert_eq!(of(&file(0, 2, b"", b"", &message)), None);
        }
    }

    #[test]
    fn without_a_common_name_the_last_part_is_the_signer() {
        let issuer = der(SEQUENCE, &[&name_part(&[0x55, 4, 6], b"XX"), &name_part(&[0x55, 4, 10], b"Maker")]);
        let file = file(0, 2, b"", b"", &message(&issuer, &[0x60, 0x86, 0x48, 1, 0x9e, 4], b"s"));
        let found = of(&file).unwrap();
        assert_eq!((found.signer, found.hash.to_string().as_str()), (&b"Maker"[..], "2.16.840.1.3844"));
    }

    #[track_caller]
    fn check_signer(issuer: &[&[u8]], expected: &str) {
        let file = file(0, 2, b"", b"", &message(&der(SEQUENCE, issuer), SHA256, b"s"));
        assert_eq!(of(&file).map(|found| found.signer), Some(expected.as_bytes()));
    }

    #[test]
    fn the_signer_is_the_first_common_name_wherever_it_is() {
        check_signer(&[&name_part(COMMON_NAME, b"one"), &name_part(COMMON_NAME, b"two")], "one");
        check_signer(&[&name_part(COMMON_NAME, b"cut\0here")], "cut");
        check_signer(&[], "");
        let one_of_set = |identifier, text: &[u8]| name_part(identifier, text)[2..].to_vec();
        let [maker, unit] = [one_of_set(&[0x55, 4, 10], b"Maker"), one_of_set(&[0x55, 4, 11], b"Unit")];
        check_signer(&[&der(SET, &[&maker, &one_of_set(COMMON_NAME, b"Key"), &unit])], "Key");
    }

    #[test]
    fn letters_of_a_name_are_whole() {
        for (tag, text, is_sound) in [
            (UTF8_STRING, &b"\xc3\xa4"[..], true),
            (UTF8_STRING, b"\xc3", false),
            (UNIVERSAL_STRING, b"four", true),
            (UNIVERSAL_STRING, b"three", false),
            (BMP_STRING, b"two-", true),
            (BMP_STRING, b"one", false),
            (0x13, b"printable", true),
            (OCTETS, b"no letters", false),
        ] {
            let part = der(SET, &[&der(SEQUENCE, &[&der(IDENTIFIER, &[COMMON_NAME]), &der(tag, &[text])])]);
            let file = file(0, 2, b"", b"", &message(&der(SEQUENCE, &[&part]), SHA256, b"s"));
            assert_eq!(of(&file).map(|found| found.signer), is_sound.then_some(text), "{tag:#x} {text:?}");
        }
    }

    /// The same value with its length left open.
    fn open(value: &[u8]) -> Vec<u8> {
        let (tag, content) = Der(value).next().unwrap();
        [&[tag, 0x80], content, &[0, 0]].concat()
    }

    #[test]
    fn lengths_may_be_left_open() {
        let issuer = open(&der(SEQUENCE, &[&open(&name_part(COMMON_NAME, b"Key"))]));
        let file = file(0, 2, b"", b"", &open(&message(&issuer, SHA256, b"sig")));
        assert_eq!(of(&file).map(|found| (found.signer, found.signature)), Some((&b"Key"[..], &b"sig"[..])));
    }

    #[test]
    fn a_message_that_is_cut_is_no_signature() {
        let issuer = der(SEQUENCE, &[&name_part(COMMON_NAME, b"Key")]);
        let whole = message(&issuer, SHA256, b"sig");
        for whole in [open(&whole), whole] {
            for len in 0..whole.len() {
                assert_eq!(of(&file(0, 2, b"", b"", &whole[..len])), None, "{len}");
            }
        }
    }

    #[test]
    fn nothing_may_follow_inside_a_message() {
        let issuer = der(SEQUENCE, &[&name_part(COMMON_NAME, b"Key")]);
        for (issuer, extra, is_read) in [
            (&issuer, &b""[..], true),
            (&issuer, b"x", false),
            (&der(SEQUENCE, &[&issuer, b"\x05\0"]), b"", false),
            (&der(SEQUENCE, &[&name_part(COMMON_NAME, b"Key"), b"\x05"]), b"", false),
            (&der(SEQUENCE, &[&name_part(&[0x55, 0x80], b"Key")]), b"", false),
        ] {
            let whole = message(issuer, SHA256, b"sig");
            let longer = der(SEQUENCE, &[Der(&whole).take(SEQUENCE).unwrap(), extra]);
            assert_eq!(of(&file(0, 2, b"", b"", &longer)).is_some(), is_read, "{issuer:x?}");
        }
    }

    #[test]
    fn identifiers_are_numbers_with_dots() {
        for (identifier, text) in [
            (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d][..], "1.2.840.113549"),
            (&[0x55, 4, 3], "2.5.4.3"),
            (&[0x88, 0x37, 0], "2.999.0"),
            (&[0], "0.0"),
        ] {
            assert_eq!(dotted(identifier), text);
        }
    }

    #[test]
    fn the_old_types_have_their_names_beside_them() {
        let signed = file(4, 1, b"Me", &[1, 2], b"sig");
        let expected = Signature {
            id_type: "X509",
            signer: b"Me",
            key_id: &[1, 2],
            hash: Hash::Named("sha256"),
            signature: b"sig",
        };
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
        for id_type in [1, 2] {
            let mut too_long = file(0, id_type, b"", b"", b"sig");
            let at = too_long.len() - MARK.len() - 4;
            too_long[at] = 0xff;
            assert_eq!(of(&too_long), None);
        }
    }
}
