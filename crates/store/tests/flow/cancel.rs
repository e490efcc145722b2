//! A future that is dropped at any await leaves its client usable and holds nothing.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use lrrc_store::wire::{Basis, Change};
use lrrc_store::{Client, HomeConfig};

use crate::house::{in_house, name};

/// Polls the future until it is done or was pending this often; then it is dropped. Polled at once, it is mostly dropped
/// before an answer can come; with a pause, mostly when the answer lies there and nobody has looked at it.
async fn drop_after<F: Future>(pending_max: usize, pause: Option<Duration>, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut pending = 0;
    poll_fn(|task| {
        if pending == pending_max {
            return Poll::Ready(None);
        }
        match future.as_mut().poll(task) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => {
                pending += 1;
                task.waker().wake_by_ref();
                if let Some(pause) = pause {
                    std::thread::sleep(pause);
                }
                Poll::Pending
            }
        }
    })
    .await
}

/// The operations, by number.
async fn operate(client: &Client, operation: usize) {
    let (plan, other) = (name("plan"), name("other"));
    match operation {
        0 => drop(client.read(&plan).await),
        1 => drop(client.read_fresh(&plan).await),
        2 => drop(client.read_sections(&plan, &["x".to_owned()]).await),
        3 => drop(client.create(&other, "x").await),
        4 => drop(client.delete(&other, None).await),
        5 => {
            if let Ok(read) = client.read_fresh(&plan).await {
                let _ = client.commit_cas(&plan, read.stamp(), "by comparison").await;
            }
        }
        6 => {
            if let Ok(mut claim) = client.acquire_waiting(&plan, None, |_| ()).await {
                let _ = claim.commit("under a claim").await;
                let _ = claim.renew().await;
                let _ = claim.release().await;
            }
        }
        7 => {
            if let Ok(claim) = client.acquire(&plan, None).await {
                let all = client.commit_all(vec![claim.change("of several")]).await;
                drop(all);
            }
        }
        8 => {
            if let Ok(read) = client.read_fresh(&plan).await {
                let basis = Basis::Unchanged { expected: read.stamp() };
                let change = Change { name: plan, basis, content: "of one".into() };
                let _ = client.commit_all(vec![change]).await;
            }
        }
        9 => drop((client.list("", None).await, client.history(&plan).await)),
        10 => {
            if let Ok(mut watch) = client.watch("").await {
                let _ = tokio::time::timeout(Duration::from_millis(1), watch.next()).await;
            }
        }
        _ => drop((client.verify().await, client.gc().await)),
    }
}

#[test]
fn dropped_at_any_await_a_client_stays_usable_and_holds_nothing() {
    in_house(HomeConfig::default(), |house| async move {
        let (dropped, judge) = (house.client().await, house.client().await);
        let plan = name("plan");
        judge.create(&plan, "one").await.unwrap();
        let mut version = 1;
        for operation in 0..12 {
            let (at_once, paused) = (None, Some(Duration::from_millis(3)));
            let polls = [0, 1, 2, 3, 10, 100, 1000, 10_000].map(|polls| (polls, at_once));
            for (pending_max, pause) in polls.into_iter().chain([1, 2, 3, 4, 5].map(|polls| (polls, paused)))
            {
                drop_after(pending_max, pause, operate(&dropped, operation)).await;
                // The client answers, and its claim, if any, comes back for others.
                let read = dropped.read_fresh(&plan).await.unwrap();
                assert!(read.stamp().version.0 >= version, "operation {operation} went back");
                let claim = judge.acquire_waiting(&plan, None, |_| ());
                let claim = tokio::time::timeout(Duration::from_secs(20), claim).await;
                let mut claim =
                    claim.unwrap_or_else(|_| panic!("operation {operation} kept the claim")).unwrap();
                version = claim.commit("by the judge").await.unwrap().mark.stamp.version.0;
                claim.release().await.unwrap();
            }
        }
        assert!(judge.history(&plan).await.unwrap().waiting.is_empty());
    });
}

#[test]
fn a_place_in_the_queue_goes_with_its_future() {
    in_house(HomeConfig::default(), |house| async move {
        let (holder, waiter) = (house.client().await, house.client().await);
        let plan = name("plan");
        holder.create(&plan, "one").await.unwrap();
        let claim = holder.acquire(&plan, None).await.unwrap();
        let waits = waiter.acquire_waiting(&plan, None, |_| ());
        assert!(tokio::time::timeout(Duration::from_millis(50), waits).await.is_err());
        waiter.read_fresh(&plan).await.unwrap();
        assert!(holder.history(&plan).await.unwrap().waiting.is_empty());
        claim.release().await.unwrap();
        assert_eq!(holder.history(&plan).await.unwrap().claim, None);
    });
}
