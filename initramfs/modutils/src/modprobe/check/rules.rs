//! Rules that are read and still change nothing.

use std::{collections::BTreeSet, path::PathBuf};

use modfile::{
    alias::matches,
    command_line::{self, Word},
    modprobe_d::{Directive, Softdep},
};

use super::{Finding, LIKENESS_MIN, Place, Rule};
use crate::nearest::nearest;
use crate::{
    compress::unpack,
    config::Config,
    explain::{Note, unknown_parameters},
    lookup::lookup,
    plan::softdeps,
    tree::Tree,
};

/// As many names are listed; more explain nothing.
const NAMES_MAX: usize = 5;

/// What there is to hold a rule against.
struct Facts<'a> {
    rules: &'a [Rule],
    tree: &'a Tree,
    config: &'a Config,
    /// All modules with a file, and what they need.
    modules: Vec<(String, Vec<String>)>,
    builtins: Vec<String>,
}

/// Why a rule has no effect, and what to write instead.
type Reason = (String, String);

pub(super) fn check(rules: &[Rule], tree: &Tree, config: &Config, command_line: &str) -> Vec<Finding> {
    let (modules, builtins) = (tree.modules(), tree.builtins());
    let facts = Facts { rules, tree, config, modules, builtins };
    let own = rules.iter().enumerate().filter(|(_, rule)| !rule.is_depmods);
    let mut findings: Vec<_> = own.flat_map(|(at, rule)| facts.rule(at, rule)).collect();
    findings.extend(from_command_line(command_line));
    findings
}

fn from_command_line(line: &str) -> impl Iterator<Item = Finding> {
    let dashed = command_line::words(line).filter_map(|word| match word {
        Word::Blacklist(module) if module.contains('-') => Some(module),
        _ => None,
    });
    dashed.map(|module| Finding {
        place: Place { path: PathBuf::from("/proc/cmdline"), line: None },
        rule: format!("modprobe.blacklist={module}"),
        why: "no module's name has a `-`, and here it is not taken for a `_`".into(),
        instead: format!("write {}", module.replace('-', "_")),
    })
}

