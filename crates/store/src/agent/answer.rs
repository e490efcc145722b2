//! What the home says, and what follows from it.

use std::collections::BTreeSet;

use lrrc_coherence::{Cache, Mark, Millis, Rules};

use super::read::Assembled;
use super::{Agent, Freshness, Happened, Op, Outcome, Pending, Read, SectionRead, State, Watched};
use crate::backend::Revision;
use crate::error::{Refusal, StoreError};
use crate::limits::Limits;
use crate::name::Name;
use crate::wire::{Answer, Body, Change, Committed, Payload, Piece, ReadAnswer, Request, Says, Ticket};

impl Agent {
    pub(super) fn hear(&mut self, says: Says, now: Millis) {
        match says {
            Says::Welcome { agent, limits, rules } => self.welcomed(agent, &limits, &rules, now),
            Says::Answer { ticket, confirmed, lag_ms, outcome } => {
                self.answered(ticket, confirmed, lag_ms, outcome, now);
            }
            Says::Invalidate { name, mark } => {
                if let Some(cache) = &mut self.cache {
                    cache.signal(&name, mark);
                }
                self.happened.push_back(Happened::Invalidated(name, mark));
            }
            Says::Pushed { name, mark, sections, read } => self.pushed(&name, mark, &sections, &read),
            Says::Changed(changed) => {
                // A joint commit has several changes of one revision: the others may not have come.
                self.has_seen(Revision(changed.revision.0.saturating_sub(1)));
                self.happened.push_back(Happened::Changed(changed));
            }
            Says::Goodbye { why } => self.down(why),
        }
    }

    /// Everything up to `revision` was told to each watch that is live. The turn of one who waits says less: it is told in
    /// the middle of a step, before the other changes of its revision.
    fn has_seen(&mut self, revision: Revision) {
        for watched in self.watches.values_mut().filter(|watched| watched.is_live) {
            watched.seen = watched.seen.max(revision);
        }
    }

    /// The session stands: what waited is sent, oldest first, and watches go on where they were.
    fn welcomed(&mut self, agent: lrrc_coherence::AgentId, limits: &Limits, rules: &Rules, now: Millis) {
        let bound = self.config.bound;
        self.ping_every_ms = (bound.age_ms / 3).min(limits.silence_ms_max / 3).clamp(10, 1000);
        self.cache = Some(Cache::new(agent, rules.strategy, bound));
        self.limits = *limits;
        self.state = State::Up;
        self.happened.push_back(Happened::Up(agent));
        let waiting: Vec<Ticket> = self.pending.keys().copied().collect();
        for ticket in waiting {
            self.send(ticket, now);
        }
        self.watch_again(now);
        let ticket = self.ticket();
        self.enqueue(ticket, Op::Ask(Request::Ping), None, 0, now);
    }

    /// Asks for each watch that the home does not tell of, from where it was.
    pub(super) fn watch_again(&mut self, now: Millis) {
        let asked: BTreeSet<&String> = self.pending.values().filter_map(watched).collect();
        let silent =
            self.watches.iter().filter(|(prefix, watched)| !watched.is_live && !asked.contains(prefix));
        let silent: Vec<_> = silent.map(|(prefix, watched)| (prefix.clone(), watched.seen)).collect();
        for (prefix, seen) in silent {
            let ticket = self.ticket();
            let watch = Request::Watch { prefix, after: Some(seen) };
            self.enqueue(ticket, Op::Ask(watch), None, 0, now);
        }
    }

