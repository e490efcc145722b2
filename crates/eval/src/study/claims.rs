//! The ledger: what the paper claims, what we claim, and what was measured.

use super::{Claim, Comparison, Curve, CurvePoint, Figure, NamedFigures, PriceLine, Study, compare::MARGIN};

/// Where the claims are about.
const CALLS: &str = "taubench-airline";
const QUERIES: &str = "qmsum";

/// The ledger of a study.
pub(super) fn claims(study: &Study) -> Vec<Claim> {
    let main = study.main.as_str();
    let mut ledger = vec![tokens(study, main), calls(study)];
    ledger.extend(success(study, main));
    ledger.extend(rank(study, main));
    ledger.push(theorems());
    ledger.extend(removals(study, main));
    ledger.extend(at_fifth(study, main));
    ledger.extend(family(study, "state", CALLS, "The state earns its place (against the no-state control)"));
    ledger.extend(family(study, "trees", CALLS, "At least equal to boosted trees on the same features"));
    ledger.extend(family(study, "untrained", CALLS, "Above every untrained baseline, tau-bench"));
    ledger.extend(family(study, "untrained", QUERIES, "Above every untrained baseline, QMSum"));
    ledger.extend(family(study, "trees", QUERIES, "At least equal to boosted trees, QMSum"));
    ledger.extend(price(study));
    ledger.extend(winner(study, main));
    ledger
}

fn claim(
    claim: &str,
    paper: &str,
    ours: String,
    figure: Option<Figure>,
    verdict: impl Into<String>,
) -> Claim {
    Claim {
        claim: claim.to_owned(),
        paper: paper.to_owned(),
        ours,
        interval: figure.map(|figure| [figure.low, figure.high]),
        verdict: verdict.into(),
    }
}

fn per_cent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn curve<'a>(study: &'a Study, dataset: &str, arm: &str, method: &str) -> Option<&'a Curve> {
    study.curves.iter().find(|curve| {
        (curve.dataset.as_str(), curve.arm.as_str(), curve.method.as_str()) == (dataset, arm, method)
    })
}

fn point(curve: &Curve, keep: f64) -> Option<&CurvePoint> {
    curve.points.iter().find(|point| (point.keep - keep).abs() < 1e-9)
}

/// The largest saving of a mode that is not inferior to the full context.
fn tokens(study: &Study, main: &str) -> Claim {
    let of_main = |one: &&Comparison| {
        one.family == "full" && one.dataset == CALLS && one.a.starts_with(&format!("{main} "))
    };
    let sound = study.comparisons.iter().filter(of_main).filter(|one| one.difference.low >= -MARGIN);
    let saved = sound.filter_map(|one| {
        let mode = one.a.split(' ').nth(1)?;
        let saved = point(curve(study, CALLS, main, mode)?, one.keep)?.saved;
        Some((mode, one, saved))
    });
    let best = saved.max_by(|(_, _, a), (_, _, b)| a.value.total_cmp(&b.value));
    let title = "Tokens saved with success kept (argument values not inferior to full context by 1 point)";
    let Some((mode, one, saved)) = best else {
        return claim(title, "23 %", "no budget is not inferior".into(), None, "refuted on these data");
    };
    let ours = format!(
        "{} of all tokens ({mode}, keep {:.0} %, args {:+.1} points)",
        per_cent(saved.value),
        one.keep * 100.0,
        one.difference.value * 100.0
    );
    let verdict = if saved.low >= 0.23 {
        "holds"
    } else if saved.value >= 0.23 {
        "holds, though the interval reaches below"
    } else {
        "refuted"
    };
    claim(title, "23 %", ours, Some(saved), verdict)
}

