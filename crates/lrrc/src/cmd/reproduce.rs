//! `lrrc reproduce`: data, sweeps, study, report and the ledger of claims, in one command.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use lrrc_train::{SweepOptions, SweepSpec};
use miette::IntoDiagnostic;

use crate::cmd::{
    report,
    sweep::{collect, ledger, tell, with_progress},
};

/// The sweeps behind every published figure, by name.
const SWEEPS: [(&str, &str); 3] = [
    ("taubench", include_str!("../../../../configs/sweep/taubench.toml")),
    ("qmsum", include_str!("../../../../configs/sweep/qmsum.toml")),
    ("mtbench", include_str!("../../../../configs/sweep/mtbench.toml")),
];

/// Run every experiment behind the published figures on the shipped data, and print the ledger of claims.
#[derive(Debug, Args)]
pub(crate) struct ReproduceArgs {
    /// Folder of everything that is written; run the command again to go on after an interruption.
    #[arg(long, value_name = "DIR", default_value = "runs/reproduce")]
    out: PathBuf,
    /// Trials at a time; 0 takes as many as there are cores.
    #[arg(long, default_value_t = 0)]
    jobs: usize,
    /// Every seed on every fold, instead of one seed a fold: five times as long.
    #[arg(long, conflicts_with = "smoke")]
    full: bool,
    /// One short epoch: shows that everything works, not how well.
    #[arg(long)]
    smoke: bool,
}

/// Runs the command.
pub(crate) fn run(args: &ReproduceArgs) -> miette::Result<()> {
    let start = Instant::now();
    let mut dirs = Vec::new();
    let mut model = None;
    for (name, text) in SWEEPS {
        let place = format!("configs/sweep/{name}.toml");
        let mut spec = SweepSpec::parse(&place, text).into_diagnostic()?;
        if args.full {
            spec = spec.crossed();
        }
        if args.smoke {
            spec = spec.smoke();
        }
        let trials = spec.trials().into_diagnostic()?;
        let main = trials.into_iter().find(|trial| trial.is_main);
        model = model.or(main.map(|trial| trial.config.model));
        let dir = args.out.join(name);
        let outcome = with_progress(&spec, &dir, SweepOptions { shard: (1, 1), jobs: args.jobs })?;
        tell(&outcome, &dir)?;
        dirs.push(dir);
    }
    let study = collect(&dirs, &args.out.join("study.json"))?;
    report::write(&study, &model.unwrap_or_default(), &args.out.join("report.html"))?;
    println!("\n{}", ledger(&study));
    println!("\n{:.0} s in this run; everything is in {}", start.elapsed().as_secs_f64(), args.out.display());
    Ok(())
}
