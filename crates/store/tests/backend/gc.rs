//! The collector: it removes garbage, and never what a record names, whatever runs beside it.

use std::convert::Infallible;
use std::sync::RwLock;

use bytes::Bytes;
use lrrc_store::fault::{Faults, FaultyDisk};
use lrrc_store::gc::{self, GcError, Swept};
use lrrc_store::{
    Backend, Batch, Content, ContentError, ContentRules, Digest, Expect, MemoryBackend, Placed, RedbBackend,
    Write,
};

const RULES: ContentRules = ContentRules { inline_bytes_max: 8, content_bytes_max: 64, grace_ms: 100 };

/// Records of these tests hold the digests that they name, in text, one a line.
fn named(_: &str, value: &Bytes) -> Result<Vec<Digest>, Infallible> {
    Ok(std::str::from_utf8(value).unwrap().lines().map(|line| line.parse().unwrap()).collect())
}

fn collect(backend: &dyn Backend, content: &Content, now_ms: u64) -> Swept {
    gc::collect(backend, content, now_ms, named).unwrap()
}

fn name(backend: &dyn Backend, key: &str, placed: &[&Placed], now_ms: u64) {
    let names: Vec<String> = placed.iter().map(|placed| placed.digest.to_string()).collect();
    let batch = Batch::of([Write::put(key, Expect::Any, names.join("\n"))]);
    let blobs = placed.iter().filter_map(|placed| placed.blob()).collect();
    backend.commit(&Batch { blobs, now_ms, ..batch }).unwrap();
}

const SMALL: &str = "small";
const LARGE: &str = "longer than what rides along";

#[test]
fn contents_come_back_from_where_they_lie() {
    let folder = tempfile::tempdir().unwrap();
    let (backend, content) =
        (MemoryBackend::new(), Content::in_folder(folder.path().join("new"), RULES).unwrap());
    for text in ["", SMALL, LARGE] {
        let placed = content.put(text.into(), 1).unwrap();
        assert_eq!(placed.is_inline, text.len() <= RULES.inline_bytes_max);
        name(&backend, "plan", &[&placed], 1);
        assert_eq!(content.get(&backend, &placed.digest).unwrap(), text);
    }
    let again = Content::in_folder(folder.path().join("new"), RULES).unwrap();
    assert_eq!(again.get(&backend, &lrrc_store::digest_of(LARGE.as_bytes())).unwrap(), LARGE);
}

#[test]
fn what_cannot_be_put_or_read_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (backend, content) = (MemoryBackend::new(), Content::in_folder(folder.path(), RULES).unwrap());
    let error = content.put(vec![0; 65].into(), 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the content has 65 bytes, and the limit is 64: split it, or raise the limit of the store"
    );

    let placed = content.put(LARGE.into(), 1).unwrap();
    let name = placed.digest.to_string();
    let file = folder.path().join("blobs").join(&name[..2]).join(&name).join(format!("{:016x}", 1));
    std::fs::write(&file, "something else").unwrap();
    assert!(matches!(content.get(&backend, &placed.digest), Err(ContentError::Damaged { .. })));
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(content.get(&backend, &placed.digest), Err(ContentError::Missing { .. })));

    std::fs::write(folder.path().join("file"), "").unwrap();
    for place in [folder.path().join("file").to_str().unwrap(), "no-such-scheme://bucket", "s3:// /"] {
        let error = Content::at(place, [], RULES).unwrap_err();
        assert!(error.to_string().contains(place), "{error}");
    }
}

#[test]
fn garbage_goes_after_its_grace_and_the_rest_stays() {
    let (backend, content) = (MemoryBackend::new(), Content::in_memory(RULES).unwrap());
    let texts = ["small", "a named one, large", "garbage", "garbage that is large"];
    let placed = texts.map(|text| content.put(text.into(), 0).unwrap());
    name(&backend, "plan", &[&placed[0], &placed[1]], 0);
    name(&backend, "old plan", &[&placed[2], &placed[3]], 0);
    backend.commit(&Batch::of([Write::delete("old plan", Expect::Any)])).unwrap();

    let early = Swept { records: 1, reachable: 2, young: 2, removed: 0 };
    assert_eq!(collect(&backend, &content, 100), early);
    let late = Swept { young: 0, removed: 2, ..early };
    assert_eq!(collect(&backend, &content, 101), late);
    assert_eq!(collect(&backend, &content, 10_000), Swept { removed: 0, ..late });
    for (text, placed) in texts.iter().zip(&placed).take(2) {
        assert_eq!(content.get(&backend, &placed.digest).unwrap(), *text);
    }
    for placed in &placed[2..] {
        assert!(matches!(content.get(&backend, &placed.digest), Err(ContentError::Missing { .. })));
    }
}

