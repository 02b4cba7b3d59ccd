//! Cases: a number becomes a valid module that is broken in one or a few places, the same one every time.

use std::{fmt, str::FromStr, sync::Arc};

use clap::ValueEnum;
use modfile::elf::Elf;
use modrig_fuzz::damage::{self, Label, Place, Value};
use serde::{Deserialize, Serialize};

use crate::{
    cache::Digest,
    error::{Error, Result},
    module::GuestModule,
};

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
    fn has(self, place: &Place, names: u16) -> bool {
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
            Self::Any => true,
        }
    }
}

/// Which case: kernel, region and seed of a campaign, and the case's number there. `6.1/headers/1/4711`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CaseId {
    /// Name of the kernel.
    pub kernel: String,
    /// What is broken.
    pub region: Region,
    /// The campaign's seed.
    pub seed: u64,
    /// Number of the case, from 0.
    pub index: u64,
    /// Which of its changes are made, counted from 0; all when there are none.
    pub only: Vec<usize>,
}

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kernel, region, seed, index, only } = self;
        write!(f, "{kernel}/{region}/{seed}/{index}")?;
        let only: Vec<String> = only.iter().map(usize::to_string).collect();
        if only.is_empty() { Ok(()) } else { write!(f, ":{}", only.join("+")) }
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
            let (last, seed, region, kernel) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            let (index, only) = last.split_once(':').map_or((last, None), |(index, only)| (index, Some(only)));
            let only = only.into_iter().flat_map(|only| only.split('+')).map(|change| change.parse().ok());
            Some(Self {
                kernel: kernel.to_owned(),
                region: Region::from_str(region, false).ok()?,
                seed: seed.parse().ok()?,
                index: index.parse().ok()?,
                only: only.collect::<Option<_>>()?,
            })
        };
        parse().ok_or_else(|| Error::usage(format!("`{text}` is no case such as 6.1/headers/1/4711")))
    }
}

/// A valid module, and where it can be broken.
#[derive(Debug)]
struct Base {
    name: String,
    bytes: Arc<[u8]>,
    /// Places of the region, by the part of the file that they are in, so that large parts do not drown small ones.
    parts: Vec<Vec<Place>>,
}

/// The modules of a campaign, each of which can be broken in the campaign's region.
#[derive(Debug)]
pub struct Bases {
    region: Region,
    bases: Vec<Base>,
    /// Names the modules' bytes.
    pub digest: Digest,
}

/// One way to break a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// A number becomes another one: which part and which place there.
    Number(usize, usize, Value),
    /// So many bytes are left.
    Cut(usize),
}

/// A module's file, and what is wrong with it.
#[derive(Debug, Clone)]
pub struct Broken {
    /// The module it was made of.
    pub base: String,
    /// That module's file.
    pub valid: Arc<[u8]>,
    /// The file.
    pub image: Vec<u8>,
    /// What was done to it.
    pub labels: Vec<Label>,
}

impl Bases {
    /// Modules with everything that can be broken in them.
    ///
    /// # Errors
    /// They have nothing in this region.
    pub fn new<'a>(region: Region, modules: impl Iterator<Item = &'a GuestModule>) -> Result<Self> {
        let bases: Vec<Base> = modules.map(|module| Base::new(region, module)).collect();
        let bases: Vec<Base> = bases.into_iter().filter(|base| !base.parts.is_empty()).collect();
        if bases.is_empty() {
            return Err(Error::usage(format!("the modules of this kernel have nothing in the region `{region}`"))
                .help("a kernel without CONFIG_MODVERSIONS has no versions; choose another region"));
        }
        let digest = Digest::of(bases.iter().map(|base| &base.bytes));
        Ok(Self { region, bases, digest })
    }

    /// The module of a case.
    pub fn case(&self, id: &CaseId) -> Broken {
        let (base, changes) = self.plan(id);
        let wanted = (0..changes.len()).filter(|number| id.only.is_empty() || id.only.contains(number));
        let (mut image, mut labels) = (base.bytes.to_vec(), Vec::new());
        for number in wanted {
            match changes[number] {
                Change::Number(part, place, value) => labels.extend(base.parts[part][place].set(&mut image, value)),
                Change::Cut(len) => {
                    image.truncate(len);
                    labels.push(Label::Cut(len));
                }
            }
        }
        Broken { base: base.name.clone(), valid: Arc::clone(&base.bytes), image, labels }
    }

    /// How many changes a case has.
    pub fn changes_of(&self, id: &CaseId) -> usize {
        self.plan(id).1.len()
    }

    fn plan(&self, id: &CaseId) -> (&Base, Vec<Change>) {
        let mut chance = Chance::new(id.seed, id.index);
        let base = chance.one_of(&self.bases);
        (base, base.changes(self.region, &mut chance))
    }
}

impl Base {
    fn new(region: Region, module: &GuestModule) -> Self {
        let names = Elf::parse(&module.bytes).and_then(|elf| elf.section(".shstrtab"));
        let names = names.ok().flatten().map_or(0, |section| section.index);
        let mut parts: Vec<Vec<Place>> = Vec::new();
        for place in damage::places(&module.bytes).into_iter().filter(|place| region.has(place, names)) {
            match parts.iter_mut().find(|part| part[0].region == place.region) {
                Some(part) => part.push(place),
                None => parts.push(vec![place]),
            }
        }
        Self { name: module.name.clone(), bytes: Arc::clone(&module.bytes), parts }
    }

