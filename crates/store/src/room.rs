//! Room on the disk: a database that meets the end of the disk within a commit has to be opened again, and cannot be
//! before there is room. So contents and commits are refused while there is some left, and reads and collections go on.

use std::path::PathBuf;

/// What has to stay free beside contents, in bytes: several times what a lap of the journal makes the tables grow.
const ROOM_BYTES_MIN: u64 = 32 << 20;

/// What has to be free for records alone, in bytes: deletions, claims that come or go.
const LAST_ROOM_BYTES_MIN: u64 = 8 << 20;

/// Where to ask how much is free.
#[derive(Debug, Clone)]
pub(crate) enum Room {
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
    free_bytes_min >> 20
)]
pub(crate) struct TooFull {
    free_bytes: u64,
    free_bytes_min: u64,
}

impl Room {
    /// Whether there is room for a content of so many bytes, as far as anybody knows.
    pub(crate) fn for_content(&self, size_bytes: u64) -> Result<(), TooFull> {
        self.keeps(ROOM_BYTES_MIN.saturating_add(size_bytes))
    }

    /// Whether there is room for records, as far as anybody knows.
    pub(crate) fn for_records(&self) -> Result<(), TooFull> {
        self.keeps(LAST_ROOM_BYTES_MIN)
    }

    fn keeps(&self, free_bytes_min: u64) -> Result<(), TooFull> {
        match self.free_bytes() {
            Some(free_bytes) if free_bytes < free_bytes_min => Err(TooFull { free_bytes, free_bytes_min }),
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

    use lrrc_coherence::{AgentId, Millis};

    use super::*;
    use crate::backend::redb::RedbBackend;
    use crate::fault::{Faults, FaultyDisk};
    use crate::wire::{Answer, PROTOCOL, Request, Ticket, ToHome};
    use crate::{Content, ContentRules, Home, HomeConfig, Name, Refusal};

    const NOW: Millis = Millis(0);

    fn name(number: u64) -> Name {
        format!("plan-{number}").parse().expect("a name")
    }

    fn create(number: u64) -> Request {
        Request::Create { name: name(number), content: "x".repeat(1000).into() }
    }

    fn open(store: RedbBackend) -> (Home<RedbBackend>, AgentId) {
        let content = Content::in_memory(ContentRules::default()).expect("contents in memory");
        let mut home = Home::open(store, content, HomeConfig::default(), NOW).expect("a home");
        let agent = home.join(PROTOCOL, NOW).expect("a session");
        (home, agent)
    }

    fn names(home: &mut Home<RedbBackend>, agent: AgentId) -> u64 {
        let list = Request::List { prefix: String::new(), after: None };
        match home.handle(agent, list, NOW) {
            Ok(Answer::Listed { rows, .. }) => rows.len() as u64,
            other => panic!("{other:?}"),
        }
    }

    /// Wherever in its lap the journal is.
    #[test]
    fn writes_are_refused_before_the_disk_is_full_and_reads_and_collections_go_on() {
        let disk = FaultyDisk::new(Faults::default());
        let mut store = RedbBackend::with_storage(disk.clone(), "a disk").expect("a new store");
        let free_bytes = Arc::new(AtomicU64::new(ROOM_BYTES_MIN));
        store.room = Room::Told(Arc::clone(&free_bytes));
        let (mut home, agent) = open(store);
        for landed in 0..150 {
            assert_eq!(names(&mut home, agent), landed);
            for (left_mib, ticket) in [(31, 2 * landed + 1), (0, 2 * landed + 2)] {
                free_bytes.store((left_mib << 20) + 5, Ordering::Relaxed);
                let refused = home.handle(agent, create(landed), NOW);
                let Err(Refusal::Storage { message }) = refused else { panic!("{refused:?}") };
                let told = format!("{left_mib} MiB left, and the store keeps 32 MiB free");
                assert!(message.contains(&told), "{message}");
                home.gather();
                let ask = ToHome::Ask { ticket: Ticket(ticket), request: create(landed) };
                home.receive(agent, ask, NOW);
                home.flush();
                assert_eq!(home.failed(), None);
                assert!(matches!(home.handle(agent, Request::Gc, NOW), Ok(Answer::Swept(_))));
            }
            free_bytes.store(ROOM_BYTES_MIN, Ordering::Relaxed);
            home.handle(agent, create(landed), NOW).expect("there is room again");
        }
        drop(home);
        let after = RedbBackend::with_storage(disk.after_power_loss(0), "the disk").expect("a sound store");
        let (mut home, agent) = open(after);
        assert_eq!(names(&mut home, agent), 150);
    }

    #[test]
    fn the_last_room_is_for_those_who_make_some_or_give_back_their_claims() {
        let mut store = RedbBackend::with_storage(FaultyDisk::new(Faults::default()), "a disk").expect("new");
        let free_bytes = Arc::new(AtomicU64::new(ROOM_BYTES_MIN));
        store.room = Room::Told(Arc::clone(&free_bytes));
        let (mut home, agent) = open(store);
        (0..2).for_each(|number| drop(home.handle(agent, create(number), NOW).expect("room")));
        let acquire = Request::Acquire { name: name(0), lease_ms: None, wait: false };
        let Ok(Answer::Acquired(claim)) = home.handle(agent, acquire, NOW) else { panic!("no claim") };
        free_bytes.store(LAST_ROOM_BYTES_MIN, Ordering::Relaxed);
        home.handle(agent, create(2), NOW).expect_err("no room for another");
        let release = Request::Release { name: name(0), generation: claim.mark.generation };
        home.handle(agent, release, NOW).expect("a release");
        home.handle(agent, Request::Delete { name: name(0), expected: None }, NOW).expect("a deletion");
        free_bytes.store(LAST_ROOM_BYTES_MIN - 1, Ordering::Relaxed);
        let refused = home.handle(agent, Request::Delete { name: name(1), expected: None }, NOW);
        assert!(refused.expect_err("no room at all").to_string().contains("keeps 8 MiB free"));
        assert_eq!(names(&mut home, agent), 1);
    }

    /// What lies beside the file may fill the same disk.
    #[test]
    fn a_content_in_the_folder_leaves_the_records_their_room() {
        const SIZE_BYTES: u64 = 100 << 10;
        let folder = tempfile::tempdir().expect("a folder");
        let mut content = Content::in_folder(folder.path(), ContentRules::default()).expect("contents");
        let free_bytes = Arc::new(AtomicU64::new(ROOM_BYTES_MIN + SIZE_BYTES));
        content.room = Room::Told(Arc::clone(&free_bytes));
        let large = bytes::Bytes::from(vec![7; SIZE_BYTES as usize]);
        let placed = content.put(large.clone(), 0).expect("room");
        free_bytes.fetch_sub(1, Ordering::Relaxed);
        let refused = content.put(vec![8; SIZE_BYTES as usize].into(), 0).expect_err("no room").to_string();
        assert!(refused.contains("32 MiB left"), "{refused}");
        content.put("small".into(), 0).expect("it rides along, and its record asks for room");
        assert_eq!(content.get(&crate::MemoryBackend::new(), &placed.digest).ok(), Some(large));
    }

    #[cfg(unix)]
    #[test]
    fn a_disk_says_what_is_free() {
        assert!(Room::Beside(std::env::temp_dir()).free_bytes().is_some_and(|free_bytes| free_bytes > 0));
        assert_eq!(Room::Beside("/nowhere".into()).free_bytes(), None);
    }
}
