//! Three processes, each with a home and agents of its own over one etcd: two are killed in turn while the third is cut
//! off from etcd, again and again, and then what every agent was told is compared with what etcd says happened.

mod check;
mod history;
mod mutant;
mod net;
mod process;
mod record;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lrrc_coherence::Millis;
use lrrc_store::wire::{Answer, PROTOCOL, Request};
use lrrc_store::{Backend, Content, ContentRules, Home, HomeConfig};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::etcd_server::EtcdServer;
use check::{Counts, Op, check, ops};
use history::{Follower, History};
use net::Way;
use process::{Config, ROOT};
use record::{Ask, Told, lines, now_us};

pub(crate) use mutant::Mutant;
pub(crate) use net::Kind;

const MACHINES: usize = 3;
const CONFIG: &str = "LRRC_STORE_MACHINE";
/// A machine whose way is whole works again within this time.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(120);
/// What was on its way when a cut began may still be answered.
const IN_FLIGHT_US: u64 = 50_000;

/// How a run goes.
pub(crate) struct Plan<'p> {
    /// Chooses the moments and what the agents do.
    pub(crate) seed: u64,
    /// Cycles of two kills and one cut are begun for this long.
    pub(crate) time: Duration,
    pub(crate) kind: Kind,
    pub(crate) mutant: Option<Mutant>,
    /// Where the agents write down what they do.
    pub(crate) folder: &'p Path,
    /// Arguments with which this program calls [`run_if_machine`] and does nothing else.
    pub(crate) arguments: &'p [&'p str],
}

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) counts: Counts,
    pub(crate) faults: Vec<String>,
    pub(crate) kills: u32,
    pub(crate) cuts: Vec<Cut>,
}

/// A time in which a machine was cut off.
#[derive(Debug)]
pub(crate) struct Cut {
    machine: usize,
    from_us: u64,
    until_us: u64,
    /// From the end of the cut to the first write that was acknowledged again, in milliseconds.
    pub(crate) caught_up_ms: u64,
    /// Reads in the cut that were answered from a copy within its bound.
    pub(crate) reads_from_copy: u64,
    /// Asks in the cut that were refused, or whose outcome was said to be unknown.
    pub(crate) refused: u64,
}

/// Whether this process is one of the three; then it has run until it was killed.
pub(crate) fn run_if_machine() -> bool {
    let Ok(config) = std::env::var(CONFIG) else { return false };
    process::run(&serde_json::from_str::<Config>(&config).expect("a config of this program"));
    true
}

struct Machine {
    way: Way,
    process: Child,
    /// The record of each life.
    records: Vec<PathBuf>,
}

struct World<'p> {
    plan: &'p Plan<'p>,
    rng: ChaCha8Rng,
    machines: Vec<Machine>,
    report: Report,
}

/// Runs to the end of the plan, and checks.
pub(crate) fn run(plan: &Plan<'_>, server: &mut EtcdServer) -> Report {
    let follower = Follower::start(server.open(ROOT));
    let mut world = World::start(plan, server);
    let until = Instant::now() + plan.time;
    while world.report.cuts.is_empty() || Instant::now() < until {
        world.cycle();
    }
    world.machines.iter_mut().for_each(Machine::kill);
    let history = follower.end();
    server.restart();
    world.verdict(&history, server)
}

impl<'p> World<'p> {
    fn start(plan: &'p Plan<'p>, server: &EtcdServer) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
        let address = server.endpoint();
        let address = address.trim_start_matches("http://").parse().expect("an address and a port");
        let machines = (0..MACHINES).map(|at| {
            let way = Way::open(plan.kind, address);
            let records = vec![record_of(plan, at, 0)];
            let process = spawn(plan, &way, &records[0], rng.random());
            Machine { way, process, records }
        });
        let machines = machines.collect();
        let world = Self { plan, rng, machines, report: Report::default() };
        for machine in &world.machines {
            machine.wait_for_a_write_after(0);
        }
        world
    }

    /// Two machines are killed in turn while the third is cut off; then it is not, and has to catch up.
    fn cycle(&mut self) {
        let mut order: Vec<usize> = (0..MACHINES).collect();
        order.shuffle(&mut self.rng);
        let [cut_off, killed @ ..] = &order[..] else { return };
        let from_us = now_us();
        self.machines[*cut_off].way.cut(true);
        for machine in killed {
            self.pause(300..900);
            self.machines[*machine].kill();
            self.report.kills += 1;
            self.pause(100..700);
            self.restart(*machine);
        }
        self.pause(2500..4500);
        self.machines[*cut_off].way.cut(false);
        let until_us = now_us();
        let caught_up_us = self.machines[*cut_off].wait_for_a_write_after(until_us);
        let caught_up_ms = (caught_up_us - until_us) / 1000;
        let cut = Cut { machine: *cut_off, from_us, until_us, caught_up_ms, reads_from_copy: 0, refused: 0 };
        self.report.cuts.push(cut);
        for machine in killed {
            self.machines[*machine].wait_for_a_write_after(until_us);
        }
        self.pause(100..500);
    }

    fn pause(&mut self, ms: std::ops::Range<u64>) {
        std::thread::sleep(Duration::from_millis(self.rng.random_range(ms)));
    }

    fn restart(&mut self, at: usize) {
        let seed = self.rng.random();
        let machine = &mut self.machines[at];
        let record = record_of(self.plan, at, machine.records.len());
        machine.process = spawn(self.plan, &machine.way, &record, seed);
        machine.records.push(record);
    }

    fn verdict(mut self, history: &History, server: &EtcdServer) -> Report {
        let mut all: Vec<Op> = Vec::new();
        let mut lives = 0;
        for (at, machine) in self.machines.iter().enumerate() {
            for record in &machine.records {
                let of_life = ops(lives, lines(record));
                for cut in self.report.cuts.iter_mut().filter(|cut| cut.machine == at) {
                    self.report.faults.extend(cut.take_in(&of_life));
                }
                all.extend(of_life);
                lives += 1;
            }
        }
        let verdict = check(history, &all);
        self.report.counts = verdict.counts;
        self.report.faults.extend(verdict.faults);
        self.report.faults.extend(missing_contents(server));
        self.report.faults.extend(changed_by_restart(history, server));
        self.report
    }
}

