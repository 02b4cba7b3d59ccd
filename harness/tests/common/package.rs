//! Debian packages, made on the spot.

use modrig::cache::Digest;

/// A `.deb` with these files.
pub(crate) fn deb(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("./{name}"), *bytes).unwrap();
    }
    let data = tar.into_inner().unwrap().finish().unwrap();
    let mut deb = ar::Builder::new(Vec::new());
    deb.append(&ar::Header::new(b"debian-binary".to_vec(), 4), &b"2.0\n"[..]).unwrap();
    deb.append(&ar::Header::new(b"data.tar.gz".to_vec(), data.len() as u64), &data[..]).unwrap();
    deb.into_inner().unwrap()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Digest::of_stream(bytes).unwrap().to_string()
}
