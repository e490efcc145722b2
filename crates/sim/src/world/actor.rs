//! An agent with something to do: it reads, and writes what it makes from what it has read.

use lrrc_coherence::{Conflict, Digest, Generation, Mark, Millis, Stamp};
use lrrc_store::wire::{Answer, Basis, Change, Claimed, Committed, Request, Ticket};
use lrrc_store::{Agent, Asked, Happened, Name, Op, Outcome, Read, Refusal, StoreError};
use rand::Rng;

use super::scene::Scene;
use super::text::Text;
use super::watcher::Watcher;
use crate::verdict::Broken;

/// An agent waits this long for a claim before it may lose its patience, in milliseconds.
const QUEUE_MS: u64 = 3_000;

/// One agent and what it is at.
#[derive(Debug)]
pub(super) struct Actor {
    /// Its number.
    pub(super) at: usize,
    /// The agent's side of the protocol.
    pub(super) agent: Agent,
    /// The open connection.
    pub(super) connection: Option<u64>,
    doing: Doing,
    /// What it looked for and did not find: it may make it.
    missed: Option<Name>,
    /// What it knows by its watch.
    pub(super) watcher: Option<Watcher>,
}

#[derive(Debug)]
enum Doing {
    Nothing,
    Waits { ticket: Ticket, since: Millis, task: Task },
    Thinks { until: Millis, drafts: Drafts },
}

/// What an answer is for.
#[derive(Debug)]
enum Task {
    /// A read for its own sake.
    Look(Name),
    /// A read of one section.
    LookAt(Name, String),
    /// The right to write.
    Acquire(Name),
    /// A read to write from; `rest` is still to be read.
    Study { name: Name, rest: Vec<Name>, drafts: Drafts },
    /// What was written, and under which claim.
    Publish { written: Vec<(Name, Digest)>, claim: Option<Generation> },
    /// A deletion.
    Delete(Name),
    /// A watch, or the listing that completes what it tells.
    Watch,
    /// A collection, or a verification.
    Chore,
    /// Any answer will do.
    Finish,
}

/// What was read, to write the next version from.
#[derive(Debug, Default)]
struct Drafts {
    read: Vec<(Name, Stamp, Text)>,
    claim: Option<Claimed>,
}

impl Actor {
    pub(super) fn new(at: usize, scene: &Scene) -> Self {
        Self {
            at,
            agent: Agent::new(scene.settings.agent),
            connection: None,
            doing: Doing::Nothing,
            missed: None,
            watcher: None,
        }
    }

    /// What it was at is gone, as after a crash.
    pub(super) fn forget(&mut self) {
        self.doing = Doing::Nothing;
    }

    /// Whether it is at nothing.
    pub(super) const fn is_idle(&self) -> bool {
        matches!(self.doing, Doing::Nothing)
    }

    /// Its turn: it starts something, or goes on.
    pub(super) fn act(&mut self, scene: &mut Scene) -> Result<(), Broken> {
        if self.is_idle() { self.start(scene) } else { self.go_on(scene) }
    }

