//! Figure 4: training curves: losses, the state with its proved bound, the mean gate.

use crate::plot::{PlotError, Scale, Series, chart};
use crate::study::{EpochPoint, Study};

use super::drawing::{Drawing, csv_text, drawn};
use super::read::distinct;

/// The three parts of the figure.
pub(super) fn training(study: &Study) -> Result<Vec<Drawing>, PlotError> {
    if study.training.is_empty() {
        return Ok(Vec::new());
    }
    let loss = [
        over_epochs(study, "training", |p| p.train_loss),
        over_epochs(study, "validation", |p| p.validation_loss).emphasised(),
    ];
    let epochs = study.training.iter().map(|point| point.epoch as f64);
    let (first, last) = epochs.fold((f64::MAX, f64::MIN), |(l, h), e| (l.min(e), h.max(e)));
    let bound = vec![(first, study.state_bound), (last, study.state_bound)];
    let state = [
        over_epochs(study, "max |S|", |p| p.state_max).emphasised(),
        over_epochs(study, "‖S‖, Frobenius", |p| p.state_norm),
        Series::new(format!("bound C = {} on max |S|", study.state_bound), bound).dashed(),
    ];
    let gate = [over_epochs(study, "mean gate", |p| p.gate_mean).emphasised()];
    let parts = [
        part(study, ("loss", "Losses of the scores", "loss"), Scale::Linear, &loss)?,
        part(study, ("state", "Size of the state", "largest in the epoch"), Scale::Log, &state)?,
        part(study, ("gate", "Mean gate, closed channels counting 0", "gate"), Scale::Linear, &gate)?,
    ];
    Ok(parts.into_iter().flatten().collect())
}

/// The mean over runs at every epoch, with the least and the largest run as a bar.
fn over_epochs(study: &Study, name: &str, figure: fn(&EpochPoint) -> f64) -> Series {
    let mut epochs = distinct(study.training.iter().map(|point| point.epoch));
    epochs.sort_unstable();
    let at = |epoch: usize| {
        let found = study.training.iter().filter(move |point| point.epoch == epoch).map(figure);
        found.filter(|value| value.is_finite()).collect::<Vec<_>>()
    };
    let mean = |(epoch, runs): &(f64, Vec<f64>)| (*epoch, runs.iter().sum::<f64>() / runs.len() as f64);
    let span = |(epoch, runs): &(f64, Vec<f64>)| {
        let ends = runs.iter().fold((f64::MAX, f64::MIN), |(l, h), run| (l.min(*run), h.max(*run)));
        (*epoch, ends.0, ends.1)
    };
    let runs: Vec<(f64, Vec<f64>)> = epochs
        .into_iter()
        .map(|epoch| (epoch as f64, at(epoch)))
        .filter(|(_, runs)| !runs.is_empty())
        .collect();
    let spans = runs.iter().filter(|(_, runs)| runs.len() > 1).map(span).collect();
    Series::new(name, runs.iter().map(mean).collect()).with_intervals(spans)
}

fn part(
    study: &Study,
    (name, title, unit): (&str, &str, &str),
    scale: Scale,
    series: &[Series],
) -> Result<Option<Drawing>, PlotError> {
    let svg = drawn(chart(title, ("epoch", Scale::Linear), (unit, scale), series, true))?;
    let first = study.training.iter().map(|point| point.epoch).min();
    let runs = study.training.iter().filter(|point| Some(point.epoch) == first).count();
    let seeds = distinct(study.training.iter().map(|point| point.seed)).len();
    let line = |p: &EpochPoint| {
        let figures = [p.train_loss, p.validation_loss, p.state_max, p.state_norm, p.gate_mean];
        let heads = [p.seed.to_string(), p.epoch.to_string()];
        heads.into_iter().chain(figures.map(|figure| figure.to_string())).collect()
    };
    let heading = ["seed", "epoch", "train_loss", "validation_loss", "state_max", "state_norm", "gate_mean"];
    Ok(svg.map(|svg| Drawing {
        name: format!("figure-4-{name}"),
        title: title.to_owned(),
        caption: format!(
            "Figure 4. Mean over n = {runs} runs under {seeds} seeds; bars reach from the least to the largest run, no \
             confidence interval. Late epochs hold the runs that had not stopped."
        ),
        svg,
        csv: csv_text(&heading, study.training.iter().map(line)),
    }))
}
