//! `lrrc simulate`: what coherence costs.

mod cost;

use std::path::PathBuf;

use clap::Args;
use lrrc_sim::{Scenario, StrategyName};
use miette::IntoDiagnostic;

/// Count the tokens that keep shared artifacts coherent, on the published workloads.
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
}

/// Runs the command.
pub(crate) fn run(args: &SimulateArgs) -> miette::Result<()> {
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
