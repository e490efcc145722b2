//! The backend in one file.

use lrrc_store::fault::{Faults, FaultyDisk};
use lrrc_store::{Backend, BackendError, RedbBackend};
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
    drop(RedbBackend::with_storage(disk.clone(), "disk").unwrap());
    let database = redb::Database::builder().create_with_backend(disk.after_process_end()).unwrap();
    drop(database);
    let disk = disk.after_process_end();
    let database = redb::Database::builder().create_with_backend(disk.clone()).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(redb::TableDefinition::<&str, u64>::new("meta")).unwrap().insert("format", 2).unwrap();
    write.commit().unwrap();
    drop(database);
    let error = RedbBackend::with_storage(disk.after_process_end(), "disk").unwrap_err();
    assert!(matches!(error, BackendError::Format { .. }), "{error}");
    assert!(error.to_string().contains("has format 2, and this program reads format 1"), "{error}");
}
