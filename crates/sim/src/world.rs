//! The real home and the real agents under a virtual clock, in a network and on a storage that fail as a seed says.
//!
//! One seed is one run: it draws how many agents there are, what they want, which frames are lost, repeated, delayed or
//! overtaken, which agents and homes crash, which commits the storage refuses, how long writes wait for a common sync, and
//! when contents are collected. After each step the home's own trace is replayed through the pure core and every law of
//! [`lrrc_coherence::invariant`] is checked; every read, and everything that a watch tells, is held against what was really
//! written. At the end the faults stop: every acknowledged write must be there, those who watch must know of all of them,
//! and everybody must be able to go on. A run that fails is its seed.
//!
//! ```
//! use lrrc_sim::{WorldConfig, world};
//!
//! let verdict = world::run(7, &WorldConfig::default());
//! assert_eq!(verdict.broken, None);
//! ```

mod actor;
mod end;
mod many;
mod mirror;
mod mutant;
mod network;
mod plumbing;
mod process;
mod scene;
mod settings;
mod storage;
mod text;
mod truth;
mod watcher;

use std::collections::{BTreeMap, VecDeque};

use lrrc_coherence::{AgentId, Millis};
use lrrc_store::wire::{FromHome, PROTOCOL, ToHome};
use lrrc_store::{Chore, Content, Home, MemoryDisk, Name};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub use many::{Found, run_many};
pub use settings::{Mutant, WorldConfig};

use crate::verdict::{Broken, Tally, Verdict};
use actor::Actor;
use mirror::Mirror;
use network::Network;
use plumbing::Sink;
use scene::Scene;
use settings::Settings;
use storage::{Dice, Storage};
use truth::Truth;

/// How often an agent looks at the time, and the home, in milliseconds.
const TICK_MS: u64 = 100;

/// One direction of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    ToHome(u64),
    ToAgent(u64),
}

impl Lane {
    const fn connection(self) -> u64 {
        match self {
            Self::ToHome(connection) | Self::ToAgent(connection) => connection,
        }
    }
}

#[derive(Clone, Debug)]
enum Frame {
    ToHome(ToHome),
    ToAgent(FromHome),
}

/// Something that is due at a time of its own.
#[derive(Clone, Copy, Debug)]
enum Due {
    Act(usize),
    Tick(usize),
    Connect(usize),
    CrashAgent(usize),
    /// The home notices that a connection is gone.
    Leave(AgentId),
    TickHome,
    CrashHome,
    OpenHome,
    /// Gathered writes are made durable.
    Flush,
    /// The oldest chore is run.
    Chore,
}

struct World {
    config: WorldConfig,
    scene: Scene,
    disk: MemoryDisk,
    /// Where large contents lie; made with the first home.
    contents: Option<Content>,
    dice: Dice,
    home: Option<Home<Storage>>,
    /// Writes wait for a common sync.
    is_gathering: bool,
    chores: VecDeque<Chore<Storage>>,
    sink: Sink,
    mirror: Mirror,
    actors: Vec<Actor>,
    network: Network<Lane, Frame>,
    due: BTreeMap<(Millis, u64), Due>,
    dues: u64,
    connections: u64,
    /// Sessions of this run of the home, by connection.
    sessions: BTreeMap<u64, AgentId>,
    /// Frames that a silent home has kept from an agent.
    withheld: BTreeMap<AgentId, u64>,
    /// No new faults begin.
    is_calm: bool,
}

/// Runs the world of one seed.
#[must_use]
pub fn run(seed: u64, config: &WorldConfig) -> Verdict {
    verdict(seed, config, None)
}

/// Runs the world of one seed and keeps the last lines of what happened.
#[must_use]
pub fn run_traced(seed: u64, config: &WorldConfig) -> Verdict {
    verdict(seed, config, Some(VecDeque::new()))
}

fn verdict(seed: u64, config: &WorldConfig, diary: Option<VecDeque<String>>) -> Verdict {
    let mut world = World::new(seed, *config, diary);
    let broken = world.live().and_then(|()| world.end()).err();
    let tally = Tally { storage_faults: world.dice.faults(), ..world.scene.tally };
    Verdict { seed, broken, tally, trace: world.scene.diary.map(Vec::from).unwrap_or_default() }
}

