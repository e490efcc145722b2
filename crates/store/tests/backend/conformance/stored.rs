//! Records and contents as they lie there: order, prefixes, sizes, reopening, age.

use bytes::Bytes;
use lrrc_store::{Batch, Digest, Expect, Write, digest_of};

use super::{Case, Place, put, records};

pub(super) const CASES: &[Case] = &[
    ("a listing has its prefix, in the order of bytes", listing_has_its_prefix),
    ("values of any bytes and length come back", values_come_back),
    ("a durable commit outlives the process, and so do those before it", outlives_the_process),
    ("the epoch rises each time the store is opened", epoch_rises),
    ("contents lie beside their records", contents_lie_beside_records),
    ("contents are listed in pages", contents_are_listed_in_pages),
    ("a sweep keeps what was put since", sweep_keeps_the_young),
];

fn listing_has_its_prefix(place: &mut dyn Place) {
    let store = place.open();
    for key in ["b/1", "a/2", "a/10", "a", "a0", "a/ü", "a/%", "c", "\u{10ffff}x", "a/\u{10ffff}"] {
        put(&*store, key, "1");
    }
    let cases: [(&str, &[&str]); 6] = [
        ("a/", &["a/%", "a/10", "a/2", "a/ü", "a/\u{10ffff}"]),
        ("a/1", &["a/10"]),
        ("b/1", &["b/1"]),
        ("\u{10ffff}", &["\u{10ffff}x"]),
        ("nothing", &[]),
        ("", &["a", "a/%", "a/10", "a/2", "a/ü", "a/\u{10ffff}", "a0", "b/1", "c", "\u{10ffff}x"]),
    ];
    for (prefix, expected) in cases {
        let found: Vec<String> =
            store.list(prefix).unwrap().entries.into_iter().map(|(key, _)| key).collect();
        assert_eq!(found, expected, "under {prefix:?}");
    }
}

fn values_come_back(place: &mut dyn Place) {
    let store = place.open();
    let values = [Bytes::new(), Bytes::from_static(&[0, 255, 0]), Bytes::from(vec![7; 300_000])];
    for value in &values {
        let revision = store.commit(&Batch::of([Write::put("plan", Expect::Any, value.clone())])).unwrap();
        let entry = store.get("plan").unwrap().unwrap();
        assert_eq!((entry.value, entry.revision), (value.clone(), revision));
    }
    assert_eq!(store.get("pla").unwrap(), None);
}

fn outlives_the_process(place: &mut dyn Place) {
    let store = place.open();
    let digest = digest_of(b"first");
    store
        .commit(&Batch::of([Write::put("a", Expect::Any, "1")]).with_blob(digest, "first", 1).volatile())
        .unwrap();
    put(&*store, "b", "2");
    let before = records(&*store);
    drop(store);
    let again = place.open();
    assert_eq!(records(&*again), before);
    assert_eq!(again.blob(&digest).unwrap().unwrap(), "first");
    let stands = before[0].2;
    again.commit(&Batch::of([Write::put("a", Expect::At(stands), "3")])).unwrap();
}

fn epoch_rises(place: &mut dyn Place) {
    let first = place.open().epoch();
    let second = place.open().epoch();
    assert_eq!(second, first.map(|epoch| epoch + 1));
}

fn contents_lie_beside_records(place: &mut dyn Place) {
    let store = place.open();
    let contents = ["", "one", "two"].map(|text| (digest_of(text.as_bytes()), Bytes::from(text)));
    let large = Bytes::from(vec![9; 64 << 10]);
    let mut batch = Batch::of([Write::put("plan", Expect::Absent, "1")]);
    batch.blobs = contents.to_vec();
    batch.blobs.push((digest_of(&large), large.clone()));
    store.commit(&batch).unwrap();
    store.commit(&Batch::of([]).with_blob(contents[1].0, "one", 5)).unwrap();
    for (digest, content) in &batch.blobs {
        assert_eq!(store.blob(digest).unwrap().as_ref(), Some(content));
    }
    assert_eq!(store.blob(&digest_of(b"three")).unwrap(), None);
    assert_eq!(records(&*store).len(), 1, "contents are no records");
}

fn contents_are_listed_in_pages(place: &mut dyn Place) {
    let store = place.open();
    let mut digests: Vec<Digest> = Vec::new();
    for number in 0..5_usize {
        let content = vec![1; number];
        digests.push(digest_of(&content));
        store.commit(&Batch::of([]).with_blob(digests[number], content, 10 + number as u64)).unwrap();
    }
    let sizes: Vec<(Digest, usize)> = digests.iter().copied().zip(0..).collect();
    digests.sort_unstable();
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let page = store.blobs(after, 2).unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = Some(last.digest);
        found.extend(page);
    }
    assert_eq!(found.iter().map(|blob| blob.digest).collect::<Vec<_>>(), digests);
    for blob in found {
        let size = sizes.iter().find(|(digest, _)| *digest == blob.digest).unwrap().1 as u64;
        assert_eq!((blob.size_bytes, blob.put_ms), (size, 10 + size));
    }
}

fn sweep_keeps_the_young(place: &mut dyn Place) {
    let store = place.open();
    let [old, again, young] = [("old", 10), ("again", 10), ("young", 20)].map(|(content, put_ms)| {
        let digest = digest_of(content.as_bytes());
        store.commit(&Batch::of([]).with_blob(digest, content, put_ms)).unwrap();
        digest
    });
    store.commit(&Batch::of([]).with_blob(again, "again", 30)).unwrap();
    let unknown = digest_of(b"unknown");
    assert_eq!(store.sweep(&[old, again, young, unknown], 20).unwrap(), 1);
    assert_eq!(store.blob(&old).unwrap(), None);
    assert_eq!(store.blob(&again).unwrap().unwrap(), "again");
    assert_eq!(store.blob(&young).unwrap().unwrap(), "young");
}