#[test]
fn a_record_that_cannot_be_read_stops_the_collection() {
    let (backend, content) = (MemoryBackend::new(), Content::in_memory(RULES).unwrap());
    let placed = content.put(LARGE.into(), 0).unwrap();
    name(&backend, "other", &[], 0);
    let stopped = gc::collect(&backend, &content, 1_000, |_, _| Err("of a newer format"));
    let GcError::Unreadable { key, source } = stopped.unwrap_err() else { panic!() };
    assert_eq!((key.as_str(), source), ("other", "of a newer format"));
    assert_eq!(content.get(&backend, &placed.digest).unwrap(), LARGE);
}

#[test]
fn a_put_is_made_again_when_it_is_too_old_to_be_named() {
    let (backend, content) = (MemoryBackend::new(), Content::in_memory(RULES).unwrap());
    let mut placed = content.put(LARGE.into(), 1_000).unwrap();
    for (now_ms, put_ms) in [(1_050, 1_000), (1_051, 1_051), (1_101, 1_051), (1_200, 1_200)] {
        content.refresh(&mut placed, now_ms).unwrap();
        assert_eq!(placed.put_ms, put_ms, "at {now_ms}");
    }
    let again = content.put(LARGE.into(), 1_225).unwrap();
    assert_eq!(again.put_ms, 1_200, "a recent put is used again");
    name(&backend, "plan", &[&placed], 1_200);
    let swept = collect(&backend, &content, 5_000);
    assert_eq!((swept.removed, swept.young), (2, 0), "of a named content the newest put is enough");
    assert_eq!(content.get(&backend, &placed.digest).unwrap(), LARGE);
}

#[test]
fn what_a_killed_put_left_goes_after_its_grace() {
    let folder = tempfile::tempdir().unwrap();
    let (backend, content) = (MemoryBackend::new(), Content::in_folder(folder.path(), RULES).unwrap());
    let placed = content.put(LARGE.into(), 5_000).unwrap();
    name(&backend, "plan", &[&placed], 5_000);
    let digest = placed.digest.to_string();
    let shelf = folder.path().join("blobs").join(&digest[..2]).join(&digest);
    let staged = ["1388#1", "1388#12"].map(|name| shelf.join(name));
    for (file, written_ms) in staged.iter().zip([1_000, 4_950]) {
        std::fs::write(file, "half of a conte").unwrap();
        let written = std::time::UNIX_EPOCH + std::time::Duration::from_millis(written_ms);
        std::fs::File::options().write(true).open(file).unwrap().set_modified(written).unwrap();
    }
    let swept = Swept { records: 1, reachable: 1, young: 0, removed: 1 };
    assert_eq!(collect(&backend, &content, 5_040), swept);
    assert_eq!(
        staged.each_ref().map(|file| file.exists()),
        [false, true],
        "the younger one may still be written"
    );
    assert_eq!(content.get(&backend, &placed.digest).unwrap(), LARGE);
}

