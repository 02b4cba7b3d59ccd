//! Cases: their names. Each name becomes the same file, as long as the guest modules are the same.

use std::{fmt, str::FromStr};

use clap::ValueEnum;
use modrig_fuzz::damage::{self, Place};
use serde::{Deserialize, Serialize};

use super::change::Recipe;
use crate::error::{Error, Result};

/// What of a module is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Region {
    /// The ELF header, the section headers, and the sections' names
    Headers,
    /// The strings of `.modinfo`
    Modinfo,
    /// Checksums of symbols
    Versions,
    /// Entries of `__param`
    Params,
    /// Symbol tables and the symbols' names
    Symbols,
    /// Relocations
    Relocs,
    /// What signs the module
    Signature,
    /// All of them, all other contents, and the file's length
    Any,
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_possible_value().expect("no region is hidden").get_name())
    }
}

impl Region {
    /// Whether a place belongs to it, in a module whose sections' names are in that section.
    pub fn has(self, place: &Place, names: u16) -> bool {
        use damage::Region as Part;
        match self {
            Self::Headers => match place.region {
                Part::Header | Part::Sections => true,
                Part::Strings => place.section == names,
                _ => false,
            },
            Self::Symbols => match place.region {
                Part::Symbols => true,
                Part::Strings => place.section != names,
                _ => false,
            },
            Self::Modinfo => place.region == Part::Modinfo,
            Self::Versions => place.region == Part::Versions,
            Self::Params => place.region == Part::Parameters,
            Self::Relocs => place.region == Part::Relocations,
            Self::Signature => place.region == Part::Signature,
            Self::Any => true,
        }
    }
}

/// Which case: kernel, region and seed of a campaign, and the case's number there, `6.1/headers/1/4711`; or what is changed in
/// which module, `6.1/headers/accepted/12=max+7=0x40`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CaseId {
    /// Name of the kernel.
    pub kernel: String,
    /// What is broken.
    pub region: Region,
    /// Which of them.
    pub which: Which,
}

/// What a case follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Two numbers.
    Number {
        /// The campaign's seed.
        seed: u64,
        /// Number of the case, from 0.
        index: u64,
        /// Which of its changes are made, counted from 0; all when there are none.
        only: Vec<usize>,
    },
    /// What is done, told in full: a guided campaign's cases have a history.
    Recipe(Recipe),
}

impl CaseId {
    /// The same case with only some of its changes, of which there are `of` and which are counted from 0.
    #[must_use]
    pub fn with_only(&self, changes: &[usize], of: usize) -> Self {
        let which = match &self.which {
            Which::Number { seed, index, .. } => {
                let only = if changes.len() == of { Vec::new() } else { changes.to_vec() };
                Which::Number { seed: *seed, index: *index, only }
            }
            Which::Recipe(Recipe { base, changes: all }) => {
                let changes = changes.iter().filter_map(|number| all.get(*number)).copied().collect();
                Which::Recipe(Recipe { base: base.clone(), changes })
            }
        };
        Self { which, ..self.clone() }
    }
}

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/", self.kernel, self.region)?;
        match &self.which {
            Which::Recipe(recipe) => write!(f, "{recipe}"),
            Which::Number { seed, index, only } => {
                write!(f, "{seed}/{index}")?;
                let only: Vec<String> = only.iter().map(usize::to_string).collect();
                if only.is_empty() { Ok(()) } else { write!(f, ":{}", only.join("+")) }
            }
        }
    }
}

impl From<CaseId> for String {
    fn from(id: CaseId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for CaseId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl FromStr for CaseId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            // A kernel's name may be a path.
            let mut parts = text.rsplitn(4, '/');
            let (last, third, region, kernel) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            let which = match third.parse() {
                Ok(seed) => numbered(seed, last)?,
                Err(_) => Which::Recipe(format!("{third}/{last}").parse().ok()?),
            };
            Some(Self { kernel: kernel.to_owned(), region: Region::from_str(region, false).ok()?, which })
        };
        parse().ok_or_else(|| {
            let such = "6.1/headers/1/4711 or 6.1/headers/accepted/12=max+7=0x40";
            Error::usage(format!("`{text}` is no case such as {such}"))
        })
    }
}

/// `4711` or `4711:0+2`.
fn numbered(seed: u64, text: &str) -> Option<Which> {
    let (index, only) = text.split_once(':').map_or((text, None), |(index, only)| (index, Some(only)));
    let only = only.into_iter().flat_map(|only| only.split('+')).map(|change| change.parse().ok());
    Some(Which::Number { seed, index: index.parse().ok()?, only: only.collect::<Option<_>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_as_it_was_written() {
        for text in ["6.1/headers/1/4711", "./tree/bzImage/any/1/2:0+2", "6.12-kasan/any/accepted_full/12=max+cut=7"] {
            assert_eq!(text.parse::<CaseId>().unwrap().to_string(), text);
        }
        assert_eq!("./tree/bzImage/any/m/2=less".parse::<CaseId>().unwrap().kernel, "./tree/bzImage");
    }

    #[test]
    fn what_names_no_case_is_refused() {
        for text in ["", "6.1/headers/1", "6.1/footers/1/2", "6.1/headers/x/2", "6.1/headers/1/2:", "6.1/any/1/2=max"] {
            assert!(text.parse::<CaseId>().is_err(), "{text}");
        }
    }

    #[test]
    fn some_changes_of_a_case_are_a_case() {
        let only = |text: &str, changes: &[usize]| text.parse::<CaseId>().unwrap().with_only(changes, 3).to_string();
        assert_eq!(only("6.1/any/1/2", &[0, 2]), "6.1/any/1/2:0+2");
        assert_eq!(only("6.1/any/1/2", &[0, 1, 2]), "6.1/any/1/2");
        assert_eq!(only("6.1/any/m/1=max+2=max+3=zero", &[0, 2]), "6.1/any/m/1=max+3=zero");
    }
}
