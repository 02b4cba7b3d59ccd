//! Our module tools beside the real kmod, on modules made on the spot.

use modrig::{
    cache::Cache,
    compare::{self, Extent},
    kernel::{FetchOptions, Store},
    peers::Peers,
    progress::Progress,
};

#[test]
fn modutils_are_like_kmod() {
    let store = Store {
        cache: Cache::open(None).expect("the machine's cache can be used"),
        progress: Progress::hidden(),
        options: FetchOptions::default(),
    };
    // Without the archive this machine cannot say anything about it; that is no failure of modutils.
    if let Err(error) = store.obtain(&Peers::embedded().expect("a list that is built in"), compare::REFERENCE) {
        eprintln!("skipped: no kmod to compare with: {}", error.chain());
        return;
    }
    let report = compare::kmod(&store, Extent::Quick, &[]).expect("the comparison runs");
    assert!(report.is_clean(), "{}", report.text());
}
