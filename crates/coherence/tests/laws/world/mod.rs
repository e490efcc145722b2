//! A small world around the real `step` and `Cache`: agents, a home, and a network that delays, reorders and doubles
//! what the home sends. Every law is asked after every action; the first that does not hold is kept in the world.

mod action;
mod mutant;

use std::collections::BTreeSet;

use lrrc_coherence::invariant::{self, Broken, Law};
use lrrc_coherence::{
    AgentId, Bound, Cache, Cas, Commit, Confirmed, Conflict, Content, Digest, Effect, Event, Incarnation,
    Line, Lookup, Mark, Millis, Outcome, Part, Record, Reply, Rules, Stamp, Strategy, Version, Write,
};

pub(crate) use action::{Action, Ask, Sizes};
pub(crate) use mutant::{COUNTED, LEASE, Mutant};

/// What the home sent to an agent and is not delivered.
pub(crate) type Message = (u8, Effect);

/// A reply that is on its way to an agent; the agent asks nothing else meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Answer {
    artifact: u8,
    reply: Reply,
    asked_at: Millis,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Agent {
    pub(crate) cache: Cache<u8>,
    pub(crate) answer: Option<Answer>,
    /// The last mark that let the agent write, by artifact. It outlives the claim and the session: each later commit
    /// with it is one that was long on its way.
    pub(crate) may_write: Vec<Option<Mark>>,
    /// The last version that the agent read, by artifact.
    pub(crate) has_read: Vec<Option<Stamp>>,
    pub(crate) confirmed: Millis,
    /// When the agent had asked for its copy, by artifact; 0 unless the strategy limits copies by time.
    pub(crate) asked_at: Vec<Millis>,
    /// How often it has read its copy since, by artifact; 0 unless the strategy counts.
    pub(crate) reads: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) now: Millis,
    pub(crate) records: Vec<Option<Record>>,
    pub(crate) agents: Vec<Agent>,
    /// Sorted, so that worlds with the same messages are the same.
    pub(crate) network: Vec<Message>,
    /// How often each artifact was created.
    pub(crate) lives: Vec<u64>,
    /// When each life of each artifact ended, in order.
    pub(crate) deleted: Vec<Vec<Millis>>,
    /// Who ever touched the present life of each artifact; nobody unless the strategy is to tell them all.
    pub(crate) touched: Vec<BTreeSet<AgentId>>,
    pub(crate) broken: Option<(Law, String)>,
}

/// The rules under which a world runs.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) rules: Rules,
    pub(crate) bound: Bound,
    pub(crate) mutant: Option<Mutant>,
}

impl Setting {
    pub(crate) fn new(strategy: Strategy, mutant: Option<Mutant>) -> Self {
        let rules =
            Rules { strategy, lease_ms: 1, lease_max_ms: 2, waiting_max: 1, history_max: 64, holders_max: 8 };
        // A lease bounds the age of copies by itself: the agents allow any.
        let age_ms = if matches!(strategy, Strategy::Lease { .. }) { u64::MAX } else { 1 };
        Self { rules, bound: Bound { versions: 0, age_ms }, mutant }
    }

    /// How far behind a read from a copy may be.
    fn staleness(&self) -> Bound {
        match self.rules.strategy {
            Strategy::Lease { ttl_ms } => Bound { age_ms: self.bound.age_ms.min(ttl_ms - 1), ..self.bound },
            _ => self.bound,
        }
    }
}

/// The content of a version. It has two sections, of which each version changes one.
pub(crate) fn content(version: u64) -> Content {
    let digest = |value: u64| {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&value.to_le_bytes());
        Digest(digest)
    };
    let part = |name: &str, value: u64| Part { name: name.to_owned(), digest: digest(value) };
    let sections = vec![part("a", version / 2), part("b", version.div_ceil(2))];
    Content { digest: digest(version), size_bytes: 8, tokens: 2, sections }
}

/// The moment up to which a reply makes copies old. One that gives up a copy makes every copy old.
fn voids(reply: &Reply) -> Option<Mark> {
    let mark = reply.mark()?;
    let gives_up = matches!(reply, Reply::Released { .. } | Reply::Deleted { .. });
    Some(if gives_up { Mark { generation: mark.generation.next(), ..mark } } else { mark })
}

