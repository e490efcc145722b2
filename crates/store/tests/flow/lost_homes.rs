//! A home that is gone, or only cut off: the others end its claims, and it is fenced.

use lrrc_coherence::{AgentId, Conflict, Millis};
use lrrc_store::wire::{Answer, Basis, Change, PROTOCOL, Request, Says, Ticket, ToHome};
use lrrc_store::{Backend, Batch, Expect, Home, Write};

use crate::house::name;
use crate::two_homes::{Common, acquired, conflict, create, home_of, homes};

fn acquire(wait: bool) -> Request {
    Request::Acquire { name: name("plan"), lease_ms: None, wait }
}

fn queue(home: &mut Home<Common>, agent: AgentId, now: Millis) {
    home.receive(agent, ToHome::Ask { ticket: Ticket(1), request: acquire(true) }, now);
    assert_eq!(acquired(home), []);
}

/// What the backend does when it hears no more of the home of these agents.
fn lose(home: &Home<Common>, agent: AgentId) {
    let block = (agent.0 - 1) / 64 * 64 + 1;
    let record = format!("meta/agents/{block}");
    let stands = home.backend().get(&record).unwrap().unwrap().revision;
    home.backend().commit(&Batch::of([Write::delete(record, Expect::At(stands))])).unwrap();
}

#[test]
fn a_claim_whose_home_is_gone_goes_to_the_next_that_waits() {
    let [(mut here, holder), (mut there, waiter), (mut third, other)] = homes();
    here.handle(holder, create("one"), Millis(0)).unwrap();
    let Ok(Answer::Acquired(claim)) = here.handle(holder, acquire(false), Millis(1)) else { panic!() };
    for (home, agent) in [(&mut there, waiter), (&mut third, other)] {
        queue(home, agent, Millis(2));
        (3..10).for_each(|at| home.tick(Millis(at)));
        assert_eq!(acquired(home), [], "its home stands");
    }
    lose(&there, holder);
    there.tick(Millis(10));
    third.tick(Millis(10));
    assert_eq!((acquired(&mut there), acquired(&mut third)), (vec![waiter], vec![]));

    let basis = Basis::Claim { generation: claim.mark.generation, base: claim.mark.stamp };
    let late = Change { name: name("plan"), basis, content: "late".into() };
    let fenced = conflict(here.handle(holder, Request::Commit(late), Millis(11)));
    assert!(matches!(fenced, Conflict::StaleGeneration { .. } | Conflict::OtherHolder { .. }), "{fenced}");
    here.outbox();
    here.tick(Millis(12));
    assert!(!here.has(holder));
    let last = here.outbox().pop().map(|(_, frame)| frame.says);
    assert!(matches!(last, Some(Says::Goodbye { .. })), "{last:?}");
    assert_eq!(acquired(&mut third), [], "what the home cut off gave up is not its claim any more");
}

#[test]
fn a_home_that_was_cut_off_serves_again_under_ids_that_stand() {
    let [(mut here, cut), (mut there, waiter)] = homes();
    lose(&there, cut);
    here.tick(Millis(1));
    assert!(!here.has(cut));
    let again = here.join(PROTOCOL, Millis(2)).unwrap();
    here.handle(again, create("one"), Millis(2)).unwrap();
    here.handle(again, acquire(false), Millis(2)).unwrap();
    queue(&mut there, waiter, Millis(3));
    there.tick(Millis(4));
    assert_eq!(acquired(&mut there), []);
    assert!(here.has(again));
}

#[test]
fn a_home_that_starts_after_another_is_gone_ends_its_claims_too() {
    let [(mut here, holder)] = homes();
    here.handle(holder, create("one"), Millis(0)).unwrap();
    here.handle(holder, acquire(false), Millis(1)).unwrap();
    lose(&here, holder);
    let (mut there, waiter) = home_of(&here.backend());
    queue(&mut there, waiter, Millis(2));
    there.tick(Millis(3));
    assert_eq!(acquired(&mut there), [waiter]);
}

#[test]
fn a_claim_of_a_home_that_announces_nothing_ends_with_its_lease() {
    let [(mut here, holder)] = homes();
    here.handle(holder, create("one"), Millis(0)).unwrap();
    here.handle(holder, acquire(false), Millis(1)).unwrap();
    // As the homes before did: four bytes, and no record of the block.
    let next = Write::put("meta/next_agent", Expect::Any, 65u32.to_be_bytes().to_vec());
    here.backend().commit(&Batch::of([next])).unwrap();
    lose(&here, holder);
    let (mut there, waiter) = home_of(&here.backend());
    queue(&mut there, waiter, Millis(2));
    there.tick(Millis(3));
    assert_eq!(acquired(&mut there), []);
    there.tick(Millis(1001));
    assert_eq!(acquired(&mut there), [waiter]);
}
