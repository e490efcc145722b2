//! Agent and home without socket, thread and clock: what time, order and loss do to copies.

use lrrc_coherence::{AgentId, Bound, Millis};
use lrrc_store::wire::{Answer, Basis, Change, FromHome, PROTOCOL, Request, Says, ToHome};
use lrrc_store::{
    Agent, AgentConfig, Asked, Chore, Content, ContentRules, Happened, Home, HomeConfig, MemoryBackend, Op,
    Outcome, Refusal, Revision, StoreError,
};

use crate::house::name;

const BOUND_MS: u64 = 1000;

/// One home, and one agent whose frames the test carries; another agent writes.
struct Pair {
    home: Home<MemoryBackend>,
    agent: Agent,
    me: AgentId,
    writer: AgentId,
}

impl Pair {
    fn new() -> Self {
        let content = Content::in_memory(ContentRules::default()).unwrap();
        let mut home = Home::open(MemoryBackend::new(), content, HomeConfig::default(), Millis(0)).unwrap();
        let writer = home.join(PROTOCOL, Millis(0)).unwrap();
        let create = Request::Create { name: name("plan"), content: "one".into() };
        home.handle(writer, create, Millis(0)).unwrap();
        home.outbox();
        let bound = Bound { versions: 0, age_ms: BOUND_MS };
        let agent = Agent::new(AgentConfig { bound, ..AgentConfig::default() });
        let mut pair = Self { home, agent, me: writer, writer };
        pair.connect(Millis(0));
        pair
    }

    fn connect(&mut self, now: Millis) {
        self.agent.connected(now);
        self.me = self.home.join(PROTOCOL, now).unwrap();
        self.pump(now);
    }

    /// A connection on which the home has said its welcome and nothing else; the number of that frame.
    fn connect_without_answers(&mut self, now: Millis) -> u64 {
        self.agent.connected(now);
        assert!(matches!(self.agent.poll_frame(), Some(ToHome::Hello { .. })));
        self.me = self.home.join(PROTOCOL, now).unwrap();
        let welcome = self.ask(now).remove(0);
        let seq = welcome.seq;
        self.agent.receive(welcome, now);
        seq
    }

    /// Carries what the agent says; gives what the home says to the agent.
    fn ask(&mut self, now: Millis) -> Vec<FromHome> {
        while let Some(frame) = self.agent.poll_frame() {
            if !matches!(frame, ToHome::Hello { .. }) {
                self.home.receive(self.me, frame, now);
            }
        }
        let said = self.home.outbox();
        said.into_iter().filter(|(to, _)| *to == self.me).map(|(_, frame)| frame).collect()
    }

    fn pump(&mut self, now: Millis) {
        for _ in 0..4 {
            for frame in self.ask(now) {
                self.agent.receive(frame, now);
            }
        }
    }

    fn read(&mut self, now: Millis) -> Asked {
        self.agent.request(Op::Read { name: name("plan"), fresh: false }, now)
    }

    fn write(&mut self, content: &str, now: Millis) {
        let Ok(Answer::History(known)) =
            self.home.handle(self.writer, Request::History { name: name("plan") }, now)
        else {
            panic!()
        };
        let basis = Basis::Unchanged { expected: known.mark.stamp };
        let change = Change { name: name("plan"), basis, content: content.to_owned().into() };
        self.home.handle(self.writer, Request::Commit(change), now).unwrap();
    }

    /// The reads that were answered since the last call, as text, age and revision.
    fn done(&mut self) -> Vec<(String, u64)> {
        let mut done = Vec::new();
        while let Some(happened) = self.agent.poll_happened() {
            if let Happened::Done(_, outcome) = happened {
                let Outcome::Read(read) = outcome.unwrap() else { continue };
                done.push((String::from_utf8(read.bytes.to_vec()).unwrap(), read.freshness.age_ms));
            }
        }
        done
    }
}

fn copy(asked: &Asked) -> Option<(&[u8], u64)> {
    match asked {
        Asked::Done(Outcome::Read(read)) => Some((&read.bytes, read.freshness.age_ms)),
        _ => None,
    }
}

