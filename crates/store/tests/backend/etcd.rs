//! The backend over etcd: the suite, and what only a cluster does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lrrc_store::{Backend, BackendError, Batch, EtcdBackend, EtcdConfig, Expect, Write};

use crate::conformance::{self, Place};
use crate::etcd_server::EtcdServer;

/// One root of a server that others share.
struct Root<'s> {
    server: &'s EtcdServer,
    name: String,
}

impl Place for Root<'_> {
    fn open(&mut self) -> Box<dyn Backend> {
        Box::new(self.server.open(&self.name))
    }
}

#[test]
fn etcd_holds_to_the_suite() {
    let Some(server) = EtcdServer::start() else { return };
    let mut count = 0;
    conformance::hold(|| {
        count += 1;
        Root { server: &server, name: format!("case {count}") }
    });
}

#[test]
fn machines_see_each_others_commits() {
    let Some(server) = EtcdServer::start() else { return };
    let [one, other] = [(); 2].map(|()| server.open("shared"));
    let start = other.revision().unwrap();
    let stands = one.commit(&Batch::of([Write::put("plan", Expect::Absent, "1")])).unwrap();
    assert!(other.wait(start, Duration::from_secs(30)).unwrap());
    assert_eq!(other.changes(start, 10).unwrap()[0].revision, stands);
    other.commit(&Batch::of([Write::put("plan", Expect::At(stands), "2")])).unwrap();
    let late = one.commit(&Batch::of([Write::put("plan", Expect::At(stands), "3")]));
    assert!(matches!(late, Err(BackendError::Lost { .. })), "{late:?}");
    assert_eq!(server.open("another root").list("").unwrap().entries, []);
}

#[test]
fn a_reader_that_is_far_behind_comes_to_the_end() {
    const CHANGES: usize = 40_000;
    let Some(server) = EtcdServer::start() else { return };
    let [writer, reader] = [(); 2].map(|()| server.open("behind"));
    let start = writer.revision().unwrap();
    let mut at = 0;
    while at < CHANGES {
        let end = CHANGES.min(at + 127);
        let writes = (at..end).map(|at| Write::put(at.to_string(), Expect::Absent, "1"));
        writer.commit(&Batch::of(writes)).unwrap();
        at = end;
    }
    let newest = writer.revision().unwrap();
    let is_done = AtomicBool::new(false);
    let read = std::thread::scope(|scope| {
        // As the thread does that wakes a home.
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                let _ = reader.wait(newest, Duration::from_millis(20));
            }
        });
        let (mut after, mut read) = (start, 0);
        let outcome = loop {
            match reader.changes(after, 1024) {
                Ok(page) if page.is_empty() => break Ok(read),
                Ok(page) => (after, read) = (page[page.len() - 1].revision, read + page.len()),
                Err(error) => break Err(error.to_string()),
            }
        };
        is_done.store(true, Ordering::Relaxed);
        outcome
    });
    assert_eq!(read, Ok(CHANGES));
    assert_eq!(reader.changes(start, CHANGES).unwrap().len(), CHANGES, "in one page");
}

#[test]
fn the_feed_goes_on_over_a_restart_of_the_server() {
    let Some(mut server) = EtcdServer::start() else { return };
    let store = server.open("restarted");
    let start = store.revision().unwrap();
    let first = store.commit(&Batch::of([Write::put("plan", Expect::Absent, "1")])).unwrap();
    assert_eq!(store.changes(start, 10).unwrap().len(), 1);
    server.restart();
    let second = loop {
        match store.commit(&Batch::of([Write::put("plan", Expect::At(first), "2")])) {
            Ok(revision) => break revision,
            Err(BackendError::Lost { actual, .. }) => break actual.unwrap().revision,
            Err(BackendError::Uncertain { .. } | BackendError::Unavailable { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    };
    assert!(store.wait(first, Duration::from_secs(60)).unwrap());
    assert_eq!(
        store.changes(start, 10).unwrap().iter().map(|change| change.revision).collect::<Vec<_>>(),
        [first, second]
    );
}

#[test]
fn what_a_handle_announces_stands_with_it_and_goes_with_it() {
    let Some(server) = EtcdServer::start() else { return };
    let config = EtcdConfig { root: "announced/".to_owned(), lease_s: 2, ..server.config() };
    let [store, home] = [(); 2].map(|()| EtcdBackend::connect(&config).unwrap());
    assert!(home.announce("home/1").unwrap() && home.announce("home/2").unwrap());
    assert!(matches!(home.announce("home/1"), Err(BackendError::Lost { .. })));
    std::thread::sleep(Duration::from_secs(6));
    let stands = store.list("home/").unwrap();
    assert_eq!(stands.entries.len(), 2, "it is kept alive");
    drop(home);
    assert!(store.wait(stands.revision, Duration::from_secs(60)).unwrap());
    let gone = store.changes(stands.revision, 10).unwrap();
    let gone: Vec<_> = gone.iter().map(|gone| (gone.key.as_str(), &gone.value)).collect();
    assert_eq!(gone, [("home/1", &None), ("home/2", &None)]);
}

#[test]
fn what_etcd_cannot_take_is_refused_before_it_is_sent() {
    let Some(server) = EtcdServer::start() else { return };
    let store = server.open("limits");
    let many = Batch::of((0..200).map(|at| Write::put(format!("{at}"), Expect::Any, "1")));
    let large = Batch::of([Write::put("large", Expect::Any, vec![0; 2 << 20])]);
    for (batch, says) in [
        (many, "201 operations, and etcd takes at most 128"),
        (large, "bytes, and etcd takes at most 1400000"),
    ] {
        let error = store.commit(&batch).unwrap_err();
        assert!(
            matches!(error, BackendError::TooLarge { .. }) && error.to_string().contains(says),
            "{error}"
        );
    }
    let most = Batch::of((0..127).map(|at| Write::put(format!("{at}"), Expect::Absent, vec![1; 10_900])));
    store.commit(&most).unwrap();
    assert_eq!(store.list("").unwrap().entries.len(), 127);
}

#[test]
fn nothing_at_the_address_says_so() {
    let mut config = EtcdConfig::at("http://127.0.0.1:9");
    config.timeout_ms = 200;
    let error = EtcdBackend::connect(&config).unwrap_err();
    assert!(error.to_string().starts_with("etcd at http://127.0.0.1:9: "), "{error}");
}