/// Committers name, drop and name again the same few contents, while a collector runs as fast as it can. The clock
/// moves with every step, so that puts grow old all the time; but not between a refresh and its commit, which may take
/// half the grace and no more.
#[test]
fn nothing_named_is_removed_beside_commits() {
    let folder = tempfile::tempdir().unwrap();
    let (backend, content) = (MemoryBackend::new(), Content::in_folder(folder.path(), RULES).unwrap());
    let clock_ms = RwLock::new(0);
    let tick = || {
        let mut clock_ms = clock_ms.write().unwrap();
        *clock_ms += 7;
        *clock_ms
    };
    let write = |writer: usize| {
        for round in 0..150 {
            let large = format!("a large content, number {}", round % 5);
            let text = if round % 2 == 0 { format!("s{}", round % 3) } else { large };
            let mut placed = content.put(text.clone().into(), tick()).unwrap();
            tick();
            let now_ms = clock_ms.read().unwrap();
            content.refresh(&mut placed, *now_ms).unwrap();
            name(&backend, &format!("plan {writer}"), &[&placed], *now_ms);
            drop(now_ms);
            assert_eq!(content.get(&backend, &placed.digest).unwrap(), text, "round {round} of {writer}");
        }
    };
    let mut removed = 0;
    std::thread::scope(|scope| {
        let write = &write;
        let writers: Vec<_> = (0..3).map(|writer| scope.spawn(move || write(writer))).collect();
        while writers.iter().any(|writer| !writer.is_finished()) {
            removed += collect(&backend, &content, tick()).removed;
        }
    });
    for (_, entry) in backend.list("").unwrap().entries {
        for digest in named("", &entry.value).unwrap() {
            content.get(&backend, &digest).unwrap();
        }
    }
    assert!(removed > 10, "the collector had something to do");
}

#[test]
fn what_a_deletion_left_goes_after_the_deletion_is_on_the_disk() {
    for seed in 0..20 {
        let (disk, content) = (FaultyDisk::new(Faults::default()), Content::in_memory(RULES).unwrap());
        let backend = RedbBackend::with_storage(disk.clone(), "a disk").unwrap();
        let placed = content.put(LARGE.into(), 0).unwrap();
        name(&backend, "plan", &[&placed], 0);
        backend.commit(&Batch::of([Write::delete("plan", Expect::Any)]).volatile()).unwrap();
        assert_eq!(collect(&backend, &content, 1_000).removed, 1);
        let after = RedbBackend::with_storage(disk.after_power_loss(seed), "after a power loss").unwrap();
        assert_eq!(after.get("plan").unwrap(), None, "its content is gone");
    }
}

#[test]
fn a_place_keeps_the_contents_of_one_store() {
    let folder = tempfile::tempdir().unwrap();
    let content = || Content::in_folder(folder.path(), RULES).unwrap();
    let (ours, theirs) = (MemoryBackend::new(), MemoryBackend::new());
    content().belong_to(&ours).unwrap();
    content().belong_to(&ours).unwrap();
    let refused = content().belong_to(&theirs).unwrap_err();
    assert!(matches!(&refused, ContentError::Foreign { .. }), "{refused}");
    assert!(refused.to_string().contains(folder.path().to_str().unwrap()), "{refused}");

    let moved = folder.path().join("moved");
    let refused = Content::in_folder(&moved, RULES).unwrap().belong_to(&ours).unwrap_err();
    assert!(matches!(&refused, ContentError::Elsewhere { .. }), "{refused}");
    std::fs::copy(folder.path().join("store-id"), moved.join("store-id")).unwrap();
    Content::in_folder(&moved, RULES).unwrap().belong_to(&ours).unwrap();
    let elsewhere =
        Content::in_folder(folder.path().join("third"), RULES).unwrap().belong_to(&ours).unwrap_err();
    assert!(elsewhere.to_string().contains("moved"), "{elsewhere}");
}

#[test]
fn a_damaged_content_is_whole_again_when_it_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let (backend, content) = (MemoryBackend::new(), Content::in_folder(folder.path(), RULES).unwrap());
    let placed = content.put(LARGE.into(), 7).unwrap();
    let name = placed.digest.to_string();
    let file = folder.path().join("blobs").join(&name[..2]).join(&name).join(format!("{:016x}", 7));
    for (damaged, now_ms) in [("", 7), ("longer than what rides alonG", 8), ("cut", 9)] {
        std::fs::write(&file, damaged).unwrap();
        content.put(LARGE.into(), now_ms).unwrap();
        assert_eq!(content.get(&backend, &placed.digest).unwrap(), LARGE);
    }
    // An older put that is whole stands in for a newer one that is not.
    std::fs::write(&file, LARGE).unwrap();
    std::fs::write(file.with_file_name(format!("{:016x}", 99)), "cut").unwrap();
    assert_eq!(content.get(&backend, &placed.digest).unwrap(), LARGE);
}
