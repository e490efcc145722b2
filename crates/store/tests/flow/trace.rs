//! What a home writes down replays through the pure core.

use lrrc_store::HomeConfig;

use crate::house::{in_house, name};

#[test]
fn the_trace_of_a_home_replays_through_the_pure_core() {
    in_house(HomeConfig::default(), |mut house| async move {
        let plan = name("plan");
        let client = house.client().await;
        client.create(&plan, "one").await.unwrap();
        house.stop().await;
        let path = house.folder.path().join("trace.ndjson");
        house.start(Some(&path)).await;
        let other = house.client().await;
        let read = client.read(&plan).await.unwrap();
        other.read(&plan).await.unwrap();
        client.commit_cas(&plan, read.stamp(), "two").await.unwrap();
        other.commit_cas(&plan, read.stamp(), "late").await.unwrap_err();
        let mut claim = other.acquire(&plan, None).await.unwrap();
        claim.commit("three").await.unwrap();
        claim.renew().await.unwrap();
        client.acquire(&plan, None).await.unwrap_err();
        client.create(&name("other"), "x").await.unwrap();
        let all = vec![claim.change("four")];
        client.commit_all(all.clone()).await.unwrap_err();
        other.commit_all(all).await.unwrap();
        client.delete(&name("other"), None).await.unwrap();
        drop((client, other));
        house.stop().await;
        let text = std::fs::read_to_string(&path).unwrap();
        let replayed =
            lrrc_coherence::trace::replay_text(&text).unwrap_or_else(|fault| panic!("{fault}\n{text}"));
        assert_eq!((replayed.writes, replayed.refused), (4, 3), "{replayed:?}");
    });
}
