//! Homes over etcd: what a home refuses because of it, and what the others do when one is cut off.

use std::time::{Duration, Instant};

use lrrc_coherence::{AgentId, Millis};
use lrrc_store::wire::{Answer, Basis, Change, PROTOCOL, Request, Says, Ticket, ToHome};
use lrrc_store::{
    Backend, BackendError, Batch, Clock, Content, ContentRules, EtcdBackend, EtcdConfig, Expect, Home,
    HomeConfig, Name, Refusal, Write,
};

use crate::cut::Way;
use crate::etcd_server::EtcdServer;

fn home(backend: EtcdBackend) -> Home<EtcdBackend> {
    let content = Content::in_memory(ContentRules::default()).unwrap();
    Home::open(backend, content, HomeConfig::default(), Millis(0)).unwrap()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

#[test]
fn a_commit_of_more_members_than_etcd_takes_is_refused_with_the_numbers() {
    let Some(server) = EtcdServer::start() else { return };
    let mut home = home(server.open("members"));
    let agent = home.join(PROTOCOL, Millis(0)).unwrap();
    let mut changes = Vec::new();
    for at in 0..64 {
        let name = name(&format!("part{at}"));
        let create = Request::Create { name: name.clone(), content: "one".into() };
        let Ok(Answer::Committed(made)) = home.handle(agent, create, Millis(1)) else { panic!() };
        let basis = Basis::Unchanged { expected: made.mark.stamp };
        changes.push(Change { name, basis, content: format!("two {at}").into() });
    }
    let refused = home.handle(agent, Request::CommitAll(changes.clone()), Millis(2)).unwrap_err();
    assert!(matches!(refused, Refusal::TooMany { found: 193, limit: 128, .. }), "{refused}");
    let says = "193 operations in one transaction of etcd (commit fewer members at once)";
    assert!(refused.to_string().starts_with(says), "{refused}");
    changes.truncate(42);
    home.handle(agent, Request::CommitAll(changes), Millis(3)).unwrap();
}

fn acquire(wait: bool) -> Request {
    Request::Acquire { name: name("plan"), lease_ms: None, wait }
}

/// Whether the agent is told in this tick that the claim is its own.
fn is_granted(home: &mut Home<EtcdBackend>, agent: AgentId, clock: Clock) -> bool {
    home.tick(clock.now());
    // As every agent does.
    let ping = ToHome::Ask { ticket: Ticket(clock.now().0), request: Request::Ping };
    home.receive(agent, ping, clock.now());
    std::thread::sleep(Duration::from_millis(50));
    home.outbox().into_iter().any(|(to, frame)| {
        to == agent && matches!(frame.says, Says::Answer { outcome: Ok(Answer::Acquired(_)), .. })
    })
}

#[test]
fn a_home_that_is_cut_off_ends_its_sessions_before_others_have_its_claims() {
    let Some(server) = EtcdServer::start() else { return };
    let (way, clock) = (Way::to(&server.endpoint()), Clock::start());
    let config = EtcdConfig { root: "cut/".to_owned(), timeout_ms: 1_000, lease_s: 6, ..server.config() };
    let cut = EtcdConfig { endpoints: vec![way.endpoint.clone()], ..config.clone() };
    let [mut here, mut there] = [cut, config].map(|config| home(EtcdBackend::connect(&config).unwrap()));
    let [holder, waiter] = [&mut here, &mut there].map(|home| home.join(PROTOCOL, clock.now()).unwrap());
    let create = Request::Create { name: name("plan"), content: "one".into() };
    here.handle(holder, create, clock.now()).unwrap();
    let Ok(Answer::Acquired(claim)) = here.handle(holder, acquire(false), clock.now()) else { panic!() };
    let wait = ToHome::Ask { ticket: Ticket(1), request: acquire(true) };
    there.receive(waiter, wait, clock.now());
    let stood = Instant::now() + Duration::from_secs(10);
    while Instant::now() < stood {
        assert!(!is_granted(&mut there, waiter, clock), "the home of the claim stands");
        here.tick(clock.now());
        let ping = ToHome::Ask { ticket: Ticket(clock.now().0), request: Request::Ping };
        here.receive(holder, ping, clock.now());
        assert!(here.has(holder));
    }

    way.cut();
    let until = Instant::now() + Duration::from_secs(60);
    while here.has(holder) {
        assert!(Instant::now() < until, "it does not see that it is cut off");
        assert!(!is_granted(&mut there, waiter, clock), "it still has its session");
        here.tick(clock.now());
    }
    while !is_granted(&mut there, waiter, clock) {
        assert!(Instant::now() < until, "nobody has the claim");
    }
    way.heal();
    let again = loop {
        match here.join(PROTOCOL, clock.now()) {
            Err(Refusal::Storage { .. }) if Instant::now() < until => {}
            joined => break joined.unwrap(),
        }
    };
    let basis = Basis::Claim { generation: claim.mark.generation, base: claim.mark.stamp };
    let late = Change { name: name("plan"), basis, content: "late".into() };
    let refused = here.handle(again, Request::Commit(late), clock.now()).unwrap_err();
    assert!(matches!(refused, Refusal::Conflict { .. }), "{refused}");
}

#[test]
fn a_cluster_that_does_not_answer_is_left_alone_for_a_moment() {
    let Some(server) = EtcdServer::start() else { return };
    let way = Way::to(&server.endpoint());
    let endpoints = vec![way.endpoint.clone()];
    let config = EtcdConfig { endpoints, root: "silent/".to_owned(), timeout_ms: 500, ..server.config() };
    let backend = EtcdBackend::connect(&config).unwrap();
    way.hold();
    backend.get("a").unwrap_err();
    let batch = Batch::of([Write::put("a", Expect::Absent, "one")]);
    let refused = backend.commit(&batch).unwrap_err();
    let is_sent = !matches!(refused, BackendError::Unavailable { .. });
    assert!(!is_sent && refused.to_string().contains("not asked again"), "{refused}");
    way.heal();
    let until = Instant::now() + Duration::from_secs(60);
    while backend.commit(&batch).is_err() {
        assert!(Instant::now() < until, "it is not asked again");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(backend.get("a").unwrap().unwrap().value, "one");
}
