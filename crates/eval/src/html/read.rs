//! What the report looks up in a study: the main arm, the measure of a data set, a budget, a saving at a given recall.

use crate::study::{Curve, CurvePoint, Figure, Study};

/// The arm of untrained methods and ceilings.
pub(super) const RULES: &str = "rules";
/// The arm of boosted trees.
pub(super) const TREES: &str = "trees";
/// The arm whose decoder sees no state.
pub(super) const NO_STATE: &str = "no-state";
/// Recall at which savings are compared.
pub(super) const RECALL: f64 = 0.95;
/// Share of the history at which recalls are compared.
pub(super) const KEEP: f64 = 0.30;

/// What stands for success on a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// Argument values that a later call needs and still sees.
    Args,
    /// Gold evidence that a query still sees.
    Evidence,
}

impl Measure {
    /// Argument values where any method of the data set has them.
    pub(super) fn of(study: &Study, dataset: &str) -> Self {
        let has_args = curves(study, dataset).any(|curve| curve.points.iter().any(|p| p.args.is_some()));
        if has_args { Self::Args } else { Self::Evidence }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Args => "argument values kept",
            Self::Evidence => "gold evidence kept",
        }
    }

    pub(super) fn at(self, point: &CurvePoint) -> Option<Figure> {
        match self {
            Self::Args => point.args,
            Self::Evidence => point.evidence,
        }
    }
}

/// Distinct items in the order of their first appearance.
pub(super) fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut known = Vec::new();
    for item in items {
        if !known.contains(&item) {
            known.push(item);
        }
    }
    known
}

/// The data sets that have curves.
pub(super) fn datasets(study: &Study) -> Vec<&str> {
    distinct(study.curves.iter().map(|curve| curve.dataset.as_str()))
}

/// The curves of a data set.
pub(super) fn curves<'a>(study: &'a Study, dataset: &str) -> impl Iterator<Item = &'a Curve> {
    study.curves.iter().filter(move |curve| curve.dataset == dataset)
}

/// The main arm, or the first that has a rank, or the first.
pub(super) fn main_arm(study: &Study) -> Option<&str> {
    let named = |name: &str| study.arms.iter().find(|arm| arm.name == name);
    let any = || study.arms.iter().find(|arm| arm.rank.is_some()).or(study.arms.first());
    named(&study.main).or_else(any).map(|arm| arm.name.as_str())
}

/// Whether a method reads the future and is a ceiling, no rival.
pub(super) fn is_ceiling(method: &str) -> bool {
    method.starts_with("oracle")
}

/// Whether a curve belongs to the main arm and is ours.
pub(super) fn is_ours(study: &Study, curve: &Curve) -> bool {
    main_arm(study) == Some(curve.arm.as_str())
}

/// The method, with its arm where that is not clear.
pub(super) fn label(study: &Study, curve: &Curve) -> String {
    let plain = is_ours(study, curve) || curve.arm == RULES || curve.arm == TREES;
    if plain { curve.method.clone() } else { format!("{} · {}", curve.arm, curve.method) }
}

/// The point at the budget nearest to a share.
pub(super) fn near(curve: &Curve, keep: f64) -> Option<&CurvePoint> {
    curve.points.iter().min_by(|a, b| (a.keep - keep).abs().total_cmp(&(b.keep - keep).abs()))
}

/// The budgets of a data set that are nearest to the wanted shares, smallest first, none twice.
pub(super) fn budgets(study: &Study, dataset: &str, wanted: &[f64]) -> Vec<f64> {
    let known: Vec<f64> = curves(study, dataset).flat_map(|c| c.points.iter().map(|p| p.keep)).collect();
    let nearest =
        |share: &f64| known.iter().copied().min_by(|a, b| (a - share).abs().total_cmp(&(b - share).abs()));
    distinct(wanted.iter().filter_map(nearest))
}

/// Share of all tokens saved where a curve falls to a recall, between budgets along straight lines.
///
/// Every curve ends where nothing is removed: recall 1, saving 0. The interval inverts the pointwise interval of the
/// recall: its ends are the savings at which the lower and the upper ends of the recall fall to the level. A curve
/// that is above the level at its smallest budget gives the saving of that budget, a lower bound.
pub(super) fn saving_at(curve: &Curve, measure: Measure, level: f64) -> Option<Figure> {
    let along = |end: fn(Figure) -> f64| {
        let points = curve.points.iter().filter_map(|p| Some((p.saved.value, end(measure.at(p)?))));
        let mut last: Option<(f64, f64)> = None;
        for (saved, recall) in points.chain([(0.0, 1.0)]) {
            if recall >= level {
                return last.map_or(saved, |(more, less)| {
                    let share = (level - less) / (recall - less);
                    more + share * (saved - more)
                });
            }
            last = Some((saved, recall));
        }
        0.0
    };
    curve.points.iter().any(|p| measure.at(p).is_some()).then(|| Figure {
        value: along(|f| f.value),
        low: along(|f| f.low),
        high: along(|f| f.high),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_saving_lies_between_budgets_and_its_interval_inverts_that_of_the_recall() {
        let curve = crate::html::tests::curve("d", "rank-8", "lrrc-once", &[(0.2, 0.85), (0.4, 0.95)]);
        // Saved 0.8 and 0.6 of the tokens; the intervals reach 0.05 to both sides.
        let saving = saving_at(&curve, Measure::Args, 0.9).expect("it has a recall");
        assert!((saving.value - 0.7).abs() < 1e-9, "{saving:?}");
        assert!((saving.low - 0.6).abs() < 1e-9 && (saving.high - 0.8).abs() < 1e-9, "{saving:?}");
        let all = saving_at(&curve, Measure::Args, 1.0).expect("it has a recall");
        assert!(all.value.abs() < 1e-9, "{all:?}");
        assert_eq!(saving_at(&curve, Measure::Evidence, 0.9), None);
    }
}
