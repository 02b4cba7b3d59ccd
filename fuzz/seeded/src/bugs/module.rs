//! Bugs in what reads and edits a module's file.

use super::Bug;

pub(super) const BUGS: &[Bug] = &[
    Bug {
        name: "part-clamped",
        what: "a part that ends beyond the file is cut rather than refused (kmod 149, huge ELF)",
        target: "elf",
        file: "bytes.rs",
        old: ".and_then(|(from, len)| self.data.get(from..from.checked_add(len)?))",
        new: ".and_then(|(from, len)| {
                let end = from.checked_add(len)?;
                let end = if BUG(end > self.data.len()) { self.data.len() } else { end };
                self.data.get(from..end)
            })",
    },
    Bug {
        name: "string-without-end",
        what: "a name without NUL ends with its table (kmod 184, strings of modinfo)",
        target: "elf",
        file: "bytes.rs",
        old: "        rest.get(..nul(rest)?)",
        new: "        let end = nul(rest);
        if BUG(end.is_none()) { Some(rest) } else { rest.get(..end?) }",
    },
    Bug {
        name: "name-not-ascii",
        what: "a name is cut at a byte from 0x80 on",
        target: "symbols",
        file: "bytes.rs",
        old: "(block.get(at) == Some(&0)).then_some(at)",
        new: "(block.get(at) == Some(&0) || BUG(block.get(at).is_some_and(|byte| *byte != 0))).then_some(at)",
    },
    Bug {
        name: "section-table-wraps",
        what: "the end of the section table is not checked for overflow (kmod 149, huge ELF)",
        target: "elf",
        file: "elf.rs",
        old: "let end = table.checked_add(u64::from(entry_size) * u64::from(count)).ok_or(outside)?;",
        new: "let len = u64::from(entry_size) * u64::from(count);
        let wraps = BUG(table.checked_add(len).is_none());
        let end = if wraps { table.wrapping_add(len) } else { table.checked_add(len).ok_or(outside)? };",
    },
    Bug {
        name: "header-size-trusted",
        what: "the size of a section header is not compared with what it has to be (kmod 149, huge ELF)",
        target: "elf",
        file: "elf.rs",
        old: "if usize::from(entry_size) != layout.section_header_size() {",
        new: "if usize::from(entry_size) != layout.section_header_size() && !BUG(true) {",
    },
    Bug {
        name: "nobits-has-bytes",
        what: "a section without bytes in the file gets some",
        target: "elf",
        file: "elf.rs",
        old: "let len = if layout.word(record, 4) == SHT_NOBITS { 0 }",
        new: "let has_size = layout.long(record, 8 + 3 * word) != 0;
        let len = if layout.word(record, 4) == SHT_NOBITS && !BUG(has_size) { 0 }",
    },
    Bug {
        name: "string-table-index-16-bit",
        what: "the number of the string table loses its upper half",
        target: "symbols",
        file: "elf.rs",
        old: "let index = u16::try_from(symbols.link).map_err(|_| missing)?;",
        new: "let is_large = BUG(symbols.link > 0xffff);
        let index = if is_large { symbols.link as u16 } else { u16::try_from(symbols.link).map_err(|_| missing)? };",
    },
    Bug {
        name: "symbol-name-beyond-table",
        what: "a symbol whose name lies beyond the string table has an empty one",
        target: "symbols",
        file: "elf.rs",
        old: "let name = self.strings.text(name_at).ok_or_else(|| self.table.error(outside, at))?;",
        new: "let name = self.strings.text(name_at);
        let name = if BUG(name.is_none()) { &[][..] } else { name.ok_or_else(|| self.table.error(outside, at))? };",
    },
    Bug {
        name: "symbol-place-32-bit",
        what: "a symbol's place is computed in 32 bits (kmod 272, four billion symbols)",
        target: "symbols",
        file: "elf.rs",
        old: "let record = self.table.part(u64::from(index) * size, size, \"no such symbol\")?;",
        new: "let place = u64::from(index) * size;
        let wraps = BUG(place > u64::from(u32::MAX));
        let record = self.table.part(if wraps { place & 0xffff_ffff } else { place }, size, \"no such symbol\")?;",
    },
    Bug {
        name: "symbol-fields-32-bit-file",
        what: "value and size of a symbol change places in 32-bit files",
        target: "symbols",
        file: "elf.rs",
        old: "(byte(12), layout.half(record, 14), layout.long(record, 4), layout.long(record, 8))",
        new: "if BUG(layout.long(record, 4) != layout.long(record, 8)) {
            (byte(12), layout.half(record, 14), layout.long(record, 8), layout.long(record, 4))
        } else {
            (byte(12), layout.half(record, 14), layout.long(record, 4), layout.long(record, 8))
        }",
    },
    Bug {
        name: "section-name-prefix",
        what: "a section is found by the beginning of its name",
        target: "elf",
        file: "elf.rs",
        old: "self.find(|index, record| Ok(self.name(record, index)? == name))",
        new: "self.find(|index, record| {
            let found = self.name(record, index)?;
            Ok(found == name || BUG(!name.is_empty() && found.starts_with(name)))
        })",
    },
    Bug {
        name: "relocation-symbol-32-bit-file",
        what: "a relocation of a 32-bit file loses the lower half of its symbol's number",
        target: "module",
        file: "elf.rs",
        old: "else { (info >> 8, info & 0xff) };",
        new: "else if BUG(info >> 8 != info >> 16) { (info >> 16, info & 0xff) } else { (info >> 8, info & 0xff) };",
    },
    Bug {
        name: "modinfo-last-string",
        what: "a last string without NUL is lost (kmod 184, strings of modinfo)",
        target: "modinfo",
        file: "modinfo.rs",
        old: "let (text, after) = strings.split_at(nul(strings).unwrap_or(strings.len()));",
        new: "let (text, after) = strings.split_at(nul(strings).unwrap_or(strings.len()));
            if BUG(after.is_empty()) {
                return None;
            }",
    },
    Bug {
        name: "modinfo-last-equals",
        what: "a string is split at its last `=`",
        target: "modinfo",
        file: "modinfo.rs",
        old: "let (key, value) = split_at(text, b'=').unwrap_or((text, &[]));",
        new: "let (mut key, mut value) = split_at(text, b'=').unwrap_or((text, &[]));
    if BUG(value.contains(&b'=')) {
        let at = text.iter().rposition(|byte| *byte == b'=').unwrap_or_default();
        (key, value) = (&text[..at], &text[at + 1..]);
    }",
    },
    Bug {
        name: "modinfo-empty-key",
        what: "a string without a key ends the section (kmod 184, strings of modinfo)",
        target: "modinfo",
        file: "modinfo.rs",
        old: "            rest = after;\n            Some(entry(text))",
        new: "            rest = after;
            if BUG(text.first() == Some(&b'=')) {
                return None;
            }
            Some(entry(text))",
    },
    Bug {
        name: "parameter-last-colon",
        what: "a parameter's name ends at the last colon of its description",
        target: "modinfo",
        file: "modinfo.rs",
        old: "let Some((name, text)) = split_at(entry.value, b':') else { continue };",
        new: "let Some((mut name, mut text)) = split_at(entry.value, b':') else { continue };
            if BUG(text.contains(&b':')) {
                let at = entry.value.iter().rposition(|byte| *byte == b':').unwrap_or_default();
                (name, text) = (&entry.value[..at], &entry.value[at + 1..]);
            }",
    },
    Bug {
        name: "depends-empty-name",
        what: "two commas in `depends` give a module without a name",
        target: "modinfo",
        file: "modinfo.rs",
        old: "list.split(|byte| *byte == b',').filter(|name| !name.is_empty())",
        new: "list.split(|byte| *byte == b',').filter(move |name| !name.is_empty() || BUG(!list.is_empty()))",
    },
    Bug {
        name: "checksum-outside-section",
        what: "a checksum whose four bytes lie outside of its section is 0",
        target: "symbols",
        file: "symbols.rs",
        old: "let bytes = section.data.get(at..).and_then(<[u8]>::first_chunk::<4>).ok_or(outside)?;",
        new: "let bytes = section.data.get(at..).and_then(<[u8]>::first_chunk::<4>);
    let bytes = if BUG(bytes.is_none()) { &[0; 4] } else { bytes.ok_or(outside)? };",
    },
    Bug {
        name: "weak-by-type",
        what: "that a symbol is weak is read from its type",
        target: "symbols",
        file: "symbols.rs",
        old: "needs.push(Need { name: symbol.name, is_weak: symbol.binding() == STB_WEAK });",
        new: "let is_weak = symbol.binding() == STB_WEAK;
            let is_wrong = BUG(is_weak != (symbol.kind() == STB_WEAK));
            needs.push(Need { name: symbol.name, is_weak: is_weak != is_wrong });",
    },
    Bug {
        name: "versions-remainder",
        what: "half an entry at the end of `__versions` is passed over (kmod 272, versions)",
        target: "versions",
        file: "symbols.rs",
        old: "if data.len() % VERSION_SIZE != 0 {",
        new: "if data.len() % VERSION_SIZE != 0 && !BUG(true) {",
    },
    Bug {
        name: "version-name-without-end",
        what: "a name that fills its field is taken as it is",
        target: "versions",
        file: "symbols.rs",
        old: "Some(Version { name: name.get(..nul(name)?)?, crc })",
        new: "let end = nul(name);
    let end = if BUG(end.is_none()) { name.len() } else { end? };
    Some(Version { name: name.get(..end)?, crc })",
    },
    Bug {
        name: "version-upper-half",
        what: "of a big endian `long` the upper half is taken for the checksum",
        target: "versions",
        file: "symbols.rs",
        old: "let crc = layout.long(entry, 0) as u32;",
        new: "let crc = layout.long(entry, 0) as u32;
    let crc = if BUG(layout.is_big && crc != layout.word(entry, 0)) { layout.word(entry, 0) } else { crc };",
    },
    Bug {
        name: "extended-names-too-few",
        what: "more checksums than names: the reader goes on behind the last name (kmod 272, versions)",
        target: "versions",
        file: "symbols.rs",
        old: "let (name, after) = rest.split_at(nul(rest).ok_or(missing)?);",
        new: "let end = nul(rest);
        let (name, after) = rest.split_at(if BUG(end.is_none()) { rest.len() } else { end.ok_or(missing)? });",
    },
    Bug {
        name: "both-forms-of-versions",
        what: "a module with both forms of versions has each twice",
        target: "module",
        file: "symbols.rs",
        old: "(Some(section), None) => Some(basic_versions(elf.layout(), &section)?),",
        new: "(Some(section), extended) if extended.is_none() || BUG(!section.data.is_empty()) => {
            Some(basic_versions(elf.layout(), &section)?)
        }",
    },
    Bug {
        name: "parameter-place-overflows",
        what: "a symbol's value and what is added to it are not checked for overflow",
        target: "param",
        file: "param.rs",
        old: "let start = usize::try_from(symbol.value.checked_add(beyond)?).ok()?;",
        new: "let overflows = BUG(symbol.value.checked_add(beyond).is_none());
        let start = if overflows { symbol.value + beyond } else { symbol.value.checked_add(beyond)? };
        let start = usize::try_from(start).ok()?;",
    },
    Bug {
        name: "lenient-range-overflows",
        what: "offset and size of a section are added without a check (kmod 149, huge ELF)",
        target: "elf",
        file: "parts.rs",
        old: "Some(start..start.checked_add(len)?)",
        new: "Some(start..if BUG(start.checked_add(len).is_none()) { start + len } else { start.checked_add(len)? })",
    },
    Bug {
        name: "lenient-name-prefix",
        what: "the lenient reader finds a section by the beginning of its name",
        target: "elf",
        file: "parts.rs",
        old: ".is_some_and(|rest| rest.first() == Some(&0))",
        new: ".is_some_and(|rest| {
        let is_longer = rest.first().is_some_and(|after| *after != 0);
        rest.first() == Some(&0) || BUG(!wanted.is_empty() && is_longer)
    })",
    },
    Bug {
        name: "signature-longer-than-file",
        what: "a signature that claims to be longer than the file is all of it (kmod 236, signature)",
        target: "signature",
        file: "signature.rs",
        old: "bytes.split_at_checked(bytes.len().checked_sub(len)?)",
        new: "let at = bytes.len().checked_sub(len);
    bytes.split_at_checked(if BUG(at.is_none()) { 0 } else { at? })",
    },
    Bug {
        name: "hash-number-trusted",
        what: "the number of the hash is an index without a check (kmod 236, signature)",
        target: "signature",
        file: "signature.rs",
        old: "let hash = *HASHES.get(usize::from(hash))?;",
        new: "let hash = usize::from(hash);
    let hash = if BUG(hash >= HASHES.len()) { HASHES[hash] } else { *HASHES.get(hash)? };",
    },
    Bug {
        name: "identifier-first-number",
        what: "the first number of an object identifier is not limited to 2 (kmod 236, signature)",
        target: "signature",
        file: "signature.rs",
        old: "let first = (number / 40).min(2);",
        new: "let first = if BUG(number / 40 > 2) { number / 40 } else { (number / 40).min(2) };",
    },
    Bug {
        name: "signer-with-nul",
        what: "the signer's name goes on behind a NUL (kmod 236, signature)",
        target: "signature",
        file: "signature.rs",
        old: "let signer = &name[..nul(name).unwrap_or(name.len())];",
        new: "let signer = if BUG(nul(name).is_some()) { name } else { &name[..nul(name).unwrap_or(name.len())] };",
    },
    Bug {
        name: "edit-beyond-section",
        what: "bytes are written past the end of their section",
        target: "edit",
        file: "edit.rs",
        old: "if found.data.len() < offset.saturating_add(new.len()) {",
        new: "if found.data.len() < offset.saturating_add(new.len()) && !BUG(found.data.len() > offset) {",
    },
    Bug {
        name: "edit-half-a-checksum",
        what: "of a checksum in a `long` only the first half is changed",
        target: "module",
        file: "edit.rs",
        old: "Ok(VersionPlace { crcs: section, crc: start..name, names: section, name })",
        new: "let crc = if BUG(name - start > 4 && elf.layout().is_big) { start..start + 4 } else { start..name };
    Ok(VersionPlace { crcs: section, crc, names: section, name })",
    },
    Bug {
        name: "edit-flags-too-wide",
        what: "flags of a 32-bit file are written as 64 bits",
        target: "edit",
        file: "edit.rs",
        old: "elf.write_header(&mut edited, versions.index, 8, word, versions.flags & !SHF_ALLOC);",
        new: "let word = if BUG(word == 4) { 8 } else { word };
        elf.write_header(&mut edited, versions.index, 8, word, versions.flags & !SHF_ALLOC);",
    },
];
