//! `lrrc simulate`: what coherence costs, and whether it holds under faults.

mod cost;
mod world;

use std::path::PathBuf;

use clap::Args;
use lrrc_sim::{Scenario, ScenarioError, StrategyName};
use miette::{IntoDiagnostic, miette};

use crate::bounds::{tame, whole};
use crate::output::{check, is_stdout};
use crate::told::shortened;

/// Most runs of one call.
const RUNS_MAX: u64 = 10_000_000;

/// Count the tokens that keep shared artifacts coherent on the published workloads, or try the store under faults.
///
/// With --seed or --faults the real home and the real agents run under a virtual clock, in a network and on a storage
/// that fail as the seed says, and every law of the protocol is checked after every step.
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// planning, analysis, development, churn, or a TOML file; may be given more than once. Without it, all four.
    #[arg(long, value_name = "NAME|FILE")]
    scenario: Vec<String>,
    /// Probability that an action writes, in place of the scenario's own.
    #[arg(long, value_name = "V", allow_negative_numbers = true)]
    write_probability: Option<f64>,
    /// lazy, eager, lease, access-count or broadcast; may be given more than once.
    #[arg(long, value_name = "NAME", default_values = ["lazy"], value_parser = tame::<StrategyName>)]
    strategy: Vec<StrategyName>,
    /// Draw savings against the write probability, as SVG; - is the standard output, in place of the table.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Write every figure, seed by seed, as JSON; - is the standard output, in place of the table.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// One run with faults, and what happened in it; with --faults the first of many.
    #[arg(long, value_name = "N", value_parser = whole::<u64>(0..=u64::MAX), allow_negative_numbers = true, conflicts_with_all = ["scenario", "write_probability", "plot"])]
    seed: Option<u64>,
    /// So many runs with faults, each with the next seed.
    #[arg(long, value_name = "RUNS", value_parser = whole::<u64>(1..=RUNS_MAX), allow_negative_numbers = true, conflicts_with_all = ["scenario", "write_probability", "plot"])]
    faults: Option<u64>,
}

/// Runs the command.
pub(crate) fn run(args: &SimulateArgs) -> miette::Result<()> {
    let (json, plot) = (args.json.as_deref(), args.plot.as_deref());
    if json.is_some_and(is_stdout) && plot.is_some_and(is_stdout) {
        return Err(miette!(
            help = "let one of them name a file",
            "--json and --plot cannot both write the standard output"
        ));
    }
    check(json)?;
    check(plot)?;
    if args.seed.is_some() || args.faults.is_some() {
        return world::run(args.seed, args.faults, json);
    }
    cost::run(&scenarios(args)?, &args.strategy, json, plot)
}

fn scenarios(args: &SimulateArgs) -> miette::Result<Vec<Scenario>> {
    let shipped = Scenario::shipped().into_diagnostic()?;
    let mut scenarios = match args.scenario.as_slice() {
        [] => shipped.clone(),
        names => names.iter().map(|name| Scenario::open(name)).collect::<Result<_, _>>().map_err(unread)?,
    };
    if let Some(probability) = args.write_probability {
        let with = |scenario: Scenario| scenario.with_write_probability(probability);
        scenarios = scenarios.into_iter().map(with).collect::<Result<_, _>>().into_diagnostic()?;
    }
    for scenario in &mut scenarios {
        // A changed copy of a shipped file still carries the figures that were published for the original.
        if !shipped.iter().any(|original| is_same_work(original, scenario)) {
            scenario.published = None;
            scenario.label.clear();
        }
    }
    Ok(scenarios)
}

/// Whether what was published of one holds for the other.
fn is_same_work(one: &Scenario, other: &Scenario) -> bool {
    (&one.workload, &one.seeds, &one.published) == (&other.workload, &other.seeds, &other.published)
}

fn unread(error: ScenarioError) -> miette::Report {
    match error {
        ScenarioError::Unknown { name, hint, known } => {
            miette!("{}", ScenarioError::Unknown { name: shortened(&name), hint, known })
        }
        error => miette!("{error}"),
    }
}