#[test]
fn a_copy_that_nobody_confirmed_within_the_bound_is_asked_for_and_not_sent_again() {
    let mut pair = Pair::new();
    pair.read(Millis(0));
    pair.pump(Millis(0));
    let before = pair.agent.counts();
    assert!(copy(&pair.read(Millis(BOUND_MS))).is_some());
    assert!(copy(&pair.read(Millis(BOUND_MS + 1))).is_none());
    pair.pump(Millis(BOUND_MS + 1));
    assert_eq!(pair.done().last(), Some(&("one".to_owned(), 0)));
    let counts = pair.agent.counts();
    assert_eq!((counts.same - before.same, counts.bytes - before.bytes), (1, 0));
}

#[test]
fn a_copy_is_as_old_as_the_ask_that_confirmed_it_and_is_not_read_beyond_the_bound() {
    let mut pair = Pair::new();
    assert!(copy(&pair.read(Millis(100))).is_none());
    let answers = pair.ask(Millis(150));
    for frame in answers {
        pair.agent.receive(frame, Millis(400));
    }
    assert_eq!(pair.done(), [("one".to_owned(), 300)]);
    assert_eq!(copy(&pair.read(Millis(1100))), Some((&b"one"[..], 1000)));
    let fresh = Op::Read { name: name("plan"), fresh: true };
    assert!(matches!(pair.agent.request(fresh, Millis(1100)), Asked::Sent(_)));
    assert_eq!(copy(&pair.read(Millis(1101))), None);
    pair.pump(Millis(1101));
    assert_eq!(pair.done(), [("one".to_owned(), 1), ("one".to_owned(), 0)]);
    pair.agent.tick(Millis(1900));
    pair.pump(Millis(1900));
    assert_eq!(copy(&pair.read(Millis(2000))), Some((&b"one"[..], 100)));
}

#[test]
fn an_answer_that_overtakes_a_signal_waits_for_it() {
    let mut pair = Pair::new();
    pair.read(Millis(0));
    pair.pump(Millis(0));
    pair.done();
    pair.write("two", Millis(10));
    let signals = pair.ask(Millis(10));
    pair.agent.request(Op::Ask(Request::Ping), Millis(1200));
    let answers = pair.ask(Millis(1200));
    assert_eq!((signals.len(), answers.len()), (1, 1));
    for frame in &answers {
        pair.agent.receive(frame.clone(), Millis(1200));
    }
    // Without the signal nothing is confirmed: the copy of the past is not read as one of the present.
    assert_eq!(copy(&pair.read(Millis(1200))), None);
    for frame in signals.iter().chain(&signals).chain(&answers) {
        pair.agent.receive(frame.clone(), Millis(1201));
    }
    assert_eq!(copy(&pair.read(Millis(1201))), None);
    pair.pump(Millis(1201));
    assert!(pair.done().iter().all(|(text, _)| text == "two"));
    assert_eq!(copy(&pair.read(Millis(1201))), Some((&b"two"[..], 0)));
}

#[test]
fn a_lost_connection_drops_copies_repeats_reads_and_leaves_writes_uncertain() {
    let mut pair = Pair::new();
    pair.read(Millis(0));
    pair.pump(Millis(0));
    pair.done();
    assert!(copy(&pair.read(Millis(1))).is_some());
    pair.agent.request(Op::Ask(Request::Create { name: name("new"), content: "x".into() }), Millis(2));
    pair.agent.request(Op::Read { name: name("plan"), fresh: true }, Millis(2));
    while pair.agent.poll_frame().is_some() {}
    pair.agent.disconnected();
    let uncertain = std::iter::from_fn(|| pair.agent.poll_happened()).find_map(|happened| match happened {
        Happened::Done(_, Err(error)) => Some(error),
        _ => None,
    });
    assert!(
        matches!(&uncertain, Some(StoreError::Uncertain { what }) if what.contains("new")),
        "{uncertain:?}"
    );
    assert!(copy(&pair.read(Millis(3))).is_none());
    pair.home.leave(pair.me, Millis(3));
    pair.connect(Millis(4));
    assert_eq!(pair.done(), [("one".to_owned(), 0), ("one".to_owned(), 0)]);
}