/// The write of the version after `mark`, under the claim that gave it.
fn commit(mark: Mark) -> Commit {
    Commit { generation: mark.generation, base: mark.stamp, content: content(mark.version().0 + 1) }
}

/// A write as a member of a joint one.
fn joint_member(event: &Event) -> Option<Write> {
    match event {
        Event::Commit { commit, .. } => Some(Write::Claimed(commit.clone())),
        Event::CommitCas { cas, .. } => Some(Write::Cas(cas.clone())),
        _ => None,
    }
}

impl Agent {
    /// Takes in a reply. Returns whether it became a copy.
    fn keep(&mut self, artifact: u8, reply: &Reply, asked_at: Millis) -> bool {
        let Self { cache, may_write, has_read, .. } = self;
        let at = usize::from(artifact);
        match reply {
            Reply::Created { mark } => {
                (may_write[at], has_read[at]) = (Some(*mark), Some(mark.stamp));
                let digest = content(mark.version().0).digest;
                cache.committed(&artifact, *mark, digest, Line::Exclusive, asked_at)
            }
            Reply::Read(grant) => {
                has_read[at] = Some(grant.mark.stamp);
                if grant.line.may_write() {
                    may_write[at] = Some(grant.mark);
                }
                cache.fill(&artifact, grant, asked_at)
            }
            Reply::Acquired { mark, .. } => {
                may_write[at] = Some(*mark);
                cache.acquired(&artifact, *mark, asked_at)
            }
            Reply::Committed { mark, line } => {
                (may_write[at], has_read[at]) = (Some(*mark), Some(mark.stamp));
                cache.committed(&artifact, *mark, content(mark.version().0).digest, *line, asked_at)
            }
            Reply::Released { mark } | Reply::Deleted { mark } => {
                cache.released(&artifact, *mark);
                false
            }
            Reply::Noted | Reply::Waiting { .. } | Reply::Renewed { .. } | Reply::Settled { .. } => false,
        }
    }

    /// Notes that a copy was given, as far as the strategy asks for it.
    fn given(&mut self, artifact: u8, kept: bool, asked_at: Millis, setting: &Setting) {
        let at = usize::from(artifact);
        match setting.rules.strategy {
            Strategy::Lease { .. } if kept => self.asked_at[at] = asked_at,
            Strategy::AccessCount { .. } if kept => self.reads[at] = 0,
            _ => {}
        }
    }
}

impl World {
    pub(crate) fn new(agents: u32, artifacts: usize, setting: &Setting) -> Self {
        let bound = match setting.mutant {
            Some(Mutant::NoBound) => Bound { versions: u64::MAX, age_ms: u64::MAX },
            _ => setting.bound,
        };
        let agent = |id| Agent {
            cache: Cache::new(AgentId(id), mutant::strategy(setting), bound),
            answer: None,
            may_write: vec![None; artifacts],
            has_read: vec![None; artifacts],
            confirmed: Millis(0),
            asked_at: vec![Millis(0); artifacts],
            reads: vec![0; artifacts],
        };
        Self {
            now: Millis(0),
            records: vec![None; artifacts],
            agents: (0..agents).map(agent).collect(),
            network: Vec::new(),
            lives: vec![0; artifacts],
            deleted: vec![Vec::new(); artifacts],
            touched: vec![BTreeSet::new(); artifacts],
            broken: None,
        }
    }

    /// Does one action and asks every law. `false` if the action cannot happen in this world.
    pub(crate) fn act(&mut self, action: &Action, setting: &Setting) -> bool {
        let done = match self.perform(action, setting) {
            Ok(done) => done,
            Err(Broken { law, detail }) => {
                self.broken = Some((law, format!("{action:?}: {detail}")));
                return true;
            }
        };
        self.network.sort_unstable();
        self.forget();
        if let Err(Broken { law, detail }) = self.copies_hold(setting) {
            self.broken = Some((law, format!("after {action:?}: {detail}")));
        }
        done
    }

