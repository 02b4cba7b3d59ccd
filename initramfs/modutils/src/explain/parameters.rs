//! Parameters with a value that their type does not take, and ones that the module does not have.

use modfile::{elf::Elf, modinfo::Modinfo};

use super::{Case, Note};
use crate::nearest::nearest;

/// Names less alike than this, of 1, are not offered in place of an unknown one.
const LIKENESS_MIN: f64 = 0.7;

pub(super) fn explain(case: &Case<'_>) -> Vec<Note> {
    let bad = case.attempt.log.iter().filter_map(|record| bad_value(record));
    bad.filter_map(|(value, name)| {
        let parameter = case.modinfo.parameters().into_iter().find(|parameter| parameter.name == name.as_bytes())?;
        let kind = String::from_utf8_lossy(parameter.kind.unwrap_or(b"of unknown type")).into_owned();
        let about = parameter.description.map(|text| format!(" ({})", String::from_utf8_lossy(text)));
        let about = about.unwrap_or_default();
        Some(Note::Why(format!("parameter {name}{about} takes {}, and `{value}` is none", with_article(&kind))))
    })
    .collect()
}

/// Value and parameter of ``NAME: `VALUE' invalid for parameter `PARAMETER'``.
fn bad_value(record: &str) -> Option<(&str, &str)> {
    let (_, rest) = record.split_once(": `")?;
    let (value, rest) =
        rest.split_once("' invalid for parameter `").or_else(|| rest.split_once("' too large for parameter `"))?;
    Some((value, rest.strip_suffix('\'')?))
}

fn with_article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {kind}")
}

/// The parameters that were given and that a module does not have. The kernel ignores them, so that a misspelt name
/// is noticed by nobody.
pub(crate) fn unknown(module: &[u8], params: &str) -> Vec<Note> {
    let Ok(elf) = Elf::parse(module) else { return Vec::new() };
    let parameters = Modinfo::of(&elf).map(|info| info.parameters()).unwrap_or_default();
    let known: Vec<String> = parameters.iter().map(|known| String::from_utf8_lossy(known.name).into_owned()).collect();
    let given = params
        .split_whitespace()
        .take_while(|word| *word != "--")
        .map(|word| word.split('=').next().unwrap_or_default());
    // The loader itself takes these for every module (kernel/module/main.c, `unknown_module_param_cb`).
    let unknown = given.filter(|name| *name != "async_probe" && *name != "dyndbg" && !name.contains('.'));
    unknown.filter(|name| !known.iter().any(|known| same(known, name))).map(|name| note(name, &known)).collect()
}

/// The kernel takes `-` and `_` for the same.
fn same(one: &str, other: &str) -> bool {
    one.replace('-', "_") == other.replace('-', "_")
}

fn note(name: &str, known: &[String]) -> Note {
    match nearest(name, known.iter().map(String::as_str), LIKENESS_MIN) {
        Some(nearest) => {
            Note::Why(format!("it has no parameter `{name}`, so that is ignored; did you mean `{nearest}`?"))
        }
        None if known.is_empty() => Note::Why(format!("it has no parameters, so `{name}` is ignored")),
        None => Note::Why(format!("it has no parameter `{name}`, so that is ignored; it has {}", known.join(", "))),
    }
}
