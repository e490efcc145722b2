//! Sentences computed from the study: the summary, the ceilings, what made no difference, what was lost.

use maud::{Markup, html};

use crate::study::{Comparison, Curve, Failure, Study};

use super::cell::{Column, Row, Unit, budget, columns, figure_cell, figure_text, share, table};
use super::read::{
    KEEP, Measure, NO_STATE, RULES, budgets, curves, datasets, distinct, is_ceiling, is_ours, label,
    main_arm, near,
};
use super::tables::{KEEPS, verdict};

/// Failures that show their text without a click.
const OPEN_FAILURES: usize = 5;

/// One paragraph: what was run, what the main arm and the best untrained method keep, and how the claims fared.
pub(super) fn summary(study: &Study) -> Markup {
    let trials: usize = study.arms.iter().map(|arm| arm.trials).sum();
    let mut sentences = vec![format!(
        "{trials} trials of {} arms were replayed on {} data sets, each episode held out in one of {} folds.",
        study.arms.len(),
        datasets(study).len(),
        study.folds
    )];
    sentences.extend(datasets(study).first().and_then(|dataset| headline(study, dataset)));
    if !study.comparisons.is_empty() {
        let tests = &study.comparisons;
        let none = tests.iter().filter(|c| has_zero(c)).count();
        sentences.push(format!(
            "Of {} tests between methods, {none} show no difference (their 95 % interval contains 0).",
            tests.len()
        ));
    }
    if !study.claims.is_empty() {
        let words = ["holds", "in part", "not shown", "refuted", "not tested"];
        let count = |word: &str| study.claims.iter().filter(|claim| verdict(claim).1 == word).count();
        let [holds, part, hidden, refuted, open] = words.map(count);
        sentences.push(format!(
            "Of {} claims, {holds} hold, {part} hold in part, {hidden} are not shown, {refuted} are refuted and {open} \
             were not tested.",
            study.claims.len()
        ));
    }
    html! { p.lead { (sentences.join(" ")) } }
}

/// What the main arm keeps on a data set at the budget nearest to [`KEEP`], beside the best untrained method.
fn headline(study: &Study, dataset: &str) -> Option<String> {
    let measure = Measure::of(study, dataset);
    let keep = budgets(study, dataset, &[KEEP]).first().copied()?;
    let figure = |curve: &Curve| near(curve, keep).and_then(|point| measure.at(point));
    let says = |curve: &Curve| {
        let point = near(curve, keep)?;
        let kept = figure_text(measure.at(point)?, Unit::Share);
        Some(format!("{} {kept} with {} of all tokens saved", curve.method, share(point.saved.value)))
    };
    let ours: Vec<String> = curves(study, dataset).filter(|c| is_ours(study, c)).filter_map(says).collect();
    let plain = |c: &&Curve| c.arm == RULES && !is_ceiling(&c.method) && c.method != "full";
    let height = |curve: &Curve| figure(curve).map_or(f64::MIN, |f| f.value);
    let best = curves(study, dataset).filter(plain).max_by(|a, b| height(a).total_cmp(&height(b)));
    let rival =
        best.and_then(says).map_or_else(String::new, |best| format!("; the best untrained method: {best}"));
    let arm = main_arm(study)?;
    (!ours.is_empty()).then(|| {
        format!(
            "{dataset}, {} at keep {}: {arm} with {}{rival}.",
            measure.name(),
            budget(keep),
            ours.join(", ")
        )
    })
}

/// Whether the interval of a test contains 0.
fn has_zero(comparison: &Comparison) -> bool {
    comparison.difference.low <= 0.0 && comparison.difference.high >= 0.0
}

/// What methods that know the future reach, beside the best learned one.
pub(super) fn ceilings(study: &Study) -> Markup {
    let heads = columns([
        ("data set", Column::Word),
        ("keep", Column::Number),
        ("ceiling", Column::Word),
        ("reaches", Column::Number),
        ("best of the main arm", Column::Word),
        ("keeps", Column::Number),
        ("left to gain", Column::Number),
    ]);
    let mut rows = Vec::new();
    for dataset in datasets(study) {
        let measure = Measure::of(study, dataset);
        for keep in budgets(study, dataset, &KEEPS) {
            let at = |curve: &Curve| near(curve, keep).and_then(|point| measure.at(point));
            let ours = curves(study, dataset).filter(|c| is_ours(study, c) && !is_ceiling(&c.method));
            let ours = ours.filter_map(|c| Some((c, at(c)?)));
            let best = ours.max_by(|a, b| a.1.value.total_cmp(&b.1.value));
            for curve in curves(study, dataset).filter(|c| is_ceiling(&c.method)) {
                let (Some(top), Some((method, ours))) = (at(curve), best) else { continue };
                let gap = (top.value - ours.value) * 100.0;
                rows.push(Row::plain(vec![
                    html! { (dataset) },
                    html! { (budget(keep)) },
                    html! { (label(study, curve)) },
                    figure_cell(Some(top), Unit::Share),
                    html! { (method.method) },
                    figure_cell(Some(ours), Unit::Share),
                    html! { (format!("{gap:.1} pt")) },
                ]));
            }
        }
    }
    if rows.is_empty() {
        html! { p { "The study holds no ceiling: no method that knows the future was run." } }
    } else {
        table(&heads, &rows)
    }
}