    fn answered(
        &mut self,
        ticket: Ticket,
        confirmed: Revision,
        lag_ms: u64,
        outcome: Result<Answer, Refusal>,
        now: Millis,
    ) {
        let Some(mut pending) = self.pending.remove(&ticket) else { return };
        let sent = asked_at(&pending);
        let as_of = Millis(sent.0.saturating_sub(lag_ms));
        self.confirmed = (self.confirmed.0.max(confirmed), self.confirmed.1.max(as_of));
        if !pending.is_waiting {
            self.has_seen(confirmed);
        }
        let done = match outcome {
            Ok(Answer::Waiting(place)) => {
                pending.is_waiting = true;
                let caller = pending.caller;
                self.pending.insert(ticket, pending);
                if let Some(caller) = caller {
                    self.happened.push_back(Happened::Waits(caller, place));
                }
                return;
            }
            Ok(Answer::Read(answer)) => match self.read_done(&pending, &answer, as_of, now) {
                Some(done) => done,
                None => return self.ask_again(pending, now),
            },
            Ok(answer) => {
                self.note(&pending, &answer, now);
                Ok(Outcome::Answer(answer))
            }
            Err(refusal) => {
                self.refused(&pending, &refusal, now);
                Err(StoreError::Refused(refusal))
            }
        };
        if let Some(caller) = pending.caller {
            self.happened.push_back(Happened::Done(caller, done));
        }
    }

    /// `None` where the answer builds on something that the agent has wrong.
    fn read_done(
        &mut self,
        pending: &Pending,
        answer: &ReadAnswer,
        as_of: Millis,
        now: Millis,
    ) -> Option<Result<Outcome, StoreError>> {
        let (Op::Read { name, .. } | Op::ReadSections { name, .. }) = &pending.op else { return None };
        let grant = &answer.grant;
        let freshness = Freshness {
            mark: grant.mark,
            confirmed_revision: self.confirmed.0,
            age_ms: now.since(as_of),
            from_copy: false,
        };
        let digest = grant.edition.digest;
        self.count(&answer.body);
        let outcome = match self.assemble(pending, answer) {
            Assembled::Whole(bytes) => {
                self.keep(name, grant.mark, digest, answer.divide, bytes.clone());
                Outcome::Read(Read { bytes, digest, freshness })
            }
            Assembled::Sections(sections) => {
                self.keep_sections(name, answer, &sections);
                Outcome::Sections(SectionRead { sections, freshness })
            }
            Assembled::Bad if pending.tries < self.config.tries && !matches!(answer.body, Body::Whole(_)) => {
                return None;
            }
            Assembled::Bad => {
                let (name, version) = (name.clone(), grant.edition.version);
                return Some(Err(StoreError::Damaged { name, version, digest }));
            }
        };
        if let Some(cache) = &mut self.cache {
            cache.fill(name, grant, as_of);
        }
        Some(Ok(outcome))
    }

    fn count(&mut self, body: &Body) {
        let counts = &mut self.counts;
        let (count, bytes) = match body {
            Body::Same => (&mut counts.same, 0),
            Body::Whole(bytes) => (&mut counts.whole, bytes.len()),
            Body::Delta { pieces, .. } => {
                let inserted = pieces.iter().map(|piece| match piece {
                    Piece::Insert(bytes) => bytes.len(),
                    Piece::Keep { .. } => 0,
                });
                (&mut counts.delta, inserted.sum())
            }
            Body::Sections(slices) => {
                let sent = slices.iter().filter_map(|slice| slice.bytes.as_ref()).map(bytes::Bytes::len);
                (&mut counts.sections, sent.sum())
            }
        };
        *count += 1;
        counts.bytes += bytes as u64;
    }

    /// Asks for the whole content: what the agent has of it is wrong.
    fn ask_again(&mut self, pending: Pending, now: Millis) {
        if let Op::Read { name, .. } | Op::ReadSections { name, .. } = &pending.op {
            self.kept.remove(name);
        }
        let ticket = self.ticket();
        self.enqueue(ticket, pending.op, pending.caller, pending.tries, now);
    }

