//! The same actions through the protocol of this workspace.
//!
//! Two things differ from the published model. A late signal does not revoke a copy that is newer than what it tells
//! of, which saves a fetch; and a writer whose copy turns out to be old is refused and must fetch before it writes
//! again, which costs one, where the published model lets the write land on a version that nobody has read.

use std::collections::VecDeque;

use lrrc_coherence::{
    AgentId, Bound, Cache, Cas, Confirmed, Conflict, Content, Digest, Directory, Effect, Event, Lookup, Mark,
    Millis, Reply, Rules, Stamp, Strategy as Rule,
};

use crate::run::Run;
use crate::strategy::Strategy;
use crate::workload::{Action, Workload};

/// Virtual milliseconds of one tick.
const TICK_MS: u64 = 1000;

/// Home, caches, and the signals under way.
struct Protocol<'a> {
    workload: &'a Workload,
    home: Directory<u32>,
    caches: Vec<Cache<u32>>,
    /// Tick of delivery, artifact, and what is delivered; in the order of the sends.
    queue: VecDeque<(u32, u32, Effect)>,
    writes: u64,
    run: Run,
}

/// Runs `workload` with `seed` under `strategy`: each write compares versions, and is tried again once fetched.
///
/// # Errors
///
/// The protocol refuses what it must not refuse: a defect.
pub fn run_protocol(workload: &Workload, strategy: Strategy, seed: u64) -> Result<Run, Conflict> {
    let rules = Rules { strategy: rule(strategy), ..Rules::default() };
    // Signals that are under way when the copy is read are what the model allows: a tick of delay.
    let bound = Bound { versions: u64::MAX, age_ms: u64::MAX };
    let caches =
        (0..workload.agents).map(|agent| Cache::new(AgentId(agent), rules.strategy, bound)).collect();
    let run = Run { writes: vec![0; workload.artifacts as usize], ..Run::default() };
    let home = Directory::new(rules);
    let mut protocol = Protocol { workload, home, caches, queue: VecDeque::new(), writes: 0, run };
    protocol.create()?;
    let mut actions = workload.actions(seed).peekable();
    for tick in 0..workload.ticks {
        protocol.deliver(tick);
        while let Some(action) = actions.next_if(|action| action.tick == tick) {
            protocol.act(action)?;
        }
    }
    Ok(protocol.run)
}

fn rule(strategy: Strategy) -> Rule {
    match strategy {
        Strategy::Lazy => Rule::Lazy,
        Strategy::Eager => Rule::Eager,
        Strategy::Lease { ticks } => Rule::Lease { ttl_ms: u64::from(ticks) * TICK_MS },
        Strategy::AccessCount { reads } => Rule::AccessCount { reads },
        Strategy::Broadcast => Rule::Broadcast,
    }
}

impl Protocol<'_> {
    /// The artifacts come from someone who is none of the agents and leaves at once.
    fn create(&mut self) -> Result<(), Conflict> {
        let author = AgentId(self.workload.agents);
        for artifact in 0..self.workload.artifacts {
            let content = self.content();
            self.home.create(&artifact, author, content, Millis(0))?;
        }
        self.home.agent_lost(author, Millis(0));
        Ok(())
    }

    fn deliver(&mut self, tick: u32) {
        while let Some((_, artifact, effect)) = self.queue.pop_front_if(|(due, ..)| *due <= tick) {
            let cache = &mut self.caches[effect.to().0 as usize];
            match effect {
                Effect::Signal { mark, .. } => {
                    cache.signal(&artifact, mark);
                }
                Effect::Push { mark, digest, sections, .. } => {
                    cache.push(&artifact, mark, digest, &sections);
                }
                Effect::Granted { .. } => {}
            }
        }
    }

    fn act(&mut self, action: Action) -> Result<(), Conflict> {
        self.run.actions += 1;
        let seen = self.read(action, !action.write)?;
        if !action.write {
            return Ok(());
        }
        self.run.writes[action.artifact as usize] += 1;
        match self.write(action, seen) {
            Err(Conflict::VersionMismatch { .. }) => {
                let seen = self.fetch(action, Some(seen))?;
                self.write(action, seen)
            }
            done => done,
        }
    }

    /// The version that the agent goes on with: of its copy if it may be used, else of a fetch.
    fn read(&mut self, action: Action, counts: bool) -> Result<Stamp, Conflict> {
        let now = at(action.tick);
        let confirmed = Confirmed { at: now, lag: 0 };
        match self.caches[action.agent as usize].lookup(&action.artifact, &[], now, confirmed) {
            Lookup::Hit { mark, .. } => {
                if counts {
                    self.run.hits += 1;
                    let newest = self.home.get(&action.artifact).map(|record| record.ledger().stamp());
                    self.run.stale_reads += u64::from(newest != Some(mark.stamp));
                }
                Ok(mark.stamp)
            }
            Lookup::Miss { have, .. } => self.fetch(action, have),
        }
    }

    fn fetch(&mut self, action: Action, have: Option<Stamp>) -> Result<Stamp, Conflict> {
        let event = Event::Read { agent: AgentId(action.agent), have, sections: Vec::new() };
        self.run.tokens.fetch += self.workload.artifact_tokens;
        match self.step(action, &event)? {
            Reply::Read(grant) => {
                self.caches[action.agent as usize].fill(&action.artifact, &grant, at(action.tick));
                Ok(grant.mark.stamp)
            }
            other => unreachable!("a read is answered by a grant, not by {other:?}"),
        }
    }

    fn write(&mut self, action: Action, expected: Stamp) -> Result<(), Conflict> {
        let content = self.content();
        let digest = content.digest;
        let cas = Cas { expected, generation: None, content };
        let event = Event::CommitCas { agent: AgentId(action.agent), cas };
        if let Reply::Committed { mark, line } = self.step(action, &event)? {
            let mark: Mark = mark;
            self.caches[action.agent as usize].committed(
                &action.artifact,
                mark,
                digest,
                line,
                at(action.tick),
            );
        }
        Ok(())
    }

    /// One event at the home; what it sends is under way, and paid.
    fn step(&mut self, action: Action, event: &Event) -> Result<Reply, Conflict> {
        let outcome = self.home.step(&action.artifact, event, at(action.tick))?;
        for effect in outcome.effects {
            match effect {
                Effect::Push { .. } => self.run.tokens.push += self.workload.artifact_tokens,
                Effect::Signal { .. } | Effect::Granted { .. } => {
                    self.run.tokens.signal += self.workload.signal_tokens;
                }
            }
            self.queue.push_back((action.tick + self.workload.delay_ticks, action.artifact, effect));
        }
        Ok(outcome.reply)
    }

    /// A content that no write has had.
    fn content(&mut self) -> Content {
        self.writes += 1;
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&self.writes.to_le_bytes());
        let tokens = u32::try_from(self.workload.artifact_tokens).unwrap_or(u32::MAX);
        Content { digest: Digest(digest), size_bytes: 4 * u64::from(tokens), tokens, sections: Vec::new() }
    }
}

fn at(tick: u32) -> Millis {
    Millis(u64::from(tick) * TICK_MS)
}
