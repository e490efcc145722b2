//! Two homes over one backend, as on two machines: each decides on what the other has written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lrrc_coherence::{AgentId, Conflict, Digest, Mark, Millis, Rules};
use lrrc_store::wire::{Answer, Basis, Change, Claimed, PROTOCOL, Request, Says, Ticket, ToHome};
use lrrc_store::{
    Address, Backend, BackendError, Batch, BlobInfo, Client, ClientConfig, Clock, Content, ContentRules,
    Entry, Expect, Home, HomeConfig, Listener, Listing, MemoryBackend, Refusal, Revision, Write, serve,
};

use crate::house::name;

/// A memory that several homes serve. It takes no home for lost: a test deletes what one has announced.
/// It panics at a listing when it is told to, as redb does over some damaged pages.
#[derive(Clone)]
pub(crate) struct Common {
    memory: Arc<MemoryBackend>,
    panics: Arc<AtomicBool>,
    /// It says at any time that it has just changed, and takes a while to say how.
    never_rests: bool,
}

impl Backend for Common {
    fn epoch(&self) -> Option<u32> {
        None
    }
    fn revision(&self) -> Result<Revision, BackendError> {
        self.memory.revision()
    }
    fn get(&self, key: &str) -> Result<Option<Entry>, BackendError> {
        self.memory.get(key)
    }
    fn list(&self, prefix: &str) -> Result<Listing, BackendError> {
        assert!(!self.panics.load(Ordering::SeqCst), "a page that contradicts another");
        self.memory.list(prefix)
    }
    fn commit(&self, batch: &Batch) -> Result<Revision, BackendError> {
        self.memory.commit(batch)
    }
    fn changes(&self, after: Revision, max: usize) -> Result<Vec<lrrc_store::Change>, BackendError> {
        if self.never_rests {
            std::thread::sleep(Duration::from_millis(3));
        }
        self.memory.changes(after, max)
    }
    fn wait(&self, after: Revision, timeout: Duration) -> Result<bool, BackendError> {
        if self.never_rests { Ok(true) } else { self.memory.wait(after, timeout) }
    }
    fn announce(&self, key: &str) -> Result<bool, BackendError> {
        self.memory.commit(&Batch::of([Write::put(key, Expect::Absent, "")])).map(|_| true)
    }
    fn compact(&self, through: Revision) -> Result<(), BackendError> {
        self.memory.compact(through)
    }
    fn blob(&self, digest: &Digest) -> Result<Option<bytes::Bytes>, BackendError> {
        self.memory.blob(digest)
    }
    fn blobs(&self, after: Option<Digest>, max: usize) -> Result<Vec<BlobInfo>, BackendError> {
        self.memory.blobs(after, max)
    }
    fn sweep(&self, digests: &[Digest], put_before_ms: u64) -> Result<u64, BackendError> {
        self.memory.sweep(digests, put_before_ms)
    }
}

/// Homes, each with one agent.
pub(crate) fn homes<const N: usize>() -> [(Home<Common>, AgentId); N] {
    let common = common(false);
    [(); N].map(|()| home_of(&common))
}

fn common(never_rests: bool) -> Common {
    Common { memory: Arc::new(MemoryBackend::new()), panics: Arc::default(), never_rests }
}

/// One more home, with an agent.
pub(crate) fn home_of(common: &Common) -> (Home<Common>, AgentId) {
    let content = Content::in_memory(ContentRules::default()).unwrap();
    let config = HomeConfig { rules: Rules { lease_ms: 1000, ..Rules::default() }, ..HomeConfig::default() };
    let mut home = Home::open(common.clone(), content, config, Millis(0)).unwrap();
    let agent = home.join(PROTOCOL, Millis(0)).unwrap();
    (home, agent)
}

pub(crate) fn conflict(refused: Result<Answer, Refusal>) -> Conflict {
    match refused.unwrap_err() {
        Refusal::Conflict { conflict, .. } => *conflict,
        other => panic!("{other}"),
    }
}

pub(crate) fn create(content: &str) -> Request {
    Request::Create { name: name("plan"), content: content.to_owned().into() }
}

fn read() -> Request {
    Request::Read { name: name("plan"), have: None, sections: Vec::new(), parts: Vec::new() }
}

