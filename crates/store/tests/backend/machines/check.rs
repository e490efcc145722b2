//! Compares what the agents were told with what etcd says happened.

use std::collections::{BTreeMap, BTreeSet};

use lrrc_coherence::{Digest, Incarnation, Ledger, Stamp};

use super::history::{History, State, stamp_of};
use super::process::{AGE_MS_MAX, LEASE_MS};
use super::record::{Ask, Line, Move, Said, Told};

/// Times are cut to milliseconds on both sides of a difference.
const ROUNDING_US: u64 = 3_000;

/// An ask of one agent and its answer, if one came.
pub(crate) struct Op {
    /// Which agent of which life of which machine.
    pub(crate) agent: (usize, u32),
    pub(crate) id: u64,
    pub(crate) asked_us: u64,
    pub(crate) ask: Ask,
    pub(crate) told: Option<(u64, Told)>,
}

/// The lines of one process as asks and answers.
pub(crate) fn ops(process: usize, lines: Vec<Line>) -> Vec<Op> {
    let mut open: BTreeMap<(u32, u64), usize> = BTreeMap::new();
    let mut ops: Vec<Op> = Vec::new();
    for Line { at_us, agent, op, said } in lines {
        match said {
            Said::Ask(ask) => {
                open.insert((agent, op), ops.len());
                ops.push(Op { agent: (process, agent), id: op, asked_us: at_us, ask, told: None });
            }
            Said::Told(told) => ops[open[&(agent, op)]].told = Some((at_us, told)),
        }
    }
    ops
}

/// From when until when an agent had a claim for certain, in microseconds, and which agent.
type Held = (u64, u64, u32);

/// What was compared.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) writes_acknowledged: u64,
    pub(crate) writes_refused: u64,
    pub(crate) unanswered_landed: u64,
    pub(crate) unanswered_vanished: u64,
    pub(crate) reads_from_copy: u64,
    pub(crate) reads_from_home: u64,
    pub(crate) reads_refused: u64,
    pub(crate) claims: u64,
    pub(crate) age_ms_max: u64,
    pub(crate) revisions: u64,
}

/// What was found.
#[derive(Default)]
pub(crate) struct Verdict {
    pub(crate) counts: Counts,
    /// Each says which law, and where.
    pub(crate) faults: Vec<String>,
}

pub(crate) fn check(history: &History, ops: &[Op]) -> Verdict {
    let mut verdict = Verdict::default();
    verdict.versions(history);
    verdict.writes(history, ops);
    let landed_us = landed(history, ops);
    verdict.reads(history, ops, &landed_us);
    verdict.sessions(ops);
    verdict.claims(ops);
    verdict
}

/// The writes of an op.
fn moves(ask: &Ask) -> &[Move] {
    match ask {
        Ask::Write { moves } => moves,
        Ask::CommitUnder { write, .. } => std::slice::from_ref(write),
        _ => &[],
    }
}

/// When a version or a deletion was acknowledged, under its revision: it was there at that time at the latest.
fn landed(history: &History, ops: &[Op]) -> BTreeMap<u64, u64> {
    let mut landed_us = BTreeMap::new();
    for op in ops {
        match (&op.ask, &op.told) {
            (ask, Some((at_us, Told::Written { marks }))) => {
                for (write, mark) in moves(ask).iter().zip(marks) {
                    let state = history.first(&write.name, mark.stamp);
                    landed_us.extend(state.map(|state| (state.revision, *at_us)));
                }
            }
            (Ask::Delete { name, expected }, Some((at_us, Told::Done))) => {
                let state = history.next(name, *expected);
                landed_us.extend(state.map(|state| (state.revision, *at_us)));
            }
            _ => {}
        }
    }
    landed_us
}

impl Verdict {
    fn fault(&mut self, law: &str, op: Option<&Op>, what: impl std::fmt::Display) {
        let who = op.map_or(String::new(), |op| {
            format!(" (process {}, agent {}, ask {})", op.agent.0, op.agent.1, op.id)
        });
        self.faults.push(format!("{law}: {what}{who}"));
    }

    /// Versions go up by one, a life of a name ends before the next, and while a claim lives nobody else writes.
    fn versions(&mut self, history: &History) {
        for (name, states) in &history.states {
            self.counts.revisions += states.len() as u64;
            for pair in states.windows(2) {
                let [before, after] = pair else { continue };
                let (Some(old), Some(new)) = (&before.ledger, &after.ledger) else { continue };
                if old.stamp() == new.stamp() {
                    if old.current != new.current {
                        self.fault(
                            "monotone versions",
                            None,
                            format!("{name}: {:?} has two contents", old.stamp()),
                        );
                    }
                    continue;
                }
                let is_next =
                    old.incarnation == new.incarnation && old.current.version.next() == new.current.version;
                if !is_next {
                    let what = format!("{name}: {:?} after {:?}", new.stamp(), old.stamp());
                    self.fault("monotone versions", None, what);
                }
                self.single_writer(name, old, new);
            }
        }
    }