    fn changes(&self, region: Region, chance: &mut Chance) -> Vec<Change> {
        // Most have one: with several, the first that is noticed hides the others.
        let count = match chance.below(10) {
            0..6 => 1,
            6..9 => 2,
            _ => 3,
        };
        (0..count).map(|_| self.change(region, chance)).collect()
    }

    fn change(&self, region: Region, chance: &mut Chance) -> Change {
        if region == Region::Any && chance.below(16) == 0 {
            return Change::Cut(chance.below(self.bytes.len() as u64) as usize);
        }
        let part = chance.below(self.parts.len() as u64) as usize;
        let places = &self.parts[part];
        let place = chance.below(places.len() as u64) as usize;
        Change::Number(part, place, self.value(&places[place], places, chance))
    }

    /// A number for this place. Those that other places of its kind have are valid each, but not here.
    fn value(&self, place: &Place, places: &[Place], chance: &mut Chance) -> Value {
        match chance.below(12) {
            0 => Value::Zero,
            1 => Value::Max,
            2 => Value::HalfMax,
            3 => Value::Less,
            4 => Value::More,
            5 => Value::FileLength,
            6..8 => Value::Flip(chance.below(64) as u8),
            8 => Value::Other(chance.below(256)),
            9 => Value::Other(chance.below(2 * self.bytes.len() as u64)),
            10 => Value::Other(chance.next()),
            _ => {
                let alike: Vec<&Place> = places.iter().filter(|other| other.field == place.field).collect();
                Value::Other(chance.one_of(&alike).get(&self.bytes).unwrap_or_default())
            }
        }
    }
}

/// Numbers that look like chance and follow from seed and case: Steele, Lea and Flood's SplitMix64.
struct Chance(u64);

impl Chance {
    fn new(seed: u64, index: u64) -> Self {
        // Neighbouring seeds and numbers shall have nothing in common.
        Self(Self(seed).next() ^ Self(!index).next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// 0 to `end` - 1.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn one_of<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        &things[self.below(things.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use modfile::write::Module;

    use super::*;

    fn bases(region: Region) -> Bases {
        let module = |name: &str| {
            let module =
                Module::new(name).modinfo("license", "GPL").exports("given").version("taken", 7).needs("taken");
            let module = module.parameter("number", 0o644, "param_ops_int");
            GuestModule { name: name.into(), bytes: module.build().into() }
        };
        Bases::new(region, [module("one"), module("another")].iter()).unwrap()
    }

    fn id(region: Region, index: u64) -> CaseId {
        CaseId { kernel: "6.1".into(), region, seed: 1, index, only: Vec::new() }
    }

    #[test]
    fn a_case_follows_from_its_name_alone() {
        let mut seen = BTreeSet::new();
        for index in 0..200 {
            let id = id(Region::Any, index);
            let image = bases(Region::Any).case(&id).image;
            assert_eq!(image, bases(Region::Any).case(&id.to_string().parse().unwrap()).image);
            seen.insert(image);
        }
        assert!(seen.len() > 150, "{} of 200 differ", seen.len());
    }

    #[test]
    fn only_the_region_is_broken() {
        use damage::Region as Part;
        let of = |region| -> BTreeSet<Part> {
            let bases = bases(region);
            (0..300)
                .flat_map(|index| bases.case(&id(region, index)).labels)
                .filter_map(|label| label.region())
                .collect()
        };
        assert_eq!(of(Region::Headers), BTreeSet::from([Part::Header, Part::Sections, Part::Strings]));
        assert_eq!(of(Region::Modinfo), BTreeSet::from([Part::Modinfo]));
        assert_eq!(of(Region::Versions), BTreeSet::from([Part::Versions]));
        assert_eq!(of(Region::Params), BTreeSet::from([Part::Parameters]));
        assert_eq!(of(Region::Symbols), BTreeSet::from([Part::Symbols, Part::Strings]));
        assert_eq!(of(Region::Relocs), BTreeSet::from([Part::Relocations]));
        assert!(of(Region::Any).len() >= 7);
    }

    #[test]
    fn of_several_changes_some_can_be_made() {
        let bases = bases(Region::Headers);
        let id = (0..).map(|index| id(Region::Headers, index)).find(|id| bases.case(id).labels.len() == 2).unwrap();
        let both = bases.case(&id).labels;
        for (number, label) in both.iter().enumerate() {
            let only = CaseId { only: vec![number], ..id.clone() };
            assert_eq!(bases.case(&only.to_string().parse().unwrap()).labels, [*label]);
        }
    }

    #[test]
    fn what_names_no_case_is_refused() {
        for text in ["", "6.1/headers/1", "6.1/footers/1/2", "6.1/headers/x/2", "6.1/headers/1/2:"] {
            assert!(text.parse::<CaseId>().is_err(), "{text}");
        }
        assert_eq!("./tree/bzImage/any/1/2:0+2".parse::<CaseId>().unwrap().kernel, "./tree/bzImage");
    }

    #[test]
    fn a_region_that_no_module_has_is_an_error() {
        let module = GuestModule { name: "m".into(), bytes: Module::new("m").build().into() };
        let error = Bases::new(Region::Versions, [module].iter()).unwrap_err();
        assert!(error.to_string().contains("nothing in the region `versions`"), "{error}");
    }
}