impl Cut {
    /// Counts what the machine did in the cut. A write that was asked for and acknowledged in it is a fault: then the
    /// way was not cut.
    fn take_in(&mut self, ops: &[Op]) -> Option<String> {
        let mut fault = None;
        for op in ops {
            let Some((at_us, told)) = &op.told else { continue };
            if op.asked_us < self.from_us + IN_FLIGHT_US || *at_us >= self.until_us {
                continue;
            }
            match told {
                Told::Read { from_copy: true, .. } => self.reads_from_copy += 1,
                Told::Refused { .. } | Told::Uncertain { .. } => self.refused += 1,
                told => fault = Some(format!("cut off: machine {} was told {told:?}", self.machine)),
            }
        }
        fault
    }
}

impl Machine {
    fn kill(&mut self) {
        self.process.kill().expect("a process of our own");
        self.process.wait().expect("a process of our own");
    }

    /// Waits until a write that was asked for after `since_us` is acknowledged; when that was.
    fn wait_for_a_write_after(&self, since_us: u64) -> u64 {
        let until = Instant::now() + CAUGHT_UP_WITHIN;
        loop {
            let record = self.records.last().expect("a life");
            let written = ops(0, lines(record)).into_iter().find_map(|op| match (op.ask, op.told) {
                (Ask::Write { .. }, Some((at_us, Told::Written { .. }))) if op.asked_us > since_us => {
                    Some(at_us)
                }
                _ => None,
            });
            if let Some(at_us) = written {
                return at_us;
            }
            assert!(Instant::now() < until, "{} does not write again", record.display());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Machine {
    /// Also where an assertion ends the run: no process of it stays.
    fn drop(&mut self) {
        let _ = (self.process.kill(), self.process.wait());
    }
}

fn record_of(plan: &Plan<'_>, machine: usize, life: usize) -> PathBuf {
    plan.folder.join(format!("machine-{machine}-life-{life}.ndjson"))
}

fn spawn(plan: &Plan<'_>, way: &Way, record: &Path, seed: u64) -> Child {
    let config =
        Config { endpoint: way.endpoint(), record: record.to_owned(), seed: seed >> 8, mutant: plan.mutant };
    let own = std::env::current_exe().expect("the path of this program");
    let mut command: Command = way.command(&own);
    command.args(plan.arguments).env(CONFIG, serde_json::to_string(&config).expect("a config"));
    command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("this program again")
}

/// Records that etcd, killed and started again, does not have as the last commit left them.
fn changed_by_restart(history: &History, server: &EtcdServer) -> Vec<String> {
    let listing = server.open(ROOT).list("a/").expect("etcd, which runs again");
    let found = |name: &str| {
        let entry = listing.entries.iter().find(|(key, _)| key == &format!("a/{name}"));
        entry.map(|(_, entry)| entry.revision.0)
    };
    let last = history.states.iter().filter_map(|(name, states)| Some((name, states.last()?)));
    let expected = last.map(|(name, state)| (name, state.ledger.as_ref().map(|_| state.revision)));
    let changed = expected.filter(|(name, revision)| found(name) != *revision);
    changed
        .map(|(name, revision)| format!("a restart of etcd: {name} is not as {revision:?} left it"))
        .collect()
}

/// Contents that a record names and nobody can read.
fn missing_contents(server: &EtcdServer) -> Vec<String> {
    let content = Content::in_memory(ContentRules::default()).expect("a thread");
    let now = Millis(now_us() / 1000);
    let home = Home::open(server.open(ROOT), content, HomeConfig::default(), now);
    let mut home = home.expect("etcd, which ran until now");
    let agent = home.join(PROTOCOL, now).expect("a session");
    match home.handle(agent, Request::Verify, now) {
        Ok(Answer::Verified(verified)) => verified.faults,
        other => vec![format!("verify: {other:?}")],
    }
}
