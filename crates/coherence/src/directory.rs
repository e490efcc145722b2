//! All records of a home.

use std::collections::BTreeMap;

use crate::{AgentId, Conflict, Content, Event, Incarnation, Millis, Outcome, Record, Reply, Rules, Write};

/// The records of a home that keeps all of them in memory, by key.
///
/// A home over a store keeps its records itself, because it writes each ledger before it answers; it calls
/// [`crate::step`] directly.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Directory<K: Ord> {
    records: BTreeMap<K, Record>,
    rules: Rules,
    incarnations: u64,
}

impl<K: Ord + Clone> Directory<K> {
    /// An empty directory.
    #[must_use]
    pub const fn new(rules: Rules) -> Self {
        Self { records: BTreeMap::new(), rules, incarnations: 0 }
    }

    /// The rules of the directory.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The record of a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&Record> {
        self.records.get(key)
    }

    /// All records, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &Record)> {
        self.records.iter()
    }

    /// Creates an artifact, with an incarnation that this directory has never given.
    ///
    /// # Errors
    /// The artifact exists, or two sections of the content have one name.
    pub fn create(
        &mut self,
        key: &K,
        agent: AgentId,
        content: Content,
        now: Millis,
    ) -> Result<Outcome, Conflict> {
        let incarnation = Incarnation(self.incarnations + 1);
        self.step(key, &Event::Create { agent, incarnation, epoch: 0, content }, now)
    }

    /// Applies one event to one artifact: see [`crate::step`].
    ///
    /// # Errors
    /// A guard does not hold; then nothing has changed.
    pub fn step(&mut self, key: &K, event: &Event, now: Millis) -> Result<Outcome, Conflict> {
        let outcome = match self.records.get_mut(key) {
            Some(_) if matches!(event, Event::Delete { .. } | Event::Observed { ledger: None }) => {
                let mut record = self.records.remove(key);
                let outcome = crate::step(&mut record, event, now, &self.rules);
                self.records.extend(record.map(|record| (key.clone(), record)));
                outcome
            }
            Some(known) => crate::step::step_known(known, event, now, &self.rules),
            None => {
                let mut record = None;
                let outcome = crate::step(&mut record, event, now, &self.rules);
                self.records.extend(record.map(|record| (key.clone(), record)));
                outcome
            }
        }?;
        if let Some(record) = self.records.get(key) {
            self.incarnations = self.incarnations.max(record.ledger.incarnation.0);
        }
        Ok(outcome)
    }

    /// Writes all members or none: see [`crate::commit_all`].
    ///
    /// # Errors
    /// The index of the first member that does not pass, and why; then nothing has changed. A key that comes twice
    /// fails at its second place, because two writes cannot both be based on one version.
    pub fn commit_all(
        &mut self,
        agent: AgentId,
        writes: &[(K, Write)],
        now: Millis,
    ) -> Result<Vec<Outcome>, (usize, Conflict)> {
        let mut records: BTreeMap<&K, Record> = BTreeMap::new();
        let mut outcomes = Vec::with_capacity(writes.len());
        for (at, (key, write)) in writes.iter().enumerate() {
            let known = records.remove(key).or_else(|| self.records.get(key).cloned());
            let mut record = known.ok_or((at, Conflict::UnknownArtifact))?;
            let written = crate::commit_all(&mut [(&mut record, write.clone())], agent, now, &self.rules);
            outcomes.extend(written.map_err(|(_, conflict)| (at, conflict))?);
            records.insert(key, record);
        }
        let records: Vec<(K, Record)> =
            records.into_iter().map(|(key, record)| (key.clone(), record)).collect();
        self.records.extend(records);
        Ok(outcomes)
    }

    /// Ends the session of an agent everywhere. Outcomes of the artifacts that it touched, by key.
    pub fn agent_lost(&mut self, agent: AgentId, now: Millis) -> Vec<(K, Outcome)> {
        let event = Event::AgentLost { agent };
        self.sweep(&event, now, |record| {
            record.holder(agent).is_some() || record.waiting.iter().any(|waiter| waiter.agent == agent)
        })
    }

    /// Reclaims every claim whose lease is over. Outcomes of the artifacts that had one, by key.
    pub fn lease_over(&mut self, now: Millis) -> Vec<(K, Outcome)> {
        let is_over = |record: &Record| record.ledger.claim.is_some_and(|claim| claim.expires <= now);
        self.sweep(&Event::LeaseOver, now, is_over)
    }

    /// Applies an event that is never refused to each record that it concerns.
    fn sweep(&mut self, event: &Event, now: Millis, concerns: impl Fn(&Record) -> bool) -> Vec<(K, Outcome)> {
        let Self { records, rules, .. } = self;
        let known = records.iter_mut().filter(|(_, record)| concerns(record));
        let outcome = |(key, record): (&K, &mut Record)| {
            let outcome = crate::step::step_known(record, event, now, rules);
            let quiet = Outcome::quiet(Reply::Settled { ended: None });
            (key.clone(), outcome.unwrap_or(quiet))
        };
        known.map(outcome).collect()
    }
}
