//! A small world around the real `step` and `Cache`: agents, a home, and a network that delays, reorders and doubles
//! what the home sends. Every law is asked after every action; the first that does not hold is kept in the world.

mod action;
mod mutant;

use lrrc_coherence::invariant::{self, Broken, Law};
use lrrc_coherence::{
    AgentId, Bound, Cache, Cas, Commit, Confirmed, Conflict, Content, Digest, Effect, Event, Incarnation,
    Lookup, Mark, Millis, Outcome, Part, Record, Reply, Rules, Stamp, Strategy, Version, Write,
};

pub(crate) use action::{Action, Ask, Sizes};
pub(crate) use mutant::Mutant;

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
        Self { rules, bound: Bound { versions: 0, age_ms: 1 }, mutant }
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

impl World {
    pub(crate) fn new(agents: u32, artifacts: usize, setting: &Setting) -> Self {
        let bound = match setting.mutant {
            Some(Mutant::NoBound) => Bound { versions: u64::MAX, age_ms: u64::MAX },
            _ => setting.bound,
        };
        let agent = |id| Agent {
            cache: Cache::new(AgentId(id), setting.rules.strategy, bound),
            answer: None,
            may_write: vec![None; artifacts],
            has_read: vec![None; artifacts],
            confirmed: Millis(0),
        };
        Self {
            now: Millis(0),
            records: vec![None; artifacts],
            agents: (0..agents).map(agent).collect(),
            network: Vec::new(),
            lives: vec![0; artifacts],
            deleted: vec![Vec::new(); artifacts],
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
            Action::CommitAll(agent) => return self.commit_all(agent, setting),
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
        Ok(result.ok().map(|outcome| self.send(artifact, outcome, setting)))
    }

    fn send(&mut self, artifact: usize, outcome: Outcome, setting: &Setting) -> Reply {
        let sent = outcome.effects.into_iter().filter(|effect| !mutant::lost(setting, effect));
        self.network.extend(sent.map(|effect| (artifact as u8, effect)));
        outcome.reply
    }

    fn commit_all(&mut self, agent: usize, setting: &Setting) -> Result<bool, Broken> {
        if self.agents[agent].answer.is_some() || self.records.iter().any(Option::is_none) {
            return Ok(false);
        }
        let before: Vec<Record> = self.records.iter().flatten().cloned().collect();
        let marks = &self.agents[agent].may_write;
        let writes: Option<Vec<Write>> =
            marks.iter().map(|mark| Some(Write::Claimed(self.commit((*mark)?)))).collect();
        let Some(writes) = writes else { return Ok(false) };
        let mut members: Vec<(&mut Record, Write)> = self.records.iter_mut().flatten().zip(writes).collect();
        let result = mutant::commit_all(setting, &mut members, AgentId(agent as u32), self.now);
        let after: Vec<&Record> = self.records.iter().flatten().collect();
        invariant::joint(&before.iter().collect::<Vec<_>>(), result.is_ok(), &after)?;
        after.iter().try_for_each(|record| invariant::record(record))?;
        let Ok(outcomes) = result else { return Ok(true) };
        for (artifact, outcome) in outcomes.into_iter().enumerate() {
            let reply = self.send(artifact, outcome, setting);
            self.take(agent, artifact as u8, &reply, self.now);
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
                agent.cache.push(&artifact, mark, digest, &sections);
            }
            Effect::Granted { mark, .. } => {
                agent.cache.acquired(&artifact, mark, agent.confirmed);
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
        self.take(agent, artifact, &reply, asked_at);
        true
    }

    /// An agent takes in a reply.
    fn take(&mut self, agent: usize, artifact: u8, reply: &Reply, asked_at: Millis) {
        let Agent { cache, may_write, has_read, .. } = &mut self.agents[agent];
        let at = usize::from(artifact);
        match reply {
            Reply::Created { mark } => {
                cache.committed(
                    &artifact,
                    *mark,
                    content(mark.version().0).digest,
                    lrrc_coherence::Line::Exclusive,
                    asked_at,
                );
                (may_write[at], has_read[at]) = (Some(*mark), Some(mark.stamp));
            }
            Reply::Read(grant) => {
                cache.fill(&artifact, grant, asked_at);
                has_read[at] = Some(grant.mark.stamp);
                if grant.line.may_write() {
                    may_write[at] = Some(grant.mark);
                }
            }
            Reply::Acquired { mark, .. } => {
                cache.acquired(&artifact, *mark, asked_at);
                may_write[at] = Some(*mark);
            }
            Reply::Committed { mark, line } => {
                cache.committed(&artifact, *mark, content(mark.version().0).digest, *line, asked_at);
                (may_write[at], has_read[at]) = (Some(*mark), Some(mark.stamp));
            }
            Reply::Released { mark } | Reply::Deleted { mark } => cache.released(&artifact, *mark),
            Reply::Noted | Reply::Waiting { .. } | Reply::Renewed { .. } | Reply::Settled { .. } => {}
        }
    }

    fn commit(&self, mark: Mark) -> Commit {
        Commit { generation: mark.generation, base: mark.stamp, content: content(mark.version().0 + 1) }
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
                    invariant::staleness(superseded_at, 0, self.now, setting.bound)?;
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
