//! `__param`: a module's parameters as the kernel gets them, an array of `struct kernel_param`.
//!
//! ```text
//! name, module, ops   pointers      u16 permissions   i8 level   u8 flags   argument   pointer
//! ```
//! The pointers are zero in the file, or hold an addend: relocations say what they will point to. `.modinfo` has the
//! names and types, too, and descriptions, but not the permissions.

use alloc::vec::Vec;

use crate::{
    Error,
    bytes::nul,
    elf::{Elf, Layout, SHN_LORESERVE, SHN_UNDEF, STT_OBJECT, Section, Symbol, Symbols},
};

/// One parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelParam<'a> {
    /// Name, as in `/sys/module/NAME/parameters`.
    pub name: &'a [u8],
    /// Mode of its file there; 0 where it has none.
    pub permissions: u16,
    /// The initcall level at which it is set when the module is built in; -1 is before all of them, the usual case.
    pub level: i8,
    /// The symbol of the functions that read and write it: `param_ops_int` of the kernel, or the module's own. None
    /// where those have no name.
    pub ops: Option<&'a [u8]>,
}

impl<'a> KernelParam<'a> {
    /// The type's name, where it is one of the kernel's, such as `int`. An array's does not say of what.
    pub fn kind(&self) -> Option<&'a [u8]> {
        match self.ops? {
            b"param_array_ops" => Some(b"array"),
            ops => ops.strip_prefix(b"param_ops_"),
        }
    }
}

/// The parameters, in file order; none when there is no such section.
///
/// # Errors
/// The section is no whole number of entries, or the symbols or relocations are damaged. An entry whose name cannot
/// be found is an error of that item alone.
pub fn parameters<'a>(elf: &Elf<'a>) -> Result<impl Iterator<Item = Result<KernelParam<'a>, Error>> + use<'a>, Error> {
    let section = elf.section("__param")?;
    let reader = section.map(|section| Reader::new(elf, section)).transpose()?;
    Ok(reader.into_iter().flat_map(|reader| {
        let size = size(reader.elf.layout());
        (0..reader.section.data.len() / size).map(move |i| reader.entry(i * size))
    }))
}

/// Bytes of a `struct kernel_param`: four pointers, and four bytes that a 64-bit kernel pads to eight.
const fn size(layout: Layout) -> usize {
    5 * layout.word_size()
}

struct Reader<'a> {
    elf: Elf<'a>,
    section: Section<'a>,
    symbols: Symbols<'a>,
    /// What the section's pointers point to, by their place: a symbol, and how far beyond.
    targets: Vec<(u64, u32, Option<u64>)>,
    /// The names of data, by section and place.
    data: Vec<(u16, u64, &'a [u8])>,
}

impl<'a> Reader<'a> {
    fn new(elf: &Elf<'a>, section: Section<'a>) -> Result<Self, Error> {
        if !section.data.len().is_multiple_of(size(elf.layout())) {
            return Err(Error::new("__param is no whole number of entries", section.offset));
        }
        let symbols = elf.symbol_table()?;
        let mut targets: Vec<_> =
            elf.relocations(section.index)?.map(|target| (target.offset, target.symbol, target.addend)).collect();
        targets.sort_unstable();
        let data = symbols.iter().filter_map(|symbol| {
            let symbol = symbol.ok().filter(|symbol| symbol.kind() == STT_OBJECT && !symbol.name.is_empty())?;
            Some((symbol.section, symbol.value, symbol.name))
        });
        let mut data: Vec<_> = data.collect();
        data.sort_unstable();
        Ok(Self { elf: *elf, section, symbols, targets, data })
    }

    /// The entry at `at` of the section.
    fn entry(&self, at: usize) -> Result<KernelParam<'a>, Error> {
        let (layout, word) = (self.elf.layout(), self.elf.layout().word_size());
        Ok(KernelParam {
            name: self
                .name(at)
                .ok_or(Error::new("parameter's name cannot be found", self.section.offset + at as u64))?,
            permissions: layout.half(self.section.data, at + 3 * word),
            level: self.section.data.get(at + 3 * word + 2).map_or(0, |level| *level as i8),
            ops: self.target(at + 2 * word).and_then(|(symbol, beyond)| self.name_of(&symbol, beyond)),
        })
    }

    /// The symbol that the pointer at `at` will point to, and how far beyond it.
    fn target(&self, at: usize) -> Option<(Symbol<'a>, u64)> {
        let found = self.targets.binary_search_by_key(&(at as u64), |target| target.0).ok()?;
        let &(_, symbol, addend) = self.targets.get(found)?;
        let in_place = || self.elf.layout().long(self.section.data.get(at..).unwrap_or_default(), 0);
        Some((self.symbols.get(symbol).ok()?, addend.unwrap_or_else(in_place)))
    }

    fn name(&self, at: usize) -> Option<&'a [u8]> {
        let (symbol, beyond) = self.target(at)?;
        if symbol.section == SHN_UNDEF || symbol.section >= SHN_LORESERVE {
            return None;
        }
        let start = usize::try_from(symbol.value.checked_add(beyond)?).ok()?;
        let text = self.elf.section_at(symbol.section).ok()?.data.get(start..)?;
        text.get(..nul(text)?)
    }

    /// The name of what lies so far beyond a symbol. The compiler likes to point to local data by its section.
    fn name_of(&self, symbol: &Symbol<'a>, beyond: u64) -> Option<&'a [u8]> {
        if beyond == 0 && !symbol.name.is_empty() {
            return Some(symbol.name);
        }
        let place = (symbol.section, symbol.value.checked_add(beyond)?);
        let found = self.data.binary_search_by_key(&place, |&(section, value, _)| (section, value)).ok()?;
        self.data.get(found).map(|(_, _, name)| *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::Module;

    #[test]
    fn pointers_are_followed_through_both_kinds_of_relocations() {
        for layout in Layout::ALL {
            for in_place in [false, true] {
                let module = Module::new("m").layout(layout).addends_in_place(in_place);
                let module = module.parameter("debug", 0o644, "param_ops_int");
                let bytes = module.parameter_of_own_type("mode", 0, "mode_ops").build();
                let elf = Elf::parse(&bytes).unwrap();
                let found: Vec<_> = parameters(&elf).unwrap().map(Result::unwrap).collect();
                let param = |name, permissions, ops| KernelParam { name, permissions, level: -1, ops: Some(ops) };
                let expected = [param(&b"debug"[..], 0o644, &b"param_ops_int"[..]), param(b"mode", 0, b"mode_ops")];
                assert_eq!(found, expected, "{layout:?} {in_place}");
                assert_eq!((found[0].kind(), found[1].kind()), (Some(&b"int"[..]), None));
            }
        }
    }

    #[test]
    fn a_module_without_parameters_has_none() {
        let bytes = Module::new("m").build();
        assert_eq!(parameters(&Elf::parse(&bytes).unwrap()).unwrap().count(), 0);
    }

    #[test]
    fn a_name_that_cannot_be_found_is_an_error_of_its_entry() {
        let bytes = Module::new("m").section("__param", [0; 80].to_vec()).build();
        let elf = Elf::parse(&bytes).unwrap();
        let found: Vec<_> = parameters(&elf).unwrap().map(|entry| entry.unwrap_err().what).collect();
        assert_eq!(found, ["parameter's name cannot be found"; 2]);

        let bytes = Module::new("m").section("__param", [0; 79].to_vec()).build();
        let error = parameters(&Elf::parse(&bytes).unwrap()).err().unwrap();
        assert_eq!(error.what, "__param is no whole number of entries");
    }
}
