//! Target `signature`: the bytes as the end of a signed module, and as a PKCS#7 message behind which the rest is put.

use modfile::signature::{self, Hash, Signature};

use crate::{
    Seed,
    promises::borrows,
    signing::{Form, KnownHash, Signing},
};

/// Reads the bytes both ways and checks what the reader promises.
pub fn check(data: &[u8]) {
    check_file(data);
    let len = (data.len() as u32).to_be_bytes();
    check_file(&[data, &[0, 0, 2, 0, 0, 0, 0, 0], &len, b"~Module signature appended~\n"].concat());
}

fn check_file(file: &[u8]) {
    let Some(found) = signature::of(file) else { return };
    assert!(signature::is_marked(file));
    check_parts(file, &found);
    // Only the end of the file counts.
    let longer = [b"more", file].concat();
    let again = signature::of(&longer);
    assert_eq!(again, Some(found));
}

fn check_parts(file: &[u8], found: &Signature<'_>) {
    let Signature { id_type, signer, key_id, hash, signature } = *found;
    assert!(borrows(file, signer) && borrows(file, key_id) && borrows(file, signature));
    assert!(["PGP", "X509", "PKCS#7"].contains(&id_type));
    assert!(id_type != "PKCS#7" || !signer.contains(&0), "a name ends at its first NUL");
    let shown = hash.to_string();
    if let Hash::Identifier(identifier) = hash {
        assert!(borrows(file, identifier) && !identifier.is_empty());
        // X.660: at the top there are three numbers.
        assert!(shown.split('.').next().is_some_and(|first| ["0", "1", "2"].contains(&first)), "{shown}");
        // Seven bits give at most three digits, and a number has at least one byte.
        assert!(shown.len() <= 4 * identifier.len() + 4 && shown.bytes().all(|byte| b".0123456789".contains(&byte)));
    }
}

/// Every form of a signature, as the end of a file and as a message.
pub fn seeds() -> Vec<Seed> {
    let forms = [
        ("pkcs7", Form::Pkcs7 { hash: KnownHash::Sha256, is_open: false }),
        ("pkcs7-open", Form::Pkcs7 { hash: KnownHash::Sha512, is_open: true }),
        ("pkcs7-unknown-hash", Form::Pkcs7 { hash: KnownHash::Unknown, is_open: false }),
        ("plain", Form::Plain),
    ];
    let signed = |form| {
        let mut file = Vec::new();
        Signing { form, ..Signing::example() }.append(&mut file);
        file
    };
    let files = forms.iter().map(|(name, form)| ((*name).to_owned(), signed(*form)));
    let message = |form| signed(form).strip_suffix(b"~Module signature appended~\n").map(|rest| rest[..rest.len() - 12].to_vec());
    let messages = forms[..3].iter().filter_map(|(name, form)| Some((format!("message-{name}"), message(*form)?)));
    files.chain(messages).collect()
}
