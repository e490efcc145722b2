//! Records that go when their owner does: how the homes of other machines learn that one is lost.

use std::time::Duration;

use etcd_client::LeaseClient;
use tokio::task::JoinHandle;

use super::{BackendError, Batch, EtcdBackend, Expect, PoisonError, Write};

/// A lease of etcd, which a task keeps alive as long as the cluster can be reached.
pub(super) struct Presence {
    lease: i64,
    keeper: JoinHandle<()>,
}

impl EtcdBackend {
    /// Puts a record under the lease of this handle; under a new one where there is none, or where it ran out.
    pub(super) fn put_present(&self, key: &str) -> Result<(), BackendError> {
        let batch = Batch::of([Write::put(key, Expect::Absent, "")]);
        let mut presence = self.presence.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Presence { lease, .. }) = &*presence {
            match self.commit_as(&batch, *lease) {
                Err(error) if error.to_string().contains("requested lease not found") => {}
                put => return put.map(|_| ()),
            }
        }
        let granted = self.run(self.client.lease_client().grant(i64::from(self.lease_s), None))?;
        let every = Duration::from_secs(u64::try_from(granted.ttl()).unwrap_or(1)) / 3;
        let keeper = self.runtime.spawn(keep_alive(self.client.lease_client(), granted.id(), every));
        let Presence { lease, .. } = presence.insert(Presence { lease: granted.id(), keeper });
        self.commit_as(&batch, *lease).map(|_| ())
    }

    /// Ends the lease at once; where that fails, it ends by its time.
    pub(super) fn end_presence(&mut self) {
        let presence = self.presence.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Presence { lease, .. }) = &presence {
            let _ = self.run(self.client.lease_client().revoke(*lease));
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// Asks for the whole time again, for ever: whether the lease is over, the next put under it is told.
async fn keep_alive(mut leases: LeaseClient, lease: i64, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let _ = tokio::time::timeout(every, leases.keep_alive(lease)).await;
    }
}
