//! The feed of changes: what other homes did, and what watchers are told.

use std::collections::{BTreeMap, VecDeque};

use lrrc_coherence::{AgentId, Digest, Millis, Stamp};

use super::Home;
use super::record::{ARTIFACTS, storage};
use super::stored::Stored;
use crate::backend::{Backend, BackendError, Change, Entry, Revision};
use crate::error::Refusal;
use crate::name::Name;
use crate::wire::{Answer, Changed, Says};

/// Changes that are read at once.
const PAGE: usize = 1024;

/// How long a watcher may be away and still be told what it missed, in milliseconds.
const FEED_KEPT_MS: u64 = 3_600_000;

/// How often the feed is cut, in milliseconds.
const CUT_EVERY_MS: u64 = 60_000;

/// How far the home has come in the feed.
#[derive(Debug)]
pub(super) struct Feed {
    /// Every change up to this revision is known and signalled.
    pub(super) applied: Revision,
    /// When that was known to be the newest revision.
    pub(super) applied_at: Millis,
    /// The version of each name that the feed showed last.
    shown: BTreeMap<Name, Stamp>,
    /// Times and revisions at which the feed may be cut later.
    cuts: VecDeque<(Millis, Revision)>,
}

impl Feed {
    pub(super) fn new(applied: Revision, now: Millis) -> Self {
        let cuts = VecDeque::from([(now, applied)]);
        Self { applied, applied_at: now, shown: BTreeMap::new(), cuts }
    }
}

impl<B: Backend> Home<B> {
    /// The home has written. One that is alone knows by that that nothing lies between.
    pub(super) fn wrote(&mut self, revision: Revision) {
        if !self.is_shared() {
            self.feed.applied = self.feed.applied.max(revision);
        }
    }

    /// Takes in what other homes changed: their signals go out here, and watchers are told in the order of revisions.
    /// Does nothing for a home that is alone.
    pub fn follow(&mut self, now: Millis) {
        if !self.is_shared() {
            return;
        }
        match self.take_in_changes(now) {
            Ok(()) => {
                self.feed.applied_at = now;
                self.end_leases(now);
                self.end_orphans(now);
            }
            Err(BackendError::Compacted { .. }) => self.feed_lost(now),
            Err(_) => {}
        }
    }

    /// Takes in every change until now. A page that is not full may still not be the last, because it never ends within a
    /// commit; and one that never is the last, because others write on, must not keep the home.
    fn take_in_changes(&mut self, now: Millis) -> Result<(), BackendError> {
        let mut newest = None;
        while newest.is_none_or(|newest| self.feed.applied < newest) {
            let changes = self.backend.changes(self.feed.applied, PAGE)?;
            if changes.is_empty() {
                break;
            }
            for change in changes {
                self.take_in_change(&change, now);
            }
            if newest.is_none() {
                newest = Some(self.backend.revision()?);
            }
        }
        Ok(())
    }

    fn take_in_change(&mut self, change: &Change, now: Millis) {
        self.feed.applied = self.feed.applied.max(change.revision);
        if self.take_in_block(change, now) {
            return;
        }
        let Some(name) = artifact(&change.key) else { return };
        let known = self.records.get(&name);
        if known.is_some_and(|slot| slot.revision.is_none_or(|known| known < change.revision)) {
            let entry = change.value.clone().map(|value| Entry { value, revision: change.revision });
            if self.take_in(&name, entry, now).is_err() {
                self.doubt(&name);
            }
        }
        let now = changed_to(change);
        let stamp = now.map(|(stamp, _)| stamp);
        let shown = match stamp {
            Some(stamp) => self.feed.shown.insert(name.clone(), stamp),
            None => self.feed.shown.remove(&name),
        };
        // A change of the claim alone is no version.
        if stamp.is_none() || stamp != shown {
            self.tell_watchers(&name, now, change.revision);
        }
    }

    /// What happened in between is gone: every record is asked for again, and every session ends, so that the agents
    /// drop their copies.
    fn feed_lost(&mut self, now: Millis) {
        let Ok(revision) = self.backend.revision() else { return };
        let agents: Vec<AgentId> = self.sessions.keys().copied().collect();
        for agent in agents {
            self.end(agent, Refusal::SessionOver { why: "the home lost its feed".into() }, now);
        }
        self.records.clear();
        self.claimed.clear();
        self.forget_peers();
        self.feed = Feed::new(revision, now);
    }

