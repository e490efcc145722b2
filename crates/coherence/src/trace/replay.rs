//! A trace is done again, and each line has to come out as it is written.

use std::collections::BTreeMap;

use super::{FORMAT, Header, TraceLine, What};
use crate::invariant::{self, Broken};
use crate::{
    AgentId, Bound, Cache, Conflict, Digest, Effect, Event, Line, Mark, Millis, Outcome, Record, Reply,
    Rules, Write,
};

/// The first line that the protocol does not explain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A line is not what a trace is made of.
    #[error("line {line}: not a line of a trace: {reason}")]
    Unreadable {
        /// Line of the text, from 1.
        line: usize,
        /// What the parser found.
        reason: String,
    },
    /// The trace is of a format that this version does not read.
    #[error("the trace has format {found}; this version reads {FORMAT}")]
    Format {
        /// Its format.
        found: u32,
    },
    /// The protocol comes to another result than the trace.
    #[error("line {line}: the trace says {traced}, the protocol {replayed}")]
    Differs {
        /// Line of the text, from 1 (the header is line 1).
        line: usize,
        /// What the trace says.
        traced: String,
        /// What the replay came to.
        replayed: String,
    },
    /// Something reached an agent that was never sent to it.
    #[error("line {line}: {agent} was told of {mark:?}, which was never sent to it")]
    NeverSent {
        /// Line of the text, from 1.
        line: usize,
        /// The agent.
        agent: AgentId,
        /// What it was told of.
        mark: Mark,
    },
    /// A law does not hold.
    #[error("line {line}: {broken}")]
    Law {
        /// Line of the text, from 1.
        line: usize,
        /// Which law, and the values.
        #[source]
        broken: Broken,
    },
}

/// What a replay went through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Lines of the trace, without the header.
    pub lines: usize,
    /// Versions that were written, first ones included.
    pub writes: usize,
    /// Steps that were refused, in the trace as in the replay.
    pub refused: usize,
    /// Artifacts that there are at the end.
    pub artifacts: usize,
}

/// Replays the text of a trace.
///
/// # Errors
/// The first line that is unreadable, that comes out otherwise, or that breaks a law.
pub fn replay_text(text: &str) -> Result<Replayed, Fault> {
    let unreadable =
        |line: usize, error: &serde_json::Error| Fault::Unreadable { line, reason: error.to_string() };
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let (_, first) =
        lines.next().ok_or(Fault::Unreadable { line: 1, reason: "the trace is empty".to_owned() })?;
    let header: Header = serde_json::from_str(first).map_err(|error| unreadable(1, &error))?;
    if header.coherence_trace != FORMAT {
        return Err(Fault::Format { found: header.coherence_trace });
    }
    let mut replay = Replay::new(header.rules);
    for (at, line) in lines {
        let parsed: TraceLine = serde_json::from_str(line).map_err(|error| unreadable(at + 1, &error))?;
        replay.line(at + 1, &parsed)?;
    }
    Ok(replay.done())
}

/// Replays the lines of a trace; the first counts as line 2, after the header.
///
/// # Errors
/// The first line that comes out otherwise, or that breaks a law.
pub fn replay(rules: &Rules, lines: &[TraceLine]) -> Result<Replayed, Fault> {
    let mut replay = Replay::new(rules.clone());
    lines.iter().enumerate().try_for_each(|(at, line)| replay.line(at + 2, line))?;
    Ok(replay.done())
}

struct Replay {
    rules: Rules,
    records: BTreeMap<String, Record>,
    caches: BTreeMap<AgentId, Cache<String>>,
    /// What was sent, by agent and artifact. It stays: a message may be delivered twice.
    sent: BTreeMap<(AgentId, String), Vec<Effect>>,
    replayed: Replayed,
}

impl Replay {
    const fn new(rules: Rules) -> Self {
        let replayed = Replayed { lines: 0, writes: 0, refused: 0, artifacts: 0 };
        Self { rules, records: BTreeMap::new(), caches: BTreeMap::new(), sent: BTreeMap::new(), replayed }
    }

