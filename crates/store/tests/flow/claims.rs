//! Claims: places in the queue, leases, renewals, and what becomes of the claims of a lost agent.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use lrrc_coherence::{Conflict, Rules};
use lrrc_store::wire::codec::Frames;
use lrrc_store::wire::{Answer, FromHome, PROTOCOL, Request, Says, Ticket, ToHome};
use lrrc_store::{Address, Claim, Client, HomeConfig, Name, Refusal, StoreError};
use tokio::net::UnixStream;
use tokio_util::codec::Framed;

use crate::house::{House, in_house, name};

const SOON: Duration = Duration::from_secs(20);

/// Waits for the claim in a task, and writes down each place that is told.
fn wait_for(client: &Client, at: &Name) -> (Arc<Mutex<Vec<usize>>>, tokio::task::JoinHandle<Claim>) {
    let (client, at) = (client.clone(), at.clone());
    let told = Arc::new(Mutex::new(Vec::new()));
    let places = Arc::clone(&told);
    let task = tokio::spawn(async move {
        let tell = move |place: lrrc_store::wire::Waiting| places.lock().unwrap().push(place.position);
        client.acquire_waiting(&at, None, tell).await.unwrap()
    });
    (told, task)
}

/// Waits until the home says that this many wait.
async fn until_waiting(client: &Client, at: &Name, count: usize) {
    for _ in 0..5000 {
        if client.history(at).await.unwrap().waiting.len() == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("never {count} in the queue");
}

/// A connection whose agent has the claim; dropped, it is gone without a word.
async fn raw_holder(house: &House, at: &Name) -> Framed<UnixStream, Frames<FromHome, ToHome>> {
    let Address::Unix(path) = house.place() else { panic!("no socket") };
    let stream = UnixStream::connect(path).await.unwrap();
    let mut frames = Framed::new(stream, Frames::<FromHome, ToHome>::new(1 << 20));
    frames.send(ToHome::Hello { protocol: PROTOCOL }).await.unwrap();
    let request = Request::Acquire { name: at.clone(), lease_ms: None, wait: false };
    frames.send(ToHome::Ask { ticket: Ticket(1), request }).await.unwrap();
    loop {
        let frame = frames.next().await.unwrap().unwrap();
        if let Says::Answer { outcome, .. } = frame.says {
            assert!(matches!(outcome, Ok(Answer::Acquired(_))), "{outcome:?}");
            return frames;
        }
    }
}

#[test]
fn whoever_waits_is_told_its_place_and_moves_up() {
    in_house(HomeConfig::default(), |house| async move {
        let clients = [house.client().await, house.client().await, house.client().await];
        let plan = name("plan");
        clients[0].create(&plan, "one").await.unwrap();
        let first = clients[0].acquire(&plan, None).await.unwrap();
        let (second_told, second) = wait_for(&clients[1], &plan);
        until_waiting(&clients[0], &plan, 1).await;
        let (third_told, third) = wait_for(&clients[2], &plan);
        until_waiting(&clients[0], &plan, 2).await;
        first.release().await.unwrap();
        let mut second = tokio::time::timeout(SOON, second).await.unwrap().unwrap();
        second.commit("two").await.unwrap();
        drop(second);
        let third = tokio::time::timeout(SOON, third).await.unwrap().unwrap();
        assert_eq!(third.stamp().version.0, 2);
        assert_eq!(*second_told.lock().unwrap(), [1]);
        assert_eq!(third_told.lock().unwrap()[..2], [2, 1]);
    });
}

#[test]
fn the_claim_of_a_lost_agent_goes_to_whoever_waits() {
    in_house(HomeConfig::default(), |house| async move {
        let heir = house.client().await;
        let plan = name("plan");
        heir.create(&plan, "one").await.unwrap();
        let holder = raw_holder(&house, &plan).await;
        let (_, waiting) = wait_for(&heir, &plan);
        until_waiting(&heir, &plan, 1).await;
        drop(holder);
        let mut claim = tokio::time::timeout(SOON, waiting).await.unwrap().unwrap();
        claim.commit("two").await.unwrap();
    });
}

#[test]
fn a_stale_claim_that_is_dropped_ends_neither_the_next_one_nor_the_wait_for_it() {
    in_house(HomeConfig::default(), |house| async move {
        let (client, other) = (house.client().await, house.client().await);
        let (plan, lease) = (name("plan"), Some(Duration::from_millis(30)));
        client.create(&plan, "one").await.unwrap();
        let is_over = |claim: Option<_>| claim.is_none();
        let mut claim = client.acquire(&plan, lease).await.unwrap();
        while !is_over(client.history(&plan).await.unwrap().claim) {}
        claim.commit("late").await.unwrap_err();
        claim = client.acquire(&plan, lease).await.unwrap();
        claim.commit("two").await.unwrap();
        while !is_over(client.history(&plan).await.unwrap().claim) {}
        let held = other.acquire(&plan, None).await.unwrap();
        let (_, waiting) = wait_for(&client, &plan);
        until_waiting(&other, &plan, 1).await;
        drop(claim);
        client.list("", None).await.unwrap();
        held.release().await.unwrap();
        tokio::time::timeout(SOON, waiting).await.unwrap().unwrap().commit("three").await.unwrap();
    });
}

#[test]
fn a_claim_whose_lease_is_over_cannot_commit() {
    in_house(HomeConfig::default(), |house| async move {
        let (slow, heir) = (house.client().await, house.client().await);
        let plan = name("plan");
        heir.create(&plan, "one").await.unwrap();
        let mut stale = slow.acquire(&plan, Some(Duration::from_millis(30))).await.unwrap();
        let (_, waiting) = wait_for(&heir, &plan);
        let claim = tokio::time::timeout(SOON, waiting).await.unwrap().unwrap();
        drop(claim);
        let StoreError::Refused(Refusal::Conflict { conflict, .. }) = stale.commit("late").await.unwrap_err()
        else {
            panic!("no conflict");
        };
        assert!(
            matches!(*conflict, Conflict::StaleGeneration { .. } | Conflict::OtherHolder { .. }),
            "{conflict}"
        );
        assert_eq!(heir.read_fresh(&plan).await.unwrap().bytes, "one");
    });
}

#[test]
fn a_renewed_claim_lives_and_a_deleted_artifact_ends_its_queue() {
    in_house(HomeConfig::default(), |house| async move {
        let (holder, waiter) = (house.client().await, house.client().await);
        let plan = name("plan");
        holder.create(&plan, "one").await.unwrap();
        let mut claim = holder.acquire(&plan, Some(Duration::from_millis(400))).await.unwrap();
        let until = claim.expires();
        tokio::time::sleep(Duration::from_millis(20)).await;
        claim.renew().await.unwrap();
        assert!(claim.expires() > until);
        let waiting = {
            let (waiter, plan) = (waiter.clone(), plan.clone());
            tokio::spawn(async move { waiter.acquire_waiting(&plan, None, |_| ()).await.map(drop) })
        };
        until_waiting(&holder, &plan, 1).await;
        holder.delete(&plan, None).await.unwrap();
        let refused = tokio::time::timeout(SOON, waiting).await.unwrap().unwrap().unwrap_err().to_string();
        assert!(refused.contains("no such artifact"), "{refused}");
    });
}

#[test]
fn a_full_queue_says_so() {
    let rules = Rules { waiting_max: 1, ..Rules::default() };
    in_house(HomeConfig { rules, ..HomeConfig::default() }, |house| async move {
        let clients = [house.client().await, house.client().await, house.client().await];
        let plan = name("plan");
        clients[0].create(&plan, "one").await.unwrap();
        let _claim = clients[0].acquire(&plan, None).await.unwrap();
        let (_, waiting) = wait_for(&clients[1], &plan);
        until_waiting(&clients[0], &plan, 1).await;
        let full = clients[2].acquire_waiting(&plan, None, |_| ()).await.unwrap_err().to_string();
        assert!(full.contains("1 agents wait"), "{full}");
        waiting.abort();
        until_waiting(&clients[0], &plan, 0).await;
    });
}
