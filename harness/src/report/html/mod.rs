//! Records as one HTML page that needs nothing else: the matrix, and the evidence of each case one click away.
//!
//! The page is a table that the template makes, so that it can be read, printed and searched without JavaScript. The
//! evidence of all cases lies in it as compressed JSON; `report.js` shows it case by case.

mod data;
mod page;

use askama::Template as _;

use super::collection::Collection;
use crate::error::{Context as _, Result};

/// The page.
///
/// # Errors
/// It cannot be made.
pub fn report(collection: &Collection) -> Result<String> {
    page::Page::of(collection)?.render().context(|| "cannot make the page")
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use base64::{Engine as _, prelude::BASE64_STANDARD};

    use super::*;
    use crate::{
        guest::{Kind, Step},
        report::{
            Record, Verdict,
            tests::{failed, record},
        },
    };

    /// The JSON that the page carries.
    fn embedded(page: &str) -> Vec<Record> {
        let data = page.split(r#"id="records">"#).nth(1).unwrap().split('<').next().unwrap();
        let packed = BASE64_STANDARD.decode(data).unwrap();
        let mut json = Vec::new();
        flate2::read::ZlibDecoder::new(&*packed).read_to_end(&mut json).unwrap();
        serde_json::from_slice(&json).unwrap()
    }

    #[test]
    fn nothing_in_a_record_becomes_markup() {
        let evil = "</script></pre><script>alert(1)</script><img src=x onerror=alert(2)>\"'&";
        let why = Verdict::Failed { why: evil.into(), log: evil.into() };
        let skip = Verdict::Skipped { why: evil.into() };
        let bad = Record {
            kernel: format!("./{evil}"),
            release: Some(evil.into()),
            scenario: evil.into(),
            claim: evil.into(),
            source: evil.into(),
            rerun: evil.into(),
            modutils: format!("kmod {evil}"),
            qemu: evil.into(),
            verdict: why,
            log: evil.into(),
            ..record("6.1", "a")
        };
        let collection = Collection::of(vec![bad, Record { verdict: skip, ..record("6.1", "b") }]);
        let page = report(&collection).unwrap();
        assert_eq!(page.matches("<script").count(), 2, "the data and the program");
        assert_eq!(page.matches("</script").count(), 2);
        assert!(!page.contains("<img"));
        assert!(embedded(&page).iter().any(|record| record.log == evil));
    }

    #[test]
    fn a_page_stays_small_whatever_the_records_hold() {
        // Noise that does not compress.
        let mut state = 1_u64;
        let mut noise = |bytes: usize| -> String {
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                char::from(b' ' + ((state >> 33) % 90) as u8)
            };
            (0..bytes).map(|_| next()).collect()
        };
        let records = (0..1000).map(|number| {
            let mut record = if number % 2 == 0 { record("6.1", "") } else { failed("6.1", "") };
            record.scenario = format!("scenario_{number}");
            record.log = noise(8000);
            record.steps = vec![Step { output: noise(2000), ..Step::new(Kind::Look, "read /a".into()) }];
            record
        });
        let page = report(&Collection::of(records.collect())).unwrap();
        assert!(page.len() < 1_500_000, "{}", page.len());
        assert!(page.contains("Evidence was shortened"), "what is missing is not said");
        assert_eq!(embedded(&page).len(), 1000);
    }

    #[test]
    fn other_tools_stand_beside_ours_and_what_differs_is_listed() {
        let kmod = |record: Record| Record { modutils: "kmod 34.2-2".into(), ..record };
        let collection = Collection::of(vec![
            record("6.1", "a"),
            kmod(failed("6.1", "a")),
            failed("6.1", "b"),
            kmod(record("6.1", "b")),
        ]);
        let page = report(&collection).unwrap();
        let lists = page.split("<h2>modrig fails, others pass</h2>").nth(1).expect("the list of what ours fails");
        let (ours, rest) =
            lists.split_once("<h2>modrig passes, others fail</h2>").expect("the list of what theirs fail");
        let theirs = rest.split("</section>").next().expect("a section");
        let links = |part: &str| part.matches("href=").count();
        assert!(links(ours) == 1 && ours.contains(r##"href="#6.1::group::b">"##), "{ours}");
        assert!(links(theirs) == 1 && theirs.contains(r##"href="#6.1::group::a@kmod">"##), "{theirs}");
        assert_eq!(page.matches(r#"data-kernel="6.1""#).count(), 2);
    }
}
