//! Records that go when their owner does: how the homes of other machines learn that an agent is lost.

use std::sync::{Mutex, PoisonError};

use etcd_client::{LeaseKeepAliveStream, LeaseKeeper};

use super::{BackendError, Batch, EtcdBackend, Expect, Revision, Write, unavailable};

/// A record under a lease of etcd. The feed shows its deletion when the lease runs out, or when this is dropped.
pub struct Announcement<'b> {
    backend: &'b EtcdBackend,
    lease: i64,
    revision: Revision,
    keeper: Mutex<(LeaseKeeper, LeaseKeepAliveStream)>,
}

impl EtcdBackend {
    /// Puts a record that etcd deletes `ttl_s` seconds after the last [`renew`](Announcement::renew). The server rounds
    /// the time up to what its elections allow, some seconds.
    ///
    /// # Errors
    /// [`BackendError::Lost`] when the key is there already, and as [`commit`](crate::Backend::commit).
    pub fn announce(&self, key: &str, value: &str, ttl_s: u32) -> Result<Announcement<'_>, BackendError> {
        let mut leases = self.client.lease_client();
        let lease = self.run(leases.grant(i64::from(ttl_s), None))?.id();
        let keeper = Mutex::new(self.run(leases.keep_alive(lease))?);
        let put = Write::put(key, Expect::Absent, value.to_owned());
        let mut announced = Announcement { backend: self, lease, revision: Revision::START, keeper };
        announced.revision = self.commit_as(&Batch::of([put]), lease)?;
        Ok(announced)
    }
}

impl Announcement<'_> {
    /// The revision that the record has while the lease lives.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Asks for the whole time again.
    ///
    /// # Errors
    /// [`BackendError::Unavailable`] when the lease is over, or nothing answers: then the record is gone or soon will be.
    pub fn renew(&self) -> Result<(), BackendError> {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let (asks, answers) = &mut *keeper;
        let answer = self.backend.run(async {
            asks.keep_alive().await?;
            answers.message().await
        })?;
        match answer {
            Some(answer) if answer.ttl() > 0 => Ok(()),
            _ => Err(unavailable(&self.backend.place, format!("lease {} is over", self.lease))),
        }
    }
}

impl Drop for Announcement<'_> {
    /// Ends the lease at once; where that fails, it ends by its time.
    fn drop(&mut self) {
        let _ = self.backend.run(self.backend.client.lease_client().revoke(self.lease));
    }
}
