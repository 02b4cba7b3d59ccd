//! The modules of a campaign, and what a case makes of them.

use std::sync::Arc;

use modfile::{elf::Elf, signature::signed_part};
use modrig_fuzz::damage::{self, Label, Place, Value};

use super::{
    case::{CaseId, Region, Which},
    change::{Chance, Change, Recipe},
};
use crate::{
    cache::Digest,
    error::{Error, Result},
    module::GuestModule,
};

/// A valid module, and where it can be broken.
#[derive(Debug)]
struct Base {
    name: String,
    bytes: Arc<[u8]>,
    /// Every number in it.
    places: Vec<Place>,
    /// Those of the region, by the part of the file that they are in, so that large parts do not drown small ones.
    parts: Vec<Vec<usize>>,
}

/// The modules of a campaign, each of which can be broken in the campaign's region.
#[derive(Debug)]
pub struct Bases {
    region: Region,
    bases: Vec<Base>,
    /// Names the modules' bytes.
    pub digest: Digest,
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

    /// Whether a file is one of them as it was, but for what signs it.
    pub fn has_unsigned(&self, file: &[u8]) -> bool {
        self.bases.iter().any(|base| signed_part(&base.bytes) == file)
    }

    /// The module of a case.
    ///
    /// # Errors
    /// No module has that name, or not so many places.
    pub fn case(&self, id: &CaseId) -> Result<Broken> {
        self.make(&self.recipe(id))
    }

