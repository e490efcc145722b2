//! Tables of what methods keep: claims, budgets, the largest removal with everything good, tests between methods.

use maud::{Markup, html};

use crate::study::{Claim, Comparison, Curve, Study};

use super::cell::{
    Column, Row, Unit, budget, columns, figure_cell, missing, number_cell, p_cell, share_cell, table,
};
use super::read::{Measure, RULES, TREES, budgets, curves, datasets, is_ceiling, is_ours, label, near};

/// Shares of the history at which tables are shown.
pub(super) const KEEPS: [f64; 3] = [0.2, 0.3, 0.4];

/// How a verdict is read: its class in the style sheet and the word in its badge.
pub(super) fn verdict(claim: &Claim) -> (&'static str, &'static str) {
    let text = claim.verdict.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["not tested", "untested", "not measured"]) {
        ("none", "not tested")
    } else if says(&["refuted", "does not hold", "fails"]) {
        ("bad", "refuted")
    } else if text.starts_with("holds") && !says(&["in part", "partly"]) {
        ("good", "holds")
    } else if text.starts_with("not shown") {
        ("none", "not shown")
    } else {
        ("part", "in part")
    }
}

/// The verdict without the word that its badge says.
fn after<'a>(verdict: &'a str, word: &str) -> &'a str {
    let starts = verdict.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let rest = if starts { &verdict[word.len()..] } else { verdict };
    rest.trim_start_matches([':', ';', ',', '.', ' '])
}

/// Every claim with what was measured.
pub(super) fn claims(study: &Study) -> Markup {
    let heads = columns([
        ("claim", Column::Text),
        ("paper", Column::Text),
        ("measured", Column::Text),
        ("95 % interval", Column::Number),
        ("verdict", Column::Text),
    ]);
    let row = |claim: &Claim| {
        let (class, word) = verdict(claim);
        let interval = claim.interval.map(|[low, high]| format!("[{low:.3}, {high:.3}]"));
        Row::plain(vec![
            html! { (claim.claim) },
            html! { (claim.paper) },
            html! { (claim.ours) },
            interval.map_or_else(missing, |text| html! { (text) }),
            html! { span class={ "badge " (class) } { (word) } " " (after(&claim.verdict, word)) },
        ])
    };
    table(&heads, &study.claims.iter().map(row).collect::<Vec<_>>())
}

fn class(study: &Study, curve: &Curve) -> &'static str {
    match curve {
        curve if is_ceiling(&curve.method) => "ceiling",
        curve if is_ours(study, curve) => "ours",
        _ => "",
    }
}

/// The tables of one data set at the budgets nearest to [`KEEPS`].
pub(super) fn at_budgets(study: &Study, dataset: &str) -> Markup {
    html! {
        @for keep in budgets(study, dataset, &KEEPS) {
            h4 { "Keep " (budget(keep)) " of the history" }
            (at_budget(study, dataset, keep, false))
            @if curves(study, dataset).any(|curve| is_other_arm(study, curve)) {
                details {
                    summary { "Other arms at keep " (budget(keep)) }
                    (at_budget(study, dataset, keep, true))
                }
            }
        }
    }
}

/// Whether a curve is of neither the main arm, the untrained methods nor the trees.
fn is_other_arm(study: &Study, curve: &Curve) -> bool {
    !is_ours(study, curve) && curve.arm != RULES && curve.arm != TREES
}

/// Rows by measure, best first; methods without it last, in their own order.
fn at_budget(study: &Study, dataset: &str, keep: f64, others: bool) -> Markup {
    let measure = Measure::of(study, dataset);
    let heads = columns([
        ("method", Column::Word),
        ("removed", Column::Number),
        ("tokens saved", Column::Number),
        ("args kept", Column::Number),
        ("bound recall", Column::Number),
        ("answers", Column::Number),
        ("words", Column::Number),
        ("replayable", Column::Number),
        ("evidence", Column::Number),
        ("all good", Column::Word),
    ]);
    let own = curves(study, dataset).filter(|curve| is_other_arm(study, curve) == others);
    let mut found: Vec<_> = own.filter_map(|curve| Some((curve, near(curve, keep)?))).collect();
    let order = |point| measure.at(point).map_or(f64::MIN, |figure| figure.value);
    found.sort_by(|(_, a), (_, b)| order(b).total_cmp(&order(a)));
    let row = |(curve, point): &(&Curve, &crate::study::CurvePoint)| Row {
        class: class(study, curve),
        cells: vec![
            html! { (label(study, curve)) },
            share_cell(Some(point.removed)),
            figure_cell(Some(point.saved), Unit::Share),
            figure_cell(point.args, Unit::Share),
            share_cell(point.bound),
            share_cell(point.answers),
            share_cell(point.words),
            share_cell(point.replay),
            figure_cell(point.evidence, Unit::Share),
            if point.is_good {
                html! { span.good { "yes" } }
            } else {
                html! { span.soft { "no" } }
            },
        ],
    };
    table(&heads, &found.iter().map(row).collect::<Vec<_>>())
}

