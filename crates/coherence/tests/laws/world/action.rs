//! What can happen in a world, and what each agent then asks of the home.

use super::{AgentId, Event, Incarnation, World, content};

/// What an agent asks of the home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Ask {
    Create,
    Read,
    ReadSection,
    Acquire { wait: bool },
    Commit,
    Cas,
    Release,
    Delete,
}

impl Ask {
    pub(crate) const ALL: &'static [Self] = &[
        Self::Create,
        Self::Read,
        Self::ReadSection,
        Self::Acquire { wait: false },
        Self::Acquire { wait: true },
        Self::Commit,
        Self::Cas,
        Self::Release,
        Self::Delete,
    ];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// A request reaches the home; its reply sets out.
    Ask {
        agent: usize,
        artifact: usize,
        ask: Ask,
    },
    /// A reply arrives.
    Answer(usize),
    /// A message arrives; kept, it will arrive once more.
    Deliver {
        message: usize,
        keep: bool,
    },
    /// The home confirms that an agent has been told everything.
    Confirm(usize),
    /// A reader reads its copy, if it may.
    Hit {
        agent: usize,
        artifact: usize,
    },
    /// Several artifacts are written at once: bit sets of those that are, and of those of them that are written under
    /// a claim and not by comparing versions.
    CommitAll {
        agent: usize,
        members: u8,
        claimed: u8,
    },
    /// A session ends.
    Lost(usize),
    LeaseOver(usize),
    Tick,
}

/// How large a world may get.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) agents: u32,
    pub(crate) artifacts: usize,
    pub(crate) versions: u64,
    pub(crate) generations: u64,
    pub(crate) lives: u64,
    pub(crate) ticks: u64,
    pub(crate) messages: usize,
    /// What agents ask.
    pub(crate) asks: &'static [Ask],
    /// Whether sessions end.
    pub(crate) losses: bool,
    /// Whether replies take their time.
    pub(crate) late_answers: bool,
    /// Whether messages may come twice.
    pub(crate) doubles: bool,
    /// Whether it is counted how often a copy is read.
    pub(crate) hits: bool,
}

impl Sizes {
    pub(crate) fn holds(&self, world: &World) -> bool {
        let small = |record: &lrrc_coherence::Record| {
            let mark = record.ledger().mark();
            mark.version().0 <= self.versions && mark.generation.0 <= self.generations
        };
        world.now.0 <= self.ticks
            && world.network.len() <= self.messages
            && world.lives.iter().all(|life| *life <= self.lives)
            && world.records.iter().flatten().all(small)
    }

    /// Every action that may be possible in a world of this size.
    pub(crate) fn actions(&self, world: &World) -> Vec<Action> {
        let agents = 0..self.agents as usize;
        let mut actions = vec![Action::Tick];
        for agent in agents {
            if world.agents[agent].answer.is_some() && !self.late_answers {
                return vec![Action::Answer(agent)];
            }
            actions.extend([Action::Answer(agent), Action::Confirm(agent)]);
            if self.losses {
                actions.push(Action::Lost(agent));
            }
            actions.extend(self.joint(agent));
            for artifact in 0..self.artifacts {
                if self.hits {
                    actions.push(Action::Hit { agent, artifact });
                }
                actions.extend(self.asks.iter().map(|ask| Action::Ask { agent, artifact, ask: *ask }));
            }
        }
        actions.extend((0..self.artifacts).map(Action::LeaseOver));
        for message in 0..world.network.len() {
            actions.push(Action::Deliver { message, keep: false });
            if self.doubles {
                actions.push(Action::Deliver { message, keep: true });
            }
        }
        actions
    }
}

impl Sizes {
    /// Every set of at least two artifacts: under claims, by comparing versions, and its first member under a claim.
    fn joint(&self, agent: usize) -> impl Iterator<Item = Action> {
        let sets = (0..1_u8 << self.artifacts).filter(|members| members.count_ones() > 1);
        let kinds = |members: u8| [members, 0, 1 << members.trailing_zeros()];
        let each = move |members| kinds(members).map(|claimed| Action::CommitAll { agent, members, claimed });
        sets.flat_map(each)
    }
}

impl World {
    /// The event of a request; `None` if the agent has nothing to ask with.
    pub(super) fn event(&mut self, agent: usize, artifact: usize, ask: Ask) -> Option<Event> {
        let id = AgentId(agent as u32);
        Some(match ask {
            Ask::Create => {
                if self.records[artifact].is_some() {
                    return None;
                }
                self.lives[artifact] += 1;
                let life = self.lives[artifact];
                Event::Create { agent: id, incarnation: Incarnation(life), epoch: 0, content: content(1) }
            }
            Ask::Read => Event::Read { agent: id, have: None, sections: Vec::new() },
            Ask::ReadSection => Event::Read { agent: id, have: None, sections: vec!["a".to_owned()] },
            Ask::Acquire { wait } => Event::Acquire { agent: id, lease_ms: None, wait },
            Ask::Commit => return self.write(agent, artifact, true),
            Ask::Cas => return self.write(agent, artifact, false),
            Ask::Release => Event::Release { agent: id, generation: None },
            Ask::Delete => Event::Delete { agent: id, expected: None },
        })
    }
}
