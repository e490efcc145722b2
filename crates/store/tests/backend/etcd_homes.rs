//! Homes over etcd: what a home refuses because of it.

use lrrc_coherence::Millis;
use lrrc_store::wire::{Answer, Basis, Change, PROTOCOL, Request};
use lrrc_store::{Content, ContentRules, EtcdBackend, Home, HomeConfig, Name, Refusal};

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