#[test]
fn agents_of_one_home_are_told_of_the_writes_of_the_other() {
    let [(mut here, writer), (mut there, reader)] = homes();
    let Ok(Answer::Committed(made)) = here.handle(writer, create("one"), Millis(1)) else { panic!() };
    there.handle(reader, Request::Watch { prefix: String::new(), after: None }, Millis(2)).unwrap();
    let Ok(Answer::Read(first)) = there.handle(reader, read(), Millis(2)) else { panic!() };
    assert_eq!(first.grant.mark.stamp, made.mark.stamp);
    let basis = Basis::Unchanged { expected: made.mark.stamp };
    let change = Change { name: name("plan"), basis, content: "two".into() };
    let Ok(Answer::Committed(second)) = here.handle(writer, Request::Commit(change.clone()), Millis(3))
    else {
        panic!()
    };
    there.outbox();
    there.follow(Millis(4));
    let said: Vec<Says> = there.outbox().into_iter().map(|(_, frame)| frame.says).collect();
    let signalled =
        said.iter().any(|says| matches!(says, Says::Invalidate { mark, .. } if *mark == second.mark));
    let changes = said.iter().filter_map(|says| match says {
        Says::Changed(changed) => changed.now.map(|(stamp, _)| stamp.version.0),
        _ => None,
    });
    assert_eq!((signalled, changes.collect::<Vec<_>>()), (true, vec![1, 2]));
    let late = conflict(there.handle(reader, Request::Commit(change), Millis(5)));
    assert!(
        matches!(late, Conflict::VersionMismatch { actual, .. } if actual == second.mark.stamp),
        "{late}"
    );
}

fn claimed(answer: Result<Answer, Refusal>) -> Claimed {
    match answer {
        Ok(Answer::Acquired(claim)) => claim,
        other => panic!("{other:?}"),
    }
}

#[test]
fn agents_are_heard_while_the_store_never_stops_changing() {
    let folder = tempfile::tempdir().unwrap();
    let place = Address::Unix(folder.path().join("socket"));
    let (home, _) = home_of(&common(true));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let heard = async {
        let listener = Listener::open(&place).await.unwrap();
        let served = tokio::spawn(serve(home, Clock::start(), listener, std::future::pending()));
        let client = Client::connect(&place, ClientConfig::default()).await.unwrap();
        client.create(&name("plan"), "one").await.unwrap();
        for _ in 0..100 {
            client.read_fresh(&name("plan")).await.unwrap();
        }
        served.abort();
    };
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), heard).await }).unwrap();
}

#[test]
fn a_page_that_ends_before_a_larger_commit_does_not_confirm_that_commit() {
    let [(mut here, writer), (mut there, reader)] = homes();
    let Ok(Answer::Committed(made)) = here.handle(writer, create("one"), Millis(1)) else { panic!() };
    let other = Request::Create { name: name("other"), content: "one".into() };
    let Ok(Answer::Committed(beside)) = here.handle(writer, other, Millis(1)) else { panic!() };
    there.handle(reader, read(), Millis(2)).unwrap();
    there.follow(Millis(3));
    let store = here.backend();
    for at in 0..1023 {
        store.commit(&Batch::of([Write::put("meta/noise", Expect::Any, at.to_string())])).unwrap();
    }
    let member = |name, mark: Mark| Change {
        name,
        basis: Basis::Unchanged { expected: mark.stamp },
        content: "two".into(),
    };
    let both = vec![member(name("other"), beside.mark), member(name("plan"), made.mark)];
    here.handle(writer, Request::CommitAll(both), Millis(4)).unwrap();
    there.outbox();
    there.follow(Millis(5));
    let said = there.outbox();
    let told = |says: &Says| matches!(says, Says::Invalidate { name: old, .. } if *old == name("plan"));
    assert!(said.iter().any(|(_, frame)| told(&frame.says)), "{said:?}");
}

#[test]
fn a_watch_at_another_home_tells_of_a_version_once_though_its_claim_comes_and_goes() {
    let [(mut here, writer), (mut there, watcher)] = homes();
    here.handle(writer, create("one"), Millis(1)).unwrap();
    there.handle(watcher, Request::Watch { prefix: String::new(), after: None }, Millis(1)).unwrap();
    let acquire = Request::Acquire { name: name("plan"), lease_ms: None, wait: false };
    let generation = claimed(here.handle(writer, acquire, Millis(2))).mark.generation;
    there.follow(Millis(3));
    here.handle(writer, Request::Release { name: name("plan"), generation }, Millis(2)).unwrap();
    there.follow(Millis(3));
    let said = there.outbox().into_iter().filter(|(_, frame)| matches!(frame.says, Says::Changed(_)));
    assert_eq!(said.count(), 1);
}