fn calls(study: &Study) -> Claim {
    let title = "Calls that a gate can skip at 1 % loss of used items";
    let figure = |name: &str| {
        let row = study.calls.iter().find(|row| row.name == name)?;
        row.figures.iter().find(|(heading, _)| heading == "calls removed").map(|(_, figure)| *figure)
    };
    let (Some(gate), oracle) = (figure("call gate"), figure("oracle")) else {
        return claim(title, "18 %", "not measured in this study".into(), None, "not tested");
    };
    let ceiling =
        oracle.map_or(String::new(), |oracle| format!("; with the labels known {}", per_cent(oracle.value)));
    let verdict = if gate.low >= 0.18 { "holds" } else { "refuted: the record itself does not allow it" };
    claim(title, "18 %", format!("{}{ceiling}", per_cent(gate.value)), Some(gate), verdict)
}

fn success(study: &Study, main: &str) -> Option<Claim> {
    let point = point(curve(study, CALLS, main, "lrrc-rerank")?, 0.40)?;
    let replay = point.replay?;
    Some(claim(
        "Success of the task",
        "+2.1 points",
        format!("{} of the recorded episodes keep every argument value with 60 % removed", per_cent(replay)),
        None,
        "not tested: a replay cannot raise success; `lrrc eval --judge` plays it live",
    ))
}

/// The best rank at a fifth of the history, and whether any other differs from the main one.
fn rank(study: &Study, main: &str) -> Option<Claim> {
    let ranks = study.arms.iter().filter(|arm| arm.name.starts_with("rank-"));
    let at = |arm: &super::ArmSummary| {
        let args = point(curve(study, CALLS, &arm.name, "lrrc-rerank")?, 0.20)?.args?;
        Some((arm.rank?, args))
    };
    let figures: Vec<(usize, Figure)> = ranks.filter_map(at).collect();
    let (best, figure) = figures.iter().copied().max_by(|(_, a), (_, b)| a.value.total_cmp(&b.value))?;
    let told = figures.iter().map(|(rank, figure)| format!("{rank}: {}", per_cent(figure.value)));
    let of_rank = study.comparisons.iter().filter(|one| one.family == "rank" && one.dataset == CALLS);
    let differs = of_rank.clone().any(|one| one.p_holm.is_some_and(|p| p < 0.05));
    let verdict = if !differs {
        format!("not shown: no rank differs from {main} after Holm's adjustment")
    } else if best == 8 {
        "holds".to_owned()
    } else {
        format!("refuted: rank {best} is best")
    };
    let ours = format!("args kept with 80 % removed, by rank: {}", told.collect::<Vec<_>>().join(", "));
    Some(claim("Rank 8 is the sweet spot", "yes", ours, Some(figure), verdict))
}

fn theorems() -> Claim {
    claim(
        "A low-rank state represents any sequence, and compression loses nothing (Theorems 1 and 2)",
        "proved",
        "no injective map from V^n to V^m for m < n (proofs/rocq, T5); T1–T4 hold instead".to_owned(),
        None,
        "refuted as stated",
    )
}

fn removals(study: &Study, main: &str) -> Vec<Claim> {
    let bars = [
        ("lrrc-ingest", 0.63, "frozen, decided at arrival"),
        ("lrrc-once", 0.63, "frozen, decided once"),
        ("lrrc-rerank", 0.69, "re-ranked"),
    ];
    let of = |(mode, bar, what): (&str, f64, &str)| {
        let curve = curve(study, CALLS, main, mode)?;
        let title = format!("Largest removal of history with everything good, {what}");
        let figure = curve.all_good;
        let verdict = match figure {
            Some(figure) if figure.low >= bar => "holds: reached, whole interval",
            Some(figure) if figure.value >= bar - 5e-4 => "holds: reached, though the interval reaches below",
            _ => "refuted: not reached",
        };
        let ours = figure.map_or_else(|| "none".to_owned(), |figure| per_cent(figure.value));
        Some(claim(&title, &format!("– (bar {:.0} %)", bar * 100.0), ours, figure, verdict))
    };
    bars.into_iter().filter_map(of).collect()
}