    fn done(mut self) -> Replayed {
        self.replayed.artifacts = self.records.len();
        self.replayed
    }

    fn line(&mut self, line: usize, traced: &TraceLine) -> Result<(), Fault> {
        self.replayed.lines += 1;
        let law = |broken| Fault::Law { line, broken };
        match &traced.what {
            What::Step { artifact, event } => self.step(line, traced, artifact, event),
            What::All { agent, members } => self.all(line, traced, *agent, members),
            What::Deliver { artifact, agent, mark } => {
                let delivered = self.deliver(artifact, *agent, *mark).map_err(law)?;
                if delivered { Ok(()) } else { Err(Fault::NeverSent { line, agent: *agent, mark: *mark }) }
            }
        }
    }

    fn step(&mut self, line: usize, traced: &TraceLine, artifact: &str, event: &Event) -> Result<(), Fault> {
        let before = self.records.remove(artifact);
        let mut record = before.clone();
        let result = crate::step(&mut record, event, traced.at, &self.rules);
        let law = |broken| Fault::Law { line, broken };
        invariant::transition(before.as_ref(), event, traced.at, &result, record.as_ref()).map_err(law)?;
        let replayed =
            TraceLine::of_step(artifact, event, traced.at, before.as_ref(), &result, record.as_ref());
        self.records.extend(record.map(|record| (artifact.to_owned(), record)));
        same(line, traced, &replayed)?;
        if let (Event::Hit { agent, mark }, Ok(_)) = (event, &result) {
            return self.hit(artifact, *agent, *mark).map_err(law);
        }
        if let Event::AgentLost { agent } = event {
            self.sent.remove(&(*agent, artifact.to_owned()));
            self.caches.remove(agent);
        }
        match result {
            Ok(outcome) => self.take(artifact, event, outcome, traced.at),
            Err(_) => self.replayed.refused += 1,
        }
        Ok(())
    }

    fn all(
        &mut self,
        line: usize,
        traced: &TraceLine,
        agent: AgentId,
        members: &[(String, Write)],
    ) -> Result<(), Fault> {
        let before: Option<Vec<Record>> =
            members.iter().map(|(name, _)| self.records.get(name).cloned()).collect();
        let Some(before) = before else {
            return same(line, traced, &refused(traced, Some(Conflict::UnknownArtifact)));
        };
        let mut after = before.clone();
        let mut writes: Vec<(&mut Record, Write)> =
            after.iter_mut().zip(members).map(|(record, (_, write))| (record, write.clone())).collect();
        let result = crate::commit_all(&mut writes, agent, traced.at, &self.rules);
        let law = |broken| Fault::Law { line, broken };
        let (old, new): (Vec<&Record>, Vec<&Record>) = (before.iter().collect(), after.iter().collect());
        invariant::joint(&old, result.is_ok(), &new).map_err(law)?;
        new.iter().try_for_each(|record| invariant::record(record)).map_err(law)?;
        let conflict = result.as_ref().err().map(|(_, conflict)| conflict.clone());
        self.replayed.refused += usize::from(conflict.is_some());
        same(line, traced, &refused(traced, conflict))?;
        for ((name, write), (record, outcome)) in
            members.iter().zip(after.into_iter().zip(result.into_iter().flatten()))
        {
            self.records.insert(name.clone(), record);
            self.take(name, &event_of(agent, write), outcome, traced.at);
        }
        Ok(())
    }

    /// Puts what a step leads to where it belongs: the reply into the agent's cache, the rest on its way.
    fn take(&mut self, artifact: &str, event: &Event, outcome: Outcome, at: Millis) {
        for effect in outcome.effects {
            self.sent.entry((effect.to(), artifact.to_owned())).or_default().push(effect);
        }
        let written = match event {
            Event::Create { content, .. } => Some(content.digest),
            Event::Commit { commit, .. } => Some(commit.content.digest),
            Event::CommitCas { cas, .. } => Some(cas.content.digest),
            _ => None,
        };
        self.replayed.writes += usize::from(written.is_some());
        if let Some(agent) = event.agent().filter(|_| !matches!(event, Event::AgentLost { .. })) {
            let cache = self.caches.entry(agent).or_insert_with(|| cache(agent, &self.rules));
            reply(cache, artifact, &outcome.reply, written, at);
        }
    }

