//! The claim to write, as a value: it is given back when the value goes.

use lrrc_coherence::{AgentId, Digest, Millis, Stamp};

use super::{Client, unexpected};
use crate::error::{Refusal, StoreError};
use crate::name::Name;
use crate::wire::{Answer, Basis, Change, Claimed, Committed, Payload, Request};

/// The claim to write one artifact. It ends by [`release`](Claim::release), by its drop, with its lease unless
/// renewed, and with the session of its client.
#[derive(Debug)]
pub struct Claim {
    client: Client,
    name: Name,
    agent: Option<AgentId>,
    claimed: Claimed,
    is_released: bool,
}

impl Claim {
    pub(super) fn new(client: Client, name: Name, claimed: Claimed) -> Self {
        let agent = client.id();
        Self { client, name, agent, claimed, is_released: false }
    }

    /// Name of the artifact.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The version to build on.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        self.claimed.mark.stamp
    }

    /// Digest of the version to build on.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.claimed.digest
    }

    /// When the claim ends without a renewal, by the home's clock.
    #[must_use]
    pub fn expires(&self) -> Millis {
        self.claimed.expires
    }

    /// A change under this claim, for [`Client::commit_all`]. Its answer has to be given to [`moved`](Self::moved).
    #[must_use]
    pub fn change(&self, content: impl Into<Payload>) -> Change {
        let (generation, base) = (self.claimed.mark.generation, self.claimed.mark.stamp);
        Change { name: self.name.clone(), basis: Basis::Claim { generation, base }, content: content.into() }
    }

    /// Goes on from what a commit of several has written.
    pub fn moved(&mut self, committed: &Committed) {
        (self.claimed.mark, self.claimed.digest) = (committed.mark, committed.digest);
    }

    /// A new version; the claim goes on.
    ///
    /// # Errors
    /// A conflict where the claim is over.
    pub async fn commit(&mut self, content: impl Into<Payload>) -> Result<Committed, StoreError> {
        let committed = self.client.committed(Request::Commit(self.change(content))).await?;
        self.moved(&committed);
        Ok(committed)
    }

    /// Another lease from now on.
    ///
    /// # Errors
    /// A conflict where the claim is over.
    pub async fn renew(&mut self) -> Result<(), StoreError> {
        let (name, generation) = (self.name.clone(), self.claimed.mark.generation);
        match self.client.answer(Request::Renew { name, generation }).await? {
            Answer::Renewed { expires } => {
                self.claimed.expires = expires;
                Ok(())
            }
            _ => Err(unexpected()),
        }
    }

    /// Gives the claim back, and waits until the home has it. A claim that went with its session is given back.
    ///
    /// # Errors
    /// A conflict where the claim was over already.
    pub async fn release(mut self) -> Result<(), StoreError> {
        let release = Request::Release { name: self.name.clone(), generation: self.claimed.mark.generation };
        let released = self.client.answer(release).await;
        self.is_released = matches!(released, Ok(_) | Err(StoreError::Refused(_)));
        match released {
            Err(StoreError::Refused(Refusal::SessionOver { .. })) => Ok(()),
            released => released.map(drop),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.is_released || self.agent.is_none() {
            return;
        }
        let shared = &self.client.open.shared;
        let mut state = shared.lock();
        if state.agent.id() == self.agent {
            state.agent.discard_claim(&self.name, self.claimed.mark.generation, shared.clock.now());
            drop(state);
            shared.wake.notify_one();
        }
    }
}
