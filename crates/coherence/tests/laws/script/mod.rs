//! A little language for one artifact: `agent verb arguments`, answered by the reply, what is sent, and the lines.
//!
//! `@5` sets the clock. Sections of a content are `name:byte`. An answer reads `reply | sent | lines`.

use lrrc_coherence::{
    AgentId, Cas, Claim, Commit, Conflict, Content, Digest, Effect, Event, Generation, Grant, Incarnation,
    Line, Mark, Millis, Outcome, Part, Record, Reply, Rules, Stamp, Version, invariant, step,
};

/// One artifact, its rules and the clock.
pub(crate) struct Stage {
    pub(crate) record: Option<Record>,
    pub(crate) rules: Rules,
    now: Millis,
    lives: u64,
}

fn number(word: &str) -> u64 {
    let digits = word.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.parse().unwrap_or_else(|_| panic!("{word:?} holds no number"))
}

fn digest(byte: u64) -> Digest {
    Digest([byte as u8; 32])
}

impl Stage {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { record: None, rules, now: Millis(0), lives: 0 }
    }

    /// Plays a script of `request => answer` lines; empty lines and `#` lines are skipped.
    pub(crate) fn play(&mut self, script: &str) {
        for (at, line) in script.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (request, expected) = line.split_once("=>").unwrap_or((line, ""));
            let found = self.say(request.trim());
            assert_eq!(found.trim(), expected.trim(), "line {}: {request}", at + 1);
        }
    }

    fn say(&mut self, request: &str) -> String {
        let words: Vec<&str> = request.split_whitespace().collect();
        if let Some(time) = words[0].strip_prefix('@') {
            self.now = Millis(number(time));
            return String::new();
        }
        let event = self.event(AgentId(number(words[0]) as u32), words[1], &words[2..]);
        let before = self.record.clone();
        let result = step(&mut self.record, &event, self.now, &self.rules);
        let laws = invariant::transition(before.as_ref(), &event, self.now, &result, self.record.as_ref());
        laws.unwrap_or_else(|broken| panic!("{request}: {broken}"));
        match result {
            Ok(outcome) => format!("{} | {} | {}", reply(&outcome), sent(&outcome), self.lines()),
            Err(refusal) => format!("! {}", conflict(&refusal)),
        }
    }

    fn event(&mut self, agent: AgentId, verb: &str, rest: &[&str]) -> Event {
        let argument = |letter: char| {
            let named = |word: &&&str| word.starts_with(letter) && word[1..].parse::<u64>().is_ok();
            rest.iter().find(named).map(|word| number(word))
        };
        let incarnation = Incarnation(self.lives);
        let stamp = |version| Stamp { incarnation, version: Version(version) };
        let sections = rest.iter().filter_map(|word| word.split_once(':'));
        let sections: Vec<Part> = sections
            .map(|(name, byte)| Part { name: name.to_owned(), digest: digest(number(byte)) })
            .collect();
        let content = |byte| Content { digest: digest(byte), size_bytes: 1, tokens: 1, sections };
        match verb {
            "create" => {
                self.lives += u64::from(self.record.is_none());
                let incarnation = Incarnation(self.lives);
                Event::Create { agent, incarnation, epoch: 0, content: content(1) }
            }
            "read" => {
                let names = rest.iter().filter(|word| word.starts_with('#')).map(|word| word[1..].to_owned());
                Event::Read { agent, have: argument('v').map(stamp), sections: names.collect() }
            }
            "hit" => Event::Hit { agent, mark: Mark { stamp: stamp(1), generation: Generation(0) } },
            "acquire" => Event::Acquire { agent, lease_ms: argument('l'), wait: rest.contains(&"wait") },
            "commit" => {
                let (base, generation) =
                    (stamp(argument('v').unwrap_or(1)), Generation(argument('g').unwrap_or(0)));
                let content = content(base.version.0 + 1);
                Event::Commit { agent, commit: Commit { generation, base, content } }
            }
            "cas" => {
                let expected = stamp(argument('v').unwrap_or(1));
                let content = content(expected.version.0 + 1);
                Event::CommitCas {
                    agent,
                    cas: Cas { expected, generation: argument('g').map(Generation), content },
                }
            }
            "renew" => Event::Renew { agent, generation: Generation(argument('g').unwrap_or(0)) },
            "release" => Event::Release { agent, generation: argument('g').map(Generation) },
            "lost" => Event::AgentLost { agent },
            "over" => Event::LeaseOver,
            "delete" => Event::Delete { agent, expected: argument('v').map(stamp) },
            "observed" => Event::Observed { ledger: self.elsewhere(agent, rest) },
            _ => panic!("no verb {verb:?}"),
        }
    }

    /// What another home wrote: the ledger with a version, a generation, or a claim of `agent`.
    fn elsewhere(&self, agent: AgentId, rest: &[&str]) -> Option<Box<lrrc_coherence::Ledger>> {
        let mut ledger = self.record.as_ref()?.ledger().clone();
        for word in rest {
            match *word {
                "gone" => return None,
                "claimed" => {
                    let expires = self.now.plus(100);
                    ledger.claim = Some(Claim { agent, since: self.now, expires, lease_ms: 100 });
                }
                "free" => ledger.claim = None,
                "written" => {
                    ledger.past.push(ledger.current);
                    ledger.current.version = ledger.current.version.next();
                    ledger.current.writer = agent;
                }
                _ => ledger.generation = Generation(number(word)),
            }
        }
        Some(Box::new(ledger))
    }

    fn lines(&self) -> String {
        let Some(record) = &self.record else { return "gone".to_owned() };
        let holder = |holder: &lrrc_coherence::Holder| {
            let sections = record.sections_of(holder.agent).map(|names| format!("({})", names.join(",")));
            format!("{}{}{}", holder.agent.0, holder.line, sections.unwrap_or_default())
        };
        let lines: Vec<String> = record.holders().iter().map(holder).collect();
        lines.join(" ")
    }
}

