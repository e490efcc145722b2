//! `lrrc simulate`: what coherence costs, and whether it holds under faults.

mod cost;
mod world;

use std::path::PathBuf;

use clap::Args;
use lrrc_sim::{Scenario, StrategyName};
use miette::IntoDiagnostic;

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
    #[arg(long, value_name = "V")]
    write_probability: Option<f64>,
    /// lazy, eager, lease, access-count or broadcast; may be given more than once.
    #[arg(long, value_name = "NAME", default_values = ["lazy"])]
    strategy: Vec<StrategyName>,
    /// Draw savings against the write probability, as SVG.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Write every figure, seed by seed, as JSON; - is the standard output, in place of the table.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// One run with faults, and what happened in it; with --faults the first of many.
    #[arg(long, value_name = "N", conflicts_with_all = ["scenario", "write_probability", "plot"])]
    seed: Option<u64>,
    /// So many runs with faults, each with the next seed.
    #[arg(long, value_name = "RUNS", value_parser = clap::value_parser!(u64).range(1..=10_000_000), conflicts_with_all = ["scenario", "write_probability", "plot"])]
    faults: Option<u64>,
}

/// Runs the command.
pub(crate) fn run(args: &SimulateArgs) -> miette::Result<()> {
    if args.seed.is_some() || args.faults.is_some() {
        return world::run(args.seed, args.faults, args.json.as_deref());
    }
    let scenarios = scenarios(args)?;
    cost::run(&scenarios, &args.strategy, args.json.as_deref(), args.plot.as_deref())
}

fn scenarios(args: &SimulateArgs) -> miette::Result<Vec<Scenario>> {
    let named: Result<Vec<Scenario>, _> = match args.scenario.as_slice() {
        [] => Scenario::shipped(),
        names => names.iter().map(|name| Scenario::open(name)).collect(),
    };
    let with = |scenario: Scenario| match args.write_probability {
        Some(probability) => scenario.with_write_probability(probability),
        None => Ok(scenario),
    };
    named.and_then(|scenarios| scenarios.into_iter().map(with).collect()).into_diagnostic()
}
