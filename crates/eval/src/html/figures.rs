//! Figures 2 and 5: what methods keep and save, and the data sets.

use crate::plot::{PlotError, RowFigure, Scale, Series, budget_curves, chart, row_figures};
use crate::study::{Curve, CurvePoint, Figure, Study};

use super::cell::budget;
use super::drawing::{Drawing, csv_text, drawn, field, slug};
use super::read::{KEEP, Measure, RULES, TREES, budgets, curves, is_ceiling, is_ours, label, near};

/// Untrained methods that are drawn; the others stand in the table and the CSV.
const DRAWN_RULES: usize = 6;

/// Sizes of the sample behind the curves of a data set, and how its intervals were made.
pub(super) fn sample(study: &Study, dataset: &str) -> String {
    let most = |of: fn(&Curve) -> f64| curves(study, dataset).map(of).fold(0.0, f64::max);
    format!(
        "{dataset}: n = {} episodes in {} groups, held out in {} folds, up to {} seeds an episode; 95 % intervals by \
         cluster bootstrap over groups.",
        most(|c| c.episodes as f64),
        most(|c| c.groups as f64),
        study.folds,
        most(|c| c.seeds)
    )
}

/// The curves that are drawn: the main arm, trees, ceilings, and the untrained methods that keep most at [`KEEP`].
fn chosen<'a>(study: &'a Study, dataset: &str, measure: Measure) -> Vec<&'a Curve> {
    let height =
        |curve: &Curve| near(curve, KEEP).and_then(|p| measure.at(p)).map_or(f64::MIN, |figure| figure.value);
    let is_plain =
        |curve: &&Curve| curve.arm == RULES && !is_ceiling(&curve.method) && curve.method != "full";
    let mut rules: Vec<&Curve> = curves(study, dataset).filter(is_plain).collect();
    rules.sort_by(|a, b| height(b).total_cmp(&height(a)));
    let ours = curves(study, dataset).filter(|c| is_ours(study, c) || c.arm == TREES);
    let ceilings = curves(study, dataset).filter(|c| is_ceiling(&c.method) && !is_ours(study, c));
    ours.chain(rules.into_iter().take(DRAWN_RULES)).chain(ceilings).collect()
}

/// Figure 2, first part: what each method keeps and saves at one budget.
pub(super) fn methods(study: &Study, dataset: &str) -> Result<Option<Drawing>, PlotError> {
    let measure = Measure::of(study, dataset);
    let Some(keep) = budgets(study, dataset, &[KEEP]).first().copied() else { return Ok(None) };
    let row_figure = |f: Figure| RowFigure { value: f.value, low: f.low, high: f.high };
    let row = |curve: &&Curve| {
        let point = near(curve, keep)?;
        let figures = [measure.at(point), Some(point.saved)];
        Some((label(study, curve), figures.map(|figure| figure.map(row_figure)).to_vec()))
    };
    let rows: Vec<_> = chosen(study, dataset, measure).iter().filter_map(row).collect();
    let title = format!("{dataset}: kept and saved at keep {}", budget(keep));
    let kinds = [measure.name(), "tokens saved"];
    let svg = drawn(row_figures(&title, "share", &kinds, &rows))?;
    Ok(svg.map(|svg| Drawing {
        name: format!("figure-2-methods-{}", slug(dataset)),
        title,
        caption: format!(
            "Figure 2. Success proxy ({}) and tokens saved at keep {}. {} Untrained methods: the {DRAWN_RULES} that \
             keep most; all are in the table and the CSV.",
            measure.name(),
            budget(keep),
            sample(study, dataset)
        ),
        svg,
        csv: curves_csv(study, dataset, |point| (point.keep - keep).abs() < 1e-9),
    }))
}

