//! The backend in one file.

use lrrc_store::fault::{Faults, FaultyDisk};
use lrrc_store::{Backend, BackendError, Batch, Expect, RedbBackend, Revision, Write, digest_of};
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

/// A megabyte that is its own.
/// A store in which a process that was killed left ten commits in the journal: its bytes.
fn ten_commits() -> (TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let store = RedbBackend::open(folder.path().join("store")).unwrap();
    for at in 0..10 {
        store.commit(&Batch::of([Write::put(format!("k{at}"), Expect::Absent, "x".repeat(5000))])).unwrap();
    }
    let bytes = std::fs::read(folder.path().join("store")).unwrap();
    (folder, bytes)
}

/// What opening a file of these bytes gives: how many records, or why not.
fn opened(bytes: &[u8]) -> Result<usize, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    std::fs::write(&path, bytes).unwrap();
    let store = RedbBackend::open(&path).map_err(|error| error.to_string())?;
    Ok(store.list("").unwrap().entries.len())
}

#[test]
fn a_damaged_commit_before_others_is_said_and_a_torn_last_one_is_not() {
    let (_folder, whole) = ten_commits();
    assert_eq!(opened(&whole), Ok(10));
    // Each frame has two blocks behind the first of the file.
    for (frame, expected) in [(0, None), (4, None), (8, None), (9, Some(9))] {
        let mut damaged = whole.clone();
        damaged[4096 + frame * 8192 + 100] ^= 0xff;
        let found = opened(&damaged);
        match expected {
            Some(records) => assert_eq!(found, Ok(records)),
            None => {
                let why = found.unwrap_err();
                let place = format!("byte {}", 4096 + frame * 8192);
                assert!(why.contains(&place) && why.contains("damaged"), "{why}");
            }
        }
    }
}

#[test]
fn a_file_that_lost_its_end_is_no_new_store() {
    let (folder, whole) = ten_commits();
    let journal_ends = 4096 + (4 << 20);
    for length in [0, 100, 4096, 1 << 20, journal_ends - 1, journal_ends, journal_ends + 4096] {
        let path = folder.path().join(length.to_string());
        std::fs::write(&path, &whole[..length]).unwrap();
        let why = RedbBackend::open(&path).unwrap_err().to_string();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), length as u64, "it is left as it is");
        assert!(why.contains("copy of the file"), "{length}: {why}");
    }
}

fn megabyte(number: u8) -> Vec<u8> {
    vec![number; 1 << 20]
}

/// The journal at the head of the file, which is never made shorter.
const JOURNAL_BYTES: u64 = 4 << 20;

const CONTENTS: u8 = 24;
const KEPT: std::ops::Range<u8> = 20..CONTENTS;

/// Commits contents of a megabyte each and removes all but the last four: most of the file is garbage, and the rest is
/// at its end.
fn fill_and_empty(store: &RedbBackend) {
    for number in 0..CONTENTS {
        let batch = Batch::of([Write::put(format!("a/{number}"), Expect::Absent, vec![number])]);
        let content = megabyte(number);
        store.commit(&batch.with_blob(digest_of(&content), content, 1)).unwrap();
    }
    let digests: Vec<_> = (0..KEPT.start).map(|number| digest_of(&megabyte(number))).collect();
    assert_eq!(store.sweep(&digests, 2).unwrap(), u64::from(KEPT.start));
}

fn assert_full(store: &RedbBackend) {
    assert_eq!(store.list("").unwrap().entries.len(), usize::from(CONTENTS));
    assert_eq!(store.changes(Revision::START, 100).unwrap().len(), usize::from(CONTENTS));
    let found: Vec<u64> = store.blobs(None, 100).unwrap().iter().map(|blob| blob.size_bytes).collect();
    assert_eq!(found, [1 << 20; 4]);
    for number in KEPT {
        assert_eq!(store.blob(&digest_of(&megabyte(number))).unwrap().unwrap(), megabyte(number));
    }
}

#[test]
fn a_file_of_which_most_was_removed_is_made_shorter_when_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    fill_and_empty(&RedbBackend::open(&path).unwrap());
    let length = || std::fs::metadata(&path).unwrap().len();
    let before = length();
    assert_full(&RedbBackend::open(&path).unwrap());
    let after = length();
    println!("{before} bytes before, {after} after");
    assert!(before > 20 << 20 && after < (12 << 20) + JOURNAL_BYTES, "{before} bytes, then {after}");
    assert_full(&RedbBackend::open(&path).unwrap());
    assert!(length() <= after, "the second opening finds nothing to do");
}

#[test]
fn a_power_loss_while_a_file_is_made_shorter_loses_nothing() {
    let full = FaultyDisk::new(Faults::default());
    fill_and_empty(&RedbBackend::with_storage(full.clone(), "disk").unwrap());
    let opened = full.after_process_end();
    assert_full(&RedbBackend::with_storage(opened.clone(), "disk").unwrap());
    let operations = opened.operations();
    for operation in (0..operations).step_by(usize::try_from(operations / 30).unwrap().max(1)) {
        let disk = full.after_process_end();
        disk.set_faults(Faults { power_off_at: Some(operation), ..Faults::default() });
        // The power goes: where it went after the opening, there is nothing to see here.
        let _ = RedbBackend::with_storage(disk.clone(), "disk");
        let what = format!("power off at {operation} of {operations}");
        let again = RedbBackend::with_storage(disk.after_power_loss(operation), &what);
        assert_full(&again.unwrap_or_else(|error| panic!("{what}: {error}")));
    }
}