    /// A version came or went by a write of this home. A shared home tells of it when the feed does, in its order.
    pub(super) fn changed(&mut self, name: &Name, to: Option<(Stamp, Digest)>) {
        if !self.is_shared() {
            self.tell_watchers(name, to, self.feed.applied);
        }
    }

    fn tell_watchers(&mut self, name: &Name, to: Option<(Stamp, Digest)>, revision: Revision) {
        let watching = self
            .sessions
            .iter()
            .filter(|(_, session)| session.watches.iter().any(|prefix| name.starts_with(prefix.as_str())));
        let agents: Vec<AgentId> = watching.map(|(agent, _)| *agent).collect();
        for agent in agents {
            self.say(agent, Says::Changed(Changed { revision, name: name.clone(), now: to }));
        }
    }

    /// Begins a watch. What changed after a revision is told first: the newest state of each name, once, oldest change
    /// first. A claim that came or went in between shows as the version that was there already.
    pub(super) fn watch(
        &mut self,
        agent: AgentId,
        prefix: &str,
        after: Option<Revision>,
    ) -> Result<Answer, Refusal> {
        let missed = after.map_or_else(|| Ok(Vec::new()), |after| self.missed(prefix, after))?;
        let limit = self.limits.watches_max as u64;
        let from = self.feed.applied;
        let Some(session) = self.sessions.get_mut(&agent) else {
            return Err(Refusal::SessionOver { why: format!("{agent} has no session") });
        };
        session.watches.insert(prefix.to_owned());
        let found = session.watches.len() as u64;
        if found > limit {
            session.watches.remove(prefix);
            return Err(Refusal::TooMany { what: "watched prefixes".into(), found, limit });
        }
        for changed in missed {
            self.say(agent, Says::Changed(changed));
        }
        Ok(Answer::Watching { from })
    }

    pub(super) fn unwatch(&mut self, agent: AgentId, prefix: &str) -> Answer {
        if let Some(session) = self.sessions.get_mut(&agent) {
            session.watches.remove(prefix);
        }
        Answer::Unwatched
    }

    fn missed(&self, prefix: &str, after: Revision) -> Result<Vec<Changed>, Refusal> {
        let newest = self.feed.applied;
        let lost = || Refusal::FeedLost { after: after.0, newest: newest.0 };
        let mut latest: BTreeMap<Name, Change> = BTreeMap::new();
        let mut from = after;
        while from < newest {
            let page = match self.backend.changes(from, PAGE) {
                Ok(page) => page,
                Err(BackendError::Compacted { .. }) => return Err(lost()),
                Err(error) => return Err(storage(error)),
            };
            let Some(last) = page.last() else { break };
            from = last.revision;
            let seen = page.into_iter().filter(|change| change.revision <= newest);
            latest.extend(seen.filter_map(|change| Some((artifact(&change.key)?, change))));
        }
        latest.retain(|name, _| name.starts_with(prefix));
        if latest.len() >= self.limits.outbox_max {
            return Err(lost());
        }
        let mut missed: Vec<Changed> = latest
            .into_iter()
            .map(|(name, change)| Changed { revision: change.revision, name, now: changed_to(&change) })
            .collect();
        missed.sort_by_key(|changed| changed.revision);
        Ok(missed)
    }

    /// Cuts the feed behind what watchers may still ask for.
    pub(super) fn forget_feed(&mut self, now: Millis) {
        let last = self.feed.cuts.back().map_or(Millis(0), |(at, _)| *at);
        if now.since(last) < CUT_EVERY_MS {
            return;
        }
        self.feed.cuts.push_back((now, self.feed.applied));
        let mut cut = None;
        while self.feed.cuts.front().is_some_and(|(at, _)| now.since(*at) > FEED_KEPT_MS) {
            cut = self.feed.cuts.pop_front();
        }
        if let Some((_, through)) = cut {
            // A feed that is longer than it has to be is no fault.
            let _ = self.backend.compact(through);
        }
    }
}

fn artifact(key: &str) -> Option<Name> {
    key.strip_prefix(ARTIFACTS)?.parse().ok()
}

/// A record that cannot be read shows as a change to nothing: its reader meets the fault with its values.
fn changed_to(change: &Change) -> Option<(Stamp, Digest)> {
    let ledger = Stored::decode(&change.key, change.value.as_ref()?).ok()?.ledger;
    Some((ledger.stamp(), ledger.current.digest))
}
