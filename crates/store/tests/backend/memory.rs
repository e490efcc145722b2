//! The backend in memory.

use lrrc_store::{Backend, BackendError, Batch, Expect, MemoryBackend, MemoryDisk, Write, digest_of};

use crate::conformance::{self, Place};

impl Place for MemoryDisk {
    fn open(&mut self) -> Box<dyn Backend> {
        Box::new(MemoryBackend::open(self))
    }
}

#[test]
fn memory_holds_to_the_suite() {
    conformance::hold(MemoryDisk::default);
}

#[test]
fn a_crash_takes_back_what_was_not_durable() {
    let disk = MemoryDisk::default();
    let store = MemoryBackend::open(&disk);
    let kept = store
        .commit(&Batch::of([Write::put("a", Expect::Any, "1"), Write::put("b", Expect::Any, "1")]))
        .unwrap();
    let digest = digest_of(b"lost");
    let lost = [
        Batch::of([Write::put("a", Expect::Any, "2")]).with_blob(digest, "lost", 1),
        Batch::of([Write::put("a", Expect::Any, "3"), Write::delete("b", Expect::Any)]),
        Batch::of([Write::put("c", Expect::Any, "4")]),
    ];
    let last = lost.map(|batch| store.commit(&batch.volatile()).unwrap())[2];

    let again = MemoryBackend::open(&disk);
    let values: Vec<_> =
        again.list("").unwrap().entries.into_iter().map(|(key, entry)| (key, entry.value)).collect();
    assert_eq!(values, [("a".to_owned(), "1".into()), ("b".to_owned(), "1".into())]);
    assert_eq!(again.blob(&digest).unwrap(), None);
    assert!(again.revision().unwrap() > last, "no revision is given twice");
    assert_eq!(again.changes(kept, 10).unwrap(), []);
    let taken_back = again.changes(last, 10);
    assert!(matches!(taken_back, Err(BackendError::Compacted { .. })), "{taken_back:?}");
}

#[test]
fn a_handle_ends_when_the_store_is_opened_again() {
    let disk = MemoryDisk::default();
    let [first, _second] = [(); 2].map(|()| MemoryBackend::open(&disk));
    let error = first.commit(&Batch::of([])).unwrap_err();
    assert_eq!(error.to_string(), "this handle of epoch 1 is closed: the store was opened again as epoch 2");
}
