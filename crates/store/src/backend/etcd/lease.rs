//! Records that go when their owner does: how the homes of other machines learn that one is lost.
//!
//! The owner knows before they do: a lease lives for its whole time from the moment that etcd hears of a sign of life, and
//! the owner counts from the moment that it sent it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use etcd_client::LeaseClient;
use tokio::task::JoinHandle;

use super::{BackendError, Batch, EtcdBackend, Expect, Mutex, PoisonError, Write};

/// Between two signs of life that were not answered.
const RETRY: Duration = Duration::from_millis(250);

/// How long one is waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// A lease of etcd, which a task keeps alive as long as the cluster can be reached.
pub(super) struct Presence {
    lease: i64,
    /// Until when it lives for certain.
    until: Arc<Mutex<Instant>>,
    ttl: Duration,
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
        let asked = Instant::now();
        let granted = self.run(self.client.lease_client().grant(i64::from(self.lease_s), None))?;
        let (lease, ttl) = (granted.id(), Duration::from_secs(u64::try_from(granted.ttl()).unwrap_or(1)));
        let until = Arc::new(Mutex::new(asked + ttl));
        let work = keep_alive(self.client.lease_client(), lease, ttl, Arc::clone(&until));
        *presence = Some(Presence { lease, until, ttl, keeper: self.runtime.spawn(work) });
        self.commit_as(&batch, lease).map(|_| ())
    }

    /// Whether what was put by [`put_present`](Self::put_present) stands for a while yet: long enough for a request that is
    /// on its way to end, but no more than a third of the whole time.
    pub(super) fn stands(&self) -> bool {
        let presence = self.presence.lock().unwrap_or_else(PoisonError::into_inner);
        presence.as_ref().is_none_or(|Presence { until, ttl, .. }| {
            let until = *until.lock().unwrap_or_else(PoisonError::into_inner);
            Instant::now() + self.timeout.min(*ttl / 3) < until
        })
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
async fn keep_alive(mut leases: LeaseClient, lease: i64, ttl: Duration, until: Arc<Mutex<Instant>>) {
    loop {
        let asked = Instant::now();
        let answered = tokio::time::timeout(ANSWER_WITHIN, leases.keep_alive(lease)).await;
        let is_kept = matches!(answered, Ok(Ok(_)));
        if is_kept {
            *until.lock().unwrap_or_else(PoisonError::into_inner) = asked + ttl;
        }
        tokio::time::sleep(if is_kept { ttl / 3 } else { RETRY }).await;
    }
}