impl World {
    fn new(seed: u64, config: WorldConfig, diary: Option<VecDeque<String>>) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let settings = Settings::draw(&mut random, &config);
        let dice = Dice::new(settings.wear, random.random());
        let names = ["plan.md", "team/design.md", "notes.md"].into_iter().take(settings.artifacts);
        let scene = Scene {
            now: Millis(1_000),
            truth: Truth::default(),
            tally: Tally::default(),
            names: names.filter_map(|name| name.parse::<Name>().ok()).collect(),
            contents: 0,
            clock_divisor: if config.mutant == Some(Mutant::SlowClocks) { 2 } else { 1 },
            diary,
            random,
            settings,
        };
        let actors = (0..scene.settings.actors).map(|at| Actor::new(at, &scene)).collect();
        let mirror = Mirror::new(scene.settings.home.rules.clone());
        let mut world = Self {
            config,
            disk: MemoryDisk::default(),
            contents: None,
            dice,
            home: None,
            is_gathering: false,
            chores: VecDeque::new(),
            sink: Sink::default(),
            mirror,
            actors,
            network: Network::new(),
            due: BTreeMap::new(),
            dues: 0,
            connections: 0,
            sessions: BTreeMap::new(),
            withheld: BTreeMap::new(),
            is_calm: false,
            scene,
        };
        world.schedule();
        world
    }

    fn schedule(&mut self) {
        self.after(0, Due::OpenHome);
        for at in 0..self.actors.len() {
            let first = self.scene.random.random_range(0..500);
            self.after(first, Due::Connect(at));
            self.after(first, Due::Act(at));
            self.after(first, Due::Tick(at));
            self.crash_later(self.scene.settings.agent_crash_ms, Due::CrashAgent(at));
        }
        self.crash_later(self.scene.settings.home_crash_ms, Due::CrashHome);
        self.after(TICK_MS, Due::TickHome);
    }

    fn after(&mut self, ms: u64, due: Due) {
        self.dues += 1;
        self.due.insert((self.scene.now.plus(ms), self.dues), due);
    }

    fn crash_later(&mut self, mean_ms: Option<u64>, due: Due) {
        if let Some(mean_ms) = mean_ms {
            let ms = self.scene.random.random_range(0..=2 * mean_ms);
            self.after(ms, due);
        }
    }

    /// Faults and deeds until the time is over.
    fn live(&mut self) -> Result<(), Broken> {
        self.until(Millis(1_000 + self.config.duration_ms))
    }

    /// Everything that happens up to `end`.
    fn until(&mut self, end: Millis) -> Result<(), Broken> {
        loop {
            let due = self.due.first_key_value().map(|((at, _), _)| *at);
            let Some(next) = due.into_iter().chain(self.network.next()).min().filter(|at| *at <= end) else {
                self.scene.now = end;
                return Ok(());
            };
            self.scene.now = next.max(self.scene.now);
            self.scene.tally.steps += 1;
            match self.network.arrive(self.scene.now) {
                Some((lane, frame)) => self.arrive(lane, frame)?,
                None => {
                    if let Some((_, due)) = self.due.pop_first() {
                        self.happen(due)?;
                    }
                }
            }
            self.pump()?;
        }
    }

    fn arrive(&mut self, lane: Lane, frame: Frame) -> Result<(), Broken> {
        let now = self.scene.now;
        self.scene.note(|| format!("{lane:?} {frame:?}"));
        match frame {
            Frame::ToAgent(frame) => {
                let agent_now = self.scene.agent_now();
                let at = self.actors.iter().position(|actor| actor.connection == Some(lane.connection()));
                if let Some(at) = at {
                    self.actors[at].agent.receive(frame, agent_now);
                }
            }
            Frame::ToHome(frame) => {
                self.gather();
                let Some(home) = &mut self.home else { return Ok(()) };
                let session = self.sessions.get(&lane.connection()).copied();
                match (session, frame) {
                    (None, ToHome::Hello { .. }) => {
                        if let Ok(agent) = home.join(PROTOCOL, now) {
                            self.sessions.insert(lane.connection(), agent);
                        }
                    }
                    (None, _) => {}
                    (Some(agent), mut frame) => {
                        if self.config.mutant == Some(Mutant::BlindHome) {
                            mutant::blind(&mut frame, &self.mirror);
                        }
                        home.receive(agent, frame, now);
                    }
                }
            }
        }
        Ok(())
    }

    fn happen(&mut self, due: Due) -> Result<(), Broken> {
        let (now, agent_now) = (self.scene.now, self.scene.agent_now());
        match due {
            Due::Act(at) => {
                if !self.is_calm {
                    self.actors[at].act(&mut self.scene)?;
                    let pause = self.scene.random.random_range(1..=self.scene.settings.pause_ms_max);
                    self.after(pause, due);
                }
            }
            Due::Tick(at) => {
                self.actors[at].agent.tick(agent_now);
                self.after(TICK_MS, due);
            }
            Due::Connect(at) => self.connect(at),
            Due::CrashAgent(at) => self.crash_agent(at),
            Due::Leave(agent) => {
                if let Some(home) = &mut self.home {
                    home.leave(agent, now);
                }
            }
            Due::TickHome => {
                if let Some(home) = &mut self.home {
                    home.tick(now);
                }
                self.after(TICK_MS, due);
            }
            Due::CrashHome => self.crash_home(),
            Due::OpenHome => self.open_home()?,
            Due::Flush => self.flush()?,
            Due::Chore => self.run_chore(),
        }
        Ok(())
    }

    fn connect(&mut self, at: usize) {
        if self.actors[at].connection.is_some() {
            return;
        }
        self.connections += 1;
        let agent_now = self.scene.agent_now();
        self.actors[at].connection = Some(self.connections);
        self.actors[at].agent.connected(agent_now);
    }

    /// The agent's side of its connection is gone. The home may learn of it soon, or by silence.
    fn cut(&mut self, at: usize) {
        self.scene.truth.session_over(at);
        if let Some(connection) = self.actors[at].connection.take() {
            self.network.cut(|lane| lane.connection() == connection);
            if let Some(agent) = self.sessions.remove(&connection)
                && self.scene.random.random_bool(0.5)
            {
                let ms = self.scene.random.random_range(0..500);
                self.after(ms, Due::Leave(agent));
            }
        }
        let ms = self.scene.random.random_range(1..1_000);
        self.after(ms, Due::Connect(at));
    }

    fn crash_agent(&mut self, at: usize) {
        if self.is_calm {
            return;
        }
        self.scene.note(|| format!("actor {at} crashes"));
        self.scene.tally.agent_crashes += 1;
        self.cut(at);
        self.actors[at] = Actor::new(at, &self.scene);
        self.crash_later(self.scene.settings.agent_crash_ms, Due::CrashAgent(at));
    }
}