    fn perform(&mut self, action: &Action, setting: &Setting) -> Result<bool, Broken> {
        match *action {
            Action::Tick => self.now = self.now.plus(1),
            Action::Confirm(agent) => return Ok(self.confirm(agent)),
            Action::Deliver { message, keep } => return self.deliver(message, keep, setting),
            Action::Answer(agent) => return Ok(self.answer(agent, setting)),
            Action::Lost(agent) => self.lose(agent, setting)?,
            Action::LeaseOver(artifact) => {
                return self.home(artifact, &Event::LeaseOver, setting).map(|r| r.is_some());
            }
            Action::Hit { agent, artifact } => return Ok(self.hit(agent, artifact)),
            Action::CommitAll { agent, members, claimed } => {
                return self.commit_all(agent, members, claimed, setting);
            }
            Action::Ask { agent, artifact, ask } => {
                if self.agents[agent].answer.is_some() {
                    return Ok(false);
                }
                let Some(event) = self.event(agent, artifact, ask) else { return Ok(false) };
                let Some(reply) = self.home(artifact, &event, setting)? else { return Ok(false) };
                if matches!(event, Event::Release { .. }) {
                    self.agents[agent].cache.release(&(artifact as u8));
                }
                let asked_at = self.now;
                self.agents[agent].answer = Some(Answer { artifact: artifact as u8, reply, asked_at });
            }
        }
        Ok(true)
    }

    /// One event at the home; `None` if it was refused.
    fn home(&mut self, artifact: usize, event: &Event, setting: &Setting) -> Result<Option<Reply>, Broken> {
        let before = self.records[artifact].clone();
        let record = &mut self.records[artifact];
        let result = mutant::step(setting, record, event, self.now);
        invariant::transition(before.as_ref(), event, self.now, &result, record.as_ref())?;
        if before.is_some() && record.is_none() {
            self.deleted[artifact].push(self.now);
        }
        let Ok(outcome) = result else { return Ok(None) };
        if setting.rules.strategy == Strategy::Broadcast {
            self.touch(artifact, before.as_ref(), event, &outcome)?;
        }
        Ok(Some(self.send(artifact, outcome, setting)))
    }

    /// Notes who touches an artifact, and asks whether a write was sent to all who did.
    fn touch(
        &mut self,
        artifact: usize,
        before: Option<&Record>,
        event: &Event,
        outcome: &Outcome,
    ) -> Result<(), Broken> {
        let touched = &mut self.touched[artifact];
        match (event, before) {
            (Event::Commit { agent, .. } | Event::CommitCas { agent, .. }, Some(before)) => {
                invariant::broadcast(before, touched.iter().copied(), *agent, outcome)?;
            }
            (Event::AgentLost { agent }, _) => {
                touched.remove(agent);
            }
            (Event::Delete { .. }, _) => touched.clear(),
            _ => {}
        }
        let given = matches!(
            outcome.reply,
            Reply::Created { .. } | Reply::Read(_) | Reply::Acquired { .. } | Reply::Committed { .. }
        );
        touched.extend(event.agent().filter(|_| given));
        let granted = outcome.effects.iter().filter(|effect| matches!(effect, Effect::Granted { .. }));
        touched.extend(granted.map(Effect::to));
        Ok(())
    }

    fn send(&mut self, artifact: usize, outcome: Outcome, setting: &Setting) -> Reply {
        let sent = outcome.effects.into_iter().filter(|effect| !mutant::lost(setting, effect));
        self.network.extend(sent.map(|effect| (artifact as u8, effect)));
        outcome.reply
    }

    /// What an agent writes in a joint write, by artifact; `None` if it has nothing to write with.
    pub(crate) fn joint_writes(&self, agent: usize, members: u8, claimed: u8) -> Option<Vec<(usize, Event)>> {
        let each = (0..self.records.len()).filter(|artifact| members & (1 << artifact) != 0);
        let write = |artifact: usize| {
            self.records[artifact].as_ref()?;
            let under_claim = claimed & (1 << artifact) != 0;
            Some((artifact, self.write(agent, artifact, under_claim)?))
        };
        each.map(write).collect()
    }

