//! The program in the shape of the specification: one home, the caches of three agents, two artifacts, and every
//! signal that was ever sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lrrc_coherence::{
    AgentId, Bound, Cache, Cas, Commit, Confirmed, Content, Delivered, Digest, Effect, Event, Incarnation,
    Line, Lookup, Mark, Millis, Record, Reply, Rules, Stamp, Strategy, Version, Write, commit_all, step,
};
use tla_checker::ast::Value;

const AGENTS: usize = 3;
const ARTIFACTS: usize = 2;
/// No lease is over at this time, every lease at the other.
const EARLY: Millis = Millis(0);
const LATE: Millis = Millis(u64::MAX);

#[derive(Debug, Clone)]
pub(crate) struct Twin {
    rules: Rules,
    records: [Option<Record>; ARTIFACTS],
    /// The last incarnation of each artifact.
    lives: [u64; ARTIFACTS],
    up: [bool; AGENTS],
    caches: Vec<Cache<usize>>,
    /// What each agent was told and read last: the base and the token of a commit, however late it comes.
    seen: [[(u64, u64, u64); ARTIFACTS]; AGENTS],
    content: [[(u64, u64); ARTIFACTS]; AGENTS],
    sent: [BTreeSet<(usize, Mark)>; AGENTS],
}

/// A move: the name of its action, and the twin after it.
pub(crate) type Moves = Vec<(&'static str, Twin)>;

fn content_of(text: u8) -> Content {
    Content { digest: Digest([text; 32]), size_bytes: 1, tokens: 1, sections: Vec::new() }
}

const fn numbers(mark: Mark) -> (u64, u64, u64) {
    (mark.stamp.incarnation.0, mark.stamp.version.0, mark.generation.0)
}

const fn stamp((incarnation, version): (u64, u64)) -> Stamp {
    Stamp { incarnation: Incarnation(incarnation), version: Version(version) }
}

impl Twin {
    pub(crate) fn new() -> Self {
        let bound = Bound { versions: 0, age_ms: 1 };
        let cache = |agent| Cache::new(AgentId(agent as u32), Strategy::Lazy, bound);
        Self {
            rules: Rules::default(),
            records: Default::default(),
            lives: [0; ARTIFACTS],
            up: [true; AGENTS],
            caches: (0..AGENTS).map(cache).collect(),
            seen: [[(0, 0, 0); ARTIFACTS]; AGENTS],
            content: [[(0, 0); ARTIFACTS]; AGENTS],
            sent: Default::default(),
        }
    }

    /// Every move that can be made.
    pub(crate) fn moves(&self) -> Moves {
        let mut moves = Moves::new();
        for artifact in 0..ARTIFACTS {
            moves.extend(self.lease_over(artifact).map(|twin| ("LeaseOver", twin)));
            for agent in 0..AGENTS {
                self.requests(agent, artifact, &mut moves);
            }
        }
        for agent in 0..AGENTS {
            if self.up[agent] {
                moves.push(("AgentLost", self.agent_lost(agent)));
            } else {
                moves.push(("Reconnect", self.reconnect(agent)));
            }
            self.deliveries(agent, &mut moves);
            self.joint_writes(agent, &mut moves);
        }
        if self.hits() {
            moves.push(("ReadHit", self.clone()));
        }
        moves
    }

    /// Whether some agent may read some copy.
    pub(crate) fn hits(&self) -> bool {
        let confirmed = Confirmed { at: EARLY, lag: 0 };
        let hit = |cache: &Cache<usize>, artifact| {
            matches!(cache.clone().lookup(&artifact, &[], EARLY, confirmed), Lookup::Hit { .. })
        };
        self.caches.iter().any(|cache| (0..ARTIFACTS).any(|artifact| hit(cache, artifact)))
    }

    fn requests(&self, agent: usize, artifact: usize, moves: &mut Moves) {
        let id = AgentId(agent as u32);
        let base = stamp(self.content[agent][artifact]);
        let generation = lrrc_coherence::Generation(self.seen[agent][artifact].2);
        let content = content_of(1);
        let incarnation = Incarnation(self.lives[artifact] + 1);
        let session = [
            ("Create", Event::Create { agent: id, incarnation, epoch: 0, content: content.clone() }),
            ("Read", Event::Read { agent: id, have: None, sections: Vec::new() }),
            ("Acquire", Event::Acquire { agent: id, lease_ms: None, wait: false }),
            ("Delete", Event::Delete { agent: id, expected: None }),
        ];
        let late = [
            (
                "Commit",
                Event::Commit { agent: id, commit: Commit { generation, base, content: content.clone() } },
            ),
            (
                "CommitCas",
                Event::CommitCas { agent: id, cas: Cas { expected: base, generation: None, content } },
            ),
            ("Release", Event::Release { agent: id, generation: None }),
        ];
        let session = session.into_iter().filter(|_| self.up[agent]);
        for (action, event) in session.chain(late) {
            let Some((answered, unanswered)) = self.ask(agent, artifact, &event) else { continue };
            moves.push((action, answered));
            if matches!(action, "Read" | "Acquire" | "Commit" | "CommitCas") {
                moves.push((action, unanswered));
            }
        }
    }

    /// The twin after a request whose answer came, and after one whose answer was lost.
    fn ask(&self, agent: usize, artifact: usize, event: &Event) -> Option<(Self, Self)> {
        let mut twin = self.clone();
        let outcome = step(&mut twin.records[artifact], event, EARLY, &self.rules).ok()?;
        twin.send(artifact, &outcome.effects);
        let mut unanswered = twin.clone();
        unanswered.caches[agent].release(&artifact);
        twin.answer(agent, artifact, &outcome.reply);
        Some((twin, unanswered))
    }

    fn answer(&mut self, agent: usize, artifact: usize, reply: &Reply) {
        let cache = &mut self.caches[agent];
        let told = match reply {
            Reply::Created { mark } => {
                self.lives[artifact] = mark.stamp.incarnation.0;
                cache.committed(&artifact, *mark, Digest([1; 32]), Line::Exclusive, EARLY);
                Some((*mark, true))
            }
            Reply::Read(grant) => {
                cache.fill(&artifact, grant, EARLY);
                Some((grant.mark, true))
            }
            Reply::Acquired { mark, .. } => {
                cache.acquired(&artifact, *mark, EARLY);
                Some((*mark, false))
            }
            Reply::Committed { mark, line } => {
                cache.committed(&artifact, *mark, Digest([1; 32]), *line, EARLY);
                Some((*mark, true))
            }
            Reply::Released { mark } => {
                cache.released(&artifact, *mark);
                None
            }
            _ => {
                cache.release(&artifact);
                None
            }
        };
        if let Some((mark, with_content)) = told {
            let (incarnation, version, _) = numbers(mark);
            self.seen[agent][artifact] = numbers(mark);
            if with_content {
                self.content[agent][artifact] = (incarnation, version);
            }
        }
    }

    fn send(&mut self, artifact: usize, effects: &[Effect]) {
        for effect in effects {
            self.sent[effect.to().0 as usize].insert((artifact, effect.mark()));
        }
    }

    fn lease_over(&self, artifact: usize) -> Option<Self> {
        let mut twin = self.clone();
        twin.records[artifact].as_ref()?.ledger().claim?;
        let outcome = step(&mut twin.records[artifact], &Event::LeaseOver, LATE, &self.rules).ok()?;
        twin.send(artifact, &outcome.effects);
        Some(twin)
    }

    fn agent_lost(&self, agent: usize) -> Self {
        let mut twin = self.clone();
        let event = Event::AgentLost { agent: AgentId(agent as u32) };
        for artifact in 0..ARTIFACTS {
            let outcome = step(&mut twin.records[artifact], &event, EARLY, &self.rules);
            twin.send(artifact, &outcome.expect("a loss is never refused").effects);
        }
        twin.up[agent] = false;
        twin
    }

    fn reconnect(&self, agent: usize) -> Self {
        let mut twin = self.clone();
        twin.caches[agent].drop_all();
        twin.up[agent] = true;
        twin
    }

    /// Signals that revoke a copy; all others must do nothing.
    fn deliveries(&self, agent: usize, moves: &mut Moves) {
        for (artifact, mark) in &self.sent[agent] {
            let mut twin = self.clone();
            let delivered = twin.caches[agent].signal(artifact, *mark);
            if delivered == Delivered::Revoked {
                moves.push(("Deliver", twin));
            } else {
                assert_eq!(twin.values(), self.values(), "{delivered:?} changed something");
            }
        }
    }

    fn joint_writes(&self, agent: usize, moves: &mut Moves) {
        let mut twin = self.clone();
        let write = |artifact: usize| {
            let generation = lrrc_coherence::Generation(self.seen[agent][artifact].2);
            let base = stamp(self.content[agent][artifact]);
            Write::Claimed(Commit { generation, base, content: content_of(1) })
        };
        let records = twin.records.iter_mut().flatten().enumerate();
        let mut members: Vec<(&mut Record, Write)> =
            records.map(|(artifact, record)| (record, write(artifact))).collect();
        if members.len() < ARTIFACTS {
            return;
        }
        let outcomes = commit_all(&mut members, AgentId(agent as u32), EARLY, &self.rules);
        let Ok(outcomes) = outcomes else { return };
        drop(members);
        for (artifact, outcome) in outcomes.iter().enumerate() {
            twin.send(artifact, &outcome.effects);
        }
        let mut unanswered = twin.clone();
        for (artifact, outcome) in outcomes.iter().enumerate() {
            unanswered.caches[agent].release(&artifact);
            twin.answer(agent, artifact, &outcome.reply);
        }
        moves.extend([("CommitAll", twin), ("CommitAll", unanswered)]);
    }

    /// The state as the specification writes it: mark, claim, directory, up, sent, valid, seen, content.
    pub(crate) fn values(&self) -> Vec<Value> {
        let mark = |artifact: usize| match &self.records[artifact] {
            Some(record) => triple(numbers(record.ledger().mark())),
            None => triple((self.lives[artifact], 0, 0)),
        };
        let claim = |artifact: usize| {
            let claim = self.records[artifact].as_ref().and_then(|record| record.ledger().claim);
            claim.map_or_else(|| model("none"), |claim| name('a', claim.agent.0 as usize))
        };
        let line = |artifact: usize, agent: usize| {
            let known = self.records[artifact].as_ref().map(|record| record.line(AgentId(agent as u32)));
            Value::Str(Arc::from(known.unwrap_or(Line::Invalid).to_string().as_str()))
        };
        let directory = |artifact: usize| agents(|agent| line(artifact, agent));
        let signals = |agent: usize| {
            let signal =
                |(artifact, mark): &(usize, Mark)| tuple([name('x', *artifact), triple(numbers(*mark))]);
            Value::set(self.sent[agent].iter().map(signal).collect())
        };
        let valid = |agent: usize| {
            let held =
                |artifact: &usize| self.caches[agent].copy(artifact).is_some_and(|(line, _)| line.is_valid());
            Value::set((0..ARTIFACTS).filter(held).map(|artifact| name('x', artifact)).collect())
        };
        let open = (0..AGENTS).filter(|agent| self.up[*agent]).map(|agent| name('a', agent));
        vec![
            artifacts(mark),
            artifacts(claim),
            artifacts(directory),
            Value::set(open.collect()),
            agents(signals),
            agents(valid),
            agents(|agent| artifacts(|artifact| triple(self.seen[agent][artifact]))),
            agents(|agent| artifacts(|artifact| pair(self.content[agent][artifact]))),
        ]
    }
}

fn model(text: &str) -> Value {
    Value::Model(Arc::from(text))
}

fn name(letter: char, number: usize) -> Value {
    model(&format!("{letter}{number}"))
}

fn agents(value: impl Fn(usize) -> Value) -> Value {
    function('a', AGENTS, value)
}

fn artifacts(value: impl Fn(usize) -> Value) -> Value {
    function('x', ARTIFACTS, value)
}

fn function(letter: char, size: usize, value: impl Fn(usize) -> Value) -> Value {
    let pairs: BTreeMap<Value, Value> =
        (0..size).map(|number| (name(letter, number), value(number))).collect();
    Value::Fn(Arc::new(pairs))
}

fn tuple(values: impl IntoIterator<Item = Value>) -> Value {
    Value::Tuple(Arc::new(values.into_iter().collect()))
}

fn triple((incarnation, version, generation): (u64, u64, u64)) -> Value {
    tuple([incarnation, version, generation].map(|number| Value::Int(number as i64)))
}

fn pair((incarnation, version): (u64, u64)) -> Value {
    tuple([incarnation, version].map(|number| Value::Int(number as i64)))
}
