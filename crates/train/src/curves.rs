//! Training curves as SVG, drawn anew from the epochs so far.

use std::path::Path;

use lrrc_eval::plot::{Scale, Series, lines};

use crate::error::TrainError;
use crate::learner::RECALL_BUDGETS;
use crate::log::EpochRecord;

/// Writes `loss.svg`, `recall.svg` and `state.svg` into `dir`; `clip` is the proved bound on the state.
///
/// # Errors
/// [`TrainError::Record`] with the file. A figure without a point that can be drawn is left out.
pub(crate) fn write(dir: &Path, epochs: &[EpochRecord], clip: f32) -> Result<(), TrainError> {
    let series = |name: &str, value: &dyn Fn(&EpochRecord) -> f64| {
        Series::new(name, epochs.iter().map(|epoch| (epoch.epoch as f64, value(epoch))).collect())
    };
    let losses = [
        series("train, total", &|e| f64::from(e.train.total)).dashed(),
        series("train, scores", &|e| f64::from(e.train.scores)),
        series("validation, total", &|e| f64::from(e.validation.loss.total)).dashed(),
        series("validation, scores", &|e| f64::from(e.validation.loss.scores)).emphasised(),
    ];
    let recalls: Vec<Series> = RECALL_BUDGETS
        .iter()
        .enumerate()
        .map(|(index, budget)| {
            series(&format!("{:.0} % kept", budget * 100.0), &|e| e.validation.recall[index])
        })
        .collect();
    let states = [
        series("max |S|", &|e| f64::from(e.state_max)).emphasised(),
        series("norm of S", &|e| f64::from(e.state_norm)),
        series("mean gate", &|e| f64::from(e.gate_mean)),
        series("bound C (T4)", &|_| f64::from(clip)).dashed(),
    ];
    let figures = [
        ("loss.svg", lines("Loss", "epoch", "loss", &losses, Scale::Linear)),
        ("recall.svg", lines("Essential weight kept", "epoch", "share", &recalls, Scale::Linear)),
        ("state.svg", lines("State on validation episodes", "epoch", "value", &states, Scale::Log)),
    ];
    for (name, figure) in figures {
        if let Ok(svg) = figure {
            lrrc_model::write_atomic(&dir.join(name), svg.as_bytes())?;
        }
    }
    Ok(())
}