/// The largest removal with everything good; other arms than the main one apart.
pub(super) fn all_good(study: &Study, dataset: &str) -> Markup {
    html! {
        (removal(study, dataset, false))
        @if curves(study, dataset).any(|curve| is_other_arm(study, curve)) {
            details { summary { "Other arms" } (removal(study, dataset, true)) }
        }
    }
}

/// Most first; methods that have no such budget say so.
fn removal(study: &Study, dataset: &str, others: bool) -> Markup {
    let heads = columns([("method", Column::Word), ("largest removal with everything good", Column::Number)]);
    let own = curves(study, dataset).filter(|curve| is_other_arm(study, curve) == others);
    let mut found: Vec<&Curve> = own.collect();
    let order = |curve: &Curve| curve.all_good.map_or(f64::MIN, |figure| figure.value);
    found.sort_by(|a, b| order(b).total_cmp(&order(a)));
    let row = |curve: &&Curve| Row {
        class: class(study, curve),
        cells: vec![
            html! { (label(study, curve)) },
            if curve.all_good.is_some() {
                figure_cell(curve.all_good, Unit::Share)
            } else {
                html! { span.soft { "no budget" } }
            },
        ],
    };
    table(&heads, &found.iter().map(row).collect::<Vec<_>>())
}

/// What a test says about a margin of one point.
fn non_inferiority(comparison: &Comparison) -> Markup {
    match comparison.p_inferior {
        None => missing(),
        Some(p) if p < 0.05 => html! { span.good { "shown" } " " small { "p " (p_cell(Some(p))) } },
        p => html! { span.soft { "not shown" } " " small { "p " (p_cell(p)) } },
    }
}

/// All tests, one table a family.
pub(super) fn comparisons(study: &Study) -> Markup {
    let heads = columns([
        ("a", Column::Word),
        ("b", Column::Word),
        ("data set", Column::Word),
        ("metric", Column::Word),
        ("keep", Column::Number),
        ("a − b", Column::Number),
        ("groups", Column::Number),
        ("p, t", Column::Number),
        ("p, Wilcoxon", Column::Number),
        ("p, Holm", Column::Number),
        ("d_z", Column::Number),
        ("p, McNemar", Column::Number),
        ("non-inferior by 1 point", Column::Word),
    ]);
    let row = |c: &&Comparison| {
        Row::plain(vec![
            html! { (c.a) },
            html! { (c.b) },
            html! { (c.dataset) },
            html! { (c.metric) },
            html! { (budget(c.keep)) },
            figure_cell(Some(c.difference), Unit::Points),
            html! { (c.groups) },
            p_cell(c.p_t),
            p_cell(c.p_wilcoxon),
            p_cell(c.p_holm),
            number_cell(c.d_z, 2),
            p_cell(c.p_mcnemar),
            non_inferiority(c),
        ])
    };
    let families = super::read::distinct(study.comparisons.iter().map(|c| c.family.as_str()));
    html! {
        @for family in families {
            @let own: Vec<&Comparison> = study.comparisons.iter().filter(|c| c.family == family).collect();
            details open[own.len() <= 12] {
                summary { "Family: " (family) " (tests: " (own.len()) ")" }
                (table(&heads, &own.iter().map(row).collect::<Vec<_>>()))
            }
        }
    }
}

/// The arms: what was trained or run, and how long it took.
pub(super) fn arms(study: &Study) -> Markup {
    let heads = columns([
        ("arm", Column::Word),
        ("rank", Column::Number),
        ("parameters", Column::Number),
        ("decoder, ms a turn", Column::Number),
        ("trials", Column::Number),
        ("mean seconds", Column::Number),
    ]);
    let whole = |number: Option<usize>| {
        number.map_or_else(missing, |number| html! { (super::cell::whole(number as u64)) })
    };
    let row = |arm: &crate::study::ArmSummary| Row {
        class: if arm.name == study.main { "ours" } else { "" },
        cells: vec![
            html! { (arm.name) },
            whole(arm.rank),
            whole(arm.parameters),
            number_cell(arm.step_ms, 2),
            whole(Some(arm.trials)),
            number_cell(Some(arm.seconds), 0),
        ],
    };
    table(&heads, &study.arms.iter().map(row).collect::<Vec<_>>())
}

/// One part a data set, the first one open.
pub(super) fn by_dataset(study: &Study, part: impl Fn(&str) -> Markup) -> Markup {
    html! {
        @for (at, dataset) in datasets(study).into_iter().enumerate() {
            @if at == 0 {
                h3 { (dataset) }
                (part(dataset))
            } @else {
                details { summary { (dataset) } (part(dataset)) }
            }
        }
    }
}
