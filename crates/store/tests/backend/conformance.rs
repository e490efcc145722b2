//! What every backend must do. A backend joins by a [`Place`] and `conformance_of!`.

mod concurrent;
mod feed;
mod stored;
mod writes;

use lrrc_store::{Backend, Batch, Expect, Revision, Write};

/// Somewhere a store lies between two runs of its process.
pub(crate) trait Place {
    /// Opens the store as the next process does; what was opened before is not used after that.
    fn open(&mut self) -> Box<dyn Backend>;
}

/// The name of a behaviour, and what shows it.
pub(crate) type Case = (&'static str, fn(&mut dyn Place));

/// Every behaviour.
pub(crate) fn cases() -> Vec<Case> {
    [writes::CASES, feed::CASES, stored::CASES, concurrent::CASES].concat()
}

/// Holds the places that `make` gives to every behaviour, each in a place of its own.
pub(crate) fn hold<P: Place>(mut make: impl FnMut() -> P) {
    for (name, case) in cases() {
        println!("{name}");
        case(&mut make());
    }
}

fn put(store: &dyn Backend, key: &str, value: &'static str) -> Revision {
    store.commit(&Batch::of([Write::put(key, Expect::Any, value)])).unwrap()
}

/// Key, value and revision of all records.
fn records(store: &dyn Backend) -> Vec<(String, Vec<u8>, Revision)> {
    let entries = store.list("").unwrap().entries;
    entries.into_iter().map(|(key, entry)| (key, entry.value.to_vec(), entry.revision)).collect()
}