fn at_fifth(study: &Study, main: &str) -> Vec<Claim> {
    let of = |mode: &str| {
        let point = point(curve(study, CALLS, main, mode)?, 0.20)?;
        let args = point.args?;
        let verdict = if args.value >= 0.96 { "holds: reached" } else { "refuted: not reached" };
        let ours = format!("{} ({} removed)", per_cent(args.value), per_cent(point.removed));
        Some(claim(
            &format!("Argument values kept at a budget of 20 %, {mode}"),
            "– (bar 96 %)",
            ours,
            Some(args),
            verdict,
        ))
    };
    ["lrrc-ingest", "lrrc-once", "lrrc-rerank"].into_iter().filter_map(of).collect()
}

/// How many comparisons of a family are won, lost and open after Holm's adjustment.
fn family(study: &Study, family: &str, dataset: &str, title: &str) -> Option<Claim> {
    let all: Vec<&Comparison> =
        study.comparisons.iter().filter(|one| one.family == family && one.dataset == dataset).collect();
    let sure = |one: &&&Comparison| one.p_holm.is_some_and(|p| p < 0.05);
    let won = all.iter().filter(sure).filter(|one| one.difference.value > 0.0).count();
    let lost = all.iter().filter(sure).filter(|one| one.difference.value < 0.0).count();
    let inferior = all.iter().filter(|one| one.difference.low < -MARGIN).count();
    let widest = all.iter().max_by(|a, b| a.difference.value.abs().total_cmp(&b.difference.value.abs()))?;
    let ours = format!(
        "of {} comparisons {won} won and {lost} lost at 5 % after Holm, {inferior} may be worse by a point; largest difference {:+.1} points ({}, keep {:.0} %)",
        all.len(),
        widest.difference.value * 100.0,
        widest.b,
        widest.keep * 100.0
    );
    let verdict = match (won, lost) {
        (_, 0) if won == all.len() => "holds everywhere",
        (0, 0) => "not shown: no difference",
        (_, 0) => "holds where there is a difference",
        (0, _) => "refuted",
        _ => "mixed",
    };
    Some(claim(title, "–", ours, Some(widest.difference), verdict))
}

/// The cheapest way to send a session with the coordinator that keeps 99 % of the argument values, under the first
/// provider, and the cheapest without it.
fn price(study: &Study) -> Option<Claim> {
    let good = study.prices.iter().filter(|line| line.args.is_some_and(|args| args.value >= 0.99));
    let priced: Vec<_> = good.filter_map(|line| Some((line, line.input.first()?))).collect();
    let cheapest = |learned: bool| {
        let own = priced.iter().filter(|(line, _)| line.strategy.starts_with("lrrc") == learned);
        own.min_by(|(_, (_, a)), (_, (_, b))| a.value.total_cmp(&b.value))
    };
    let (line, (provider, figure)) = cheapest(true)?;
    let told = |line: &PriceLine, figure: &Figure| {
        let keep = line.keep.map_or(String::new(), |keep| format!(", keep {:.0} %", keep * 100.0));
        format!("{:.2} of pass-through ({}{keep})", figure.value, line.strategy)
    };
    let rule = cheapest(false)
        .map_or(String::new(), |(line, (_, figure))| format!("; without learning {}", told(line, figure)));
    let verdict = if figure.high <= 0.5 {
        "holds, whole interval"
    } else if figure.value <= 0.5 {
        "holds"
    } else {
        "refuted: not reached"
    };
    let title = format!("Price of the input on long sessions at 99 % of the argument values ({provider})");
    Some(claim(&title, "– (bar 0.50)", format!("{}{rule}", told(line, figure)), Some(*figure), verdict))
}

fn winner(study: &Study, main: &str) -> Option<Claim> {
    let own =
        |row: &&NamedFigures| row.dataset.contains("mtbench") && row.arm == main && row.name == "lrrc, full";
    let row = study.winners.iter().find(own)?;
    let (_, figure) = row.figures.first()?;
    let verdict = if figure.low > 0.738 {
        "holds, whole interval"
    } else if figure.value > 0.738 {
        "holds, though the interval reaches below"
    } else {
        "refuted: not reached"
    };
    Some(claim(
        "Agreement with human votes on MT-Bench",
        "– (bar 73.8 %)",
        per_cent(figure.value),
        Some(*figure),
        verdict,
    ))
}
