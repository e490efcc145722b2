//! The tables of a store, and the transactions on them.

use bytes::Bytes;
use redb::{Database, ReadableTable, StorageError, TableDefinition, WriteTransaction};

use super::super::runs::Runs;
use super::super::{Batch, Entry, Revision, Write};
use super::journal::Journal;

pub(super) const FORMAT: u64 = 1;

pub(super) const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
pub(super) const INDEX: TableDefinition<&str, u64> = TableDefinition::new("index");
pub(super) const LOG: TableDefinition<(u64, &str), Option<&[u8]>> = TableDefinition::new("log");
pub(super) const BLOBS: TableDefinition<&[u8; 32], (u64, &[u8])> = TableDefinition::new("blobs");
pub(super) const RUNS: TableDefinition<u64, u64> = TableDefinition::new("runs");

/// Under this key of [`META`]: the number of the last frame of the journal that the tables hold.
const FRAME: &str = "frame";

/// A commit of what `write` does.
pub(super) fn durably<T>(
    db: &Database,
    write: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
) -> Result<T, redb::Error> {
    let txn = db.begin_write()?;
    let result = write(&txn)?;
    txn.commit()?;
    Ok(result)
}

/// Begins a run: what the last one left in the journal, the next epoch, and revisions above all that the last run may
/// have given. `Err` within is the format of a store that is not read.
pub(super) fn start(
    db: &Database,
    journal: &mut Journal,
) -> Result<Result<(u32, Revision, Runs), u64>, redb::Error> {
    durably(db, |txn| {
        let mut meta = txn.open_table(META)?;
        let format = meta.get("format")?.map_or(FORMAT, |format| format.value());
        if format != FORMAT {
            return Ok(Err(format));
        }
        meta.insert("format", FORMAT)?;
        let last_epoch = meta.get("epoch")?.map_or(0, |epoch| epoch.value());
        let mut frame = meta.get(FRAME)?.map_or(0, |frame| frame.value());
        for (revision, batch) in journal.batches(last_epoch, frame)? {
            apply(txn, &batch, revision)?;
            frame += 1;
        }
        meta.insert(FRAME, frame)?;
        let epoch = last_epoch + 1;
        meta.insert("epoch", epoch)?;
        journal.begin(epoch, frame);
        let oldest = meta.get("oldest")?.map_or(0, |oldest| oldest.value());
        let logged = txn.open_table(LOG)?.last()?.map_or(0, |(key, _)| key.value().0);
        let mut stored = txn.open_table(RUNS)?;
        let began = stored.last()?.map_or(0, |(start, _)| start.value());
        let end = Revision(oldest.max(logged).max(began));
        stored.insert(end.next_run().0, end.0)?;
        txn.open_table(INDEX)?;
        txn.open_table(BLOBS)?;
        let mut runs = Runs::new(Revision(oldest));
        for run in stored.iter()? {
            let (start, end) = run?;
            runs.push(Revision(start.value()), Revision(end.value()));
        }
        Ok(Ok((u32::try_from(epoch).unwrap_or(u32::MAX), Revision(logged), runs)))
    })
}

pub(super) fn entry(
    log: &impl ReadableTable<(u64, &'static str), Option<&'static [u8]>>,
    key: &str,
    revision: u64,
) -> Result<Option<Entry>, StorageError> {
    let row = log.get((revision, key))?;
    Ok(row.and_then(|row| {
        let value = Bytes::copy_from_slice(row.value()?);
        Some(Entry { value, revision: Revision(revision) })
    }))
}

/// Notes that the tables hold everything up to frame `number`.
pub(super) fn holds_frame(txn: &WriteTransaction, number: u64) -> Result<(), redb::Error> {
    txn.open_table(META)?.insert(FRAME, number)?;
    Ok(())
}

/// Writes the batch under `revision`.
pub(super) fn apply(txn: &WriteTransaction, batch: &Batch, revision: Revision) -> Result<(), redb::Error> {
    if !batch.blobs.is_empty() {
        let mut blobs = txn.open_table(BLOBS)?;
        for (digest, content) in &batch.blobs {
            blobs.insert(&digest.0, (batch.now_ms, content.as_ref()))?;
        }
    }
    let mut index = txn.open_table(INDEX)?;
    let mut log = txn.open_table(LOG)?;
    for Write { key, value, .. } in &batch.writes {
        let key = key.as_str();
        let stood = match value {
            Some(_) => index.insert(key, revision.0)?.is_some(),
            None => index.remove(key)?.is_some(),
        };
        if value.is_some() || stood {
            log.insert((revision.0, key), value.as_deref())?;
        }
    }
    Ok(())
}

/// Drops the log up to `through`, but for the records that stand.
pub(super) fn forget(txn: &WriteTransaction, through: Revision) -> Result<(), redb::Error> {
    txn.open_table(META)?.insert("oldest", through.0)?;
    let index = txn.open_table(INDEX)?;
    let mut log = txn.open_table(LOG)?;
    let mut failed = None;
    log.retain_in(..(through.0 + 1, ""), |(revision, key), _| match index.get(key) {
        Ok(stands) => stands.is_some_and(|stands| stands.value() == revision),
        Err(error) => {
            failed = Some(error);
            true
        }
    })?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}