/// What made no difference, what spoke against the first side, and which methods never have everything good.
pub(super) fn negatives(study: &Study) -> Markup {
    let families = distinct(study.comparisons.iter().map(|c| c.family.as_str()));
    html! {
        ul {
            li { (part_of(study, "Rank", |c| both(c, |side| side.starts_with("rank-")))) }
            li { (part_of(study, "State", |c| c.a.contains(NO_STATE) || c.b.contains(NO_STATE))) }
            @for dataset in datasets(study) { @if let Some(sentence) = never_good(study, dataset) { li { (sentence) } } }
        }
        @for family in families {
            @let own: Vec<&Comparison> = study.comparisons.iter().filter(|c| c.family == family).collect();
            (outcome(family, &own))
        }
    }
}

fn both(comparison: &Comparison, side: impl Fn(&str) -> bool) -> bool {
    side(&comparison.a) && side(&comparison.b)
}

/// One sentence on the tests of one kind.
fn part_of(study: &Study, what: &str, wanted: impl Fn(&Comparison) -> bool) -> String {
    let own: Vec<&Comparison> = study.comparisons.iter().filter(|c| wanted(c)).collect();
    let none = own.iter().filter(|c| has_zero(c)).count();
    match (own.len(), none) {
        (0, _) => format!("{what}: no test between arms was made."),
        (all, none) if none == all => format!("{what}: no difference shown in any of {all} tests."),
        (all, 0) => format!("{what}: a difference shown in each of {all} tests."),
        (all, none) => {
            format!(
                "{what}: no difference shown in {none} of {all} tests, a difference in the other {}.",
                all - none
            )
        }
    }
}

fn never_good(study: &Study, dataset: &str) -> Option<String> {
    let labelled = curves(study, dataset).any(|curve| curve.all_good.is_some());
    let never = curves(study, dataset).filter(|c| is_ours(study, c) && c.all_good.is_none());
    let never: Vec<&str> = never.map(|c| c.method.as_str()).collect();
    (labelled && !never.is_empty())
        .then(|| format!("{dataset}: no budget has everything good with {}.", never.join(", ")))
}

/// The tests of one family that show no difference, and those in which b is the better side.
fn outcome(family: &str, own: &[&Comparison]) -> Markup {
    let none: Vec<_> = own.iter().filter(|c| has_zero(c)).collect();
    let against: Vec<_> = own.iter().filter(|c| c.difference.high < 0.0).collect();
    let line = |c: &Comparison| {
        let difference = figure_text(c.difference, Unit::Points);
        format!("{} against {}, {}, {}, keep {}: {difference}", c.a, c.b, c.dataset, c.metric, budget(c.keep))
    };
    html! {
        @if !none.is_empty() {
            details open[none.len() <= 6] {
                summary { (family) ": no difference shown in " (none.len()) " of " (own.len()) " tests" }
                ul { @for test in &none { li { (line(test)) } } }
            }
        }
        @if !against.is_empty() {
            details open[against.len() <= 6] {
                summary { (family) ": b is better than a in " (against.len()) " of " (own.len()) " tests" }
                ul { @for test in &against { li { (line(test)) } } }
            }
        }
    }
}

/// Every failure with the text that was dropped.
pub(super) fn failures(study: &Study) -> Markup {
    html! {
        @for (at, failure) in study.failures.iter().enumerate() {
            details open[at < OPEN_FAILURES] {
                summary { code { (failure.value) } " — " (failure.episode) ", needed by turn " (failure.call) }
                (failed(failure))
            }
        }
    }
}

fn failed(failure: &Failure) -> Markup {
    html! {
        p.soft {
            "Keep " (budget(failure.keep)) ". Last seen in turn " (failure.turn) ", said by " (failure.role)
            ". The segment scored " (format!("{:.3}", failure.score)) "; " (failure.above) " of "
            (failure.candidates) " candidates scored higher."
        }
        blockquote { (dropped(&failure.text)) }
    }
}

/// The text with what stands between ⟦ and ⟧ marked.
fn dropped(text: &str) -> Markup {
    html! {
        @for (at, piece) in text.split('⟦').enumerate() {
            @match (at, piece.split_once('⟧')) {
                (0, _) | (_, None) => (piece),
                (_, Some((marked, rest))) => { mark { (marked) } (rest) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dropped_segment_is_marked_and_nothing_else_is() {
        let check = |text: &str, expect: &str| assert_eq!(dropped(text).into_string(), expect);
        check("a ⟦b <i>⟧ c", "a <mark>b &lt;i&gt;</mark> c");
        check("a ⟧ b", "a ⟧ b");
        check("⟦a⟧ b ⟦c⟧", "<mark>a</mark> b <mark>c</mark>");
    }
}
