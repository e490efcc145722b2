//! Prints the median times that `benches/peer/run.sh` compares, in nanoseconds, as JSON.

use std::hint::black_box;
use std::time::Instant;

use lrrc_coherence::{
    AgentId, Bound, Cache, Commit, Digest, Directory, Event, Millis, Reply, Rules, Strategy,
};
use lrrc_sim::{Scenario, run};
use lrrc_store::wire::{Basis, Change, Divide, PROTOCOL, Payload, Request, ToHome};
use lrrc_store::{
    Agent, AgentConfig, Asked, Content, ContentRules, Happened, Home, HomeConfig, MemoryBackend, Name, Op,
    Outcome, Read,
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

/// An agent and its home in one process, and one artifact of 16,384 bytes.
struct Pair {
    home: Home<MemoryBackend>,
    agent: Agent,
    id: AgentId,
    name: Name,
}

impl Pair {
    fn new() -> Self {
        let content = Content::in_memory(ContentRules::default()).expect("contents");
        let config = HomeConfig::default();
        let mut home = Home::open(MemoryBackend::new(), content, config, NOW).expect("a home");
        let mut agent = Agent::new(AgentConfig::default());
        agent.connected(NOW);
        let id = home.join(PROTOCOL, NOW).expect("a session");
        let name: Name = "plan".parse().expect("a name");
        let mut pair = Self { home, agent, id, name: name.clone() };
        pair.talk();
        pair.ask(Op::Ask(Request::Create { name: name.clone(), content: payload(0) }));
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
    fn write(&mut self, number: u8) {
        let expected = self.read_hit().stamp();
        let (name, content) = (self.name.clone(), payload(number));
        self.ask(Op::Ask(Request::Commit(Change { name, basis: Basis::Unchanged { expected }, content })));
    }
}

/// Claim and commit in the protocol alone: a directory and the writer's cache, no bytes.
struct Protocol {
    home: Directory<u32>,
    cache: Cache<u32>,
    written: u64,
}

impl Protocol {
    const WRITER: AgentId = AgentId(1);

    fn new() -> Self {
        let mut home = Directory::new(Rules::default());
        home.create(&0, Self::WRITER, Self::content(0), NOW).expect("a new artifact");
        let cache = Cache::new(Self::WRITER, Strategy::Lazy, Bound::default());
        Self { home, cache, written: 0 }
    }

    fn content(number: u64) -> lrrc_coherence::Content {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_le_bytes());
        lrrc_coherence::Content { digest: Digest(digest), size_bytes: 16, tokens: 4, sections: Vec::new() }
    }

    fn write(&mut self) {
        let agent = Self::WRITER;
        let acquire = Event::Acquire { agent, lease_ms: None, wait: false };
        let acquired = self.home.step(&0, &acquire, NOW).expect("the claim");
        let Reply::Acquired { mark, .. } = acquired.reply else { panic!("not a claim: {acquired:?}") };
        self.written += 1;
        let content = Self::content(self.written);
        let digest = content.digest;
        let commit = Commit { generation: mark.generation, base: mark.stamp, content };
        let committed = self.home.step(&0, &Event::Commit { agent, commit }, NOW).expect("a commit");
        let Reply::Committed { mark, line } = committed.reply else { panic!("not a commit: {committed:?}") };
        self.cache.committed(&0, mark, digest, line, NOW);
    }
}

fn payload(number: u8) -> Payload {
    let mut bytes = vec![b'x'; 16_384];
    bytes[0] = b'0' + number % 8;
    Payload { bytes: bytes.into(), tokens: Some(4096), divide: Divide::Whole }
}

fn main() {
    let scenarios = Scenario::shipped().expect("the shipped scenarios");
    let eighty_ns = median_ns(21, 10, || {
        black_box(eighty_runs(black_box(&scenarios)));
    });
    let mut pair = Pair::new();
    let hit_ns = median_ns(21, 20_000, || {
        black_box(pair.read_hit());
    });
    let mut number = 0_u8;
    let write_ns = median_ns(21, 500, || {
        number = number.wrapping_add(1);
        pair.write(number);
    });
    let mut protocol = Protocol::new();
    let protocol_ns = median_ns(21, 20_000, || protocol.write());
    let times = serde_json::json!({
        "eighty_runs": eighty_ns,
        "read_hit": hit_ns,
        "write": protocol_ns,
        "write_16_kib": write_ns,
    });
    println!("{times}");
}