fn mark(mark: Mark) -> String {
    format!("v{} g{}", mark.version().0, mark.generation.0)
}

fn reply(outcome: &Outcome) -> String {
    match &outcome.reply {
        Reply::Created { mark: at } => format!("created {}", mark(*at)),
        Reply::Read(Grant { mark: at, line, sections, delta_from, .. }) => {
            let from = delta_from.map(|version| format!(" from v{}", version.0)).unwrap_or_default();
            let covers =
                if sections.is_empty() { String::new() } else { format!(" ({})", sections.join(",")) };
            format!("read {} {line}{covers}{from}", mark(*at))
        }
        Reply::Noted => "noted".to_owned(),
        Reply::Acquired { mark: at, expires, .. } => format!("acquired {} until {}", mark(*at), expires.0),
        Reply::Waiting { position, holder, expires } => {
            format!("waiting {position} for {} until {}", holder.0, expires.0)
        }
        Reply::Committed { mark: at, line } => format!("committed {} {line}", mark(*at)),
        Reply::Renewed { expires } => format!("renewed until {}", expires.0),
        Reply::Released { mark: at } => format!("released {}", mark(*at)),
        Reply::Settled { ended: None } => "settled".to_owned(),
        Reply::Settled { ended: Some(agent) } => format!("ended {}", agent.0),
        Reply::Deleted { mark: at } => format!("deleted {}", mark(*at)),
    }
}

fn sent(outcome: &Outcome) -> String {
    let one = |effect: &Effect| {
        let what = match effect {
            Effect::Signal { deleted: true, .. } => "gone",
            Effect::Signal { .. } => "signal",
            Effect::Push { .. } => "push",
            Effect::Granted { .. } => "granted",
        };
        format!("{what} {} {}", effect.to().0, mark(effect.mark()))
    };
    let sent: Vec<String> = outcome.effects.iter().map(one).collect();
    if sent.is_empty() { "-".to_owned() } else { sent.join(", ") }
}

fn conflict(conflict: &Conflict) -> String {
    match conflict {
        Conflict::VersionMismatch { expected, actual, base, theirs, .. } => {
            let base = base.as_ref().map_or("unknown".to_owned(), |base| format!("v{}", base.version.0));
            let (expected, actual) = (expected.version.0, actual.version.0);
            format!("expected v{expected}, is v{actual} of {}, base {base}", theirs.writer.0)
        }
        Conflict::OtherHolder { who, since, expires } => {
            format!("held by {} {}..{}", who.0, since.0, expires.0)
        }
        Conflict::StaleGeneration { yours, current } => format!("stale g{}, is g{}", yours.0, current.0),
        Conflict::NotHolder { line } => format!("not holder: {line}"),
        Conflict::QueueFull { bound } => format!("queue of {bound} full"),
        Conflict::UnknownArtifact => "unknown".to_owned(),
        Conflict::UnknownSection { section } => format!("no section {section}"),
        Conflict::AlreadyExists { actual } => format!("exists at v{}", actual.version.0),
        Conflict::DoubleSection { section } => format!("two sections {section}"),
    }
}

/// The line of an agent in a record that exists.
pub(crate) fn line(stage: &Stage, agent: u32) -> Line {
    stage.record.as_ref().map_or(Line::Invalid, |record| record.line(AgentId(agent)))
}
