//! One run of the published cost model.
//!
//! It counts tokens as the published runs do, late signals included: a signal revokes whatever copy it finds,
//! also one that is newer than the write it tells of. The protocol of this workspace drops such a signal.
//! `tests/protocol.rs` runs the same actions through it and says what the difference costs.

use std::collections::VecDeque;

use serde::Serialize;

use crate::strategy::Strategy;
use crate::workload::{Action, Workload};

/// Tokens by what they were sent for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tokens {
    /// Artifacts that a reader or writer fetched.
    pub fetch: u64,
    /// Content that was sent without being asked for.
    pub push: u64,
    /// Invalidations.
    pub signal: u64,
}

impl Tokens {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.fetch + self.push + self.signal
    }
}

/// What one seed did, and what it cost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Run {
    /// The cost.
    pub tokens: Tokens,
    /// Reads and writes.
    pub actions: u64,
    /// Writes to each artifact.
    pub writes: Vec<u64>,
    /// Reads served from a copy.
    pub hits: u64,
    /// Reads served from a copy that was not the latest version.
    pub stale_reads: u64,
}

/// A copy that an agent holds.
#[derive(Clone, Copy, Debug, Default)]
struct Copy {
    valid: bool,
    version: u64,
    /// When it was fetched, written or sent.
    since: u32,
    /// Reads from it.
    reads: u32,
}

/// A message under way to an agent.
struct Message {
    due: u32,
    cell: usize,
    /// The version that it brings; an invalidation brings none.
    push: Option<u64>,
}

/// Copies, the home's view of them, and the network between.
struct Model<'a> {
    workload: &'a Workload,
    strategy: Strategy,
    /// By agent, then by artifact.
    copies: Vec<Copy>,
    /// Which copies the home believes in.
    directory: Vec<bool>,
    versions: Vec<u64>,
    queue: VecDeque<Message>,
    run: Run,
}

/// Runs `workload` with `seed` under `strategy`.
#[must_use]
pub fn run(workload: &Workload, strategy: Strategy, seed: u64) -> Run {
    let artifacts = workload.artifacts as usize;
    let cells = workload.agents as usize * artifacts;
    let mut model = Model {
        workload,
        strategy,
        copies: vec![Copy::default(); cells],
        directory: vec![false; cells],
        versions: vec![1; artifacts],
        queue: VecDeque::new(),
        run: Run { writes: vec![0; artifacts], ..Run::default() },
    };
    let mut actions = workload.actions(seed).peekable();
    for tick in 0..workload.ticks {
        model.deliver(tick);
        while let Some(action) = actions.next_if(|action| action.tick == tick) {
            model.act(action);
        }
        if strategy == Strategy::Broadcast {
            model.broadcast(tick);
        }
    }
    model.run
}

impl Model<'_> {
    /// Hands over what is due, in the order in which it was sent. The delay is constant, so the queue is in order.
    fn deliver(&mut self, tick: u32) {
        while let Some(message) = self.queue.pop_front_if(|message| message.due <= tick) {
            let copy = &mut self.copies[message.cell];
            match message.push {
                None => copy.valid = false,
                Some(version) if version <= copy.version => continue,
                Some(version) => *copy = Copy { valid: true, version, since: tick, reads: 0 },
            }
            self.directory[message.cell] = message.push.is_some();
        }
    }

    fn act(&mut self, action: Action) {
        self.run.actions += 1;
        let artifact = action.artifact as usize;
        let cell = self.cell(action.agent, action.artifact);
        if !self.trusts(&self.copies[cell], action.tick) {
            self.run.tokens.fetch += self.workload.artifact_tokens;
            self.fill(cell, artifact, action.tick);
        } else if !action.write {
            self.copies[cell].reads += 1;
            self.run.hits += 1;
            self.run.stale_reads += u64::from(self.copies[cell].version < self.versions[artifact]);
        }
        if action.write {
            self.run.writes[artifact] += 1;
            self.versions[artifact] += 1;
            self.fill(cell, artifact, action.tick);
            self.tell(action);
        }
    }

    fn trusts(&self, copy: &Copy, tick: u32) -> bool {
        copy.valid
            && match self.strategy {
                Strategy::Lease { ticks } => tick - copy.since < ticks,
                Strategy::AccessCount { reads } => copy.reads < reads,
                _ => true,
            }
    }

    /// The latest version lies in `cell`, and the home knows it.
    fn fill(&mut self, cell: usize, artifact: usize, tick: u32) {
        self.copies[cell] = Copy { valid: true, version: self.versions[artifact], since: tick, reads: 0 };
        self.directory[cell] = true;
    }

    /// Sends what a write owes to the other holders.
    fn tell(&mut self, action: Action) {
        let push = match self.strategy {
            Strategy::Broadcast => return,
            Strategy::Eager => Some(self.versions[action.artifact as usize]),
            _ => None,
        };
        for agent in (0..self.workload.agents).filter(|agent| *agent != action.agent) {
            let cell = self.cell(agent, action.artifact);
            if !std::mem::take(&mut self.directory[cell]) {
                continue;
            }
            self.queue.push_back(Message { due: action.tick + self.workload.delay_ticks, cell, push });
            match push {
                None => self.run.tokens.signal += self.workload.signal_tokens,
                Some(_) => self.run.tokens.push += self.workload.artifact_tokens,
            }
        }
    }

    fn broadcast(&mut self, tick: u32) {
        for cell in 0..self.copies.len() {
            self.run.tokens.push += self.workload.artifact_tokens;
            self.fill(cell, cell % self.versions.len(), tick);
        }
    }

    fn cell(&self, agent: u32, artifact: u32) -> usize {
        (agent * self.workload.artifacts + artifact) as usize
    }
}