/// Figure 2, second part: what is kept over what is removed.
pub(super) fn budget_figure(study: &Study, dataset: &str) -> Result<Option<Drawing>, PlotError> {
    let measure = Measure::of(study, dataset);
    let series = |curve: &&Curve| {
        let place = |point: &CurvePoint| Some((point.removed, measure.at(point)?.value));
        let series = Series::new(label(study, curve), curve.points.iter().filter_map(place).collect());
        match curve {
            curve if is_ceiling(&curve.method) => series.dashed(),
            curve if is_ours(study, curve) => series.emphasised(),
            _ => series,
        }
    };
    let series: Vec<Series> = chosen(study, dataset, measure).iter().map(series).collect();
    let title = format!("{dataset}: budget and recall");
    let svg = drawn(budget_curves(&title, "history removed", measure.name(), &series))?;
    Ok(svg.map(|svg| Drawing {
        name: format!("figure-2-budgets-{}", slug(dataset)),
        title,
        caption: format!(
            "Figure 2. Recall ({}) over the share of the history that was really removed; dashed lines are ceilings that know \
             the future. {} The CSV holds every method of every arm with its intervals.",
            measure.name(),
            sample(study, dataset)
        ),
        svg,
        csv: curves_csv(study, dataset, |_| true),
    }))
}

/// Points of all curves of a data set.
fn curves_csv(study: &Study, dataset: &str, wanted: impl Fn(&CurvePoint) -> bool) -> String {
    let heading = [
        "dataset",
        "arm",
        "method",
        "episodes",
        "groups",
        "seeds",
        "keep",
        "removed",
        "saved",
        "saved_low",
        "saved_high",
        "args",
        "args_low",
        "args_high",
        "bound",
        "answers",
        "words",
        "replay",
        "evidence",
        "evidence_low",
        "evidence_high",
        "is_good",
    ];
    let ends = |figure: Option<Figure>| {
        [figure.map(|f| f.value), figure.map(|f| f.low), figure.map(|f| f.high)].map(field)
    };
    let line = |(curve, point): (&Curve, &CurvePoint)| {
        let mut line = vec![curve.dataset.clone(), curve.arm.clone(), curve.method.clone()];
        line.extend([curve.episodes.to_string(), curve.groups.to_string(), curve.seeds.to_string()]);
        line.extend([point.keep.to_string(), point.removed.to_string()]);
        line.extend(ends(Some(point.saved)));
        line.extend(ends(point.args));
        line.extend([point.bound, point.answers, point.words, point.replay].map(field));
        line.extend(ends(point.evidence));
        line.push(point.is_good.to_string());
        line
    };
    let points =
        curves(study, dataset).flat_map(|curve| curve.points.iter().map(move |point| (curve, point)));
    csv_text(&heading, points.filter(|(_, point)| wanted(point)).map(line))
}

/// Figure 5: the distribution of tokens per turn, cumulated, so that bins of any width compare.
pub(super) fn turn_tokens(study: &Study) -> Result<Option<Drawing>, PlotError> {
    let cumulated = |bins: &[(u32, usize)]| {
        let all: usize = bins.iter().map(|(_, count)| count).sum();
        let mut so_far = 0;
        let place = |(end, count): &(u32, usize)| {
            so_far += count;
            (f64::from(*end), so_far as f64 / all as f64)
        };
        bins.iter().map(place).collect::<Vec<_>>()
    };
    let series: Vec<Series> =
        study.datasets.iter().map(|facts| Series::new(&facts.name, cumulated(&facts.turn_tokens))).collect();
    let title = "Tokens per turn";
    let axes = (("tokens of the turn", Scale::Log), ("share of turns with at most so many", Scale::Percent));
    let svg = drawn(chart(title, axes.0, axes.1, &series, true))?;
    let line =
        |name: &str, (end, count): &(u32, usize)| vec![name.to_owned(), end.to_string(), count.to_string()];
    let lines = study.datasets.iter().flat_map(|f| f.turn_tokens.iter().map(move |bin| line(&f.name, bin)));
    Ok(svg.map(|svg| Drawing {
        name: "figure-5-turn-tokens".to_owned(),
        title: title.to_owned(),
        caption: format!(
            "Figure 5. Distribution of tokens per turn, cumulated over bins: n = {} turns of {} data sets; counts of \
             all turns, so there is no interval.",
            study.datasets.iter().map(|facts| facts.turns).sum::<usize>(),
            study.datasets.len()
        ),
        svg,
        csv: csv_text(&["dataset", "tokens_at_most", "turns"], lines),
    }))
}
