//! The kernel's log, from `/dev/kmsg`: unlike the console it is complete, and in order with what we do.

use std::{
    fs::File,
    io::{self, ErrorKind, Read as _, Seek as _, SeekFrom},
    os::unix::fs::OpenOptionsExt as _,
};

/// One record is at most this long, its prefix included: the kernel's `PRINTK_MESSAGE_MAX`, 2048, and the
/// older `CONSOLE_EXT_LOG_MAX`, 8192.
const RECORD_BYTES_MAX: usize = 8192;

/// Reads records that were logged after it was opened.
#[derive(Debug)]
pub struct Reader {
    file: File,
}

impl Reader {
    /// Begins at the log's end.
    ///
    /// # Errors
    /// There is no `/dev/kmsg`, or it is not for this user.
    pub fn open() -> io::Result<Self> {
        let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg")?;
        let mut reader = Self { file };
        reader.skip()?;
        Ok(reader)
    }

    /// Leaves out what was logged until now.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn skip(&mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::End(0)).map(drop)
    }

    /// The texts of new records, up to `bytes_max` in all; the next call goes on behind them.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn new_records(&mut self, bytes_max: usize) -> io::Result<Vec<String>> {
        let mut texts = Vec::new();
        let mut total = 0;
        let mut record = [0; RECORD_BYTES_MAX];
        while total < bytes_max {
            match self.file.read(&mut record) {
                Ok(n) => {
                    let text = text_of(&record[..n]);
                    total += text.len();
                    texts.push(text);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // The log wrapped around before we read it; the next read continues with the oldest record.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
                Err(error) => return Err(error),
            }
        }
        Ok(texts)
    }
}

/// `prefix;text\n KEY=value...` without prefix and dictionary.
fn text_of(record: &[u8]) -> String {
    let record = String::from_utf8_lossy(record);
    let text = record.split_once(';').map_or(&*record, |(_, text)| text);
    text.lines().next().unwrap_or_default().to_owned()
}