impl Facts<'_> {
    fn rule(&self, at: usize, rule: &Rule) -> Vec<Finding> {
        let (name, reasons) = match &rule.directive {
            Directive::Alias { pattern, module } => (format!("alias {pattern}"), self.alias(pattern, module)),
            Directive::Blacklist(module) => (format!("blacklist {module}"), self.blacklist(module)),
            Directive::Options { module, text } => (format!("options {module}"), self.options(module, text)),
            Directive::Install { pattern, .. } => (format!("install {pattern}"), self.install(at, pattern)),
            Directive::Remove { pattern, .. } => (format!("remove {pattern}"), self.remove(at, pattern)),
            Directive::Softdep(softdep) => (format!("softdep {}", softdep.pattern), self.softdep(at, softdep)),
            Directive::Weakdep { .. } => return Vec::new(),
        };
        let finding = |(why, instead)| Finding { place: rule.place.clone(), rule: name.clone(), why, instead };
        reasons.into_iter().map(finding).collect()
    }

    fn exists(&self, module: &str) -> bool {
        self.tree.path(module).is_some() || self.is_builtin(module)
    }

    fn is_builtin(&self, module: &str) -> bool {
        self.tree.is_builtin(module)
    }

    /// The modules that a name leads to.
    fn led_to(&self, name: &str) -> Vec<String> {
        lookup(self.tree, self.config, name).unwrap_or_default().into_iter().map(|module| module.name).collect()
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.modules.iter().map(|(name, _)| name).chain(&self.builtins).map(String::as_str)
    }

    fn unknown(&self, name: &str) -> Reason {
        let instead = nearest(name, self.names(), LIKENESS_MIN)
            .map(|known| format!("did you mean `{known}`?"))
            .unwrap_or_default();
        (format!("there is no module `{name}` in {}", self.tree.directory().display()), instead)
    }

    fn alias(&self, pattern: &str, module: &str) -> Vec<Reason> {
        let has_command = self.config.install.iter().any(|(pattern, _)| matches(pattern, module));
        if self.exists(module) || has_command {
            return Vec::new();
        }
        let (led, (why, instead)) = (self.led_to(module), self.unknown(module));
        let instead = match led.first() {
            _ if module == "off" => format!("to switch it off, write `install {pattern} /bin/false`"),
            Some(led) => format!("an alias leads to modules only, not to another alias: write `{led}`"),
            None => instead,
        };
        vec![(why, instead)]
    }

    fn blacklist(&self, module: &str) -> Vec<Reason> {
        if self.is_builtin(module) {
            return vec![(format!("`{module}` is part of the kernel itself"), String::new())];
        }
        if !self.exists(module) {
            let led = self.led_to(module);
            return match led.first() {
                None => vec![self.unknown(module)],
                Some(first) => {
                    let why = format!("`{module}` is an alias, and the blacklist is about modules");
                    vec![(why, format!("write `blacklist {first}`"))]
                }
            };
        }
        let needs = |list: &[String]| list.iter().any(|name| name == module);
        let users = self.modules.iter().filter(|(_, dependencies)| needs(dependencies)).map(|(name, _)| name.as_str());
        let soft = self.config.softdeps.iter().filter(|softdep| {
            let (pre, post) = softdeps(self.tree, self.config, &softdep.pattern);
            pre.iter().chain(&post).any(|before| before.name == module)
        });
        let users: BTreeSet<_> = users.chain(soft.map(|softdep| softdep.pattern.as_str())).collect();
        if users.is_empty() {
            return Vec::new();
        }
        let why = format!("`{module}` is loaded all the same when {} is: dependencies pass by", listed(users));
        vec![(why, format!("to keep it out whoever needs it, write `install {module} /bin/false`"))]
    }

    fn options(&self, name: &str, text: &str) -> Vec<Reason> {
        let is_alias = self.config.aliases.iter().any(|(pattern, _)| pattern == name);
        let led = self.led_to(name);
        if led.is_empty() && !is_alias {
            return vec![self.unknown(name)];
        }
        if self.is_builtin(name) {
            let first = text.split_whitespace().next().unwrap_or_default();
            let why = format!("`{name}` is part of the kernel itself, which modprobe does not load");
            return vec![(why, format!("write {name}.{first} on the kernel's command line"))];
        }
        let unknown = led.iter().filter_map(|module| self.tree.path(module)).flat_map(|path| {
            let module = std::fs::read(path).and_then(unpack).unwrap_or_default();
            unknown_parameters(&module, text)
        });
        let why = |note| if let Note::Why(why) = note { Some((why, String::new())) } else { None };
        unknown.filter_map(why).collect()
    }

    fn install(&self, at: usize, pattern: &str) -> Vec<Reason> {
        let mut reasons = self.earlier_command(at, pattern, |directive| match directive {
            Directive::Install { pattern, .. } => Some(pattern),
            _ => None,
        });
        reasons.extend(self.cancelled(pattern));
        reasons
    }

    fn remove(&self, at: usize, pattern: &str) -> Vec<Reason> {
        self.earlier_command(at, pattern, |directive| match directive {
            Directive::Remove { pattern, .. } => Some(pattern),
            _ => None,
        })
    }

    /// The first command that fits is the one that is run.
    fn earlier_command(&self, at: usize, pattern: &str, kind: impl Fn(&Directive) -> Option<&String>) -> Vec<Reason> {
        let fits = |rule: &&Rule| kind(&rule.directive).is_some_and(|earlier| covers(earlier, pattern));
        let earlier = self.rules.iter().take(at).find(fits);
        earlier.map(|rule| (format!("never run: {} comes first", rule.place), MERGE.into())).into_iter().collect()
    }

    /// kmod runs no install command for a module that has soft dependencies.
    fn cancelled(&self, pattern: &str) -> Option<Reason> {
        let fits = self.modules.iter().map(|(name, _)| name).filter(|name| matches(pattern, name));
        let soft: BTreeSet<_> = fits.filter(|name| self.has_softdeps(name)).map(String::as_str).collect();
        let first = *soft.first()?;
        let place = self.softdep_of(first)?;
        let why =
            format!("not run for {}: modprobe skips it for a module with soft dependencies ({place})", listed(soft));
        let instead = format!(
            "the first softdep counts, and an empty one leaves the command in force: write `softdep {first} pre:` in a \
             file whose name sorts before {}",
            place.path.file_name().unwrap_or_default().display()
        );
        Some((why, instead))
    }

    fn has_softdeps(&self, module: &str) -> bool {
        let (pre, post) = softdeps(self.tree, self.config, module);
        !pre.is_empty() || !post.is_empty()
    }

    fn softdep_of(&self, module: &str) -> Option<&Place> {
        self.rules.iter().find_map(|rule| match &rule.directive {
            Directive::Softdep(softdep) if matches(&softdep.pattern, module) => Some(&rule.place),
            _ => None,
        })
    }

    fn softdep(&self, at: usize, softdep: &Softdep) -> Vec<Reason> {
        let pattern = &softdep.pattern;
        let earlier = self.rules.iter().take(at).find_map(|rule| match &rule.directive {
            Directive::Softdep(earlier) if covers(&earlier.pattern, pattern) => Some(&rule.place),
            _ => None,
        });
        if let Some(place) = earlier {
            return vec![(format!("not heeded: the first one counts, and that is {place}"), MERGE.into())];
        }
        if !self.names().any(|name| matches(pattern, name)) {
            return vec![self.unknown(pattern)];
        }
        let named = softdep.pre.iter().chain(&softdep.post);
        named.filter(|name| self.led_to(name).is_empty()).map(|name| self.unknown(name)).collect()
    }
}

const MERGE: &str = "write both as one, or put this into a file whose name sorts before that one";

/// Whether what fits a pattern fits an earlier one too. Of two patterns with wildcards only equal ones are known to.
fn covers(earlier: &str, pattern: &str) -> bool {
    earlier == pattern || (!pattern.contains(['*', '?', '[', '\\']) && matches(earlier, pattern))
}

fn listed(names: BTreeSet<&str>) -> String {
    let shown: Vec<_> = names.iter().take(NAMES_MAX).map(|name| format!("`{name}`")).collect();
    let more = names.len() - shown.len();
    if more == 0 { shown.join(", ") } else { format!("{} or one of {more} more", shown.join(", ")) }
}