    fn commit_all(
        &mut self,
        agent: usize,
        members: u8,
        claimed: u8,
        setting: &Setting,
    ) -> Result<bool, Broken> {
        if self.agents[agent].answer.is_some() {
            return Ok(false);
        }
        let Some(events) = self.joint_writes(agent, members, claimed) else { return Ok(false) };
        let before = self.records.clone();
        let result = {
            let records = self.records.iter_mut().enumerate();
            let members = records.filter_map(|(artifact, record)| {
                let (_, event) = events.iter().find(|(member, _)| *member == artifact)?;
                Some((record.as_mut()?, joint_member(event)?))
            });
            mutant::commit_all(setting, &mut members.collect::<Vec<_>>(), AgentId(agent as u32), self.now)
        };
        let (old, new): (Vec<&Record>, Vec<&Record>) = {
            let both = |(artifact, _): &(usize, Event)| {
                Some((before[*artifact].as_ref()?, self.records[*artifact].as_ref()?))
            };
            events.iter().filter_map(both).unzip()
        };
        invariant::joint(&old, result.is_ok(), &new)?;
        let Ok(outcomes) = result else { return Ok(false) };
        for ((artifact, event), outcome) in events.iter().zip(outcomes) {
            let (before, landed) = (before[*artifact].as_ref(), Ok(outcome.clone()));
            invariant::transition(before, event, self.now, &landed, self.records[*artifact].as_ref())?;
            if setting.rules.strategy == Strategy::Broadcast {
                self.touch(*artifact, before, event, &outcome)?;
            }
            let reply = self.send(*artifact, outcome, setting);
            self.take(agent, *artifact as u8, &reply, self.now, setting);
        }
        Ok(true)
    }

    /// The session of an agent ends: nothing that was sent to it arrives, and its copies are gone.
    fn lose(&mut self, agent: usize, setting: &Setting) -> Result<(), Broken> {
        let id = AgentId(agent as u32);
        self.agents[agent].cache.drop_all();
        self.agents[agent].answer = None;
        self.network.retain(|(_, effect)| effect.to() != id);
        for artifact in 0..self.records.len() {
            self.home(artifact, &Event::AgentLost { agent: id }, setting)?;
        }
        self.network.retain(|(_, effect)| effect.to() != id);
        Ok(())
    }

    fn confirm(&mut self, agent: usize) -> bool {
        let id = AgentId(agent as u32);
        let all =
            self.network.iter().all(|(_, effect)| effect.to() != id) && self.agents[agent].answer.is_none();
        let moves = all && self.agents[agent].confirmed < self.now;
        if moves {
            self.agents[agent].confirmed = self.now;
        }
        moves
    }

    fn deliver(&mut self, message: usize, keep: bool, setting: &Setting) -> Result<bool, Broken> {
        let Some((artifact, effect)) = self.network.get(message).cloned() else { return Ok(false) };
        if !keep {
            self.network.remove(message);
        }
        let agent = &mut self.agents[effect.to().0 as usize];
        match effect {
            Effect::Signal { mark, .. } => {
                let copy = agent.cache.copy(&artifact);
                let delivered = mutant::signal(setting, &mut agent.cache, artifact, mark);
                invariant::delivery(copy, mark, delivered)?;
            }
            Effect::Push { mark, digest, sections, .. } => {
                mutant::push(setting, &mut agent.cache, artifact, mark, digest, &sections);
            }
            Effect::Granted { mark, .. } => {
                let kept = agent.cache.acquired(&artifact, mark, agent.confirmed);
                agent.given(artifact, kept, agent.confirmed, setting);
                let known = &mut agent.may_write[usize::from(artifact)];
                *known = (*known).max(Some(mark));
            }
        }
        Ok(true)
    }

    fn answer(&mut self, agent: usize, setting: &Setting) -> bool {
        let Some(Answer { artifact, reply, asked_at }) = self.agents[agent].answer.take() else {
            return false;
        };
        if setting.mutant == Some(Mutant::ForgetsSignals) {
            self.agents[agent].cache.drop_all();
        }
        self.take(agent, artifact, &reply, asked_at, setting);
        true
    }

    /// An agent reads its copy, as much of it as it has. `false` if it may not.
    fn hit(&mut self, agent: usize, artifact: usize) -> bool {
        let Agent { cache, reads, confirmed, .. } = &mut self.agents[agent];
        let key = artifact as u8;
        let (sections, confirmed) = (cache.sections(&key).to_vec(), Confirmed { at: *confirmed, lag: 0 });
        let hit = matches!(cache.lookup(&key, &sections, self.now, confirmed), Lookup::Hit { .. });
        reads[artifact] += u32::from(hit);
        hit
    }

