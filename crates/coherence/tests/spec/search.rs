//! The TLA+ specification of `proofs/tla`, and its models, for the checker.

use std::path::PathBuf;
use std::sync::Arc;

use tla_checker::ast::Value;
use tla_checker::checker::{CheckResult, CheckStats, check, check_result_to_json, format_trace_with_actions};
use tla_checker::load::{Prepared, prepare_from_path};

/// Where the search ends without a verdict. The checker's own bounds, 1,000,000 states and depth 100, are lower.
const MAX_STATES: usize = 20_000_000;
const MAX_DEPTH: usize = 10_000;

/// A rule that is left out, the model that shows it, and the law that must see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mutant {
    pub(crate) name: &'static str,
    pub(crate) model: &'static str,
    pub(crate) law: &'static str,
}

/// What the search found.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Every law holds in every state.
    Holds(CheckStats),
    /// Every law holds in as many states as were to be looked at, breadth first; there are more.
    Unfinished(CheckStats),
    /// This law does not; the states and actions that lead there.
    Broken { law: String, trace: String, states: usize, seconds: f64 },
    /// No verdict: the specification or the model is at fault, or the search went over its bounds.
    None(String),
}

/// The models that are small enough for every build.
pub(crate) const SMALL: [&str; 5] = ["Writers", "Claims", "Raw", "Clock", "Groups"];

pub(crate) const MUTANTS: [Mutant; 19] = [
    mutant("no-fence", "Claims", "Fence"),
    mutant("end-keeps-generation", "Claims", "Fence"),
    mutant("commit-on-stale-base", "Writers", "NoLostUpdate"),
    mutant("cas-ignores-version", "Writers", "NoLostUpdate"),
    mutant("claim-is-shared", "Claims", "SingleWriter"),
    mutant("cas-over-claim", "Claims", "SingleWriter"),
    mutant("no-zombie-rule", "Claims", "NoZombieRevoke"),
    mutant("partial-commit-all", "Groups", "NoPartialPublish"),
    mutant("recreated-under-old-incarnation", "Claims", "MonotoneVersions"),
    mutant("hit-on-invalid", "Clock", "BoundedStaleness"),
    mutant("no-age-bound", "Clock", "BoundedStaleness"),
    mutant("gap-unnoticed", "Clock", "BoundedStaleness"),
    mutant("acquire-without-signals", "Clock", "BoundedStaleness"),
    mutant("commit-without-signals", "Clock", "BoundedStaleness"),
    mutant("claim-revives-old-content", "Claims", "NoSilentStaleness"),
    mutant("lease-over-without-signal", "Claims", "NoSilentStaleness"),
    mutant("reconnect-keeps-copies", "Claims", "NoSilentStaleness"),
    mutant("unknown-outcome-keeps-copy", "Claims", "NoSilentStaleness"),
    mutant("lost-agent-keeps-claim", "Claims", "NoOrphanClaim"),
];

const fn mutant(name: &'static str, model: &'static str, law: &'static str) -> Mutant {
    Mutant { name, model, law }
}

/// Searches every state of a model for a broken law.
pub(crate) fn search(model: &str) -> Verdict {
    search_first(model, MAX_STATES)
}

/// Searches the first `states` states of a model.
pub(crate) fn search_first(model: &str, states: usize) -> Verdict {
    match prepare(model, &[]) {
        Ok(mut prepared) => {
            prepared.checker_config.max_states = states;
            run(prepared)
        }
        Err(fault) => Verdict::None(fault),
    }
}

/// Searches a model without one rule, for the law of the mutant alone.
pub(crate) fn search_mutant(mutant: Mutant) -> Verdict {
    let prepared = prepare(mutant.model, &[("Mutant", mutant.name)]);
    match prepared.and_then(|prepared| with_law_alone(prepared, mutant.law)) {
        Ok(prepared) => run(prepared),
        Err(fault) => Verdict::None(fault),
    }
}

/// Reads the specification with a model of it.
pub(crate) fn prepare(model: &str, strings: &[(&str, &str)]) -> Result<Prepared, String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../proofs/tla");
    let constants: Vec<(Arc<str>, Value)> =
        strings.iter().map(|(name, value)| (Arc::from(*name), Value::Str(Arc::from(*value)))).collect();
    let model = folder.join(model).with_extension("cfg");
    let mut prepared = prepare_from_path(&folder.join("Coherence.tla"), Some(&model), &constants)
        .map_err(|fault| fault.to_string())?;
    if let Some(warning) = prepared.warnings.first() {
        return Err(format!("{}: {}", model.display(), warning.value));
    }
    prepared.checker_config.max_states = MAX_STATES;
    prepared.checker_config.max_depth = MAX_DEPTH;
    Ok(prepared)
}

fn with_law_alone(mut prepared: Prepared, law: &str) -> Result<Prepared, String> {
    let spec = &mut prepared.spec;
    let names = std::mem::take(&mut spec.invariant_names);
    let invariants = std::mem::take(&mut spec.invariants);
    let is_law = |name: &Option<Arc<str>>| name.as_deref() == Some(law);
    (spec.invariant_names, spec.invariants) =
        names.into_iter().zip(invariants).filter(|(name, _)| is_law(name)).unzip();
    spec.safety_properties.retain(|property| property.name().as_ref() == law);
    if spec.invariants.len() + spec.safety_properties.len() == 1 {
        Ok(prepared)
    } else {
        Err(format!("the model names no law {law}"))
    }
}

fn run(prepared: Prepared) -> Verdict {
    let Prepared { spec, domains, checker_config, .. } = prepared;
    match check(&spec, &domains, &checker_config) {
        CheckResult::Ok(stats) => Verdict::Holds(stats),
        CheckResult::MaxStatesExceeded(stats) => Verdict::Unfinished(stats),
        CheckResult::InvariantViolation(found, stats) => {
            let law = spec.invariant_names[found.violated_invariant].as_deref().unwrap_or("?").to_owned();
            let trace = format_trace_with_actions(&found.trace, &found.actions, &spec.vars);
            Verdict::Broken { law, trace, states: stats.states_explored, seconds: stats.elapsed_secs }
        }
        CheckResult::PropertyViolation(found, stats) => {
            let trace = format_trace_with_actions(&found.trace, &found.actions, &spec.vars);
            let law = found.property.to_string();
            Verdict::Broken { law, trace, states: stats.states_explored, seconds: stats.elapsed_secs }
        }
        other => Verdict::None(check_result_to_json(&other, &spec)),
    }
}
