//! The feed: ordered, resumable, never a part of a commit; and what happens when it is lost.

use std::time::Duration;

use lrrc_store::{Backend, BackendError, Batch, Change, Expect, Revision, Write};

use super::{Case, Place, put, records};

pub(super) const CASES: &[Case] = &[
    ("the feed can be resumed after every revision", resumes_after_every_revision),
    ("a page of the feed never cuts a commit", pages_never_cut_a_commit),
    ("the feed gives what a commit wrote, not what stands", gives_what_was_written),
    ("a compacted feed says so, and its records stay", compacted_feed_says_so),
    ("a revision that was never given cannot be followed", unknown_revision_cannot_be_followed),
    ("a listing and the feed after it make the whole", listing_and_feed_make_the_whole),
    ("the feed goes on when the store is opened again", goes_on_after_reopening),
    ("waiting ends with a change, or with its time", waiting_ends),
];

/// Five commits: put, put two, change one and delete the other, nothing, make again.
fn history(store: &dyn Backend) -> Vec<Vec<Change>> {
    let batches: [&[(&str, Option<&'static str>)]; 5] = [
        &[("a", Some("1"))],
        &[("c", Some("2")), ("b", Some("2"))],
        &[("b", None), ("a", Some("3"))],
        &[("absent", None)],
        &[("b", Some("5"))],
    ];
    let mut commits = Vec::new();
    for batch in batches {
        let writes = batch.iter().map(|(key, value)| Write {
            key: (*key).to_owned(),
            expect: Expect::Any,
            value: value.map(Into::into),
        });
        let revision = store.commit(&Batch::of(writes)).unwrap();
        let mut changes: Vec<Change> = batch
            .iter()
            .filter(|(key, _)| *key != "absent")
            .map(|(key, value)| Change { revision, key: (*key).to_owned(), value: value.map(Into::into) })
            .collect();
        changes.sort_by(|one, other| one.key.cmp(&other.key));
        if !changes.is_empty() {
            commits.push(changes);
        }
    }
    commits
}

fn resumes_after_every_revision(place: &mut dyn Place) {
    let store = place.open();
    let start = store.revision().unwrap();
    let commits = history(&*store);
    assert_eq!(store.changes(start, 100).unwrap(), commits.concat());
    for (at, commit) in commits.iter().enumerate() {
        let rest = commits[at + 1..].concat();
        assert_eq!(store.changes(commit[0].revision, 100).unwrap(), rest, "after commit {at}");
    }
}

fn pages_never_cut_a_commit(place: &mut dyn Place) {
    let store = place.open();
    let start = store.revision().unwrap();
    let commits = history(&*store);
    for max in 0..=7 {
        let (mut after, mut read, mut left) = (start, Vec::new(), &commits[..]);
        while let Some((first, _)) = left.split_first() {
            let page = store.changes(after, max).unwrap();
            let whole = left.iter().scan(0, |sum, commit| {
                *sum += commit.len();
                Some(*sum)
            });
            let fit = whole.filter(|sum| *sum <= max).max().unwrap_or(first.len());
            assert_eq!(page.len(), fit, "at most {max} after {after}");
            after = page[page.len() - 1].revision;
            left = &left[left.iter().position(|commit| commit[0].revision == after).unwrap() + 1..];
            read.extend(page);
        }
        assert_eq!(read, commits.concat(), "in pages of {max}");
    }
}

fn gives_what_was_written(place: &mut dyn Place) {
    let store = place.open();
    let start = store.revision().unwrap();
    for value in ["1", "2", "3"] {
        put(&*store, "plan", value);
    }
    let values: Vec<_> =
        store.changes(start, 10).unwrap().into_iter().map(|change| change.value.unwrap()).collect();
    assert_eq!(values, ["1", "2", "3"]);
}

fn compacted_feed_says_so(place: &mut dyn Place) {
    let store = place.open();
    let commits = history(&*store);
    let before = records(&*store);
    let through = commits[1][0].revision;
    store.compact(through).unwrap();
    assert_eq!(records(&*store), before);
    for lost in [Revision::START, commits[0][0].revision] {
        match store.changes(lost, 10) {
            Err(BackendError::Compacted { after, oldest }) => assert!(after == lost && oldest >= through),
            other => panic!("after {lost}: {other:?}"),
        }
        assert!(matches!(store.wait(lost, Duration::ZERO), Err(BackendError::Compacted { .. })));
    }
    assert_eq!(store.changes(through, 10).unwrap(), commits[2..].concat());
    store.compact(commits[0][0].revision).unwrap();
    assert_eq!(store.changes(through, 10).unwrap(), commits[2..].concat(), "compacting less does nothing");
    store.compact(store.revision().unwrap()).unwrap();
    assert_eq!(store.changes(store.revision().unwrap(), 10).unwrap(), []);
    assert_eq!(records(&*store), before);
}

fn unknown_revision_cannot_be_followed(place: &mut dyn Place) {
    let store = place.open();
    put(&*store, "plan", "1");
    let future = Revision(store.revision().unwrap().0 + 1_000_000);
    let followed = store.changes(future, 10);
    assert!(matches!(followed, Err(BackendError::Compacted { .. })), "{followed:?}");
}

fn listing_and_feed_make_the_whole(place: &mut dyn Place) {
    let store = place.open();
    put(&*store, "a", "1");
    let listing = store.list("").unwrap();
    put(&*store, "b", "2");
    let after: Vec<_> =
        store.changes(listing.revision, 10).unwrap().into_iter().map(|change| change.key).collect();
    assert_eq!((listing.entries.len(), after), (1, vec!["b".to_owned()]));
}

fn goes_on_after_reopening(place: &mut dyn Place) {
    let store = place.open();
    let start = store.revision().unwrap();
    let commits = history(&*store);
    drop(store);
    let again = place.open();
    assert_eq!(again.changes(commits[2][0].revision, 100).unwrap(), commits[3..].concat());
    let last = put(&*again, "later", "1");
    assert!(last > commits[3][0].revision);
    let whole = again.changes(start, 100).unwrap();
    assert_eq!(whole[..whole.len() - 1], commits.concat());
    assert_eq!(whole[whole.len() - 1].revision, last);
}

fn waiting_ends(place: &mut dyn Place) {
    let store = place.open();
    let start = store.revision().unwrap();
    assert!(!store.wait(start, Duration::from_millis(20)).unwrap());
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| store.wait(start, Duration::from_secs(60)));
        let first = put(&*store, "plan", "1");
        assert!(waiter.join().unwrap().unwrap());
        assert!(!store.wait(first, Duration::from_millis(20)).unwrap());
        assert!(store.wait(start, Duration::ZERO).unwrap());
    });
}
