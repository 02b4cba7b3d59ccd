//! Guest modules: C sources, one situation per file, built for each kernel by that kernel's own kbuild.
//!
//! Each module is a cache entry of its own, so that a changed source costs the compilation of that source.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::Arc,
};

use self::{kbuild::Kbuild, source::Sources};
use crate::{
    cache::{Cache, Digest},
    error::{Context as _, Error, Result},
    kernel::{Headers, Kernel, Store},
};

mod kbuild;
mod source;

/// A module, ready to be put into an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestModule {
    /// Name as in `/proc/modules`.
    pub name: String,
    /// The `.ko` file, without debug information.
    pub bytes: Arc<[u8]>,
}

/// Everything that was built for one kernel.
#[derive(Debug, Clone)]
pub struct ModuleSet {
    /// The modules that compiled, by name.
    pub modules: BTreeMap<String, GuestModule>,
    /// The ones that did not: name and the compiler's first error.
    pub failures: BTreeMap<String, String>,
    /// Digest of sources, kernel and compiler.
    pub digest: Digest,
}

include!(concat!(env!("OUT_DIR"), "/sources.rs"));

/// Modules that are built once and carried under several names, from the source's own on: name and how many.
const COPIED: [(&str, usize); 1] = [("chain_00", 61)];

/// Builds the named modules for a kernel. Besides the embedded [`SOURCES`] there are `extra` ones: name and C text.
///
/// What the named modules need of each other is compiled with them, but only the named ones are in the result.
/// A module that does not compile is no error: it is among the failures. With a copied one come all its copies.
///
/// # Errors
/// A name is unknown, or the compiler cannot be had or run.
pub fn build(store: &Store, kernel: &Kernel, names: &[&str], extra: &[(String, String)]) -> Result<ModuleSet> {
    let cache = &store.cache;
    let sources = Sources::new(SOURCES, extra);
    let plans = names.iter().map(|name| Plan::new(&sources, kernel, name)).collect::<Result<Vec<_>>>()?;
    let digest = Digest::of(plans.iter().map(|plan| &plan.key));
    let mut set = ModuleSet { modules: BTreeMap::new(), failures: BTreeMap::new(), digest };
    if let Headers::Absent(reason) = &kernel.headers {
        set.failures = names.iter().map(|name| ((*name).to_owned(), reason.clone())).collect();
        return Ok(set);
    }
    if !plans.iter().all(|plan| plan.is_made(cache)) {
        let _lock = cache.lock(&format!("modules-{}", kernel.digest))?;
        let missing: Vec<&Plan<'_>> = plans.iter().filter(|plan| !plan.is_made(cache)).collect();
        make(store, kernel, &sources, &missing)?;
    }
    for plan in &plans {
        match plan.load(cache)? {
            Ok(module) => drop(set.modules.insert(module.name.clone(), module)),
            Err(failure) => drop(set.failures.insert(plan.name.to_owned(), failure)),
        }
    }
    copy(&mut set)?;
    Ok(set)
}

fn copy(set: &mut ModuleSet) -> Result<()> {
    for (name, count) in COPIED {
        let Some(original) = set.modules.get(name).cloned() else { continue };
        let stem = name.trim_end_matches('0');
        let names = (1..count).map(|number| format!("{stem}{number:0width$}", width = name.len() - stem.len()));
        for copy in names {
            let bytes = modfile::edit::rename(&original.bytes, name, &copy)
                .context(|| format!("cannot rename {name} to {copy}"))?;
            set.modules.insert(copy.clone(), GuestModule { name: copy, bytes: bytes.into() });
        }
    }
    Ok(())
}

/// One module for one kernel.
struct Plan<'a> {
    name: &'a str,
    /// The module and what it needs.
    closure: BTreeSet<&'a str>,
    key: Digest,
}

const ENTRY: &str = "module";
const KO: &str = "module.ko";
const FAILURE: &str = "failure.txt";

impl<'a> Plan<'a> {
    fn new(sources: &Sources<'a>, kernel: &Kernel, name: &str) -> Result<Self> {
        let closure = sources.closure(name)?;
        let name = closure.get(name).copied().expect("a module is in its own closure");
        let compiler = match &kernel.headers {
            Headers::Rooted { recipe, .. } => recipe.key(),
            // The kernel's digest covers a tree, and whether there is one.
            Headers::Tree(_) | Headers::Absent(_) => String::new(),
        };
        let mut parts = vec![name, kernel.digest.as_str(), &compiler];
        parts.extend(kbuild::OPTIONS);
        parts.extend(closure.iter().flat_map(|name| [*name, sources.text(name)]));
        let key = Digest::of(parts);
        Ok(Self { name, closure, key })
    }

    fn is_made(&self, cache: &Cache) -> bool {
        cache.has(ENTRY, self.key.as_str())
    }

    /// Stores what kbuild has made in `dir`, or why it has not.
    fn store(&self, cache: &Cache, dir: &Path, failures: &BTreeMap<String, String>) -> Result<()> {
        let failure = failures.get(self.name).cloned().or_else(|| {
            let needed = self.closure.iter().find(|name| failures.contains_key(**name))?;
            Some(format!("needs `{needed}`, which does not compile: {}", failures[*needed]))
        });
        let store = |place: &Path| match failure {
            Some(failure) => fs::write(place.join(FAILURE), failure),
            None => fs::copy(dir.join(format!("{}.ko", self.name)), place.join(KO)).map(drop),
        };
        cache
            .entry(ENTRY, self.key.as_str(), |place| {
                store(place).context(|| format!("cannot store module `{}`", self.name))
            })
            .map(drop)
    }

