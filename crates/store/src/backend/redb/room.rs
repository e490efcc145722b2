//! Room on the disk: a database that meets the end of the disk within a commit has to be opened again, and cannot be
//! before there is room. So commits are refused while there is some left, and reads and collections go on.

use std::path::PathBuf;

/// What has to be free when the tables follow the journal, in bytes: several times what a lap of it makes them grow.
const ROOM_BYTES_MIN: u64 = 32 << 20;

/// Where to ask how much is free.
#[derive(Debug)]
pub(super) enum Room {
    /// Nobody knows.
    Unknown,
    /// The disk that this folder lies on.
    Beside(PathBuf),
    #[cfg(test)]
    Told(std::sync::Arc<std::sync::atomic::AtomicU64>),
}

/// There is not enough.
#[derive(Debug, thiserror::Error)]
#[error(
    "the disk has {} MiB left, and the store keeps {} MiB free: make room on it; what is there can still be read",
    free_bytes >> 20,
    ROOM_BYTES_MIN >> 20
)]
pub(super) struct TooFull {
    free_bytes: u64,
}

impl Room {
    /// Whether there is room for the tables to grow, as far as anybody knows.
    pub(super) fn check(&self) -> Result<(), TooFull> {
        match self.free_bytes() {
            Some(free_bytes) if free_bytes < ROOM_BYTES_MIN => Err(TooFull { free_bytes }),
            _ => Ok(()),
        }
    }

    fn free_bytes(&self) -> Option<u64> {
        match self {
            Self::Unknown => None,
            Self::Beside(folder) => free_bytes(folder),
            #[cfg(test)]
            Self::Told(free_bytes) => Some(free_bytes.load(std::sync::atomic::Ordering::Relaxed)),
        }
    }
}

/// A disk of no size is one that does not say.
#[cfg(unix)]
fn free_bytes(folder: &std::path::Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    (disk.f_blocks > 0).then(|| disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_: &std::path::Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::backend::redb::RedbBackend;
    use crate::backend::{Backend, Batch, Expect, Write};
    use crate::fault::{Faults, FaultyDisk};

    #[test]
    fn commits_are_refused_before_the_disk_is_full_and_reads_go_on() {
        let disk = FaultyDisk::new(Faults::default());
        let mut store = RedbBackend::with_storage(disk.clone(), "a disk").expect("a new store");
        let free_bytes = Arc::new(AtomicU64::new(ROOM_BYTES_MIN - 1));
        store.room = Room::Told(Arc::clone(&free_bytes));
        let put = |key: usize| Batch::of([Write::put(format!("a/{key}"), Expect::Absent, vec![7; 1000])]);
        let landed = (0..1000).take_while(|key| store.commit(&put(*key)).is_ok()).count();
        assert!((10..1000).contains(&landed), "{landed} commits have room in the journal");
        let refused = store.commit(&put(landed)).expect_err("the disk is full").to_string();
        assert!(refused.contains("31 MiB left") && refused.contains("32 MiB free"), "{refused}");
        assert_eq!(store.list("a/").expect("a listing").entries.len(), landed);
        store.sweep(&[], 0).expect("a collection");
        free_bytes.store(ROOM_BYTES_MIN, Ordering::Relaxed);
        store.commit(&put(landed)).expect("there is room again");
        let after = RedbBackend::with_storage(disk.after_power_loss(0), "the disk").expect("a sound store");
        assert_eq!(after.list("a/").expect("a listing").entries.len(), landed + 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_disk_says_what_is_free() {
        assert!(Room::Beside(std::env::temp_dir()).free_bytes().is_some_and(|free_bytes| free_bytes > 0));
        assert!(Room::Beside("/nowhere".into()).check().is_ok());
    }
}