    fn single_writer(&mut self, name: &str, old: &Ledger, new: &Ledger) {
        let Some(claim) = old.claim else { return };
        if claim.agent != new.current.writer && new.current.at < claim.expires {
            let what = format!(
                "{name} {}: written by {} at {} while {} had the claim until {}",
                new.current.version, new.current.writer, new.current.at, claim.agent, claim.expires
            );
            self.fault("single writer", None, what);
        }
    }

    /// What was acknowledged is there once and at its version, what was refused is not, and nothing is there that
    /// nobody wrote.
    fn writes(&mut self, history: &History, ops: &[Op]) {
        let mut places: BTreeMap<Digest, BTreeSet<(&str, Stamp)>> = BTreeMap::new();
        for (name, states) in &history.states {
            for ledger in states.iter().filter_map(|state| state.ledger.as_ref()) {
                places.entry(ledger.current.digest).or_default().insert((name, ledger.stamp()));
            }
        }
        let mut attempted = BTreeSet::new();
        for op in ops {
            self.deletion(history, op);
            for (at, write) in moves(&op.ask).iter().enumerate() {
                attempted.insert(write.digest);
                let none = BTreeSet::new();
                self.write(op, at, write, places.get(&write.digest).unwrap_or(&none));
            }
        }
        for (digest, places) in &places {
            if !attempted.contains(digest) {
                self.fault(
                    "nothing of its own",
                    None,
                    format!("{places:?} has {digest}, which nobody wrote"),
                );
            }
        }
    }

    fn write(&mut self, op: &Op, at: usize, write: &Move, found: &BTreeSet<(&str, Stamp)>) {
        if found.len() > 1 {
            self.fault("exactly once", Some(op), format!("one write is at {found:?}"));
        }
        match &op.told {
            Some((_, Told::Written { marks })) => {
                self.counts.writes_acknowledged += 1;
                let stamp = marks[at].stamp;
                if !found.contains(&(write.name.as_str(), stamp)) {
                    let what = format!("{} was acknowledged at {stamp:?}, and is at {found:?}", write.name);
                    self.fault("nothing acknowledged is lost", Some(op), what);
                }
                if write.base.is_some_and(|base| {
                    base.incarnation != stamp.incarnation || base.version.next() != stamp.version
                }) {
                    let what = format!("{}: made from {:?}, written as {stamp:?}", write.name, write.base);
                    self.fault("no lost update", Some(op), what);
                }
            }
            Some((_, Told::Refused { why })) => {
                self.counts.writes_refused += 1;
                if !found.is_empty() {
                    self.fault(
                        "a refusal changes nothing",
                        Some(op),
                        format!("{found:?} in spite of: {why}"),
                    );
                }
            }
            _ if found.is_empty() => self.counts.unanswered_vanished += 1,
            _ => self.counts.unanswered_landed += 1,
        }
    }

    fn deletion(&mut self, history: &History, op: &Op) {
        let (Ask::Delete { name, expected }, Some((_, Told::Done))) = (&op.ask, &op.told) else { return };
        self.counts.writes_acknowledged += 1;
        let next = history.next(name, *expected);
        if next.is_none_or(|state| state.ledger.is_some()) {
            let what = format!("{name} {expected:?} was deleted, and {:?} follows", next.map(stamp_of));
            self.fault("nothing acknowledged is lost", Some(op), what);
        }
    }

    /// What is read was written, is as young as it says, and nothing that the agent was told of is newer.
    fn reads(&mut self, history: &History, ops: &[Op], landed_us: &BTreeMap<u64, u64>) {
        for op in ops {
            let (Ask::Read { name, fresh }, Some((_, told))) = (&op.ask, &op.told) else { continue };
            let Told::Read { stamp, digest, confirmed_revision, age_ms, from_copy } = told else {
                self.counts.reads_refused += 1;
                continue;
            };
            let kind =
                if *from_copy { &mut self.counts.reads_from_copy } else { &mut self.counts.reads_from_home };
            *kind += 1;
            if *from_copy {
                self.counts.age_ms_max = self.counts.age_ms_max.max(*age_ms);
                if *age_ms > AGE_MS_MAX || *fresh {
                    self.fault(
                        "bounded staleness",
                        Some(op),
                        format!("{name}: a copy of {age_ms} ms was read"),
                    );
                }
            }
            let written = history.first(name, *stamp).and_then(|state| state.ledger.as_ref());
            if written.is_none_or(|ledger| ledger.current.digest != *digest) {
                self.fault("nothing of its own", Some(op), format!("{name}: {stamp:?} was read as {digest}"));
                continue;
            }
            let Some(next) = history.next(name, *stamp) else { continue };
            if next.revision <= *confirmed_revision {
                let what = format!(
                    "{name}: {stamp:?} was read at confirmed revision {confirmed_revision}, and was over at {}",
                    next.revision
                );
                self.fault("bounded staleness", Some(op), what);
            }
            self.age(op, name, next, if *from_copy { *age_ms } else { 0 }, landed_us);
        }
    }

