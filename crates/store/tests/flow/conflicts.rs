//! Typed conflicts reach the caller, with the values for a merge.

use lrrc_coherence::Conflict;
use lrrc_store::wire::{Basis, Change};
use lrrc_store::{HomeConfig, Refusal, StoreError, digest_of};

use crate::house::{in_house, name};

fn conflict<T: std::fmt::Debug>(result: Result<T, StoreError>) -> Conflict {
    match result.unwrap_err() {
        StoreError::Refused(Refusal::Conflict { conflict, .. }) => *conflict,
        other => panic!("no conflict: {other}"),
    }
}

#[test]
fn a_lost_comparison_carries_base_mine_and_theirs() {
    in_house(HomeConfig::default(), |house| async move {
        let (one, two) = (house.client().await, house.client().await);
        let base = one.create(&name("plan"), "base").await.unwrap();
        let theirs = one.commit_cas(&name("plan"), base.mark.stamp, "theirs").await.unwrap();
        let lost = conflict(two.commit_cas(&name("plan"), base.mark.stamp, "mine").await);
        let Conflict::VersionMismatch { expected, actual, base: found, mine, theirs: newest } = lost else {
            panic!("{lost}");
        };
        assert_eq!((expected, actual), (base.mark.stamp, theirs.mark.stamp));
        assert_eq!(found.map(|edition| edition.digest), Some(digest_of(b"base")));
        assert_eq!((mine, newest.digest), (digest_of(b"mine"), digest_of(b"theirs")));
        assert_eq!(Some(newest.writer), one.id());
        let old = two.read_version(&name("plan"), expected.version).await.unwrap().1;
        let new = two.read_version(&name("plan"), newest.version).await.unwrap().1;
        assert_eq!((&old[..], &new[..]), (&b"base"[..], &b"theirs"[..]));
    });
}

#[test]
fn each_guard_refuses_with_its_own_conflict_and_changes_nothing() {
    in_house(HomeConfig::default(), |house| async move {
        let (one, two) = (house.client().await, house.client().await);
        let plan = name("plan");
        assert!(matches!(conflict(one.read(&plan).await), Conflict::UnknownArtifact));
        assert!(matches!(conflict(one.delete(&plan, None).await), Conflict::UnknownArtifact));
        let made = one.create(&plan, "one").await.unwrap();
        assert!(matches!(conflict(two.create(&plan, "other").await), Conflict::AlreadyExists { .. }));
        let claim = one.acquire(&plan, None).await.unwrap();
        let Conflict::OtherHolder { who, .. } = conflict(two.acquire(&plan, None).await) else { panic!() };
        assert_eq!(Some(who), one.id());
        let beside = conflict(two.commit_cas(&plan, made.mark.stamp, "beside the claim").await);
        assert!(matches!(beside, Conflict::OtherHolder { .. }), "{beside}");
        drop(claim);
        assert_eq!(two.read_fresh(&plan).await.unwrap().bytes, "one");
        assert_eq!(two.history(&plan).await.unwrap().current.version.0, 1);
    });
}

#[test]
fn a_commit_of_several_lands_whole_or_not_at_all() {
    in_house(HomeConfig::default(), |house| async move {
        let client = house.client().await;
        let names = ["a", "b", "c"].map(name);
        let mut stamps = Vec::new();
        for at in &names {
            stamps.push(client.create(at, "old").await.unwrap().mark.stamp);
        }
        let changes = |stamps: &[lrrc_coherence::Stamp]| -> Vec<Change> {
            let each = names.iter().zip(stamps.to_vec());
            each.map(|(name, expected)| Change {
                name: name.clone(),
                basis: Basis::Unchanged { expected },
                content: "new".into(),
            })
            .collect()
        };
        let first = changes(&stamps);
        client.commit_cas(&names[2], stamps[2], "moved").await.unwrap();
        let lost = conflict(client.commit_all(first).await);
        assert!(matches!(lost, Conflict::VersionMismatch { .. }), "{lost}");
        for (at, bytes) in names.iter().zip(["old", "old", "moved"]) {
            assert_eq!(client.read_fresh(at).await.unwrap().bytes, bytes);
        }
        let mut claim = client.acquire(&names[0], None).await.unwrap();
        stamps[2] = client.read_fresh(&names[2]).await.unwrap().stamp();
        let mut second = changes(&stamps);
        second[0] = claim.change("under a claim");
        let all = client.commit_all(second).await.unwrap();
        claim.moved(&all[0]);
        claim.commit("and again").await.unwrap();
        for (at, bytes) in names.iter().zip(["and again", "new", "new"]) {
            assert_eq!(client.read_fresh(at).await.unwrap().bytes, bytes);
        }
    });
}
