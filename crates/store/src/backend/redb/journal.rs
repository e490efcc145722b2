//! The journal before the database: what makes a commit durable with one write and one sync of a few blocks.
//!
//! A batch is laid down as one frame and synced; the database applies it in memory and reaches the disk later, with one
//! commit for all frames of a lap. A frame carries the epoch of its run and a number without a gap, and every transaction
//! of the database notes the number of the last frame that it holds. So a store that was not closed is brought up to date
//! by the frames of its last run that follow that number, and a frame of another lap or run, or a torn one, is never
//! taken for one of them.
//!
//! A frame: length and number and epoch, 8 bytes each, big end first; 32 bytes of BLAKE3 over these and the payload; the
//! payload in MessagePack; zeros to the end of the block.

use std::sync::Arc;

use bytes::Bytes;
use lrrc_coherence::Digest;
use redb::StorageBackend;
use serde::{Deserialize, Serialize};

use super::super::{Batch, Expect, Revision, Write};
use super::region::BLOCK_BYTES;

/// Length, number, epoch.
const WORDS_BYTES: usize = 24;
const HEADER_BYTES: usize = WORDS_BYTES + 32;

/// A journal that is open for the frames of one run.
#[derive(Debug)]
pub(super) struct Journal {
    storage: Arc<dyn StorageBackend>,
    /// Room for frames, in bytes; 0 where the store has no journal.
    length: u64,
    epoch: u64,
    /// Number of the last frame, or of the last transaction that took the place of one.
    number: u64,
    /// Number of the last frame that is on the disk for certain.
    synced: u64,
    /// Where the next frame goes.
    at: u64,
    /// Frames of commits that need not be durable yet, whole blocks.
    held: Vec<u8>,
}

/// What a frame says: the batch without its expectations, which have held.
#[derive(Serialize, Deserialize)]
struct Payload<'b> {
    revision: Revision,
    now_ms: u64,
    #[serde(borrow)]
    writes: Vec<(&'b str, Option<Bytes>)>,
    blobs: Vec<(Digest, Bytes)>,
    /// The last frame that was synced before this one was written. Earlier programs did not say it.
    #[serde(default)]
    synced: u64,
}

impl Journal {
    /// The journal of a storage, which lies behind its first block.
    pub(super) fn new(storage: Arc<dyn StorageBackend>, length: u64) -> Self {
        Self { storage, length, epoch: 0, number: 0, synced: 0, at: 0, held: Vec::new() }
    }

    /// Begins a run after frame `number`.
    pub(super) fn begin(&mut self, epoch: u64, number: u64) {
        (self.epoch, self.number) = (epoch, number);
        self.restart();
    }

    /// Number of the last frame, or of the last batch that took the place of one.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// A batch without a frame has taken the place of one.
    pub(super) fn skip_to(&mut self, number: u64) {
        self.number = number;
    }

    /// The database has everything on the disk: the next lap begins.
    pub(super) fn restart(&mut self) {
        (self.at, self.synced) = (0, self.number);
        self.held.clear();
    }

    /// The next frame, if there is room for it in this lap. Otherwise the batch goes to the disk by a commit of the
    /// database, and the next lap begins.
    pub(super) fn frame(&self, batch: &Batch, revision: Revision) -> Result<Option<Vec<u8>>, redb::Error> {
        let room = self.length.saturating_sub(self.at + self.held.len() as u64);
        let content: usize = batch.blobs.iter().map(|(_, content)| content.len()).sum();
        if content as u64 >= room {
            return Ok(None);
        }
        let payload = Payload {
            revision,
            now_ms: batch.now_ms,
            writes: batch.writes.iter().map(|write| (&*write.key, write.value.clone())).collect(),
            blobs: batch.blobs.clone(),
            synced: self.synced,
        };
        let mut frame = Vec::with_capacity(content + BLOCK_BYTES);
        frame.resize(HEADER_BYTES, 0);
        rmp_serde::encode::write(&mut frame, &payload).map_err(|error| fault(&error))?;
        let length = frame.len() as u64;
        for (word, at) in [length, self.number + 1, self.epoch].iter().zip((0..).step_by(8)) {
            frame[at..at + 8].copy_from_slice(&word.to_be_bytes());
        }
        let sum = checksum(&frame);
        frame[WORDS_BYTES..HEADER_BYTES].copy_from_slice(&sum);
        frame.resize(frame.len().next_multiple_of(BLOCK_BYTES), 0);
        Ok((frame.len() as u64 <= room).then_some(frame))
    }

