//! The disc that drives and sticks of a machine hold: an ISO 9660 image with one file on it.

/// Name of the file as a mounted disc shows it.
pub const FILE: &str = "readme";

/// What is in it.
pub const TEXT: &str = "This is the disc of modrig.\n";

/// Bytes of a sector.
const SECTOR: usize = 2048;

/// Where what lies, in sectors. The first 16 belong to the system.
const VOLUME: usize = 16;
const END: usize = 17;
const PATHS_LITTLE: usize = 18;
const PATHS_BIG: usize = 19;
const ROOT: usize = 20;
const CONTENT: usize = 21;
const SECTORS: usize = 22;

/// The bytes of the image (ECMA-119, the standard that ISO 9660 is published as; the numbers below are its sections).
pub fn disc() -> Vec<u8> {
    let mut image = vec![0; SECTORS * SECTOR];
    let mut put = |sector: usize, at: usize, bytes: &[u8]| {
        let start = sector * SECTOR + at;
        image[start..start + bytes.len()].copy_from_slice(bytes);
    };
    put(VOLUME, 0, &volume());
    put(END, 0, b"\xffCD001\x01");
    put(PATHS_LITTLE, 0, &path_table(u32::to_le_bytes, u16::to_le_bytes));
    put(PATHS_BIG, 0, &path_table(u32::to_be_bytes, u16::to_be_bytes));
    let (this, parent) = (root(0), root(1));
    let file = record(CONTENT, TEXT.len(), 0, format!("{}.;1", FILE.to_uppercase()).as_bytes());
    put(ROOT, 0, &[this, parent, file].concat());
    put(CONTENT, 0, TEXT.as_bytes());
    image
}

/// 8.4: the primary volume descriptor. Texts that say nothing are blank.
fn volume() -> Vec<u8> {
    let mut volume = vec![0; SECTOR];
    let mut put = |at: usize, bytes: &[u8]| volume[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"\x01CD001\x01");
    put(8, &[b' '; 64]);
    put(40, b"MODRIG");
    put(80, &both32(SECTORS));
    put(120, &both16(1)); // discs in the set
    put(124, &both16(1)); // number of this one
    put(128, &both16(SECTOR));
    put(132, &both32(path_table(u32::to_le_bytes, u16::to_le_bytes).len()));
    put(140, &(PATHS_LITTLE as u32).to_le_bytes());
    put(148, &(PATHS_BIG as u32).to_be_bytes());
    put(156, &root(0));
    put(190, &[b' '; 623]);
    for date in [813, 830, 847, 864] {
        put(date, b"0000000000000000"); // not specified
    }
    put(881, &[1]);
    volume
}

/// 9.4: the only directory, which is its own parent.
fn path_table(long: fn(u32) -> [u8; 4], short: fn(u16) -> [u8; 2]) -> Vec<u8> {
    [&[1, 0][..], &long(ROOT as u32), &short(1), &[0, 0]].concat()
}

fn root(name: u8) -> Vec<u8> {
    const DIRECTORY: u8 = 2;
    record(ROOT, SECTOR, DIRECTORY, &[name])
}

/// 9.1: a directory record.
fn record(sector: usize, size: usize, flags: u8, name: &[u8]) -> Vec<u8> {
    let mut record = vec![0, 0];
    record.extend(both32(sector));
    record.extend(both32(size));
    record.extend([0; 7]); // recorded at no certain time
    record.extend([flags, 0, 0]);
    record.extend(both16(1)); // of the discs in the set
    record.push(name.len() as u8);
    record.extend(name);
    // A record has an even number of bytes.
    record.resize(record.len().next_multiple_of(2), 0);
    record[0] = record.len() as u8;
    record
}

/// 7.3.3: a number in both byte orders.
fn both32(number: usize) -> Vec<u8> {
    [(number as u32).to_le_bytes(), (number as u32).to_be_bytes()].concat()
}

/// 7.2.3: the same of 16 bits.
fn both16(number: usize) -> Vec<u8> {
    [(number as u16).to_le_bytes(), (number as u16).to_be_bytes()].concat()
}
