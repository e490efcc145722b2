//! Sets the thresholds of the frozen modes on the episodes that the best checkpoint was chosen with.

use std::collections::BTreeMap;
use std::sync::Arc;

use lrrc_dataset::{Dataset, ReadOptions};
use lrrc_episode::observe::Observed;
use lrrc_episode::{Encoding, TokenCounter};
use lrrc_eval::{Calibration, Kind, calibrate_calls, learned_scores, observe_all};
use lrrc_model::{Checkpoint, Policy};

use crate::config::DataConfig;
use crate::data::{Sides, sides};
use crate::error::TrainError;

/// Writes a calibration for each kind of call that the validation episodes have into the papers of the checkpoint.
pub(crate) fn calibrate(checkpoint: &mut Checkpoint, config: &DataConfig) -> Result<(), TrainError> {
    let counter = Arc::new(TokenCounter::new(Encoding::Cl100kBase));
    let policy = Policy::from_checkpoint(checkpoint);
    for (kind, observed) in validation_episodes(config, &counter)? {
        let scores = learned_scores(&policy, &observed)?;
        if kind == Kind::Calls {
            calibrate_calls(&policy, &observed, &mut checkpoint.meta.calibration)?;
        }
        Calibration::set(&observed, &scores, &counter).into_meta(&mut checkpoint.meta.calibration, kind);
    }
    Ok(())
}

/// Observed validation episodes by what their calls are; episodes of two answering models have no frozen decision.
fn validation_episodes(
    config: &DataConfig,
    counter: &Arc<TokenCounter>,
) -> Result<BTreeMap<Kind, Vec<Observed>>, TrainError> {
    let mut by_kind: BTreeMap<Kind, Vec<Observed>> = BTreeMap::new();
    for name in &config.datasets {
        let options = ReadOptions {
            skip_bad: config.skip_bad,
            counter: Some(Arc::clone(counter)),
            ..ReadOptions::default()
        };
        let Sides { mut validation, .. } = sides(&Dataset::open(name, &options)?, config)?;
        validation.retain(|episode| episode.outcome.winner.is_none());
        let observed = observe_all(&validation, counter);
        if observed.iter().any(|observed| !observed.calls.is_empty()) {
            by_kind.entry(Kind::of(&observed)).or_default().extend(observed);
        }
    }
    Ok(by_kind)
}
