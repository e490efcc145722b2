//! Rules that are broken on purpose, between the home and its agents.

use lrrc_coherence::{Digest, Millis};
use lrrc_store::Backend;
use lrrc_store::wire::{Basis, Change, FromHome, Request, Says, ToHome};

use super::mirror::Mirror;
use super::settings::Mutant;
use super::storage::Storage;

/// A home that does not say everything: the frame is kept back and the numbers closed up, so that no agent can notice.
/// Returns whether the frame is sent.
pub(super) fn says(mutant: Mutant, frame: &mut FromHome, withheld: &mut u64) -> bool {
    let is_kept_back = match mutant {
        Mutant::SilentHome => matches!(frame.says, Says::Invalidate { .. } | Says::Pushed { .. }),
        Mutant::MuteWatches => matches!(frame.says, Says::Changed(_)),
        Mutant::MuteDeletions => matches!(&frame.says, Says::Changed(changed) if changed.now.is_none()),
        _ => false,
    };
    if is_kept_back {
        *withheld += 1;
        return false;
    }
    frame.seq = frame.seq.saturating_sub(*withheld);
    true
}

/// A collector that removes what is old, whoever names it.
pub(super) fn sweep(storage: &Storage, cutoff: Millis) {
    let blobs = storage.blobs(None, usize::MAX).unwrap_or_default();
    let digests: Vec<Digest> = blobs.into_iter().map(|blob| blob.digest).collect();
    // One that fails leaves more.
    let _ = storage.sweep(&digests, cutoff.0);
}

/// A home that does not compare: each write shows the version and generation that there happen to be.
pub(super) fn blind(frame: &mut ToHome, mirror: &Mirror) {
    let ToHome::Ask { request, .. } = frame else { return };
    let changes: &mut [Change] = match request {
        Request::Commit(change) => std::slice::from_mut(change),
        Request::CommitAll(changes) => changes,
        _ => return,
    };
    for change in changes {
        let Some(mark) = mirror.mark(change.name.as_str()) else { continue };
        change.basis = match change.basis {
            Basis::Claim { .. } => Basis::Claim { generation: mark.generation, base: mark.stamp },
            Basis::Unchanged { .. } => Basis::Unchanged { expected: mark.stamp },
        };
    }
}
