//! The home's own trace, replayed through the pure core: the records as the protocol must have them.
//!
//! Each line is checked against the laws of one step, and against what the home says came of it, so a home that does
//! anything but the protocol is found at its first step that differs.

use std::collections::BTreeMap;

use lrrc_coherence::trace::{TraceLine, What};
use lrrc_coherence::{AgentId, Event, Ledger, Line, Mark, Record, Rules, Write, commit_all, invariant, step};

use super::truth::Truth;
use crate::verdict::Broken;

/// Records of one run of a home, by name. A record that the home has not loaded is not here either.
#[derive(Debug)]
pub(super) struct Mirror {
    rules: Rules,
    records: BTreeMap<String, Record>,
}

impl Mirror {
    pub(super) const fn new(rules: Rules) -> Self {
        Self { rules, records: BTreeMap::new() }
    }

    /// The rules that the home goes by.
    pub(super) const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The home starts again: it knows no record until it has read it.
    pub(super) fn restart(&mut self) {
        self.records.clear();
    }

    /// Version and generation of a record, if the home has it.
    pub(super) fn mark(&self, name: &str) -> Option<Mark> {
        self.records.get(name).map(|record| record.ledger().mark())
    }

    /// Takes in one line; what it wrote goes into `truth`.
    pub(super) fn take(&mut self, line: &TraceLine, truth: &mut Truth) -> Result<(), Broken> {
        match &line.what {
            What::Step { artifact, event } => self.step(artifact, event, line, truth),
            What::All { agent, members } => self.joint(*agent, members, line, truth),
            What::Deliver { .. } => Ok(()),
        }
    }

    fn step(&mut self, name: &str, event: &Event, line: &TraceLine, truth: &mut Truth) -> Result<(), Broken> {
        let before = self.records.remove(name);
        let mut after = before.clone();
        let result = step(&mut after, event, line.at, &self.rules);
        invariant::transition(before.as_ref(), event, line.at, &result, after.as_ref())
            .map_err(|broken| Broken::Protocol { what: format!("{broken}, by {event:?} on {before:?}") })?;
        let of = |record: Option<&Record>| {
            event.agent().zip(record).map_or(Line::Invalid, |(agent, record)| record.line(agent))
        };
        let ledger = after.as_ref().map(Record::ledger);
        let agrees = result.as_ref().err() == line.conflict.as_ref()
            && ledger.map(|ledger| ledger.current.version) == line.version
            && ledger.map(|ledger| ledger.generation) == line.generation
            && (of(before.as_ref()), of(after.as_ref())) == (line.before, line.after);
        if !agrees {
            let what = format!(
                "the home says {line:?}, and the protocol {result:?} at {:?}",
                ledger.map(Ledger::mark)
            );
            return Err(Broken::Protocol { what });
        }
        truth.moved(name, before.as_ref(), after.as_ref(), line.at)?;
        self.records.extend(after.map(|record| (name.to_owned(), record)));
        Ok(())
    }

    fn joint(
        &mut self,
        agent: AgentId,
        members: &[(String, Write)],
        line: &TraceLine,
        truth: &mut Truth,
    ) -> Result<(), Broken> {
        let names = members.iter().map(|(name, _)| name.as_str());
        let before: Option<Vec<Record>> = names.clone().map(|name| self.records.get(name).cloned()).collect();
        // A member that does not exist is refused before the protocol is asked.
        let Some(before) = before else { return Ok(()) };
        let mut after = before.clone();
        let mut pairs: Vec<(&mut Record, Write)> =
            after.iter_mut().zip(members).map(|(record, (_, write))| (record, write.clone())).collect();
        let result = commit_all(&mut pairs, agent, line.at, &self.rules);
        let [old, new] = [&before, &after].map(|records| records.iter().collect::<Vec<_>>());
        invariant::joint(&old, result.is_ok(), &new).map_err(|broken| law(&broken))?;
        if result.is_ok() != line.conflict.is_none() {
            return Err(Broken::Protocol {
                what: format!("the home says {line:?}, and the protocol {result:?}"),
            });
        }
        for ((name, before), after) in names.zip(before).zip(after) {
            invariant::record(&after).map_err(|broken| law(&broken))?;
            truth.moved(name, Some(&before), Some(&after), line.at)?;
            self.records.insert(name.to_owned(), after);
        }
        Ok(())
    }
}

fn law(broken: &invariant::Broken) -> Broken {
    Broken::Protocol { what: broken.to_string() }
}
