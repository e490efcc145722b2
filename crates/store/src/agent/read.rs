//! Reads: from a copy, or by the smallest request that makes the copy current.

use bytes::Bytes;
use lrrc_coherence::{Confirmed, Digest, Lookup, Mark, Millis, delta};

use super::{Agent, Freshness, Kept, Op, Outcome, Pending, Read, SectionRead};
use crate::digest::digest_of;
use crate::name::Name;
use crate::wire::divide::sections;
use crate::wire::{Body, Divide, ReadAnswer, Request};

/// What became of a body.
pub(super) enum Assembled {
    /// The whole content.
    Whole(Bytes),
    /// The sections that were asked for.
    Sections(Vec<(String, Bytes)>),
    /// It does not fit what the agent has, or not its digest.
    Bad,
}

impl Agent {
    /// The answer to a read from the agent's own copy, if it may be read.
    pub(super) fn read_copy(&mut self, op: &Op, now: Millis) -> Option<Outcome> {
        let (name, wanted) = match op {
            Op::Read { name, fresh: false } => (name, &[][..]),
            Op::ReadSections { name, sections, fresh: false } if !sections.is_empty() => {
                (name, &sections[..])
            }
            _ => return None,
        };
        let confirmed = Confirmed { at: self.confirmed.1, lag: 0 };
        let looked = self.cache.as_mut()?.lookup(name, wanted, now, confirmed);
        let Lookup::Hit { mark, digest, age_ms } = looked else { return None };
        let confirmed_revision = self.confirmed.0;
        let freshness = Freshness { mark, confirmed_revision, age_ms, from_copy: true };
        if wanted.is_empty() {
            let bytes = self.shelf.get(&digest)?;
            return Some(Outcome::Read(Read { bytes, digest, freshness }));
        }
        let found: Option<Vec<(String, Bytes)>> = wanted
            .iter()
            .map(|section| Some((section.clone(), self.section(name, section, &digest)?)))
            .collect();
        Some(Outcome::Sections(SectionRead { sections: found?, freshness }))
    }

    /// The bytes of one section: cut from the whole content, or kept apart.
    fn section(&mut self, name: &Name, section: &str, whole: &Digest) -> Option<Bytes> {
        let kept = self.kept.get(name)?;
        if kept.digest == *whole
            && let Some(bytes) = self.shelf.get(whole)
        {
            let spans = sections(&bytes, kept.divide, usize::MAX).ok()?;
            let span = spans.into_iter().find(|span| span.name == section)?;
            return Some(bytes.slice(span.range));
        }
        self.shelf.get(kept.parts.get(section)?)
    }

    /// The request for an ask; a read says what the agent has, and keeps hold of it until the answer.
    pub(super) fn request_for(&mut self, pending: &mut Pending) -> Request {
        let (name, sections) = match &pending.op {
            Op::Ask(request) => return request.clone(),
            Op::Read { name, .. } => (name.clone(), Vec::new()),
            Op::ReadSections { name, sections, .. } => (name.clone(), sections.clone()),
        };
        pending.base = None;
        let mut parts = Vec::new();
        if let Some(kept) = self.kept.get(&name) {
            if let Some(bytes) = self.shelf.get(&kept.digest) {
                pending.base = Some((kept.stamp, bytes));
            }
            let known = sections.iter().filter_map(|section| kept.parts.get(section));
            parts = known.filter(|digest| self.shelf.get(digest).is_some()).copied().collect();
        }
        let have = pending.base.as_ref().filter(|_| sections.is_empty()).map(|(stamp, _)| *stamp);
        Request::Read { name, have, sections, parts }
    }

    /// Puts together what the home sent and what the agent has.
    pub(super) fn assemble(&mut self, pending: &Pending, answer: &ReadAnswer) -> Assembled {
        let base = pending.base.as_ref().map(|(_, bytes)| bytes);
        let whole = match (&answer.body, base) {
            (Body::Sections(slices), _) => {
                let found = slices.iter().map(|slice| {
                    let digest = &slice.section.digest;
                    let bytes = match &slice.bytes {
                        Some(bytes) => bytes.clone(),
                        None => self.shelf.get(digest)?,
                    };
                    (digest_of(&bytes) == *digest).then(|| (slice.section.name.clone(), bytes))
                });
                let found: Option<Vec<_>> = found.collect();
                return found.map_or(Assembled::Bad, Assembled::Sections);
            }
            (Body::Whole(bytes), _) => bytes.clone(),
            (Body::Same, Some(base)) => base.clone(),
            (Body::Delta { pieces, .. }, Some(base)) => {
                let pieces = pieces.iter().cloned().map(delta::Piece::from).collect();
                match delta::apply(base, &delta::Delta::Pieces(pieces)) {
                    Ok(bytes) => bytes.into(),
                    Err(_) => return Assembled::Bad,
                }
            }
            (Body::Same | Body::Delta { .. }, None) => return Assembled::Bad,
        };
        if digest_of(&whole) == answer.grant.edition.digest {
            Assembled::Whole(whole)
        } else {
            Assembled::Bad
        }
    }

    /// Keeps a whole content as the newest that the agent has of an artifact.
    pub(super) fn keep(&mut self, name: &Name, mark: Mark, digest: Digest, divide: Divide, bytes: Bytes) {
        self.shelf.put(digest, bytes);
        let kept = Kept { stamp: mark.stamp, digest, divide, parts: Default::default() };
        self.kept.insert(name.clone(), kept);
    }

    /// Keeps sections beside what the agent has of an artifact.
    pub(super) fn keep_sections(&mut self, name: &Name, answer: &ReadAnswer, found: &[(String, Bytes)]) {
        let kept = self.kept.entry(name.clone()).or_insert_with(|| Kept {
            stamp: answer.grant.mark.stamp,
            digest: answer.grant.edition.digest,
            divide: answer.divide,
            parts: Default::default(),
        });
        let Body::Sections(slices) = &answer.body else { return };
        for (slice, (section, bytes)) in slices.iter().zip(found) {
            kept.parts.insert(section.clone(), slice.section.digest);
            self.shelf.put(slice.section.digest, bytes.clone());
        }
    }
}
