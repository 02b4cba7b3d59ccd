//! `.modinfo`: what a module says about itself, as NUL-terminated `key=value` strings.
//!
//! Read as tolerantly as kmod does: leading NULs, runs of NULs, a missing last NUL and strings without `=`.

use alloc::{collections::BTreeMap, vec::Vec};

use crate::{
    Error,
    bytes::{find, nul},
    elf::Elf,
};

/// The strings of one module. Values are bytes: nothing promises that an author's name is UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Modinfo<'a> {
    bytes: &'a [u8],
}

/// One string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The whole string.
    pub text: &'a [u8],
    /// Up to the first `=`; the whole string when there is none.
    pub key: &'a [u8],
    /// After the first `=`; empty when there is none.
    pub value: &'a [u8],
}

/// A parameter, put together from its `parm` and `parmtype` strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// Name, as in `/sys/module/NAME/parameters`.
    pub name: &'a [u8],
    /// `MODULE_PARM_DESC` text.
    pub description: Option<&'a [u8]>,
    /// Type, such as `int` or `array of charp`.
    pub kind: Option<&'a [u8]>,
}

impl<'a> Modinfo<'a> {
    /// Over the contents of a `.modinfo` section.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Over the `.modinfo` of a module; empty when there is no such section.
    ///
    /// # Errors
    /// A section header is damaged.
    pub fn of(elf: &Elf<'a>) -> Result<Self, Error> {
        Ok(Self::new(elf.section(".modinfo")?.map_or(&[], |section| section.data)))
    }

    /// All strings, in order.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'a>> + Clone + use<'a> {
        // kmod takes one byte, after whatever zeros, for padding.
        let start = self.bytes.iter().position(|byte| *byte != 0).unwrap_or(self.bytes.len());
        let mut rest = self.bytes.get(start..).filter(|rest| rest.len() > 1).unwrap_or_default();
        core::iter::from_fn(move || {
            let start = rest.iter().position(|byte| *byte != 0)?;
            let (_, strings) = rest.split_at(start);
            let (text, after) = strings.split_at(nul(strings).unwrap_or(strings.len()));
            rest = after;
            Some(entry(text))
        })
    }

    /// All values of one key, in order.
    pub fn values<'k>(&self, key: &'k str) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a, 'k> {
        self.entries().filter(move |entry| entry.key == key.as_bytes()).map(|entry| entry.value)
    }

    /// The first value of one key.
    pub fn get(&self, key: &str) -> Option<&'a [u8]> {
        self.values(key).next()
    }

    /// The module's own name; absent before 4.11.
    pub fn name(&self) -> Option<&'a [u8]> {
        self.get("name")
    }

    /// Release and build options of the kernel that the module was made for.
    pub fn vermagic(&self) -> Option<&'a [u8]> {
        self.get("vermagic")
    }

    /// Names of the modules it was linked against.
    pub fn depends(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let list = self.get("depends").unwrap_or_default();
        list.split(|byte| *byte == b',').filter(|name| !name.is_empty())
    }

    /// Patterns that it answers to.
    pub fn aliases(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.values("alias")
    }

    /// Its parameters, in the order of their first mention. Strings without the colon that separates the name are
    /// left out, as kmod does.
    pub fn parameters(&self) -> Vec<Parameter<'a>> {
        let mut parameters: Vec<Parameter<'a>> = Vec::new();
        let mut places = BTreeMap::new();
        for entry in self.entries().filter(|entry| matches!(entry.key, b"parm" | b"parmtype")) {
            let Some((name, text)) = split_at(entry.value, b':') else { continue };
            let at = *places.entry(name).or_insert_with(|| {
                parameters.push(Parameter { name, description: None, kind: None });
                parameters.len() - 1
            });
            match entry.key {
                b"parm" => parameters[at].description = Some(text),
                _ => parameters[at].kind = Some(text),
            }
        }
        parameters
    }
}

fn entry(text: &[u8]) -> Entry<'_> {
    let (key, value) = split_at(text, b'=').unwrap_or((text, &[]));
    Entry { text, key, value }
}

fn split_at(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = find(text, separator)?;
    Some((&text[..at], &text[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(section: &str, expected: &[(&str, &str)]) {
        let entries: Vec<_> = Modinfo::new(section.as_bytes()).entries().map(|e| (e.key, e.value)).collect();
        let expected: Vec<_> = expected.iter().map(|(k, v)| (k.as_bytes(), v.as_bytes())).collect();
        assert_eq!(entries, expected);
    }

    #[test]
    fn strings_come_in_order_and_split_at_the_first_equals() {
        check("license=GPL\0alias=pci:v*\0alias=b=c\0", &[("license", "GPL"), ("alias", "pci:v*"), ("alias", "b=c")]);
    }

    #[test]
    fn stray_nuls_missing_end_and_missing_equals_are_tolerated() {
        check("\0\0a=1\0\0\0alone\0=v\0z=last", &[("a", "1"), ("alone", ""), ("", "v"), ("z", "last")]);
        check("", &[]);
        check("\0\0", &[]);
        check("\0a", &[]);
        check("a\0", &[("a", "")]);
    }

    #[test]
    fn helpers_read_what_the_kernel_build_writes() {
        let info = Modinfo::new(b"name=x\0depends=a,b_c\0vermagic=6.1.0 SMP \0alias=p:*\0alias=q\0");
        assert_eq!(info.name(), Some(&b"x"[..]));
        assert_eq!(info.vermagic(), Some(&b"6.1.0 SMP "[..]));
        assert_eq!(info.depends().collect::<Vec<_>>(), [&b"a"[..], b"b_c"]);
        assert_eq!(info.aliases().collect::<Vec<_>>(), [&b"p:*"[..], b"q"]);
        assert_eq!(Modinfo::new(b"depends=\0").depends().count(), 0);
        assert_eq!(Modinfo::new(b"depends=,a,,b,\0").depends().collect::<Vec<_>>(), [b"a", b"b"]);
    }

    #[test]
    fn a_parameter_joins_its_two_strings() {
        let info = Modinfo::new(b"parmtype=n:int\0parm=s:text: more\0parm=broken\0parm=n:count\0parmtype=s:charp\0");
        let parameter = |name, description, kind| Parameter { name, description: Some(description), kind: Some(kind) };
        assert_eq!(
            info.parameters(),
            [parameter(b"n" as &[u8], b"count" as &[u8], b"int" as &[u8]), parameter(b"s", b"text: more", b"charp")]
        );
    }
}
