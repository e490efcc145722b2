//! All records of a home.

use std::collections::BTreeMap;

use crate::{AgentId, Conflict, Content, Event, Millis, Outcome, Record, Rules, Write};

/// The records of a home that keeps all of them in memory, by key.
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
    /// The artifact exists.
    pub fn create(
        &mut self,
        key: &K,
        agent: AgentId,
        content: Content,
        now: Millis,
    ) -> Result<Outcome, Conflict> {
        let _ = (key, agent, content, now);
        unimplemented!()
    }

    /// Applies one event to one artifact: see [`crate::step`].
    ///
    /// # Errors
    /// A guard does not hold; then nothing has changed.
    pub fn step(&mut self, key: &K, event: &Event, now: Millis) -> Result<Outcome, Conflict> {
        let _ = (key, event, now);
        unimplemented!()
    }

    /// Writes all members or none: see [`crate::commit_all`].
    ///
    /// # Errors
    /// The index of the first member that does not pass, and why; then nothing has changed.
    pub fn commit_all(
        &mut self,
        agent: AgentId,
        writes: &[(K, Write)],
        now: Millis,
    ) -> Result<Vec<Outcome>, (usize, Conflict)> {
        let _ = (agent, writes, now);
        unimplemented!()
    }

    /// Ends the session of an agent everywhere. Outcomes of the artifacts that it touched, by key.
    pub fn agent_lost(&mut self, agent: AgentId, now: Millis) -> Vec<(K, Outcome)> {
        let _ = (agent, now);
        unimplemented!()
    }

    /// Reclaims every claim whose lease is over. Outcomes of the artifacts that had one, by key.
    pub fn lease_over(&mut self, now: Millis) -> Vec<(K, Outcome)> {
        let _ = now;
        unimplemented!()
    }
}