#[test]
fn a_home_that_has_not_heard_of_a_write_yet_decides_on_it_all_the_same() {
    let [(mut here, writer), (mut there, reader)] = homes();
    let Ok(Answer::Committed(made)) = here.handle(writer, create("one"), Millis(1)) else { panic!() };
    there.handle(reader, read(), Millis(1)).unwrap();
    let basis = Basis::Unchanged { expected: made.mark.stamp };
    let change = |content: &str| {
        Request::Commit(Change { name: name("plan"), basis, content: content.to_owned().into() })
    };
    here.handle(writer, change("two"), Millis(2)).unwrap();
    let Ok(Answer::Read(newest)) = there.handle(reader, read(), Millis(2)) else { panic!() };
    assert_eq!(newest.grant.mark.stamp.version.0, 2);
    let late = conflict(there.handle(reader, change("other"), Millis(2)));
    assert!(matches!(late, Conflict::VersionMismatch { .. }), "{late}");
    let exists = conflict(there.handle(reader, create("again"), Millis(2)));
    assert!(matches!(exists, Conflict::AlreadyExists { .. }), "{exists}");
}

#[test]
fn a_claim_at_one_home_holds_at_the_other_until_its_lease_is_over() {
    let [(mut here, holder), (mut there, heir)] = homes();
    here.handle(holder, create("one"), Millis(0)).unwrap();
    let acquire = Request::Acquire { name: name("plan"), lease_ms: None, wait: false };
    let claim = claimed(here.handle(holder, acquire.clone(), Millis(10)));
    let held = conflict(there.handle(heir, acquire.clone(), Millis(500)));
    assert!(matches!(held, Conflict::OtherHolder { who, .. } if who == holder), "{held}");
    let next = claimed(there.handle(heir, acquire, Millis(1010)));
    assert!(next.mark.generation > claim.mark.generation);
    let basis = Basis::Claim { generation: claim.mark.generation, base: claim.mark.stamp };
    let late = Change { name: name("plan"), basis, content: "late".into() };
    let fenced = conflict(here.handle(holder, Request::Commit(late), Millis(1011)));
    assert!(matches!(fenced, Conflict::StaleGeneration { .. } | Conflict::OtherHolder { .. }), "{fenced}");
}

/// Who was told that the claim is its own.
pub(crate) fn acquired(home: &mut Home<Common>) -> Vec<AgentId> {
    let said = home
        .outbox()
        .into_iter()
        .filter(|(_, frame)| matches!(&frame.says, Says::Answer { outcome: Ok(Answer::Acquired(_)), .. }));
    said.map(|(agent, _)| agent).collect()
}

#[test]
fn a_claim_that_ends_is_given_to_one_of_those_who_wait_at_several_homes() {
    let [(mut here, holder), waiting @ ..] = homes::<4>();
    here.handle(holder, create("one"), Millis(0)).unwrap();
    let acquire = |wait| Request::Acquire { name: name("plan"), lease_ms: None, wait };
    let generation = claimed(here.handle(holder, acquire(false), Millis(1))).mark.generation;
    let mut waiting = waiting;
    for (home, agent) in &mut waiting {
        home.receive(*agent, ToHome::Ask { ticket: Ticket(1), request: acquire(true) }, Millis(2));
        assert_eq!(acquired(home), []);
    }
    here.handle(holder, Request::Release { name: name("plan"), generation }, Millis(3)).unwrap();
    let mut told = Vec::new();
    for (home, _) in &mut waiting {
        home.follow(Millis(4));
        told.extend(acquired(home));
    }
    assert_eq!(told, [waiting[0].1], "one has the claim, and the others wait on");
    here.tick(Millis(5));
    waiting.iter_mut().for_each(|(home, _)| home.tick(Millis(1004)));
    let next: Vec<AgentId> = waiting.iter_mut().flat_map(|(home, _)| acquired(home)).collect();
    assert_eq!(next, [waiting[1].1], "the lease of the first is over");
}

#[test]
fn homes_never_give_an_agent_id_twice() {
    let [(mut here, first), (mut there, second)] = homes();
    let mut ids = vec![first, second];
    for _ in 0..100 {
        ids.push(here.join(PROTOCOL, Millis(0)).unwrap());
        ids.push(there.join(PROTOCOL, Millis(0)).unwrap());
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 202);
}

#[test]
fn a_collection_or_verification_in_which_the_storage_panics_is_answered() {
    let [(mut home, agent)] = homes();
    home.backend().panics.store(true, Ordering::SeqCst);
    for (ticket, request) in (1..).zip([Request::Gc, Request::Verify]) {
        home.receive(agent, ToHome::Ask { ticket: Ticket(ticket), request }, Millis(1));
        for chore in home.chores() {
            let done = chore.run();
            home.finish(done, Millis(2));
        }
        let said: Vec<Says> = home.outbox().into_iter().map(|(_, frame)| frame.says).collect();
        let is_told = |says: &Says| matches!(says, Says::Answer { outcome: Err(Refusal::Storage { message }), .. } if message.contains("damaged"));
        assert!(said.iter().any(is_told), "{said:?}");
    }
}
