//! A history that is traced and replayed; and traces with one lie in them.

use std::collections::BTreeMap;

use lrrc_coherence::trace::{FORMAT, Fault, Header, TraceLine, What, replay, replay_text};
use lrrc_coherence::{
    AgentId, Cas, Commit, Effect, Event, Incarnation, Mark, Millis, Record, Reply, Rules, Stamp, Version,
    Write, commit_all, step,
};

use crate::world::content;

const NAMES: [&str; 3] = ["plan.md", "src/lib.rs", "notes/today.json"];

/// A history of three agents over three artifacts, each choice a function of its number.
struct History {
    rules: Rules,
    records: BTreeMap<String, Record>,
    marks: BTreeMap<(AgentId, String), Mark>,
    lines: Vec<TraceLine>,
    seed: u64,
    lives: u64,
}

impl History {
    fn choose(&mut self, among: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % among
    }

    fn event(&mut self, agent: AgentId, name: &str) -> Event {
        let mark = self.marks.get(&(agent, name.to_owned())).copied();
        let first = Stamp { incarnation: Incarnation(1), version: Version::FIRST };
        let stamp = mark.map_or(first, |mark| mark.stamp);
        let next = content(stamp.version.0 + 1);
        match self.choose(12) {
            0 => {
                self.lives += 1;
                Event::Create { agent, incarnation: Incarnation(self.lives), epoch: 0, content: content(1) }
            }
            1..=3 => Event::Read { agent, have: Some(stamp), sections: Vec::new() },
            4 | 5 => Event::Acquire { agent, lease_ms: Some(20), wait: self.choose(2) == 0 },
            6 | 7 => {
                let generation = mark.map_or(lrrc_coherence::Generation(0), |mark| mark.generation);
                Event::Commit { agent, commit: Commit { generation, base: stamp, content: next } }
            }
            8 | 9 => {
                Event::CommitCas { agent, cas: Cas { expected: stamp, generation: None, content: next } }
            }
            10 => {
                let generation = mark.map(|mark| mark.generation).filter(|_| self.choose(4) == 0);
                Event::Release { agent, generation }
            }
            _ if self.choose(8) == 0 => Event::Delete { agent, expected: None },
            _ => Event::LeaseOver,
        }
    }

    fn act(&mut self, at: Millis) {
        let agent = AgentId(self.choose(3) as u32);
        let name = NAMES[self.choose(3) as usize];
        if self.choose(10) == 0 {
            return self.joint(agent, at);
        }
        let event = self.event(agent, name);
        let before = self.records.remove(name);
        let mut record = before.clone();
        let result = step(&mut record, &event, at, &self.rules);
        self.lines.push(TraceLine::of_step(name, &event, at, before.as_ref(), &result, record.as_ref()));
        self.records.extend(record.map(|record| (name.to_owned(), record)));
        let Ok(outcome) = result else { return };
        self.note(agent, name, &outcome.reply);
        self.deliver(name, &outcome.effects, at);
    }

    fn joint(&mut self, agent: AgentId, at: Millis) {
        let cas = |record: &Record| {
            let expected = record.ledger().stamp();
            Write::Cas(Cas { expected, generation: None, content: content(expected.version.0 + 1) })
        };
        let members: Vec<(String, Write)> =
            self.records.iter().map(|(name, record)| (name.clone(), cas(record))).collect();
        let writes = members.iter().map(|(_, write)| write.clone());
        let mut pairs: Vec<(&mut Record, Write)> = self.records.values_mut().zip(writes).collect();
        let result = commit_all(&mut pairs, agent, at, &self.rules);
        let refused = result.as_ref().err().map(|(_, conflict)| conflict.clone());
        self.lines.push(TraceLine::of_all(agent, members.clone(), at, refused));
        for ((name, _), outcome) in members.iter().zip(result.into_iter().flatten()) {
            self.note(agent, name, &outcome.reply);
            self.deliver(name, &outcome.effects, at);
        }
    }

    fn note(&mut self, agent: AgentId, name: &str, reply: &Reply) {
        if let Some(mark) = reply.mark() {
            self.marks.insert((agent, name.to_owned()), mark);
        }
    }

    fn deliver(&mut self, name: &str, effects: &[Effect], at: Millis) {
        for effect in effects {
            if self.choose(4) > 0 {
                self.lines.push(TraceLine::of_delivery(name.to_owned(), effect.to(), effect.mark(), at));
            }
        }
    }
}

fn history(actions: u64) -> (Rules, Vec<TraceLine>) {
    let rules = Rules::default();
    let (records, marks, lines) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    let mut history = History { rules: rules.clone(), records, marks, lines, seed: 7, lives: 0 };
    (0..actions).for_each(|at| history.act(Millis(at)));
    (rules, history.lines)
}

#[test]
fn a_history_replays_as_it_was_traced() {
    let (rules, lines) = history(4_000);
    let replayed = replay(&rules, &lines).expect("it happened");
    assert_eq!(replayed.lines, lines.len());
    assert!(replayed.writes > 500 && replayed.refused > 500 && replayed.artifacts == 3, "{replayed:?}");
}

#[test]
fn a_trace_reads_back_from_its_text() {
    let (rules, lines) = history(300);
    let header =
        serde_json::to_string(&Header { coherence_trace: FORMAT, rules: rules.clone() }).expect("it is JSON");
    let rest: Vec<String> =
        lines.iter().map(|line| serde_json::to_string(line).expect("it is JSON")).collect();
    let text = format!("{header}\n{}\n", rest.join("\n"));
    assert_eq!(replay_text(&text), replay(&rules, &lines));

    let newer = text.replacen("\"coherence_trace\":1", "\"coherence_trace\":2", 1);
    assert_eq!(replay_text(&newer), Err(Fault::Format { found: 2 }));
    assert!(matches!(replay_text(&format!("{header}\n{{}}\n")), Err(Fault::Unreadable { line: 2, .. })));
    assert!(matches!(replay_text(""), Err(Fault::Unreadable { line: 1, .. })));
}

#[test]
fn a_trace_with_one_lie_is_found_out_at_its_line() {
    let (rules, lines) = history(300);
    let find = |wanted: fn(&TraceLine) -> bool| lines.iter().position(wanted).expect("the history has one");
    let committed = find(|line| {
        matches!(line.what, What::Step { event: Event::CommitCas { .. }, .. }) && line.conflict.is_none()
    });
    let refused = find(|line| line.conflict.is_some());
    let delivered = find(|line| matches!(line.what, What::Deliver { .. }));
    let lie = |at: usize, tell: fn(&mut TraceLine)| {
        let mut lines = lines.clone();
        tell(&mut lines[at]);
        replay(&rules, &lines)
    };
    let version = lie(committed, |line| line.version = line.version.map(Version::next));
    assert!(matches!(version, Err(Fault::Differs { line, .. }) if line == committed + 2), "{version:?}");
    let landed = lie(refused, |line| line.conflict = None);
    assert!(matches!(landed, Err(Fault::Differs { line, .. }) if line == refused + 2), "{landed:?}");
    let told = lie(delivered, |line| {
        if let What::Deliver { mark, .. } = &mut line.what {
            mark.generation = mark.generation.next().next().next();
        }
    });
    assert!(matches!(told, Err(Fault::NeverSent { line, .. }) if line == delivered + 2), "{told:?}");
    let mut missing = lines.clone();
    missing.remove(committed);
    assert!(replay(&rules, &missing).is_err());
}
