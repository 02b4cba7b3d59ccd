//! How fast modules are read, by this crate and by others: section headers with names, the `key=value` strings of
//! `.modinfo`, and every symbol with its name.
//!
//! ```text
//! cargo bench -p modfile -- /lib/modules/RELEASE        or MODRIG_MODULES=/lib/modules/RELEASE cargo bench -p modfile
//! ```
//! The files are in memory before the clock runs. It counts this thread's CPU time, of which the best of 15 rounds is
//! told: other work on the machine only ever adds.

use std::{
    error::Error,
    fs,
    hint::black_box,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

const ROUNDS: usize = 15;

/// What a reader has seen. All must see the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    sections: usize,
    strings: usize,
    symbols: usize,
    /// Bytes of all names and strings.
    bytes: usize,
    /// Sum of all symbols' values.
    values: u64,
}

type Read = fn(&[u8], &mut Seen) -> Result<(), Box<dyn Error>>;

const READERS: [(&str, Read); 4] = [("modfile", ours), ("object", object), ("elf", elf), ("goblin", goblin)];

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo passes --bench.
    let argument = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let Some(dir) = argument.or_else(|| std::env::var("MODRIG_MODULES").ok()) else {
        println!("nothing measured: name a directory with .ko files, as argument or in MODRIG_MODULES");
        return Ok(());
    };
    let mut paths = Vec::new();
    find(Path::new(&dir), &mut paths)?;
    let files: Vec<Vec<u8>> = paths.iter().map(fs::read).collect::<Result<_, _>>()?;
    let expected = measure(ours, &files)?.1;
    println!(
        "{} modules, {} sections, {} strings, {} symbols",
        files.len(),
        expected.sections,
        expected.strings,
        expected.symbols
    );
    println!("{:<10} {:>10} {:>12} {:>10} {:>8}", "reader", "ms", "modules/s", "ns/symbol", "times");
    let mut first = None;
    for (name, read) in READERS {
        let (time, seen) = measure(read, &files)?;
        assert_eq!(seen, expected, "{name} reads something else");
        let ns = time.as_nanos() as f64;
        let times = ns / *first.get_or_insert(ns);
        let (per_second, per_symbol) = (files.len() as f64 * 1e9 / ns, ns / seen.symbols as f64);
        println!("{name:<10} {:>10.3} {per_second:>12.0} {per_symbol:>10.2} {times:>8.2}", ns / 1e6);
    }
    Ok(())
}

fn find(dir: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            find(&path, found)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "ko") {
            found.push(path);
        }
    }
    Ok(())
}

fn measure(read: Read, files: &[Vec<u8>]) -> Result<(Duration, Seen), Box<dyn Error>> {
    let (mut best, mut seen) = (Duration::MAX, Seen::default());
    for _ in 0..ROUNDS {
        seen = Seen::default();
        let start = cpu_time();
        for file in files {
            read(black_box(file), &mut seen)?;
        }
        best = best.min(cpu_time() - start);
    }
    Ok((best, seen))
}

fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn ours(file: &[u8], seen: &mut Seen) -> Result<(), Box<dyn Error>> {
    use modfile::{elf::Elf, modinfo::Modinfo};
    let elf = Elf::parse(file)?;
    for section in elf.sections() {
        let section = section?;
        seen.sections += 1;
        seen.bytes += section.name.len();
        if section.name == b".modinfo" {
            for entry in Modinfo::new(section.data).entries() {
                seen.strings += 1;
                seen.bytes += entry.key.len() + entry.value.len();
            }
        }
    }
    for symbol in elf.symbols()? {
        let symbol = symbol?;
        seen.symbols += 1;
        seen.bytes += symbol.name.len();
        seen.values = seen.values.wrapping_add(symbol.value);
    }
    Ok(())
}

/// The strings of `.modinfo` for the crates that do not know of it.
fn modinfo(data: &[u8], seen: &mut Seen) {
    for text in data.split(|byte| *byte == 0).filter(|text| !text.is_empty()) {
        let end = text.iter().position(|byte| *byte == b'=').unwrap_or(text.len());
        let (key, value) = (&text[..end], text.get(end + 1..).unwrap_or_default());
        seen.strings += 1;
        seen.bytes += key.len() + value.len();
    }
}

fn object(file: &[u8], seen: &mut Seen) -> Result<(), Box<dyn Error>> {
    use object::{Endianness, FileKind, elf};
    match FileKind::parse(file)? {
        FileKind::Elf64 => object_of::<elf::FileHeader64<Endianness>>(file, seen),
        _ => object_of::<elf::FileHeader32<Endianness>>(file, seen),
    }
}

fn object_of<Header: object::read::elf::FileHeader>(file: &[u8], seen: &mut Seen) -> Result<(), Box<dyn Error>> {
    use object::{
        elf,
        read::elf::{SectionHeader as _, Sym as _},
    };
    let header = Header::parse(file)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, file)?;
    for section in sections.iter() {
        let name = sections.section_name(endian, section)?;
        seen.sections += 1;
        seen.bytes += name.len();
        if name == b".modinfo" {
            modinfo(section.data(endian, file)?, seen);
        }
    }
    let symbols = sections.symbols(endian, file, elf::SHT_SYMTAB)?;
    for symbol in symbols.iter().skip(1) {
        seen.symbols += 1;
        seen.bytes += symbol.name(endian, symbols.strings())?.len();
        seen.values = seen.values.wrapping_add(symbol.st_value(endian).into());
    }
    Ok(())
}

fn elf(file: &[u8], seen: &mut Seen) -> Result<(), Box<dyn Error>> {
    use elf::{ElfBytes, endian::AnyEndian};
    let elf = ElfBytes::<AnyEndian>::minimal_parse(file)?;
    let (Some(headers), Some(names)) = elf.section_headers_with_strtab()? else { return Ok(()) };
    for section in headers {
        let name = names.get_raw(section.sh_name as usize)?;
        seen.sections += 1;
        seen.bytes += name.len();
        if name == b".modinfo" {
            modinfo(elf.section_data(&section)?.0, seen);
        }
    }
    let Some((symbols, strings)) = elf.symbol_table()? else { return Ok(()) };
    for symbol in symbols.iter().skip(1) {
        seen.symbols += 1;
        seen.bytes += strings.get_raw(symbol.st_name as usize)?.len();
        seen.values = seen.values.wrapping_add(symbol.st_value);
    }
    Ok(())
}

fn goblin(file: &[u8], seen: &mut Seen) -> Result<(), Box<dyn Error>> {
    let elf = goblin::elf::Elf::parse(file)?;
    for section in &elf.section_headers {
        let name = elf.shdr_strtab.get_at(section.sh_name).ok_or("section without a name")?;
        seen.sections += 1;
        seen.bytes += name.len();
        if name == ".modinfo" {
            let range = section.file_range().ok_or("section without bytes")?;
            modinfo(file.get(range).ok_or("section lies outside the file")?, seen);
        }
    }
    for symbol in elf.syms.iter().skip(1) {
        seen.symbols += 1;
        seen.values = seen.values.wrapping_add(symbol.st_value);
        seen.bytes += elf.strtab.get_at(symbol.st_name).ok_or("symbol without a name")?.len();
    }
    Ok(())
}
