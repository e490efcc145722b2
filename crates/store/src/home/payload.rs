//! Content at the door: bounds, digest, tokens, sections.

use lrrc_coherence::{Content, Part};

use super::Home;
use crate::backend::{Backend, BackendError};
use crate::content::{ContentError, Placed};
use crate::digest::digest_of;
use crate::error::Refusal;
use crate::name::Name;
use crate::wire::Payload;
use crate::wire::divide::{Divide, sections};

/// A content that the protocol can be told of and a record may name.
#[derive(Debug)]
pub(super) struct Checked {
    /// What the protocol is told.
    pub(super) content: Content,
    /// Where the bytes are.
    pub(super) placed: Placed,
    /// How they are divided; never [`Divide::ByName`].
    pub(super) divide: Divide,
}

impl<B: Backend> Home<B> {
    /// Checks a content and puts it where a record may name it.
    pub(super) fn check(&self, name: &Name, payload: &Payload, now_ms: u64) -> Result<Checked, Refusal> {
        let size_bytes = payload.bytes.len() as u64;
        let limit_bytes = self.limits.content_bytes_max;
        if size_bytes > limit_bytes {
            return Err(Refusal::TooLarge { name: name.clone(), size_bytes, limit_bytes });
        }
        let divide = payload.divide.of(name);
        let (divide, sections) = match sections(&payload.bytes, divide, self.limits.sections_max) {
            Ok(sections) => (divide, sections),
            Err(_) if payload.divide == Divide::ByName => (Divide::Whole, Vec::new()),
            Err(why) => return Err(Refusal::Undividable { name: name.clone(), why }),
        };
        let parts = sections
            .into_iter()
            .map(|named| Part { digest: digest_of(&payload.bytes[named.range]), name: named.name });
        let tokens =
            payload.tokens.unwrap_or_else(|| u32::try_from(size_bytes.div_ceil(4)).unwrap_or(u32::MAX));
        let placed = self.content.put(payload.bytes.clone(), now_ms).map_err(|error| refused(name, error))?;
        let content = Content { digest: placed.digest, size_bytes, tokens, sections: parts.collect() };
        Ok(Checked { content, placed, divide })
    }
}

/// A content that cannot be put, as the agent sees it.
#[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
fn refused(name: &Name, error: ContentError) -> Refusal {
    let message = error.to_string();
    match error {
        ContentError::TooLarge { size_bytes, limit_bytes } => Refusal::TooLarge {
            name: name.clone(),
            size_bytes: size_bytes as u64,
            limit_bytes: limit_bytes as u64,
        },
        ContentError::Backend(BackendError::Uncertain { .. }) => Refusal::Uncertain { message },
        _ => Refusal::Storage { message },
    }
}
