//! Whose contents lie in a place: a collector removes all that its own store does not name.

use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use super::{Content, ContentError};
use crate::backend::{Backend, BackendError, Batch, Expect, Write};

/// Under which key the id of a store lies.
const STORE_ID: &str = "meta/store_id";

/// Under which key the place of a store's contents lies, as it was given last.
const PLACE: &str = "meta/contents";

/// The object that says whose contents lie beside it.
const OWNER: &str = "store-id";

impl Content {
    /// Makes this the place of one store's contents, or sees that it is. Call it before the first collection: two stores
    /// that share a place would remove each other's contents. Several homes of one backend are one store.
    ///
    /// # Errors
    /// [`ContentError::Foreign`] where the contents of another store lie here, [`ContentError::Elsewhere`] where those of
    /// this one lie in another place, and what the two stores say.
    pub fn belong_to(&self, backend: &impl Backend) -> Result<(), ContentError> {
        let ours = store_id(backend)?;
        let before = backend.get(PLACE)?;
        let theirs = match (self.owner()?, &before) {
            (Some(theirs), _) => theirs,
            (None, Some(before)) => {
                let recorded = String::from_utf8_lossy(&before.value).into_owned();
                return Err(ContentError::Elsewhere { place: self.place.clone(), recorded, object: OWNER });
            }
            (None, None) => {
                self.run(self.claim_place(ours.clone()))?;
                self.owner()?.unwrap_or_default()
            }
        };
        if theirs == ours {
            if before.is_none_or(|before| before.value != self.place) {
                backend.commit(&Batch::of([Write::put(PLACE, Expect::Any, self.place.clone())]))?;
            }
            return Ok(());
        }
        let [theirs, ours] = [theirs, ours].map(|id| String::from_utf8_lossy(&id).into_owned());
        Err(ContentError::Foreign { place: self.place.clone(), theirs, ours, object: OWNER })
    }

    /// Writes the owner where there is none: of two stores that come at once, one is first.
    async fn claim_place(&self, id: Bytes) -> Result<(), Error> {
        let (place, id) = (Path::from(OWNER), PutPayload::from_bytes(id));
        match self.objects.put_opts(&place, id, PutMode::Create.into()).await {
            Ok(_) | Err(Error::AlreadyExists { .. }) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    fn owner(&self) -> Result<Option<Bytes>, ContentError> {
        let found =
            self.runtime.block_on(async { self.objects.get(&Path::from(OWNER)).await?.bytes().await });
        match found {
            Ok(id) => Ok(Some(id)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.fault(source)),
        }
    }
}

/// The id of the store, which is made with its first use.
fn store_id(backend: &impl Backend) -> Result<Bytes, BackendError> {
    loop {
        if let Some(entry) = backend.get(STORE_ID)? {
            return Ok(entry.value);
        }
        match backend.commit(&Batch::of([Write::put(STORE_ID, Expect::Absent, new_id())])) {
            Ok(_) | Err(BackendError::Lost { .. }) => {}
            Err(error) => return Err(error),
        }
    }
}

/// 128 bits that no other store has: the keys of a hasher come from the system's random source.
fn new_id() -> String {
    let random = RandomState::new();
    format!("{:016x}{:016x}", random.hash_one(0), random.hash_one(1))
}
