//! Prints the median times that `benches/peer/run.sh` compares, in nanoseconds, as JSON.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use lrrc_coherence::{AgentId, Bound, Cache, Commit, Directory, Event, Millis, Reply, Rules, Strategy};
use lrrc_sim::{Scenario, run};
use lrrc_store::wire::{Basis, Change, Divide, PROTOCOL, Payload, Request, ToHome};
use lrrc_store::{
    Agent, AgentConfig, Asked, Content, ContentRules, Happened, Home, HomeConfig, MemoryBackend, Name, Op,
    Outcome, Read, digest_of,
};

/// The clock of the pair stands still, so no copy grows old.
const NOW: Millis = Millis(1_000);

/// Median over rounds, in nanoseconds for one of `count` calls of `work`.
fn median_ns(rounds: usize, count: u32, mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            (0..count).for_each(|_| work());
            start.elapsed().as_secs_f64() * 1e9 / f64::from(count)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn eighty_runs(scenarios: &[Scenario]) -> u64 {
    let mut tokens = 0;
    for scenario in scenarios {
        for offset in 0..u64::from(scenario.seeds.count) {
            for strategy in [lrrc_sim::Strategy::Lazy, lrrc_sim::Strategy::Broadcast] {
                tokens += run(&scenario.workload, strategy, scenario.seeds.first + offset).tokens.total();
            }
        }
    }
    tokens
}

/// Lengths of the contents, in bytes.
const SHORT: usize = 16;
const LONG: usize = 16_384;

/// Eight contents of one length, made before the clock runs.
fn contents(length: usize) -> Vec<Bytes> {
    let content = |number: usize| {
        let mut bytes = vec![b'x'; length];
        bytes[0] = b'0' + number as u8;
        bytes.into()
    };
    (0..8).map(content).collect()
}

/// An agent and its home in one process, and one artifact.
struct Pair {
    home: Home<MemoryBackend>,
    agent: Agent,
    id: AgentId,
    name: Name,
}

impl Pair {
    fn new(first: &Bytes) -> Self {
        let content = Content::in_memory(ContentRules::default()).expect("contents");
        let config = HomeConfig::default();
        let mut home = Home::open(MemoryBackend::new(), content, config, NOW).expect("a home");
        let mut agent = Agent::new(AgentConfig::default());
        agent.connected(NOW);
        let id = home.join(PROTOCOL, NOW).expect("a session");
        let name: Name = "plan".parse().expect("a name");
        let mut pair = Self { home, agent, id, name: name.clone() };
        pair.talk();
        pair.ask(Op::Ask(Request::Create { name: name.clone(), content: payload(first) }));
        pair.ask(Op::Read { name, fresh: true });
        pair
    }

    /// Carries frames both ways until nobody has any.
    fn talk(&mut self) {
        loop {
            while let Some(frame) = self.agent.poll_frame() {
                if !matches!(frame, ToHome::Hello { .. }) {
                    self.home.receive(self.id, frame, NOW);
                }
            }
            let frames = self.home.outbox();
            if frames.is_empty() {
                return;
            }
            frames.into_iter().for_each(|(_, frame)| self.agent.receive(frame, NOW));
        }
    }

    fn ask(&mut self, op: Op) -> Outcome {
        match self.agent.request(op, NOW) {
            Asked::Done(outcome) => outcome,
            Asked::Sent(ticket) => {
                self.talk();
                loop {
                    match self.agent.poll_happened().expect("an answer") {
                        Happened::Done(done, outcome) if done == ticket => {
                            return outcome.expect("no refusal");
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    /// A read that the agent's own copy serves.
    fn read_hit(&mut self) -> Read {
        match self.agent.request(Op::Read { name: self.name.clone(), fresh: false }, NOW) {
            Asked::Done(Outcome::Read(read)) => read,
            other => panic!("not a hit: {other:?}"),
        }
    }

    /// Writes the next version, through every frame that it takes.
    fn write(&mut self, content: &Bytes) {
        let expected = self.read_hit().stamp();
        let (name, content) = (self.name.clone(), payload(content));
        self.ask(Op::Ask(Request::Commit(Change { name, basis: Basis::Unchanged { expected }, content })));
    }
}

/// What agent-coherence does for a write, with the protocol alone: claim, commit, the hash of the content, and a
/// reference to it on both sides; no frames, and nothing that could be made durable.
struct Protocol {
    home: Directory<u32>,
    cache: Cache<u32>,
    kept: [BTreeMap<u32, Bytes>; 2],
}

impl Protocol {
    const WRITER: AgentId = AgentId(1);

    fn new(first: &Bytes) -> Self {
        let mut home = Directory::new(Rules::default());
        home.create(&0, Self::WRITER, Self::content(first), NOW).expect("a new artifact");
        let cache = Cache::new(Self::WRITER, Strategy::Lazy, Bound::default());
        Self { home, cache, kept: Default::default() }
    }

    fn content(bytes: &Bytes) -> lrrc_coherence::Content {
        let size_bytes = bytes.len() as u64;
        lrrc_coherence::Content { digest: digest_of(bytes), size_bytes, tokens: 4, sections: Vec::new() }
    }

    fn write(&mut self, bytes: &Bytes) {
        let agent = Self::WRITER;
        let acquire = Event::Acquire { agent, lease_ms: None, wait: false };
        let acquired = self.home.step(&0, &acquire, NOW).expect("the claim");
        let Reply::Acquired { mark, .. } = acquired.reply else { panic!("not a claim: {acquired:?}") };
        let content = Self::content(bytes);
        let digest = content.digest;
        let commit = Commit { generation: mark.generation, base: mark.stamp, content };
        let committed = self.home.step(&0, &Event::Commit { agent, commit }, NOW).expect("a commit");
        let Reply::Committed { mark, line } = committed.reply else { panic!("not a commit: {committed:?}") };
        self.cache.committed(&0, mark, digest, line, NOW);
        self.kept.iter_mut().for_each(|kept| drop(kept.insert(0, bytes.clone())));
    }
}

fn payload(content: &Bytes) -> Payload {
    Payload { bytes: content.clone(), tokens: Some(4096), divide: Divide::Whole }
}

/// Median of `write` over contents of one length, in turn.
fn writes_ns(length: usize, count: u32, mut write: impl FnMut(&Bytes)) -> f64 {
    let contents = contents(length);
    let mut turn = contents.iter().cycle();
    median_ns(21, count, || turn.next().into_iter().for_each(&mut write))
}

fn main() {
    let scenarios = Scenario::shipped().expect("the shipped scenarios");
    let eighty_ns = median_ns(21, 10, || {
        black_box(eighty_runs(black_box(&scenarios)));
    });
    let long = contents(LONG);
    let mut pair = Pair::new(&long[0]);
    let hit_ns = median_ns(21, 20_000, || {
        black_box(pair.read_hit());
    });
    let mut protocol = Protocol::new(&long[0]);
    let times = serde_json::json!({
        "eighty_runs": eighty_ns,
        "read_hit": hit_ns,
        "write_16_b": writes_ns(SHORT, 20_000, |content| protocol.write(content)),
        "write_16_kib": writes_ns(LONG, 2_000, |content| protocol.write(content)),
        "framed_16_b": writes_ns(SHORT, 5_000, |content| pair.write(content)),
        "framed_16_kib": writes_ns(LONG, 1_000, |content| pair.write(content)),
        "hash_16_kib": writes_ns(LONG, 5_000, |content| {
            black_box(digest_of(black_box(content)));
        }),
    });
    println!("{times}");
}
