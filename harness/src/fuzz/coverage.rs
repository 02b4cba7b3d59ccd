//! What of the loader's code cases reach: which functions count, and what was reached of them.
//!
//! A load runs through some 50000 basic blocks, most of them in the allocator, the page tables and the printing of messages.
//! Those say little about the file. What counts is the loader, what it calls to look into the file, and what other parts of
//! the kernel do with a module that comes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    ops::Range,
    time::Duration,
};

use modrig_agent::slots::RANGES_MAX;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Context as _, Result},
    kernel::Kernel,
};

/// Files of the kernel's source, and functions of each. `System.map` does not say which function is of which file, but the
/// linker puts those of a file side by side, and those of a folder: so all count that lie between the first and the last one
/// named here. Not every kernel has all of them (5.10 to 7.3; static ones may be inlined).
const SOURCES: [(&str, &[&str]); 17] = [
    // The first and the last in the linker's order, with and without decompression, checksums and statistics.
    (
        "kernel/module",
        &[
            "__traceiter_module_load",
            "modinfo_version_exists",
            "load_module",
            "mod_sysfs_teardown",
            "module_layout",
            "same_magic",
            "try_add_failed_module",
        ],
    ),
    ("kernel/params.c", &["module_attr_show", "param_set_byte", "parse_args", "module_destroy_params"]),
    ("kernel/module_signature.c", &["mod_check_sig"]),
    ("lib/extable.c", &["cmp_ex_sort", "sort_extable", "trim_init_extable", "search_extable"]),
    ("lib/bug.c", &["module_bug_finalize", "module_bug_cleanup"]),
    ("lib/dynamic_debug.c", &["ddebug_add_module", "ddebug_module_notify", "ddebug_remove_module"]),
    ("lib/asn1_decoder.c", &["asn1_ber_decoder"]),
    (
        "crypto/asymmetric_keys/pkcs7",
        &["pkcs7_parse_message", "pkcs7_free_message", "pkcs7_verify", "pkcs7_validate_trust"],
    ),
    ("certs/system_keyring.c", &["verify_pkcs7_message_sig", "verify_pkcs7_signature"]),
    (
        "arch/x86/kernel/module.c",
        &["__write_relocate_add", "apply_relocate_add", "module_finalize", "module_arch_cleanup"],
    ),
    (
        "arch/x86/kernel/alternative.c",
        &["apply_alternatives", "apply_retpolines", "apply_returns", "alternatives_smp_module_add"],
    ),
    (
        "kernel/jump_label.c",
        &["jump_label_swap", "jump_label_del_module", "jump_label_cmp", "jump_label_module_notify"],
    ),
    ("kernel/static_call_inline.c", &["static_call_site_cmp", "static_call_del_module", "static_call_module_notify"]),
    ("kernel/tracepoint.c", &["tracepoint_module_notify", "trace_module_has_bad_taint"]),
    ("kernel/trace/ftrace.c", &["ftrace_release_mod", "ftrace_module_enable", "ftrace_module_init"]),
    ("kernel/kprobes.c", &["kprobes_module_callback"]),
    ("kernel/livepatch/core.c", &["klp_module_coming", "klp_module_going"]),
];

/// Bytes of code of one file or folder, at most: more is not one.
const SOURCE_BYTES_MAX: u64 = 512 << 10;

/// A function that counts, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Function {
    name: String,
    addresses: Range<u64>,
}

/// The functions that count, by address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(Vec<Function>);

impl Filter {
    /// Of a kernel that tells what is reached, and whose addresses are known; None for others.
    ///
    /// # Errors
    /// Its `System.map` makes no sense.
    pub fn of(kernel: &Kernel) -> Result<Option<Self>> {
        let map = kernel.image.with_file_name("System.map");
        if !kernel.config.is_built_in("KCOV") || !map.exists() {
            return Ok(None);
        }
        let failed = || format!("`{}` does not tell where the loader is", map.display());
        let text = fs::read_to_string(&map).context(failed)?;
        Self::read(&text).context(failed).map(Some)
    }

    fn read(map: &str) -> Result<Self, String> {
        let symbols = symbols(map);
        let mut wanted = BTreeSet::new();
        for (source, names) in SOURCES {
            let found: Vec<usize> = names.iter().filter_map(|name| only(&symbols, name)).collect();
            let (Some(first), Some(last)) = (found.iter().min(), found.iter().max()) else { continue };
            if symbols[*last].addresses.start - symbols[*first].addresses.start > SOURCE_BYTES_MAX {
                return Err(format!("the functions of {source} do not lie side by side"));
            }
            wanted.extend(*first..=*last);
        }
        let names: BTreeSet<&str> = wanted.iter().map(|number| symbols[*number].name.as_str()).collect();
        if !names.contains("load_module") {
            return Err("it has no load_module".into());
        }
        // Error paths lie apart.
        let is_cold = |symbol: &Function| symbol.name.strip_suffix(".cold").is_some_and(|name| names.contains(name));
        let wanted = symbols.iter().enumerate().filter(|(number, symbol)| wanted.contains(number) || is_cold(symbol));
        let filter = Self(wanted.map(|(_, symbol)| symbol.clone()).collect());
        match filter.ranges().len() {
            ..=RANGES_MAX => Ok(filter),
            count => Err(format!("the loader lies in {count} pieces, more than the {RANGES_MAX} that can be watched")),
        }
    }

    /// Their addresses, the lowest first; what lies side by side is one range.
    pub fn ranges(&self) -> Vec<Range<u64>> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for Function { addresses, .. } in &self.0 {
            match ranges.last_mut() {
                Some(last) if last.end == addresses.start => last.end = addresses.end,
                _ => ranges.push(addresses.clone()),
            }
        }
        ranges
    }

    /// The function that an address is in, its cold part included.
    pub fn function(&self, address: u64) -> Option<&str> {
        let after = self.0.partition_point(|function| function.addresses.start <= address);
        let function = self.0[..after].last().filter(|function| address <= function.addresses.end)?;
        Some(function.name.split('.').next().unwrap_or_default())
    }
}