    /// Delivers what was sent to an agent under a mark. `false` if nothing was.
    fn deliver(&mut self, artifact: &str, agent: AgentId, mark: Mark) -> Result<bool, Broken> {
        let key = artifact.to_owned();
        let sent = self.sent.get(&(agent, key.clone())).into_iter().flatten();
        let sent: Vec<Effect> = sent.filter(|effect| effect.mark() == mark).cloned().collect();
        let cache = self.caches.entry(agent).or_insert_with(|| cache(agent, &self.rules));
        for effect in &sent {
            match effect {
                Effect::Signal { .. } => {
                    let copy = cache.copy(&key);
                    let delivered = cache.signal(&key, mark);
                    invariant::delivery(copy, mark, delivered)?;
                }
                Effect::Push { digest, sections, .. } => {
                    cache.push(&key, mark, *digest, sections);
                }
                Effect::Granted { .. } => {
                    cache.acquired(&key, mark, Millis(0));
                }
            }
        }
        Ok(!sent.is_empty())
    }

    /// A copy was read: it must be one that the agent still had.
    fn hit(&self, artifact: &str, agent: AgentId, mark: Mark) -> Result<(), Broken> {
        let copy = self.caches.get(&agent).and_then(|cache| cache.copy(&artifact.to_owned()));
        let held = copy.is_some_and(|(line, seen)| line.is_valid() && seen.stamp == mark.stamp);
        let detail = || format!("{agent} read {mark:?} from a copy that is {copy:?}");
        if held { Ok(()) } else { Err(Broken { law: invariant::Law::BoundedStaleness, detail: detail() }) }
    }
}

fn cache(agent: AgentId, rules: &Rules) -> Cache<String> {
    Cache::new(agent, rules.strategy, Bound::default())
}

fn reply(cache: &mut Cache<String>, artifact: &str, reply: &Reply, written: Option<Digest>, at: Millis) {
    let key = artifact.to_owned();
    match (reply, written) {
        (Reply::Created { mark }, Some(digest)) => {
            cache.committed(&key, *mark, digest, Line::Exclusive, at);
        }
        (Reply::Committed { mark, line }, Some(digest)) => {
            cache.committed(&key, *mark, digest, *line, at);
        }
        (Reply::Read(grant), _) => {
            cache.fill(&key, grant, at);
        }
        (Reply::Acquired { mark, .. }, _) => {
            cache.acquired(&key, *mark, at);
        }
        (Reply::Released { mark } | Reply::Deleted { mark }, _) => cache.released(&key, *mark),
        _ => {}
    }
}

fn event_of(agent: AgentId, write: &Write) -> Event {
    match write {
        Write::Claimed(commit) => Event::Commit { agent, commit: commit.clone() },
        Write::Cas(cas) => Event::CommitCas { agent, cas: cas.clone() },
    }
}

/// The traced line with the conflict that the replay came to.
fn refused(traced: &TraceLine, conflict: Option<Conflict>) -> TraceLine {
    TraceLine { conflict, ..traced.clone() }
}

fn same(line: usize, traced: &TraceLine, replayed: &TraceLine) -> Result<(), Fault> {
    if traced == replayed {
        return Ok(());
    }
    let shown = |line: &TraceLine| {
        let TraceLine { action, agent, version, generation, before, after, conflict, .. } = line;
        let conflict = conflict.as_ref().map_or("done".to_owned(), |conflict| format!("refused: {conflict}"));
        format!("{action:?} of {agent:?}, {before} to {after}, at {version:?} {generation:?}, {conflict}")
    };
    Err(Fault::Differs { line, traced: shown(traced), replayed: shown(replayed) })
}
