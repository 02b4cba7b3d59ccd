//! The text indexes that depmod writes beside the modules, and the two lists that come with a kernel.
//!
//! ```text
//! modules.dep              kernel/fs/a.ko: kernel/lib/b.ko kernel/lib/c.ko     loaded from the right
//! modules.alias            alias pci:v00008086d* e1000
//! modules.symbols          alias symbol:crc16 crc16
//! modules.builtin          kernel/fs/proc.ko
//! modules.builtin.modinfo  crc16.alias=crypto-crc16\0crc16.license=GPL\0
//! ```
//! A line that does not fit is passed over: an index is a help, and one bad line should not cost the rest.

/// A module's line in `modules.dep`; paths are relative to the index unless they begin with `/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dep<'a> {
    /// The module's file.
    pub path: &'a str,
    dependencies: &'a str,
}

impl<'a> Dep<'a> {
    /// The files it needs, in the order in which they must be loaded: against the line's own order.
    pub fn load_order(&self) -> impl DoubleEndedIterator<Item = &'a str> + use<'a> {
        self.dependencies.split_ascii_whitespace().rev()
    }
}

/// The lines of `modules.dep`.
pub fn deps(text: &str) -> impl Iterator<Item = Dep<'_>> {
    lines(text).filter_map(|line| {
        let (path, dependencies) = line.split_once(':')?;
        Some(Dep { path, dependencies })
    })
}

/// The pairs of pattern and module of `modules.alias` or `modules.symbols`.
pub fn aliases(text: &str) -> impl Iterator<Item = (&str, &str)> {
    lines(text).filter_map(|line| {
        let (pattern, module) = line.strip_prefix("alias ")?.rsplit_once(' ')?;
        Some((pattern, module))
    })
}

/// The paths of `modules.builtin`.
pub fn builtins(text: &str) -> impl Iterator<Item = &str> {
    lines(text)
}

/// The entries of `modules.builtin.modinfo`, as module, key and value.
pub fn builtin_modinfo(text: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    text.split('\0').filter_map(|entry| {
        let (name, value) = entry.split_once('=')?;
        let (module, key) = name.split_once('.')?;
        Some((module, key, value))
    })
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn dependencies_load_from_the_right() {
        let found: Vec<_> = deps("a.ko: b.ko c.ko\nb.ko:\nnonsense\n")
            .map(|dep| (dep.path, dep.load_order().collect::<Vec<_>>()))
            .collect();
        assert_eq!(found, [("a.ko", ["c.ko", "b.ko"].to_vec()), ("b.ko", Vec::new())]);
        let odd: Vec<_> = deps("a.ko: b:c.ko").map(|dep| (dep.path, dep.load_order().collect::<Vec<_>>())).collect();
        assert_eq!(odd, [("a.ko", ["b:c.ko"].to_vec())]);
    }

    #[test]
    fn a_pattern_may_hold_blanks() {
        let text = "# Aliases\nalias pci:v* e1000\nalias dmi:*Some Maker* some_maker\nalias lonely\n";
        assert_eq!(aliases(text).collect::<Vec<_>>(), [("pci:v*", "e1000"), ("dmi:*Some Maker*", "some_maker")]);
    }

    #[test]
    fn builtins_are_one_path_a_line() {
        assert_eq!(builtins("# x\n \t# y\n kernel/a.ko \n").collect::<Vec<_>>(), ["kernel/a.ko"]);
        assert_eq!(builtins("kernel/a.ko\n\nkernel/b.ko").collect::<Vec<_>>(), ["kernel/a.ko", "kernel/b.ko"]);
    }

    #[test]
    fn a_builtin_value_may_hold_dots_and_equal_signs() {
        assert_eq!(builtin_modinfo("a.parm=x.y=z\0b\0c.d\0").collect::<Vec<_>>(), [("a", "parm", "x.y=z")]);
        assert_eq!(builtin_modinfo("a.b.c=1").collect::<Vec<_>>(), [("a", "b.c", "1")]);
    }
}