    /// What is done for a case.
    pub fn recipe(&self, id: &CaseId) -> Recipe {
        match &id.which {
            Which::Recipe(recipe) => recipe.clone(),
            Which::Number { seed, index, only } => {
                let Recipe { base, changes } = self.fresh(&mut Chance::new(*seed, *index));
                let wanted = |number: &usize| only.is_empty() || only.contains(number);
                let changes = changes.into_iter().enumerate().filter(|(number, _)| wanted(number));
                Recipe { base, changes: changes.map(|(_, change)| change).collect() }
            }
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// No module has that name, or not so many places.
    pub fn make(&self, recipe: &Recipe) -> Result<Broken> {
        let base = self.base(&recipe.base)?;
        let (mut image, mut labels) = (base.bytes.to_vec(), Vec::new());
        for change in &recipe.changes {
            match *change {
                Change::Number(place, value) => {
                    let place = base.places.get(place).ok_or_else(|| {
                        Error::usage(format!("{} has {} places, counted from 0", base.name, base.places.len()))
                            .help(format!("the case `{recipe}` is of another build of this module"))
                    })?;
                    labels.extend(place.set(&mut image, value));
                }
                Change::Cut(len) => {
                    image.truncate(len);
                    labels.push(Label::Cut(len));
                }
            }
        }
        Ok(Broken { base: base.name.clone(), valid: Arc::clone(&base.bytes), image, labels })
    }

    /// Any module, with any one to three changes.
    pub fn fresh(&self, chance: &mut Chance) -> Recipe {
        let base = chance.one_of(&self.bases);
        // Most have one: with several, the first that is noticed hides the others.
        let count = match chance.below(10) {
            0..6 => 1,
            6..9 => 2,
            _ => 3,
        };
        let changes = (0..count).map(|_| base.change(self.region, chance)).collect();
        Recipe { base: base.name.clone(), changes }
    }

    /// One more change of a module.
    ///
    /// # Errors
    /// No module has that name.
    pub fn change(&self, base: &str, chance: &mut Chance) -> Result<Change> {
        Ok(self.base(base)?.change(self.region, chance))
    }

    /// Another change where a module was changed.
    ///
    /// # Errors
    /// No module has that name, or not so many places.
    pub fn change_again(&self, base: &str, change: Change, chance: &mut Chance) -> Result<Change> {
        let base = self.base(base)?;
        match change {
            Change::Number(place, _) => Ok(Change::Number(place, base.value(place, base.part_of(place)?, chance))),
            Change::Cut(_) => Ok(base.cut(chance)),
        }
    }

    /// The same change at another place of the same kind.
    ///
    /// # Errors
    /// No module has that name, or not so many places.
    pub fn change_alike(&self, base: &str, change: Change, chance: &mut Chance) -> Result<Change> {
        let base = self.base(base)?;
        match change {
            Change::Number(place, value) => Ok(Change::Number(base.alike(place, base.part_of(place)?, chance), value)),
            Change::Cut(_) => Ok(base.cut(chance)),
        }
    }

    /// What is changed by a change, whichever of its kind: `Sections sh_type`.
    pub fn kind(&self, base: &str, change: Change) -> String {
        let place = match change {
            Change::Number(place, _) => self.base(base).ok().and_then(|base| base.places.get(place)),
            Change::Cut(_) => None,
        };
        place.map_or_else(|| "length".into(), |place| format!("{:?} {}", place.region, place.field))
    }

    fn base(&self, name: &str) -> Result<&Base> {
        self.bases.iter().find(|base| base.name == name).ok_or_else(|| {
            let known: Vec<&str> = self.bases.iter().map(|base| base.name.as_str()).collect();
            Error::usage(format!("no module `{name}` is broken in the region {}", self.region))
                .help(format!("those are {}", known.join(", ")))
        })
    }
}

impl Base {
    fn new(region: Region, module: &GuestModule) -> Self {
        let names = Elf::parse(&module.bytes).and_then(|elf| elf.section(".shstrtab"));
        let names = names.ok().flatten().map_or(0, |section| section.index);
        let places = damage::places(&module.bytes);
        let mut parts: Vec<Vec<usize>> = Vec::new();
        for (number, place) in places.iter().enumerate().filter(|(_, place)| region.has(place, names)) {
            match parts.iter_mut().find(|part| places[part[0]].region == place.region) {
                Some(part) => part.push(number),
                None => parts.push(vec![number]),
            }
        }
        Self { name: module.name.clone(), bytes: Arc::clone(&module.bytes), places, parts }
    }

    /// The places of the part of the file that a place is in.
    fn part_of(&self, place: usize) -> Result<&[usize]> {
        let part = self.parts.iter().find(|part| part.binary_search(&place).is_ok());
        part.map(Vec::as_slice)
            .ok_or_else(|| Error::new(format!("place {place} of {} is in another region", self.name)))
    }

    /// Any place with a field of the same name.
    fn alike(&self, place: usize, part: &[usize], chance: &mut Chance) -> usize {
        let field = self.places[place].field;
        let alike: Vec<usize> = part.iter().copied().filter(|other| self.places[*other].field == field).collect();
        *chance.one_of(&alike)
    }

    fn cut(&self, chance: &mut Chance) -> Change {
        Change::Cut(chance.below(self.bytes.len() as u64) as usize)
    }

    fn change(&self, region: Region, chance: &mut Chance) -> Change {
        if region == Region::Any && chance.below(16) == 0 {
            return self.cut(chance);
        }
        let part = chance.one_of(&self.parts);
        let place = *chance.one_of(part);
        Change::Number(place, self.value(place, part, chance))
    }

    /// A number for this place. Those that other places of its kind have are valid each, but not here.
    fn value(&self, place: usize, part: &[usize], chance: &mut Chance) -> Value {
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
            10 => Value::Other(chance.number()),
            _ => Value::Other(self.places[self.alike(place, part, chance)].get(&self.bytes).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use modfile::write::Module;
    use modrig_fuzz::signing::Signing;

    use super::*;

    fn bases(region: Region) -> Bases {
        let module = |name: &str| {
            let module =
                Module::new(name).modinfo("license", "GPL").exports("given").version("taken", 7).needs("taken");
            let mut bytes = module.parameter("number", 0o644, "param_ops_int").build();
            if region == Region::Signature {
                Signing::example().append(&mut bytes);
            }
            GuestModule { name: name.into(), bytes: bytes.into() }
        };
        Bases::new(region, [module("one"), module("another")].iter()).unwrap()
    }

    fn id(region: Region, index: u64) -> CaseId {
        CaseId { kernel: "6.1".into(), region, which: Which::Number { seed: 1, index, only: Vec::new() } }
    }

    #[test]
    fn a_case_follows_from_its_name_alone() {
        let mut seen = BTreeSet::new();
        for index in 0..200 {
            let id = id(Region::Any, index);
            let image = bases(Region::Any).case(&id).unwrap().image;
            assert_eq!(image, bases(Region::Any).case(&id.to_string().parse().unwrap()).unwrap().image);
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
                .flat_map(|index| bases.case(&id(region, index)).unwrap().labels)
                .filter_map(|label| label.region())
                .collect()
        };
        assert_eq!(of(Region::Headers), BTreeSet::from([Part::Header, Part::Sections, Part::Strings]));
        assert_eq!(of(Region::Modinfo), BTreeSet::from([Part::Modinfo]));
        assert_eq!(of(Region::Versions), BTreeSet::from([Part::Versions]));
        assert_eq!(of(Region::Params), BTreeSet::from([Part::Parameters]));
        assert_eq!(of(Region::Symbols), BTreeSet::from([Part::Symbols, Part::Strings]));
        assert_eq!(of(Region::Relocs), BTreeSet::from([Part::Relocations]));
        assert_eq!(of(Region::Signature), BTreeSet::from([Part::Signature]));
        assert!(of(Region::Any).len() >= 7);
    }

    #[test]
    fn of_several_changes_some_can_be_made_and_named_in_full() {
        let bases = bases(Region::Headers);
        let labels = |id: &CaseId| bases.case(&id.to_string().parse().unwrap()).unwrap().labels;
        let id = (0..).map(|index| id(Region::Headers, index)).find(|id| labels(id).len() == 2).unwrap();
        let full = CaseId { which: Which::Recipe(bases.recipe(&id)), ..id.clone() };
        for (number, label) in labels(&id).iter().enumerate() {
            assert_eq!(labels(&id.with_only(&[number], 2)), [*label]);
            assert_eq!(labels(&full.with_only(&[number], 2)), [*label]);
        }
    }

    #[test]
    fn a_number_means_the_same_case_in_every_version() {
        let bases = bases(Region::Any);
        let names: Vec<String> = (0..4).map(|index| bases.recipe(&id(Region::Any, index)).to_string()).collect();
        let expected =
            ["one/268=0x5aaad91222ea3f19", "another/129=0x7+116=bit29", "one/191=bit50+5=max", "one/255=length"];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_case_of_no_module_or_place_is_an_error() {
        let case = |text: &str| bases(Region::Headers).case(&text.parse().unwrap()).map(drop).unwrap_err().to_string();
        assert_eq!(case("6.1/headers/two/1=max"), "no module `two` is broken in the region headers");
        assert!(case("6.1/headers/one/99999=max").starts_with("one has "));
    }

    #[test]
    fn a_region_that_no_module_has_is_an_error() {
        let module = GuestModule { name: "m".into(), bytes: Module::new("m").build().into() };
        let error = Bases::new(Region::Versions, [module].iter()).unwrap_err();
        assert!(error.to_string().contains("nothing in the region `versions`"), "{error}");
    }
}
