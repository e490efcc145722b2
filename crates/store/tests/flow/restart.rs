//! The daemon stops and starts: clients come back, drop their copies, and nothing acknowledged is lost.

use std::time::Duration;

use lrrc_store::{HomeConfig, Noticed, RedbBackend, StoreError};

use crate::house::{in_house, name};

#[test]
fn a_client_comes_back_under_a_new_id_without_its_copies_and_claims() {
    in_house(HomeConfig::default(), |mut house| async move {
        let client = house.client().await;
        let plan = name("plan");
        let made = client.create(&plan, "one").await.unwrap();
        assert!(client.read(&plan).await.unwrap().freshness.from_copy);
        let mut claim = client.acquire(&plan, None).await.unwrap();
        let id = client.id();
        house.stop().await;
        house.start(None).await;
        let read = client.read(&plan).await.unwrap();
        assert_eq!((&read.bytes[..], read.freshness.from_copy), (&b"one"[..], false));
        assert_eq!(read.stamp(), made.mark.stamp);
        assert!(client.id() > id);
        let stale = claim.commit("under a claim of an earlier run").await.unwrap_err();
        assert!(matches!(stale, StoreError::Refused(_)), "{stale}");
        let mut claim = client.acquire(&plan, None).await.unwrap();
        claim.commit("two").await.unwrap();
    });
}

#[test]
fn a_daemon_whose_future_is_dropped_ends_its_sessions_and_leaves_the_store() {
    in_house(HomeConfig::default(), |mut house| async move {
        let client = house.client().await;
        client.create(&name("plan"), "one").await.unwrap();
        house.abandon();
        let path = house.folder.path().join("store.redb");
        let is_free = async {
            while RedbBackend::open(&path).is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), is_free).await.expect("nobody has it open any more");
        house.start(None).await;
        assert_eq!(client.read_fresh(&name("plan")).await.unwrap().bytes, "one");
    });
}

#[test]
fn what_was_acknowledged_before_a_restart_is_there_after_it() {
    in_house(HomeConfig::default(), |mut house| async move {
        let plan = name("plan");
        let first = house.client().await;
        first.create(&plan, "0").await.unwrap();
        let writer = tokio::spawn(async move {
            let mut acknowledged = 1;
            while acknowledged < 60 {
                let Ok(read) = first.read_fresh(&name("plan")).await else { continue };
                let next = read.stamp().version.0 + 1;
                if let Ok(done) = first.commit_cas(&name("plan"), read.stamp(), next.to_string()).await {
                    assert_eq!(done.mark.stamp.version.0, next);
                    assert!(next > acknowledged, "version {next} was acknowledged again");
                    acknowledged = next;
                }
            }
            acknowledged
        });
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(60)).await;
            house.stop().await;
            house.start(None).await;
        }
        let acknowledged = tokio::time::timeout(Duration::from_secs(120), writer).await.unwrap().unwrap();
        let reader = house.client().await;
        let read = reader.read(&plan).await.unwrap();
        assert!(read.stamp().version.0 >= acknowledged);
        assert_eq!(read.bytes, read.stamp().version.0.to_string());
        let verified = reader.verify().await.unwrap();
        assert_eq!((verified.records, &verified.faults[..]), (1, &[][..]));
    });
}

#[test]
fn a_watch_goes_on_where_it_was() {
    in_house(HomeConfig::default(), |mut house| async move {
        let (client, watcher) = (house.client().await, house.client().await);
        let mut watch = watcher.watch("").await.unwrap();
        client.create(&name("before"), "1").await.unwrap();
        house.stop().await;
        house.start(None).await;
        client.create(&name("after"), "2").await.unwrap();
        let mut told = Vec::new();
        while !told.contains(&"after".to_owned()) {
            let next = tokio::time::timeout(Duration::from_secs(20), watch.next()).await.unwrap();
            match next {
                Some(Noticed::Changed(changed)) => told.push(changed.name.to_string()),
                other => panic!("{other:?}"),
            }
        }
        told.dedup();
        assert_eq!(told, ["before", "after"]);
    });
}
