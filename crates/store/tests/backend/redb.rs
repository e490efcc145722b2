//! The backend in one file.

use lrrc_store::fault::{Faults, FaultyDisk};
use lrrc_store::{Backend, BackendError, Batch, Expect, RedbBackend, Write, digest_of};
use redb::StorageBackend;
use tempfile::TempDir;

use crate::conformance::{self, Place};

impl Place for TempDir {
    fn open(&mut self) -> Box<dyn Backend> {
        Box::new(RedbBackend::open(self.path().join("store.redb")).unwrap())
    }
}

#[test]
fn redb_holds_to_the_suite() {
    conformance::hold(|| tempfile::tempdir().unwrap());
}

#[test]
fn a_store_that_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("text"), "these are not the bytes of a store, whatever their number\n".repeat(200))
        .unwrap();
    let held = RedbBackend::open(file("held")).unwrap();
    let cases = [
        ("text", "is not a store"),
        ("held", "another process has the store open"),
        ("no such folder/store", "No such file or directory"),
        ("", "directory"),
    ];
    for (name, says) in cases {
        let error = RedbBackend::open(file(name)).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains(says) && message.contains(&*folder.path().to_string_lossy()),
            "{name}: {message}"
        );
    }
    assert_eq!(held.epoch(), Some(1));
}

#[test]
fn an_older_or_newer_format_is_refused() {
    let disk = FaultyDisk::new(Faults::default());
    let database = redb::Database::builder().create_with_backend(disk.clone()).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(redb::TableDefinition::<&str, u64>::new("meta")).unwrap().insert("format", 2).unwrap();
    write.commit().unwrap();
    drop(database);
    let error = RedbBackend::with_storage(disk.after_process_end(), "disk").unwrap_err();
    assert!(matches!(error, BackendError::Format { .. }), "{error}");
    assert!(error.to_string().contains("has format 2, and this program reads format 1"), "{error}");

    let disk = FaultyDisk::new(Faults::default());
    drop(RedbBackend::with_storage(disk.clone(), "disk").unwrap());
    disk.write(12, &2_u32.to_be_bytes()).unwrap();
    let error = RedbBackend::with_storage(disk.after_process_end(), "disk").unwrap_err();
    assert!(matches!(error, BackendError::Format { .. }), "{error}");
    assert!(error.to_string().contains("has layout 2"), "{error}");
}

/// A bare database is what programs without a journal made; it is served as it is.
#[test]
fn a_store_without_a_journal_is_read_and_written() {
    let disk = FaultyDisk::new(Faults::default());
    drop(redb::Database::builder().create_with_backend(disk.clone()).unwrap());
    let store = RedbBackend::with_storage(disk.after_process_end(), "disk");
    drop(store.unwrap());
    let disk = disk.after_process_end();
    let store = RedbBackend::with_storage(disk.clone(), "disk").unwrap();
    store.commit(&Batch::of([Write::put("a/plan", Expect::Absent, "one")])).unwrap();
    let lost = disk.after_power_loss(1);
    let again = RedbBackend::with_storage(lost.clone(), "the disk after a power loss").unwrap();
    assert_eq!(again.get("a/plan").unwrap().unwrap().value, "one");
    drop(again);
    redb::Database::builder().create_with_backend(lost.after_process_end()).unwrap();
}

/// The frames of one run are read by the next, and by no later one: a lap writes over those of the lap before.
#[test]
fn frames_of_earlier_laps_and_runs_are_not_taken_again() {
    let disk = FaultyDisk::new(Faults::default());
    let put = |store: &RedbBackend, value: u32| {
        let write = Write::put("a/plan", Expect::Any, value.to_string());
        store
            .commit(&Batch::of([write]).with_blob(digest_of(&value.to_be_bytes()), vec![7; 9_000], 1))
            .unwrap()
    };
    let mut disk = disk;
    let mut value = 0;
    for commits in [1, 5, 30, 0, 7, 1, 64, 2] {
        let store = RedbBackend::with_storage(disk.clone(), "disk").unwrap();
        let found = store
            .get("a/plan")
            .unwrap()
            .map_or(0, |entry| String::from_utf8(entry.value.to_vec()).unwrap().parse().unwrap());
        assert_eq!(found, value);
        for _ in 0..commits {
            value += 1;
            put(&store, value);
        }
        disk = disk.after_power_loss(u64::from(value));
    }
    assert_eq!(value, 110);
}
