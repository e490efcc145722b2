//! A disk that fails as disks do, below a real [`RedbBackend`](crate::RedbBackend): for tests and simulations.
//!
//! It keeps what a `sync` brought to the platter apart from what was only written. When the power goes, each
//! 512-byte sector written since the last sync is there or not, whatever the order it was written in.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SECTOR_BYTES: usize = 512;

/// Where a disk fails. Operations are counted from 0: reads, writes, changes of length and syncs alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The power goes at this operation: it and every later one fails.
    pub power_off_at: Option<u64>,
    /// This operation alone fails, and does nothing.
    pub io_error_at: Option<u64>,
    /// From this operation on, a sync says that it is done and does nothing.
    pub syncs_lie_from: Option<u64>,
}

/// A disk in memory. Clones are the same disk.
///
/// ```
/// use lrrc_store::{Backend, Batch, Expect, RedbBackend, Write};
/// use lrrc_store::fault::{FaultyDisk, Faults};
///
/// let disk = FaultyDisk::new(Faults::default());
/// let store = RedbBackend::with_storage(disk.clone(), "a disk")?;
/// store.commit(&Batch::of([Write::put("a/plan", Expect::Absent, "one")]))?;
///
/// let after = RedbBackend::with_storage(disk.after_power_loss(7), "the disk after a power loss")?;
/// assert_eq!(after.get("a/plan")?.unwrap().value, "one");
/// # Ok::<(), lrrc_store::BackendError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FaultyDisk(Arc<Mutex<Platter>>);

#[derive(Debug)]
struct Platter {
    /// What a power loss leaves for certain.
    synced: Vec<u8>,
    /// What the process reads.
    seen: Vec<u8>,
    /// What happened since the last sync.
    pending: Vec<Pending>,
    faults: Faults,
    operations: u64,
}

#[derive(Debug)]
enum Pending {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

impl FaultyDisk {
    /// An empty disk.
    #[must_use]
    pub fn new(faults: Faults) -> Self {
        Self::with_image(Vec::new(), faults)
    }

    fn with_image(image: Vec<u8>, faults: Faults) -> Self {
        let platter =
            Platter { synced: image.clone(), seen: image, pending: Vec::new(), faults, operations: 0 };
        Self(Arc::new(Mutex::new(platter)))
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many operations there were.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.platter().operations
    }

    /// Where it fails from now on, counting operations anew.
    pub fn set_faults(&self, faults: Faults) {
        let mut platter = self.platter();
        (platter.faults, platter.operations) = (faults, 0);
    }

    /// A sound disk with what this one holds after its power went. Of what was not synced, `seed` chooses the sectors
    /// that were written: all, none, or each by a coin.
    #[must_use]
    pub fn after_power_loss(&self, seed: u64) -> Self {
        let platter = self.platter();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let share = [0.0, 0.1, 0.5, 0.9, 1.0][rng.random_range(0..5)];
        let mut image = platter.synced.clone();
        for pending in &platter.pending {
            match pending {
                Pending::Length(length) if rng.random_bool(share) => image.resize(*length, 0),
                Pending::Length(_) => {}
                Pending::Write { offset, bytes } => {
                    scatter(&mut image, *offset, bytes, || rng.random_bool(share));
                }
            }
        }
        Self::with_image(image, Faults::default())
    }

    /// A sound disk with what this one holds after its process ended and its power stayed: all that was written.
    #[must_use]
    pub fn after_process_end(&self) -> Self {
        Self::with_image(self.platter().seen.clone(), Faults::default())
    }
}

/// Writes those sectors of `bytes` that `survives` chooses.
fn scatter(image: &mut Vec<u8>, offset: usize, bytes: &[u8], mut survives: impl FnMut() -> bool) {
    let mut at = 0;
    while at < bytes.len() {
        let end = bytes.len().min(at + SECTOR_BYTES - (offset + at) % SECTOR_BYTES);
        if survives() {
            put(image, offset + at, &bytes[at..end]);
        }
        at = end;
    }
}

fn put(image: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[offset..end].copy_from_slice(bytes);
}

impl Platter {
    /// Counts an operation, and fails it if it is to fail.
    fn operate(&mut self) -> io::Result<u64> {
        let operation = self.operations;
        self.operations += 1;
        if self.faults.power_off_at.is_some_and(|off| operation >= off) {
            return Err(io::Error::other(format!("the power is off since operation {operation}")));
        }
        if self.faults.io_error_at == Some(operation) {
            return Err(io::Error::other(format!("operation {operation} failed")));
        }
        Ok(operation)
    }
}

fn index(at: u64) -> io::Result<usize> {
    usize::try_from(at).map_err(|_| io::Error::other(format!("{at} is beyond the disk")))
}

impl redb::StorageBackend for FaultyDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.platter().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut platter = self.platter();
        platter.operate()?;
        let from = index(offset)?;
        let found = platter.seen.get(from..from + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut platter = self.platter();
        platter.operate()?;
        let length = index(length)?;
        platter.seen.resize(length, 0);
        platter.pending.push(Pending::Length(length));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platter = self.platter();
        let operation = platter.operate()?;
        if platter.faults.syncs_lie_from.is_some_and(|from| operation >= from) {
            return Ok(());
        }
        for pending in std::mem::take(&mut platter.pending) {
            match pending {
                Pending::Length(length) => platter.synced.resize(length, 0),
                Pending::Write { offset, bytes } => put(&mut platter.synced, offset, &bytes),
            }
        }
        Ok(())
    }

    /// The sectors of a write that the power loss cuts short are left to chance, as those of the writes before it.
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut platter = self.platter();
        let offset = index(offset)?;
        let cut = platter.faults.power_off_at == Some(platter.operations);
        let operated = platter.operate();
        if operated.is_ok() {
            put(&mut platter.seen, offset, data);
        }
        if operated.is_ok() || cut {
            platter.pending.push(Pending::Write { offset, bytes: data.to_vec() });
        }
        operated.map(|_| ())
    }
}