    /// Keeps the next frame until a durable one comes.
    pub(super) fn hold(&mut self, frame: &[u8]) {
        self.number += 1;
        self.held.extend_from_slice(frame);
    }

    /// Brings the held frames and the next one to the disk. Where that fails, the journal is not used again.
    pub(super) fn write(&mut self, frame: Vec<u8>) -> Result<(), redb::Error> {
        let frames = if self.held.is_empty() {
            frame
        } else {
            let mut held = std::mem::take(&mut self.held);
            held.extend_from_slice(&frame);
            held
        };
        self.storage.write(BLOCK_BYTES as u64 + self.at, &frames).map_err(redb::Error::Io)?;
        self.storage.sync_data().map_err(redb::Error::Io)?;
        self.at += frames.len() as u64;
        self.number += 1;
        self.synced = self.number;
        Ok(())
    }

    /// The batches that an earlier run, of `epoch`, laid down after frame `number`, with their revisions.
    ///
    /// # Errors
    /// That of the disk, and [`redb::Error::Corrupted`] where a frame that was synced is not there any more.
    pub(super) fn batches(&self, epoch: u64, number: u64) -> Result<Vec<(Revision, Batch)>, redb::Error> {
        let mut frames = vec![0; usize::try_from(self.length).unwrap_or(0)];
        if !frames.is_empty() {
            self.storage.read(BLOCK_BYTES as u64, &mut frames).map_err(redb::Error::Io)?;
        }
        let (mut rest, mut batches) = (&frames[..], Vec::new());
        while let Some((payload, behind)) = next(rest, epoch, number + 1 + batches.len() as u64) {
            let Payload { revision, now_ms, writes, blobs, .. } =
                rmp_serde::from_slice(payload).map_err(|error| fault(&error))?;
            let writes =
                writes.into_iter().map(|(key, value)| Write { key: key.into(), expect: Expect::Any, value });
            batches.push((revision, Batch { writes: writes.collect(), blobs, now_ms, durable: true }));
            rest = behind;
        }
        let lost = number + 1 + batches.len() as u64;
        if was_synced(rest, epoch, lost) {
            let at = BLOCK_BYTES + frames.len() - rest.len();
            let why = format!(
                "the journal at byte {at}: commit {lost} of run {epoch} is damaged, and later ones are there"
            );
            return Err(redb::Error::Corrupted(why));
        }
        Ok(batches)
    }
}

/// Whether some later frame says that frame `number` was on the disk before it. Frames that were written together are not
/// proof: a power loss keeps any of them.
fn was_synced(blocks: &[u8], epoch: u64, number: u64) -> bool {
    let mut later = blocks.chunks(BLOCK_BYTES).enumerate().filter_map(|(at, block)| {
        let found = u64::from_be_bytes(block.get(8..16)?.try_into().ok()?);
        let (payload, _) = next(&blocks[at * BLOCK_BYTES..], epoch, found).filter(|_| found > number)?;
        rmp_serde::from_slice::<Payload<'_>>(payload).ok()
    });
    later.any(|frame| frame.synced >= number)
}

/// The payload of the frame that lies first in `blocks`, if it is the one that is asked for, and what lies behind it.
fn next(blocks: &[u8], epoch: u64, number: u64) -> Option<(&[u8], &[u8])> {
    let word = |at: usize| Some(u64::from_be_bytes(blocks.get(at..at + 8)?.try_into().ok()?));
    let length = usize::try_from(word(0)?).ok()?;
    if (word(8)?, word(16)?) != (number, epoch) || !(HEADER_BYTES..=blocks.len()).contains(&length) {
        return None;
    }
    let frame = &blocks[..length];
    let is_whole = checksum(frame) == frame[WORDS_BYTES..HEADER_BYTES];
    let behind = blocks.get(length.next_multiple_of(BLOCK_BYTES)..).unwrap_or_default();
    is_whole.then_some((&frame[HEADER_BYTES..], behind))
}

fn checksum(frame: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&frame[..WORDS_BYTES]).update(&frame[HEADER_BYTES..]);
    *hasher.finalize().as_bytes()
}

fn fault(why: &impl std::fmt::Display) -> redb::Error {
    redb::Error::Corrupted(format!("a frame of the journal: {why}"))
}