    /// It goes on with a thought, or loses its patience.
    pub(super) fn go_on(&mut self, scene: &mut Scene) -> Result<(), Broken> {
        match std::mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Thinks { until, drafts } if until <= scene.now => self.write(drafts, scene),
            Doing::Waits { ticket, since, task: Task::Acquire(_) }
                if scene.now.since(since) > QUEUE_MS && scene.random.random_bool(0.3) =>
            {
                self.agent.cancel(ticket);
                Ok(())
            }
            doing => {
                self.doing = doing;
                Ok(())
            }
        }
    }

    fn start(&mut self, scene: &mut Scene) -> Result<(), Broken> {
        if let Some(name) = self.missed.take().filter(|_| scene.random.random_bool(0.5)) {
            return self.create(name, scene);
        }
        if self.watcher.as_ref().is_some_and(|watcher| !watcher.is_complete) {
            return self.complete(scene);
        }
        let name = scene.pick_name();
        let drafts = Drafts::default();
        match scene.random.random_range(0..100) {
            0..2 => self.watch(scene),
            2..4 => self.verify(scene),
            4..7 => self.ask(Op::Ask(Request::Gc), Task::Chore, scene),
            7..45 => {
                let fresh = scene.random.random_bool(0.1);
                self.ask(Op::Read { name: name.clone(), fresh }, Task::Look(name), scene)
            }
            45..55 => {
                let section = Text::section_name(scene.random.random_range(0..4));
                let op =
                    Op::ReadSections { name: name.clone(), sections: vec![section.clone()], fresh: false };
                self.ask(op, Task::LookAt(name, section), scene)
            }
            55..75 => self.study(name, Vec::new(), drafts, scene),
            75..87 => {
                let wait = scene.random.random_bool(0.7);
                let request = Request::Acquire { name: name.clone(), lease_ms: None, wait };
                self.ask(Op::Ask(request), Task::Acquire(name), scene)
            }
            87..92 => {
                let rest = scene.names.iter().filter(|other| **other != name).cloned().collect();
                self.study(name, rest, drafts, scene)
            }
            92..97 => self.create(name, scene),
            _ => {
                scene.truth.delete_asked(name.as_str());
                let request = Request::Delete { name: name.clone(), expected: None };
                self.ask(Op::Ask(request), Task::Delete(name), scene)
            }
        }
    }

    /// Reads the newest version of an artifact, whatever happens meanwhile.
    pub(super) fn read_fresh(&mut self, name: &Name, scene: &mut Scene) -> Result<(), Broken> {
        self.ask(Op::Read { name: name.clone(), fresh: true }, Task::Look(name.clone()), scene)
    }

    /// Writes the next version of an artifact.
    pub(super) fn write_next(&mut self, name: &Name, scene: &mut Scene) -> Result<(), Broken> {
        self.study(name.clone(), Vec::new(), Drafts::default(), scene)
    }

    /// Makes an artifact.
    pub(super) fn create(&mut self, name: Name, scene: &mut Scene) -> Result<(), Broken> {
        let (payload, digest) = scene.compose(Text::first, None);
        let task = Task::Publish { written: vec![(name.clone(), digest)], claim: None };
        self.ask(Op::Ask(Request::Create { name, content: payload }), task, scene)
    }

    /// Asks to be told of changes, once.
    fn watch(&mut self, scene: &mut Scene) -> Result<(), Broken> {
        if self.watcher.is_some() {
            return Ok(());
        }
        let prefix = if scene.random.random() { "" } else { "team/" };
        self.watcher = Some(Watcher::new(prefix));
        self.ask(Op::Ask(Request::Watch { prefix: prefix.to_owned(), after: None }), Task::Watch, scene)
    }

    /// Lists what it watches, where it has not been told of all there is.
    pub(super) fn complete(&mut self, scene: &mut Scene) -> Result<(), Broken> {
        let Some(watcher) = self.watcher.as_ref().filter(|watcher| !watcher.is_complete) else {
            return Ok(());
        };
        let list = Request::List { prefix: watcher.prefix.to_owned(), after: None };
        self.ask(Op::Ask(list), Task::Watch, scene)
    }

    /// Has every content read that a record names.
    pub(super) fn verify(&mut self, scene: &mut Scene) -> Result<(), Broken> {
        self.ask(Op::Ask(Request::Verify), Task::Chore, scene)
    }

    fn study(
        &mut self,
        name: Name,
        rest: Vec<Name>,
        drafts: Drafts,
        scene: &mut Scene,
    ) -> Result<(), Broken> {
        let op = Op::Read { name: name.clone(), fresh: false };
        self.ask(op, Task::Study { name, rest, drafts }, scene)
    }

    fn write(&mut self, drafts: Drafts, scene: &mut Scene) -> Result<(), Broken> {
        let Drafts { read, claim } = drafts;
        let mut written = Vec::new();
        let mut changes = Vec::new();
        for (name, stamp, text) in read {
            let (content, digest) = scene.compose(|number| text.next(number, stamp), Some(stamp));
            let basis = match claim {
                Some(claim) => Basis::Claim { generation: claim.mark.generation, base: stamp },
                None => Basis::Unchanged { expected: stamp },
            };
            written.push((name.clone(), digest));
            changes.push(Change { name, basis, content });
        }
        let request = match <[Change; 1]>::try_from(changes) {
            Ok([change]) => Request::Commit(change),
            Err(changes) => Request::CommitAll(changes),
        };
        let claim = claim.map(|claim| claim.mark.generation);
        self.ask(Op::Ask(request), Task::Publish { written, claim }, scene)
    }

    fn ask(&mut self, op: Op, task: Task, scene: &mut Scene) -> Result<(), Broken> {
        scene.note(|| format!("actor {} asks {op:?}", self.at));
        match self.agent.request(op, scene.agent_now()) {
            Asked::Done(outcome) => self.answered(task, Ok(outcome), scene),
            Asked::Sent(ticket) => {
                self.doing = Doing::Waits { ticket, since: scene.now, task };
                Ok(())
            }
        }
    }

    /// Something happened to the agent. Returns whether its session is over.
    pub(super) fn happened(&mut self, happened: Happened, scene: &mut Scene) -> Result<bool, Broken> {
        match happened {
            Happened::Done(ticket, result) => {
                match std::mem::replace(&mut self.doing, Doing::Nothing) {
                    Doing::Waits { ticket: waited, task, .. } if waited == ticket => {
                        self.answered(task, result, scene)?;
                    }
                    doing => self.doing = doing,
                }
                Ok(false)
            }
            Happened::Down(why) => {
                scene.note(|| format!("actor {} is down: {why}", self.at));
                Ok(true)
            }
            Happened::Changed(changed) => {
                scene.note(|| format!("actor {} is told of {changed:?}", self.at));
                if let Some(watcher) = &mut self.watcher {
                    scene.tally.notices += 1;
                    watcher.told(&changed, &mut scene.truth, scene.now)?;
                }
                Ok(false)
            }
            Happened::WatchGap(prefix) => {
                scene.note(|| format!("actor {} has a gap in {prefix:?}", self.at));
                if let Some(watcher) = &mut self.watcher {
                    watcher.is_complete = false;
                }
                Ok(false)
            }
            Happened::Up(agent) => {
                scene.note(|| format!("actor {} is {agent}", self.at));
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    fn answered(
        &mut self,
        task: Task,
        result: Result<Outcome, StoreError>,
        scene: &mut Scene,
    ) -> Result<(), Broken> {
        let outcome = match result {
            Ok(outcome) => outcome,
            Err(error) => {
                if let (Task::Delete(name), StoreError::Refused(Refusal::Conflict { .. })) = (&task, &error) {
                    scene.truth.delete_answered(name.as_str());
                }
                if let StoreError::Refused(Refusal::Conflict { name, conflict }) = &error
                    && matches!(**conflict, Conflict::UnknownArtifact)
                {
                    self.missed = Some(name.clone());
                }
                scene.note(|| format!("actor {} is refused: {error}", self.at));
                scene.tally.refusals += 1;
                if matches!(task, Task::Watch) {
                    self.watcher = None;
                }
                return match error {
                    StoreError::Damaged { .. } => Err(Broken::FalseRead { what: error.to_string() }),
                    StoreError::Refused(Refusal::MissingContent { .. }) => {
                        Err(Broken::AcknowledgedLost { what: error.to_string() })
                    }
                    _ => Ok(()),
                };
            }
        };
        match (task, outcome) {
            (Task::Look(name), Outcome::Read(read)) => scene.saw(self.at, &name, &read).map(|_| ()),
            (Task::LookAt(name, section), Outcome::Sections(read)) => {
                scene.saw_section(self.at, &name, &section, &read)
            }
            (Task::Acquire(name), Outcome::Answer(Answer::Acquired(claim))) => {
                let drafts = Drafts { read: Vec::new(), claim: Some(claim) };
                self.study(name, Vec::new(), drafts, scene)
            }
            (Task::Study { name, rest, drafts }, Outcome::Read(read)) => {
                self.studied(name, rest, drafts, &read, scene)
            }
            (Task::Publish { written, claim }, Outcome::Answer(answer)) => {
                self.published(&written, claim, &answer, scene)
            }
            (Task::Delete(name), _) => {
                scene.truth.delete_answered(name.as_str());
                Ok(())
            }
            (Task::Finish, _) => Ok(()),
            (Task::Watch, Outcome::Answer(answer)) => {
                if let (Answer::Listed { rows, more: false }, Some(watcher)) = (&answer, &mut self.watcher) {
                    watcher.listed(rows);
                }
                Ok(())
            }
            (Task::Chore, Outcome::Answer(answer)) => scene.chore_done(&answer),
            (task, outcome) => Err(Broken::Protocol {
                what: format!("{task:?} of actor {} is answered by {outcome:?}", self.at),
            }),
        }
    }

    fn studied(
        &mut self,
        name: Name,
        mut rest: Vec<Name>,
        mut drafts: Drafts,
        read: &Read,
        scene: &mut Scene,
    ) -> Result<(), Broken> {
        let text = scene.saw(self.at, &name, read)?;
        if let Some(claim) = drafts.claim.filter(|claim| claim.mark.stamp != read.stamp()) {
            // The claim was lost meanwhile, or there is a newer life of the name.
            let generation = claim.mark.generation;
            return self.ask(Op::Ask(Request::Release { name, generation }), Task::Finish, scene);
        }
        drafts.read.push((name, read.stamp(), text));
        if let Some(next) = rest.pop() {
            return self.study(next, rest, drafts, scene);
        }
        let until = scene.now.plus(scene.random.random_range(0..=scene.settings.think_ms_max));
        self.doing = Doing::Thinks { until, drafts };
        Ok(())
    }

    fn published(
        &mut self,
        written: &[(Name, Digest)],
        claim: Option<Generation>,
        answer: &Answer,
        scene: &mut Scene,
    ) -> Result<(), Broken> {
        let committed: Vec<Committed> = match answer {
            Answer::Committed(committed) => vec![*committed],
            Answer::CommittedAll(all) => all.clone(),
            other => return Err(Broken::Protocol { what: format!("a write is answered by {other:?}") }),
        };
        for ((name, digest), committed) in written.iter().zip(&committed) {
            scene.tally.commits += 1;
            scene.truth.acknowledge(name.as_str(), committed.mark.stamp, *digest)?;
        }
        let (Some(generation), [(name, _)], [committed]) = (claim, written, committed.as_slice()) else {
            return Ok(());
        };
        match scene.random.random_range(0..10) {
            // Kept until the lease is over, the session ends, or another write of this agent gives it up.
            0..2 => Ok(()),
            // The same claim once more, of a generation that a well-behaved writer would have given up.
            2 => self.write_again(name.clone(), committed.mark, generation, scene),
            _ => self.ask(Op::Ask(Request::Release { name: name.clone(), generation }), Task::Finish, scene),
        }
    }

    /// A second write under a claim, made from the first; under the generation that it began with, or that of the first.
    fn write_again(
        &mut self,
        name: Name,
        mark: Mark,
        began: Generation,
        scene: &mut Scene,
    ) -> Result<(), Broken> {
        let Some(text) = scene.text_at(&name, mark.stamp) else { return Ok(()) };
        let generation = if scene.random.random_bool(0.5) { began } else { mark.generation };
        let claim =
            Claimed { mark: Mark { generation, ..mark }, digest: Digest([0; 32]), expires: scene.now };
        let drafts = Drafts { read: vec![(name, mark.stamp, text)], claim: Some(claim) };
        let until = scene.now.plus(scene.random.random_range(0..=2 * scene.settings.think_ms_max));
        self.doing = Doing::Thinks { until, drafts };
        Ok(())
    }
}
