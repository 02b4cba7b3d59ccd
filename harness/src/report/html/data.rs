//! The evidence as the page carries it: JSON of the records, compressed, as text.

use std::io::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::{Compression, write::ZlibEncoder};

use crate::{
    error::{Context as _, Result},
    report::{Record, Verdict},
    text,
};

/// Room for it in the page, bytes.
const BYTES_MAX: usize = 1_000_000;

/// How much of a record's texts goes into the page, bytes.
struct Share {
    passed_log: usize,
    other_log: usize,
    output: usize,
}

/// The first one that fits is taken.
const SHARES: [Share; 4] = [
    Share { passed_log: 4096, other_log: Record::LOG_BYTES_MAX, output: 2048 },
    Share { passed_log: 1024, other_log: 8192, output: 512 },
    Share { passed_log: 256, other_log: 1024, output: 128 },
    Share { passed_log: 0, other_log: 256, output: 0 },
];

/// The data, and what was shortened for it, in words for a person.
pub(super) fn of(records: &[&Record]) -> Result<(String, String)> {
    for (number, share) in SHARES.iter().enumerate() {
        let records: Vec<Record> = records.iter().map(|record| shortened(record, share)).collect();
        let data = packed(&records)?;
        if data.len() <= BYTES_MAX {
            let note = if number == 0 { "" } else { "Evidence was shortened to keep this page small." };
            return Ok((data, note.into()));
        }
    }
    Ok((packed(&[])?, "Evidence was shortened to nothing: the records are too many.".into()))
}

fn shortened(record: &Record, share: &Share) -> Record {
    let mut record = record.clone();
    let log = if record.verdict == Verdict::Passed { share.passed_log } else { share.other_log };
    record.log = text::cut(&record.log, log);
    if let Verdict::Failed { why, log: around } = &mut record.verdict {
        *why = text::cut(why, log);
        *around = text::cut(around, log);
    }
    for step in &mut record.steps {
        step.output = text::cut(&step.output, share.output);
        step.error = text::cut(&step.error, share.output);
    }
    record
}

fn packed(records: &[Record]) -> Result<String> {
    let failed = || "cannot pack the records";
    let json = serde_json::to_vec(records).context(failed)?;
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&json).context(failed)?;
    Ok(BASE64_STANDARD.encode(encoder.finish().context(failed)?))
}