    /// An agent takes in a reply.
    fn take(&mut self, agent: usize, artifact: u8, reply: &Reply, asked_at: Millis, setting: &Setting) {
        let dated = mutant::dated(setting, asked_at, self.now);
        let agent = &mut self.agents[agent];
        let kept = agent.keep(artifact, reply, dated);
        agent.given(artifact, kept, asked_at, setting);
    }

    /// Whether a write is under a claim or by comparing versions; `None` if the agent has nothing to write with.
    fn write(&self, agent: usize, artifact: usize, under_claim: bool) -> Option<Event> {
        let (id, known) = (AgentId(agent as u32), &self.agents[agent]);
        Some(if under_claim {
            Event::Commit { agent: id, commit: commit(known.may_write[artifact]?) }
        } else {
            let expected = known.has_read[artifact]?;
            let content = content(expected.version.0 + 1);
            Event::CommitCas { agent: id, cas: Cas { expected, generation: None, content } }
        })
    }

    /// Worlds that differ in a version that can never be the newest again are one: such a version is the first, and a
    /// right to write it is none.
    fn forget(&mut self) {
        for (artifact, record) in self.records.iter().enumerate() {
            let newest = record.as_ref().map(|record| record.ledger().stamp());
            let first = Stamp { incarnation: Incarnation(1), version: Version::FIRST };
            for agent in &mut self.agents {
                let (may_write, has_read) = (&mut agent.may_write[artifact], &mut agent.has_read[artifact]);
                *may_write = may_write.filter(|mark| Some(mark.stamp) == newest);
                *has_read = has_read.map(|stamp| if Some(stamp) == newest { stamp } else { first });
            }
        }
    }

    /// Laws of the copies: each that may be read is within the bound, and each that is old will be told.
    fn copies_hold(&self, setting: &Setting) -> Result<(), Broken> {
        for (artifact, record) in self.records.iter().enumerate() {
            for agent in &self.agents {
                let key = artifact as u8;
                let to_me = |(x, effect): &&Message| *x == key && effect.to() == agent.cache.agent();
                let told = |(_, effect): &Message| match effect {
                    Effect::Granted { .. } => None,
                    _ => Some(effect.mark()),
                };
                let answer = agent.answer.iter().filter(|answer| answer.artifact == key);
                let answer = answer.filter_map(|answer| voids(&answer.reply));
                let pending = self.network.iter().filter(to_me).filter_map(told).chain(answer);
                let (id, copy) = (agent.cache.agent(), agent.cache.copy(&key));
                let sections = agent.cache.sections(&key).to_vec();
                invariant::agreement(id, copy, &sections, record.as_ref(), pending)?;
                let confirmed = Confirmed { at: agent.confirmed, lag: 0 };
                if let Lookup::Hit { mark, .. } =
                    agent.cache.clone().lookup(&key, &sections, self.now, confirmed)
                {
                    let superseded_at = self.superseded_at(artifact, mark, &sections);
                    invariant::staleness(superseded_at, 0, self.now, setting.staleness())?;
                    let (asked_at, reads) = (agent.asked_at[artifact], agent.reads[artifact]);
                    invariant::spending(setting.rules.strategy, asked_at, reads + 1, self.now)?;
                }
            }
        }
        Ok(())
    }

    /// Since when there is something newer than `mark` in what a copy covers; `None` if it is the newest.
    fn superseded_at(&self, artifact: usize, mark: Mark, sections: &[String]) -> Option<Millis> {
        let life = mark.stamp.incarnation.0 as usize;
        if let Some(deleted) = self.deleted[artifact].get(life - 1) {
            return Some(*deleted);
        }
        let ledger = self.records[artifact].as_ref()?.ledger();
        let covered = |version: u64| {
            let parts = content(version).sections;
            parts.into_iter().filter(|part| sections.contains(&part.name)).collect::<Vec<_>>()
        };
        let read = mark.version().0;
        let mut newer = read + 1..=ledger.current.version.0;
        let changed = newer.find(|version| sections.is_empty() || covered(*version) != covered(read))?;
        ledger.edition(Version(changed)).map(|edition| edition.at)
    }
}
