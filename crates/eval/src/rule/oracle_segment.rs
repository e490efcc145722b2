//! The oracle of segments: scores that are the labels themselves.

use lrrc_episode::observe::Observed;

use super::each;
use crate::replay::Scores;

/// The label of every candidate: what a model without any error would answer. Through the same selection it is the
/// ceiling of every model that scores segments.
pub(crate) fn labels(observed: &Observed) -> Scores {
    each(observed, |candidate| candidate.label)
}