/// The functions of a `System.map`, by address, each as long as until the next.
fn symbols(map: &str) -> Vec<Function> {
    let mut at: BTreeMap<u64, &str> = BTreeMap::new();
    for line in map.lines() {
        let mut words = line.split(' ');
        let (Some(address), Some("t" | "T" | "w" | "W"), Some(name)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        if let Ok(address) = u64::from_str_radix(address, 16) {
            at.entry(address).or_insert(name);
        }
    }
    let ends = at.keys().copied().skip(1).chain([u64::MAX]);
    let functions = at.iter().zip(ends);
    functions.map(|((start, name), end)| Function { name: (*name).into(), addresses: *start..end }).collect()
}

/// Which function has this name, apart from what the compiler has put behind it (`.isra.0`); None if several do.
fn only(symbols: &[Function], name: &str) -> Option<usize> {
    let is_it = |symbol: &Function| match symbol.name.strip_prefix(name) {
        Some(rest) => rest.is_empty() || rest.starts_with('.') && !rest.ends_with(".cold"),
        None => false,
    };
    let mut found = symbols.iter().enumerate().filter(|(_, symbol)| is_it(symbol));
    let (number, _) = found.next()?;
    found.next().is_none().then_some(number)
}

/// What cases have reached of what counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// Addresses, one for each basic block.
    pub blocks: BTreeSet<u64>,
    /// The functions that they are in.
    pub functions: BTreeSet<String>,
    /// Whenever it had become more.
    pub growth: Vec<Point>,
}

/// How much was reached when.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Cases by then.
    pub cases: u64,
    /// Time of the campaign by then.
    pub seconds: f64,
    /// How many blocks.
    pub blocks: u64,
}

/// `928 blocks in 96 functions`.
impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} blocks in {} functions", self.blocks.len(), self.functions.len())
    }
}

impl Coverage {
    /// A case has reached these addresses; how many are new.
    pub fn add(&mut self, addresses: &[u64], filter: &Filter) -> u64 {
        let before = self.blocks.len();
        for address in addresses {
            // A guest says it: what does not count is not counted.
            if let Some(function) = filter.function(*address)
                && self.blocks.insert(*address)
                && !self.functions.contains(function)
            {
                self.functions.insert(function.to_owned());
            }
        }
        (self.blocks.len() - before) as u64
    }

    /// So many cases have given what is known now, in this time.
    pub fn note(&mut self, cases: u64, time: Duration) {
        let blocks = self.blocks.len() as u64;
        if self.growth.last().is_none_or(|last| last.blocks < blocks) {
            self.growth.push(Point { cases, seconds: time.as_secs_f64(), blocks });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "0000000000026e30 D data\n\
        ffffffff81000000 T before\n\
        ffffffff81000100 t __traceiter_module_load\n\
        ffffffff81000140 t in_between.isra.0\n\
        ffffffff81000150 d no_function\n\
        ffffffff81000180 t load_module\n\
        ffffffff81000200 T after\n\
        ffffffff81000300 T parse_args\n\
        ffffffff81000340 t static_name\n\
        ffffffff81000400 t in_between.cold\n\
        ffffffff81000404 t after.cold\n\
        ffffffff81000410 t load_module.cold\n\
        ffffffff81000420 t last\n";

    #[test]
    fn what_lies_between_two_functions_of_a_file_counts_and_its_cold_parts_do() {
        let map = MAP.replace("in_between.isra.0", "in_between");
        let filter = Filter::read(&map).unwrap();
        let base = 0xffff_ffff_8100_0000;
        let ranges = [0x100..0x200, 0x300..0x340, 0x400..0x404, 0x410..0x420];
        assert_eq!(filter.ranges(), ranges.map(|range| base + range.start..base + range.end));
        let names = [0xff, 0x105, 0x17f, 0x300, 0x341, 0x411].map(|at| filter.function(base + at));
        let expected =
            [None, Some("__traceiter_module_load"), Some("in_between"), Some("parse_args"), None, Some("load_module")];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_map_that_does_not_show_the_loader_is_refused() {
        assert_eq!(Filter::read("ffffffff81000000 T _text\n").unwrap_err(), "it has no load_module");
        let far = MAP.replace("ffffffff81000100 t", "ffffffff80000100 t");
        assert_eq!(Filter::read(&far).unwrap_err(), "the functions of kernel/module do not lie side by side");
        let twice = MAP.replace("static_name", "parse_args");
        assert!(!Filter::read(&twice).unwrap().ranges().contains(&(0xffff_ffff_8100_0300..0xffff_ffff_8100_0340)));
    }

    #[test]
    fn growth_is_noted_when_there_is_some() {
        let filter = Filter::read(MAP).unwrap();
        let mut coverage = Coverage::default();
        let mut add = |cases, at: &[u64]| {
            let at: Vec<u64> = at.iter().map(|at| 0xffff_ffff_8100_0000 + at).collect();
            let new = coverage.add(&at, &filter);
            coverage.note(cases, Duration::from_secs(cases));
            new
        };
        assert_eq!([add(32, &[0x105, 0x185, 0x10]), add(64, &[0x185]), add(96, &[0x185, 0x305])], [2, 0, 1]);
        let point = |cases, seconds, blocks| Point { cases, seconds, blocks };
        assert_eq!(coverage.growth, [point(32, 32.0, 2), point(96, 96.0, 3)]);
        assert_eq!(coverage.functions.len(), 3);
    }
}