#[test]
fn a_home_that_does_not_answer_is_a_lost_connection() {
    let mut pair = Pair::new();
    pair.read(Millis(100));
    pair.agent.tick(Millis(100 + 10_000));
    assert!(!matches!(pair.agent.poll_happened(), Some(Happened::Down(_))));
    while pair.agent.poll_happened().is_some() {}
    pair.agent.tick(Millis(100 + 10_001));
    let Some(Happened::Down(why)) = pair.agent.poll_happened() else { panic!() };
    assert!(why.to_string().contains("10000 ms"), "{why}");
}

/// What the agent asks for when it has a new connection.
fn watched_from(agent: &mut Agent) -> Vec<u64> {
    let asks = std::iter::from_fn(|| agent.poll_frame());
    asks.filter_map(|frame| match frame {
        ToHome::Ask { request: Request::Watch { after, .. }, .. } => Some(after.unwrap().0),
        _ => None,
    })
    .collect()
}

#[test]
fn a_watch_that_was_cut_off_within_a_joint_commit_is_told_of_the_rest() {
    let mut pair = Pair::new();
    let watch = Request::Watch { prefix: String::new(), after: None };
    pair.agent.request(Op::Ask(watch), Millis(0));
    pair.pump(Millis(0));
    let create = Request::Create { name: name("other"), content: "one".into() };
    let Ok(Answer::Committed(other)) = pair.home.handle(pair.writer, create, Millis(1)) else { panic!() };
    let Ok(Answer::History(plan)) =
        pair.home.handle(pair.writer, Request::History { name: name("plan") }, Millis(1))
    else {
        panic!()
    };
    let changes = [("plan", plan.mark.stamp), ("other", other.mark.stamp)].map(|(at, expected)| {
        let basis = Basis::Unchanged { expected };
        Change { name: name(at), basis, content: "two".into() }
    });
    pair.home.handle(pair.writer, Request::CommitAll(changes.to_vec()), Millis(2)).unwrap();
    let landed = pair.home.revision().0;
    let said = pair.ask(Millis(2));
    let changed: Vec<usize> =
        (0..said.len()).filter(|at| matches!(said[*at].says, Says::Changed(_))).collect();
    assert_eq!(changed.len(), 3, "the new one, and two of one revision");
    for frame in said.into_iter().take(changed[1] + 1) {
        pair.agent.receive(frame, Millis(2));
    }
    pair.agent.disconnected();
    pair.connect_without_answers(Millis(3));
    assert_eq!(watched_from(&mut pair.agent), [landed - 1]);
}

#[test]
fn a_watch_that_is_refused_on_a_new_connection_is_asked_for_again() {
    let mut pair = Pair::new();
    pair.agent.request(Op::Ask(Request::Watch { prefix: String::new(), after: None }), Millis(0));
    pair.pump(Millis(0));
    pair.agent.disconnected();
    let seq = pair.connect_without_answers(Millis(1));
    let ticket = std::iter::from_fn(|| pair.agent.poll_frame()).find_map(|frame| match frame {
        ToHome::Ask { ticket, request: Request::Watch { .. } } => Some(ticket),
        _ => None,
    });
    let refusal = Refusal::Storage { message: "no quorum".into() };
    let outcome = Err(refusal);
    let says = Says::Answer { ticket: ticket.unwrap(), confirmed: Revision(0), lag_ms: 0, outcome };
    pair.agent.receive(FromHome { seq: seq + 1, says }, Millis(2));
    assert!(watched_from(&mut pair.agent).is_empty());
    pair.agent.tick(Millis(1002));
    assert_eq!(watched_from(&mut pair.agent).len(), 1);
}

#[test]
fn a_long_verification_is_waited_for_while_the_home_answers_pings() {
    let mut pair = Pair::new();
    pair.agent.request(Op::Ask(Request::Verify), Millis(0));
    for second in 0..30 {
        pair.agent.tick(Millis(second * 1000));
        pair.pump(Millis(second * 1000));
        assert!(pair.agent.id().is_some(), "after {second} s");
    }
    // It is run anywhere, and comes back when it is done.
    let done: Vec<_> = pair.home.chores().into_iter().map(Chore::run).collect();
    done.into_iter().for_each(|done| pair.home.finish(done, Millis(30_000)));
    pair.pump(Millis(30_000));
    let verified = std::iter::from_fn(|| pair.agent.poll_happened())
        .any(|happened| matches!(happened, Happened::Done(_, Ok(Outcome::Answer(Answer::Verified(_))))));
    assert!(verified);
}
