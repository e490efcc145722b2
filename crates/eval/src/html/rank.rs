//! Figure 3: what the rank buys: recall at a fixed budget, saving at a fixed recall, time of the decoder.

use crate::plot::{PlotError, Scale, Series, chart};
use crate::study::{ArmSummary, Curve, Figure, Study};

use super::cell::{budget, share};
use super::drawing::{Drawing, csv_text, drawn, field, slug};
use super::figures::sample;
use super::read::{KEEP, Measure, NO_STATE, RECALL, budgets, curves, distinct, near, saving_at};

/// The arms of the rank's curve, smallest rank first.
fn ranks(study: &Study) -> Vec<(f64, &ArmSummary)> {
    let rank = |arm: &ArmSummary| Some(arm.rank? as f64).filter(|_| arm.name.starts_with("rank-"));
    let mut found: Vec<_> = study.arms.iter().filter_map(|arm| Some((rank(arm)?, arm))).collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found
}

/// One figure of every learned method over the rank, and of the arm without a state as a level line.
struct ByRank {
    series: Vec<Series>,
    lines: Vec<Vec<String>>,
}

fn by_rank(study: &Study, dataset: &str, figure: impl Fn(&Curve) -> Option<Figure>) -> ByRank {
    let ranks = ranks(study);
    let of_arm = |arm: &str| curves(study, dataset).filter(move |c| c.arm == arm).collect::<Vec<_>>();
    let methods = distinct(ranks.iter().flat_map(|(_, arm)| of_arm(&arm.name)).map(|c| c.method.as_str()));
    let at = |arm: &str, method: &str| of_arm(arm).into_iter().find(|c| c.method == method).and_then(&figure);
    let mut found = ByRank { series: Vec::new(), lines: Vec::new() };
    for method in &methods {
        let points = ranks.iter().filter_map(|(rank, arm)| Some((*rank, arm, at(&arm.name, method)?)));
        let points: Vec<_> = points.collect();
        found.lines.extend(points.iter().map(|(rank, arm, f)| line(&arm.name, method, Some(*rank), *f)));
        let intervals = points.iter().map(|(rank, _, f)| (*rank, f.low, f.high)).collect();
        let points = points.iter().map(|(rank, _, f)| (*rank, f.value)).collect();
        found.series.push(Series::new(*method, points).with_intervals(intervals).emphasised());
    }
    let ends = [ranks.first(), ranks.last()].map(|end| end.map(|(rank, _)| *rank));
    if let [Some(first), Some(last)] = ends {
        for method in &methods {
            if let Some(f) = at(NO_STATE, method) {
                let points = vec![(first, f.value), (last, f.value)];
                found.series.push(Series::new(format!("no state, {method}"), points).dashed());
                found.lines.push(line(NO_STATE, method, None, f));
            }
        }
    }
    found
}

fn line(arm: &str, method: &str, rank: Option<f64>, figure: Figure) -> Vec<String> {
    let numbers = [rank, Some(figure.value), Some(figure.low), Some(figure.high)].map(field);
    [arm.to_owned(), method.to_owned()].into_iter().chain(numbers).collect()
}

const HEADING: [&str; 6] = ["arm", "method", "rank", "value", "low", "high"];

/// Recall at the budget nearest to [`KEEP`], over the rank.
pub(super) fn recall(study: &Study, dataset: &str) -> Result<Option<Drawing>, PlotError> {
    let measure = Measure::of(study, dataset);
    let Some(keep) = budgets(study, dataset, &[KEEP]).first().copied() else { return Ok(None) };
    let found = by_rank(study, dataset, |curve| near(curve, keep).and_then(|point| measure.at(point)));
    let title = format!("{dataset}: {} at keep {}", measure.name(), budget(keep));
    let axes = (("rank", Scale::Doubling), (measure.name(), Scale::Percent));
    let svg = drawn(chart(&title, axes.0, axes.1, &found.series, true))?;
    Ok(svg.map(|svg| Drawing {
        name: format!("figure-3-recall-{}", slug(dataset)),
        caption: format!("Figure 3. Recall at a fixed budget over the rank. {}", sample(study, dataset)),
        title,
        svg,
        csv: csv_text(&HEADING, found.lines),
    }))
}

/// Tokens saved where the recall falls to [`RECALL`], over the rank.
pub(super) fn saving(study: &Study, dataset: &str) -> Result<Option<Drawing>, PlotError> {
    let measure = Measure::of(study, dataset);
    let found = by_rank(study, dataset, |curve| saving_at(curve, measure, RECALL));
    let title = format!("{dataset}: tokens saved with {} of {}", share(RECALL), measure.name());
    let axes = (("rank", Scale::Doubling), ("tokens saved", Scale::Percent));
    let svg = drawn(chart(&title, axes.0, axes.1, &found.series, true))?;
    Ok(svg.map(|svg| Drawing {
        name: format!("figure-3-saving-{}", slug(dataset)),
        caption: format!(
            "Figure 3. Share of all tokens saved where the recall falls to {}, between budgets along straight lines. {} \
             Here the interval is that of the recall, inverted; a curve above the level at its smallest budget gives \
             that budget's saving, a lower bound.",
            share(RECALL),
            sample(study, dataset)
        ),
        title,
        svg,
        csv: csv_text(&HEADING, found.lines),
    }))
}

/// Time of the decoder for one turn, over the rank.
pub(super) fn time(study: &Study) -> Result<Option<Drawing>, PlotError> {
    let timed = |(rank, arm): &(f64, &ArmSummary)| Some((*rank, arm.step_ms?));
    let points: Vec<(f64, f64)> = ranks(study).iter().filter_map(timed).collect();
    let mut series = vec![Series::new("with state", points.clone()).emphasised()];
    let without = study.arms.iter().find(|arm| arm.name == NO_STATE).and_then(|arm| arm.step_ms);
    if let (Some(ms), Some(first), Some(last)) = (without, points.first(), points.last()) {
        series.push(Series::new("no state", vec![(first.0, ms), (last.0, ms)]).dashed());
    }
    let title = "Decoder time for one turn";
    let axes = (("rank", Scale::Doubling), ("milliseconds, one core", Scale::Linear));
    let svg = drawn(chart(title, axes.0, axes.1, &series, true))?;
    let lines = study
        .arms
        .iter()
        .map(|arm| vec![arm.name.clone(), field(arm.rank.map(|rank| rank as f64)), field(arm.step_ms)]);
    Ok(svg.map(|svg| Drawing {
        name: "figure-3-time".to_owned(),
        title: title.to_owned(),
        caption:
            "Figure 3. Median milliseconds that the decoder takes for one turn on one core; a median of one \
                  machine, so there is no interval."
                .to_owned(),
        svg,
        csv: csv_text(&["arm", "rank", "step_ms"], lines),
    }))
}
