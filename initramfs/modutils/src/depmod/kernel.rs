//! The kernel's own symbols, which `-e` checks modules against: from `Module.symvers` or from `System.map`.

use std::{fs, io};

use crate::log::Log;

use super::{facts::Symbol, graph::Prefix};

/// Names that no table has: the loader makes them up, or the linker of some architectures does.
const MADE_UP: [&[u8]; 3] = [b"__this_module", b"_GLOBAL_OFFSET_TABLE_", b"TOC."];

/// Lines longer than this are read in pieces, bytes: kmod's limit.
const LINE_BYTES_MAX: usize = 10240 - 1;

/// The symbols, with their checksums where the file has them.
pub(super) struct Kernel {
    text: Vec<u8>,
    is_symvers: bool,
}

impl Kernel {
    /// `CRC NAME vmlinux EXPORT...`, a line for each symbol of the kernel and its modules.
    pub(super) fn symvers(path: &str) -> io::Result<Self> {
        Ok(Self { text: fs::read(path)?, is_symvers: true })
    }

    /// `ADDRESS TYPE NAME`, a line for each symbol; exported are those with a `__ksymtab_` entry.
    pub(super) fn system_map(path: &str) -> io::Result<Self> {
        Ok(Self { text: fs::read(path)?, is_symvers: false })
    }

    /// Whether checksums are known.
    pub(super) fn has_crcs(&self) -> bool {
        self.is_symvers
    }

    /// All symbols, last those that are not in the file. Lines that do not fit are told of.
    ///
    /// `prefix` is what the architecture's compiler puts before each name.
    pub(super) fn symbols<'a>(&'a self, log: &Log, path: &str, prefix: Prefix) -> Vec<Symbol<'a>> {
        let mut symbols: Vec<Symbol<'a>> = Vec::new();
        for (line, number) in lines(&self.text).zip(1..) {
            let read = if self.is_symvers { versioned(line, prefix) } else { mapped(line, prefix) };
            match read {
                Ok(symbol) => symbols.extend(symbol),
                Err(what) => log.error(format_args!("{path}:{number}{what}")),
            }
        }
        symbols.extend(MADE_UP.map(|name| Symbol { name, crc: 0, is_weak: false }));
        symbols
    }
}

/// Lines, each with its line break.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').flat_map(|line| line.chunks(LINE_BYTES_MAX))
}

/// A line of `Module.symvers`; None for a symbol that is not the kernel's own, and for a line that lacks words.
fn versioned(line: &[u8], prefix: Prefix) -> Result<Option<Symbol<'_>>, String> {
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    let (Some(version), Some(name), Some(b"vmlinux")) = (words.next(), words.next(), words.next()) else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(version);
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(&text);
    match u32::from_str_radix(digits, 16) {
        Ok(crc) => Ok(Some(Symbol { name: prefix.strip(name), crc, is_weak: false })),
        Err(_) => Err(format!(" Invalid symbol version {text}: not a hexadecimal number")),
    }
}

/// A line of `System.map`; None for a symbol that is not exported.
fn mapped(line: &[u8], prefix: Prefix) -> Result<Option<Symbol<'_>>, String> {
    let name = line.splitn(3, |byte| *byte == b' ').nth(2);
    let name = name.ok_or_else(|| format!(": invalid line: {}", String::from_utf8_lossy(line)))?;
    let name = prefix.strip(name).strip_prefix(b"__ksymtab_").map(|name| name.strip_suffix(b"\n").unwrap_or(name));
    Ok(name.map(|name| Symbol { name, crc: 0, is_weak: false }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Priority;

    fn names(text: &str, is_symvers: bool) -> Vec<(String, u32)> {
        let kernel = Kernel { text: text.into(), is_symvers };
        let symbols = kernel.symbols(&Log::new("depmod", Priority::Fatal), "file", Prefix::default());
        let (found, made_up) = symbols.split_at(symbols.len() - MADE_UP.len());
        assert_eq!(made_up.iter().map(|symbol| symbol.name).collect::<Vec<_>>(), MADE_UP);
        found.iter().map(|symbol| (String::from_utf8_lossy(symbol.name).into_owned(), symbol.crc)).collect()
    }

    #[test]
    fn only_the_kernels_own_symbols_count() {
        let text = "0x12\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n1f a vmlinux x\nzz b vmlinux x\n0x1\tc\tlib/x\ty\nd\n\n";
        assert_eq!(names(text, true), [("printk".into(), 0x12), ("a".into(), 0x1f)]);
        assert_eq!(
            versioned(b"zz b vmlinux x", Prefix::default()).unwrap_err(),
            " Invalid symbol version zz: not a hexadecimal number"
        );
    }

    #[test]
    fn only_exported_symbols_of_a_map_count() {
        let text = "c0 R __ksymtab_a\nc0 T a\nbad\nc0 r __ksymtab_b";
        assert_eq!(names(text, false), [("a".into(), 0), ("b".into(), 0)]);
        assert_eq!(mapped(b"bad\n", Prefix::default()).unwrap_err(), ": invalid line: bad\n");
    }
}