    /// `next` must not have landed before the moment at which the read says that its version was the newest.
    fn age(&mut self, op: &Op, name: &str, next: &State, age_ms: u64, landed_us: &BTreeMap<u64, u64>) {
        let newest_us = op.asked_us.saturating_sub(age_ms * 1000 + ROUNDING_US);
        if landed_us.get(&next.revision).is_some_and(|landed_us| *landed_us < newest_us) {
            let late_ms = (newest_us - landed_us[&next.revision]) / 1000;
            let what = format!(
                "{name}: read with age {age_ms} ms, {late_ms} ms after what followed had landed before that"
            );
            self.fault("bounded staleness", Some(op), what);
        }
    }

    /// An agent never sees an artifact go back, nor behind its own writes.
    fn sessions(&mut self, ops: &[Op]) {
        let mut seen: BTreeMap<((usize, u32), &str), Stamp> = BTreeMap::new();
        for op in ops {
            let found: Vec<(&str, Stamp)> = match (&op.ask, &op.told) {
                (Ask::Read { name, .. }, Some((_, Told::Read { stamp, .. }))) => vec![(name, *stamp)],
                (ask, Some((_, Told::Written { marks }))) => {
                    let stamps = marks.iter().map(|mark| mark.stamp);
                    moves(ask).iter().map(|write| write.name.as_str()).zip(stamps).collect()
                }
                _ => continue,
            };
            for (name, stamp) in found {
                let last = seen.insert((op.agent, name), stamp);
                if last.is_some_and(|last| last > stamp) {
                    self.fault(
                        "a session goes forward",
                        Some(op),
                        format!("{name}: {stamp:?} after {last:?}"),
                    );
                }
            }
        }
    }

    /// From its grant to its release, or to the end of its lease, a claim is the only one in this life of the artifact. A
    /// deletion ends it.
    fn claims(&mut self, ops: &[Op]) {
        let mut agents: BTreeMap<(usize, u32), Vec<&Op>> = BTreeMap::new();
        for op in ops {
            agents.entry(op.agent).or_default().push(op);
        }
        let mut held: BTreeMap<(&str, Incarnation), Vec<Held>> = BTreeMap::new();
        for ops in agents.values() {
            for (at, op) in ops.iter().enumerate() {
                let (Ask::Acquire { name }, Some((from_us, Told::Acquired { who, stamp, expires_ms }))) =
                    (&op.ask, &op.told)
                else {
                    continue;
                };
                self.counts.claims += 1;
                held.entry((name, stamp.incarnation)).or_default().push((
                    *from_us,
                    end_of(op.id, expires_ms * 1000, &ops[at + 1..]),
                    *who,
                ));
            }
        }
        for ((name, _), mut held) in held {
            held.sort_unstable();
            for pair in held.windows(2) {
                let [(_, until_us, one), (from_us, _, other)] = [pair[0], pair[1]];
                if one != other && from_us + ROUNDING_US < until_us {
                    let what = format!(
                        "{name}: agent {other} got the claim {} µs before that of agent {one} was over",
                        until_us - from_us
                    );
                    self.fault("single writer", None, what);
                }
            }
        }
    }
}

/// When a claim that would end at `expires_us` ends at the earliest, by what its agent did next: each commit under it
/// gives it another lease.
fn end_of(claim: u64, expires_us: u64, next: &[&Op]) -> u64 {
    let mut until_us = expires_us;
    for op in next {
        match (&op.ask, &op.told) {
            (Ask::CommitUnder { claim: of, .. }, told) if *of == claim => {
                if matches!(told, Some((_, Told::Written { .. }))) {
                    until_us = until_us.max(op.asked_us + LEASE_MS * 1000);
                }
            }
            (Ask::Release { claim: of }, _) if *of == claim => return until_us.min(op.asked_us),
            _ => break,
        }
    }
    until_us
}
