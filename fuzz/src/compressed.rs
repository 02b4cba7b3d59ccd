//! Target `compressed`: the bytes as a compressed module's file.

use modutils::compress::{MAGIC_BYTES, compression, unpack_within};

use crate::{Seed, plan::Plan};

/// A module of this size is enough to reach everything; larger ones only take time.
const LIMIT: usize = 1 << 20;

/// Unpacks the bytes and checks what the reader promises.
pub fn check(data: &[u8]) {
    let mut module = Vec::new();
    let unpacked = unpack_within(data, &mut module, LIMIT as u64);
    let kind = compression(data);
    assert_eq!(kind, compression(&data[..data.len().min(MAGIC_BYTES)]), "the first bytes tell");
    match unpacked {
        Ok(()) => {
            assert!(module.len() <= LIMIT.max(data.len()));
            assert!(kind.is_some() || module == data, "a plain file stays as it is");
        }
        Err(error) => assert!(kind.is_some_and(|kind| error.to_string().starts_with(kind)), "{error}"),
    }
}

/// A module in each of the three formats.
pub fn seeds() -> Vec<Seed> {
    use std::io::Write as _;
    let module = Plan::named("packed", modfile::elf::Layout::ELF64_LE).build();
    let gzip = || {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&module).and_then(|()| encoder.finish())
    };
    let xz = || {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
        encoder.write_all(&module).and_then(|()| encoder.finish())
    };
    let zstd = ruzstd::encoding::compress_to_vec(module.as_slice(), ruzstd::encoding::CompressionLevel::Fastest);
    let made = "memory can be written to";
    [("gzip", gzip().expect(made)), ("xz", xz().expect(made)), ("zstd", zstd), ("plain", module.clone())]
        .map(|(name, bytes)| (name.to_owned(), bytes))
        .into()
}