    /// What an answer means for the agent's copies and claims.
    fn note(&mut self, pending: &Pending, answer: &Answer, now: Millis) {
        let Op::Ask(request) = &pending.op else { return };
        match (request, answer) {
            (
                Request::Create { name, content } | Request::Commit(Change { name, content, .. }),
                Answer::Committed(committed),
            ) => self.committed(name, content, committed, asked_at(pending)),
            (Request::CommitAll(changes), Answer::CommittedAll(all)) => {
                for (change, committed) in changes.iter().zip(all) {
                    self.committed(&change.name, &change.content, committed, asked_at(pending));
                }
            }
            (Request::Acquire { name, .. }, Answer::Acquired(claimed)) => {
                self.acquired(name, claimed.mark, pending, now);
            }
            (Request::Release { name, .. }, Answer::Released { mark })
            | (Request::Delete { name, .. }, Answer::Deleted { mark }) => {
                match request {
                    Request::Release { generation, .. } => self.forget_claim(name, *generation),
                    _ => drop(self.claims.remove(name)),
                }
                if let Some(cache) = &mut self.cache {
                    cache.released(name, *mark);
                }
            }
            (Request::Watch { prefix, .. }, Answer::Watching { from }) => {
                if let Some(watched) = self.watches.get_mut(prefix) {
                    *watched = Watched { seen: watched.seen.max(*from), is_live: true };
                }
            }
            _ => {}
        }
    }

    fn committed(&mut self, name: &Name, content: &Payload, committed: &Committed, asked_at: Millis) {
        self.keep(name, committed.mark, committed.digest, committed.divide, content.bytes.clone());
        if let Some(cache) = &mut self.cache {
            cache.committed(name, committed.mark, committed.digest, committed.line, asked_at);
        }
    }

    /// A claim that nobody waits for is given back, unless another caller of this agent has it.
    fn acquired(&mut self, name: &Name, mark: Mark, pending: &Pending, now: Millis) {
        let asked_at = if pending.is_waiting { self.confirmed.1 } else { asked_at(pending) };
        if let Some(cache) = &mut self.cache {
            cache.acquired(name, mark, asked_at);
        }
        if pending.caller.is_some() {
            self.claims.insert(name.clone(), mark.generation);
        } else if self.claims.get(name) != Some(&mark.generation) {
            self.discard_claim(name, mark.generation, now);
        }
    }

    /// A watch that was told of before goes on being asked for, with the next ping at the latest.
    fn refused(&mut self, pending: &Pending, refusal: &Refusal, now: Millis) {
        let Op::Ask(Request::Watch { prefix, .. }) = &pending.op else { return };
        if pending.caller.is_some() {
            self.watches.remove(prefix);
        } else if let (true, Refusal::FeedLost { .. }) = (self.watches.contains_key(prefix), refusal) {
            let prefix = prefix.clone();
            self.happened.push_back(Happened::WatchGap(prefix.clone()));
            let ticket = self.ticket();
            self.enqueue(ticket, Op::Ask(Request::Watch { prefix, after: None }), None, 0, now);
        }
    }

    /// A content that was not asked for. One that does not fit its digest is a signal.
    fn pushed(&mut self, name: &Name, mark: Mark, sections: &[String], read: &ReadAnswer) {
        let digest = read.grant.edition.digest;
        let whole = match &read.body {
            Body::Whole(bytes) if crate::digest::digest_of(bytes) == digest => Some(bytes.clone()),
            _ => None,
        };
        let Some(cache) = &mut self.cache else { return };
        match whole {
            Some(bytes) => {
                if cache.push(name, mark, digest, sections) {
                    self.keep(name, mark, digest, read.divide, bytes);
                }
            }
            None => {
                cache.signal(name, mark);
            }
        }
        self.happened.push_back(Happened::Invalidated(name.clone(), mark));
    }
}

fn asked_at(pending: &Pending) -> Millis {
    pending.sent.unwrap_or(Millis(0))
}

fn watched(pending: &Pending) -> Option<&String> {
    match &pending.op {
        Op::Ask(Request::Watch { prefix, .. }) => Some(prefix),
        _ => None,
    }
}
