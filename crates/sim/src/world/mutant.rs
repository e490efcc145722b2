//! Rules that are broken on purpose, between the home and its agents.

use lrrc_store::wire::{Basis, Change, FromHome, Request, Says, ToHome};

use super::mirror::Mirror;

/// A home that tells nobody that a copy is old: the frame is kept back and the numbers closed up, so that no agent can
/// notice. Returns whether the frame is sent.
pub(super) fn silence(frame: &mut FromHome, withheld: &mut u64) -> bool {
    if matches!(frame.says, Says::Invalidate { .. } | Says::Pushed { .. }) {
        *withheld += 1;
        return false;
    }
    frame.seq = frame.seq.saturating_sub(*withheld);
    true
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