    fn load(&self, cache: &Cache) -> Result<Result<GuestModule, String>> {
        let place = cache.entry(ENTRY, self.key.as_str(), |_| {
            Err(Error::new(format!("module `{}` has vanished from the cache", self.name)))
        })?;
        if let Ok(failure) = fs::read_to_string(place.join(FAILURE)) {
            return Ok(Err(failure));
        }
        let path = place.join(KO);
        let bytes = fs::read(&path).context(|| format!("cannot read `{}`", path.display()))?;
        Ok(Ok(GuestModule { name: self.name.to_owned(), bytes: bytes.into() }))
    }
}

/// Compiles the planned modules, and what they need, in one go.
fn make(store: &Store, kernel: &Kernel, sources: &Sources<'_>, plans: &[&Plan<'_>]) -> Result<()> {
    let Store { cache, progress, .. } = store;
    let kbuild = match &kernel.headers {
        Headers::Rooted { recipe, place } => {
            Kbuild::Root { root: recipe.prepare(store)?, headers: place.clone(), release: kernel.release.clone() }
        }
        Headers::Tree(tree) => Kbuild::Tree(tree.clone()),
        Headers::Absent(reason) => return Err(Error::new(reason)),
    };
    let names: BTreeSet<&str> = plans.iter().flat_map(|plan| &plan.closure).copied().collect();
    let _spinner = progress.spinner(format!("{} modules for {}", names.len(), kernel.name));
    let dir = cache.staging()?;
    for name in &names {
        let file = dir.path().join(format!("{name}.c"));
        fs::write(&file, sources.text(name)).context(|| format!("cannot write `{}`", file.display()))?;
    }
    let failures = kbuild
        .compile(dir.path(), &names)
        .context(|| format!("cannot build the guest modules for kernel {}", kernel.name))?;
    plans.iter().try_for_each(|plan| plan.store(cache, dir.path(), &failures))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kernel::{Config, FetchOptions, ImageFormat},
        progress::Progress,
    };

    /// As much of kbuild as the harness sees: modules appear when all objects have compiled, and not before.
    const TREE: &str = "\
include $(M)/Kbuild
objects = $(addprefix $(M)/,$(obj-m))
modules: $(objects:.o=.ko)
$(M)/%.o: $(M)/%.c
\techo run >> $(M)/../../runs; $(CC) -g -c -o $@ $<
$(M)/%.ko: $(objects)
\tcp $(M)/$*.o $@
";

    fn kernel(headers: Headers) -> Kernel {
        Kernel {
            name: "test".into(),
            release: "0.0".into(),
            image: "/none".into(),
            format: ImageFormat::BzImage,
            config: Config::default(),
            headers,
            stock: None,
            digest: Digest::of(["test"]),
        }
    }

    fn store(dir: &Path) -> Store {
        let cache = Cache::open(Some(&dir.join("cache"))).unwrap();
        Store {
            cache,
            progress: Progress::hidden(),
            options: FetchOptions { offline: true, ..FetchOptions::default() },
        }
    }

    fn with_tree(test: impl FnOnce(&Store, &Kernel)) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("Makefile"), TREE).unwrap();
        test(&store(dir.path()), &kernel(Headers::Tree(dir.path().to_owned())));
    }

    fn extra(sources: &[(&str, &str)]) -> Vec<(String, String)> {
        sources.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    fn compilations(store: &Store) -> usize {
        fs::read_to_string(store.cache.root().join("runs")).map_or(0, |text| text.lines().count())
    }

    #[test]
    fn a_module_that_does_not_compile_fails_alone() {
        with_tree(|store, kernel| {
            let sources = extra(&[("good", "int good;"), ("bad", "int x = ;\nint y = ;\n")]);
            let set = build(store, kernel, &["good", "bad"], &sources).unwrap();
            assert_eq!(set.modules.keys().collect::<Vec<_>>(), ["good"]);
            assert_eq!(set.failures.keys().collect::<Vec<_>>(), ["bad"]);
            assert!(set.failures["bad"].contains("bad.c:1:"), "{}", set.failures["bad"]);
        });
    }

    #[test]
    fn a_module_whose_dependency_does_not_compile_says_so() {
        with_tree(|store, kernel| {
            let sources = extra(&[("base", "EXPORT_SYMBOL(shared)"), ("top", "int shared;")]);
            let set = build(store, kernel, &["top"], &sources).unwrap();
            assert!(set.failures["top"].starts_with("needs `base`, which does not compile: "));
        });
    }

    #[test]
    fn only_a_changed_source_is_compiled_again() {
        with_tree(|store, kernel| {
            let build = |sources| build(store, kernel, &["one", "two"], &extra(sources)).unwrap();
            let first = build(&[("one", "int a;"), ("two", "int b;")]);
            assert_eq!(compilations(store), 2);
            let second = build(&[("one", "int a;"), ("two", "int b;")]);
            assert_eq!(compilations(store), 2);
            assert_eq!(first.digest, second.digest);
            assert_eq!(first.modules, second.modules);
            let third = build(&[("one", "int a;"), ("two", "int c;")]);
            assert_eq!(compilations(store), 3);
            assert_ne!(first.digest, third.digest);
            assert_ne!(first.modules["two"], third.modules["two"]);
        });
    }

    #[test]
    fn without_headers_every_module_fails_for_that_reason() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let kernel = kernel(Headers::Absent("the archive has no headers".into()));
        let set = build(&store, &kernel, &["hello"], &[]).unwrap();
        assert_eq!(set.failures["hello"], "the archive has no headers");
        assert!(set.modules.is_empty());
    }
}
