//! Cases once more, each alone in a guest of its own: whether they do the same there, with how few changes, and whether the
//! loader is to blame or the module's own code.

use modfile::{
    check::Verdict,
    edit::{self, Field},
    elf::Elf,
    signature,
};

use super::{
    base::Bases,
    case::CaseId,
    judge::{Answer, Class, has_accepted},
    line::{Answered, Line, Pending},
    setup::Setup,
};
use crate::error::Result;

impl Setup<'_> {
    /// The kernel's answer to a file in a new guest, and what it said when it died.
    ///
    /// # Errors
    /// The user asked to stop, or the rig fails.
    pub fn load(&self, image: Vec<u8>) -> Result<(Answer, String)> {
        let (Answered { case, answer, .. }, words) = self.load_once(image)?;
        Ok((self.blame(&case.image, &case.ours, answer)?, words))
    }

    fn load_once(&self, image: Vec<u8>) -> Result<(Answered, String)> {
        let ours = self.verdict(&image);
        let mut line = Line::new(&self.rig.host, &self.prepared.guest, &[]);
        line.push(Pending { index: 0, made: None, image, ours });
        loop {
            if let Some(answered) = line.turn()?.pop() {
                return Ok((answered, line.last_words));
            }
        }
    }

    /// Says of a module that we take and the kernel does not, or dies of, whether that is the loader's doing: without its
    /// signature, or without the functions that the kernel runs of it, the kernel may load it and live.
    ///
    /// # Errors
    /// As [`Setup::load`].
    pub fn blame(&self, image: &[u8], ours: &Verdict, answer: Answer) -> Result<Answer> {
        if *ours != Verdict::Accept || !Class::of(ours, &answer).is_bug() {
            return Ok(answer);
        }
        let unsigned = signature::signed_part(image);
        if let Answer::Returned(result, _) = answer
            && unsigned.len() < image.len()
            && (self.bases.has_unsigned(unsigned) || self.result_of(unsigned.to_vec())?.is_some_and(has_accepted))
        {
            return Ok(Answer::Signature(result));
        }
        // Nothing of it runs, so nothing but the loader can say anything but 0.
        let is_loaded = without_functions(image).map_or(Ok(None), |bare| self.result_of(bare))? == Some(0);
        Ok(match answer {
            Answer::Crashed(title) if is_loaded => Answer::Ran(title),
            Answer::Returned(result, _) if is_loaded => Answer::Init(result),
            answer => answer,
        })
    }

    /// What `init_module` returns for a file; None if the kernel dies.
    fn result_of(&self, image: Vec<u8>) -> Result<Option<i64>> {
        Ok(match self.load_once(image)?.0.answer {
            Answer::Returned(result, _) => Some(result),
            _ => None,
        })
    }

    /// The case with as few changes as still give an answer that is `like` the first one; None where the case alone does
    /// not.
    ///
    /// # Errors
    /// As [`Setup::load`].
    pub fn smallest(&self, case: &CaseId, like: impl Fn(&Answer) -> bool) -> Result<Option<CaseId>> {
        smallest(&self.bases, case, |smaller| Ok(like(&self.load_once(self.case(smaller)?.image)?.0.answer)))
    }
}

/// The case with as few changes as still show something; None where the case itself does not.
///
/// # Errors
/// Those of `shows`.
pub fn smallest(
    bases: &Bases,
    case: &CaseId,
    mut shows: impl FnMut(&CaseId) -> Result<bool>,
) -> Result<Option<CaseId>> {
    let count = bases.recipe(case).changes.len();
    // Those of one change first, all of them last: a case has five at most.
    let mut sets: Vec<Vec<usize>> =
        (1..1_usize << count).map(|set| (0..count).filter(|change| set >> change & 1 == 1).collect()).collect();
    sets.sort_by_key(Vec::len);
    for only in sets {
        let smaller = case.with_only(&only, count);
        if shows(&smaller)? {
            return Ok(Some(smaller));
        }
    }
    Ok(None)
}

/// The module without what the kernel runs of it: neither init nor exit, and no constructors, which those have that are built
/// for KASAN. Its `struct module` stays as it is in the file. None where that has no relocations.
fn without_functions(image: &[u8]) -> Option<Vec<u8>> {
    const RELA: usize = 24;
    const R_X86_64_NONE: [u8; 4] = [0; 4];
    const CONSTRUCTORS: [&str; 4] = [".init_array", ".rela.init_array", ".ctors", ".rela.ctors"];
    let elf = Elf::parse(image).ok()?;
    let table = elf.section(".rela.gnu.linkonce.this_module").ok()??;
    let (start, len) = (usize::try_from(table.offset).ok()?, table.data.len());
    let mut bare = image.to_vec();
    for relocation in bare.get_mut(start..start + len)?.chunks_exact_mut(RELA) {
        relocation[8..12].copy_from_slice(&R_X86_64_NONE);
    }
    for name in CONSTRUCTORS {
        // Most modules have none.
        bare = edit::set_field(&bare, name, Field::Size, 0).unwrap_or(bare);
    }
    Some(bare)
}

#[cfg(test)]
mod tests {
    use modfile::{
        elf::{Layout, Relocation, SHF_ALLOC, SHT_PROGBITS, STB_GLOBAL},
        write::Writer,
    };

    use super::*;

    #[test]
    fn without_functions_nothing_but_struct_module_differs() {
        let module = |kind| {
            let mut writer = Writer::new(Layout::ELF64_LE);
            let text = writer.section(".text", SHT_PROGBITS, SHF_ALLOC, vec![0; 16]);
            let this = writer.section(".gnu.linkonce.this_module", SHT_PROGBITS, SHF_ALLOC, vec![0; 64]);
            let init = writer.symbol("init_module", STB_GLOBAL, text, 0);
            let pointer = Relocation { offset: 8, symbol: init, kind: 1, addend: Some(0) };
            writer.relocations(".rela.text", text, &[pointer]);
            writer.relocations(".rela.gnu.linkonce.this_module", this, &[Relocation { kind, ..pointer }]);
            writer.finish()
        };
        assert_eq!(without_functions(&module(1)), Some(module(0)));
        assert_eq!(without_functions(b"no module"), None);
    }

    #[test]
    fn without_functions_there_are_no_constructors() {
        let mut writer = Writer::new(Layout::ELF64_LE);
        let this = writer.section(".gnu.linkonce.this_module", SHT_PROGBITS, SHF_ALLOC, vec![0; 64]);
        let array = writer.section(".init_array", SHT_PROGBITS, SHF_ALLOC, vec![0; 8]);
        let pointer = Relocation { offset: 0, symbol: 0, kind: 1, addend: Some(0) };
        writer.relocations(".rela.init_array", array, &[pointer]);
        writer.relocations(".rela.gnu.linkonce.this_module", this, &[pointer]);
        let bare = without_functions(&writer.finish()).unwrap();
        let elf = Elf::parse(&bare).unwrap();
        let size = |name| elf.section(name).unwrap().unwrap().size;
        assert_eq!([size(".init_array"), size(".rela.init_array")], [0, 0]);
        assert_eq!(size(".rela.gnu.linkonce.this_module"), 24);
    }
}
