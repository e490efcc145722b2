//! `lrrc train`: one experiment, from a configuration to a checkpoint.

use clap::Args;
use lrrc_train::{Ending, Outcome, Request, Run, stop_flag};
use miette::IntoDiagnostic;

/// Train a coordinator on recorded episodes.
#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    /// A configuration file, or the name of a preset: quickstart, default, paper, winner.
    #[arg(long, value_name = "FILE|PRESET")]
    config: Option<String>,
    /// Change one value of the configuration, such as model.rank=8; may be given again.
    #[arg(long, value_name = "TABLE.KEY=VALUE")]
    set: Vec<String>,
    /// Seed of the weights and of the order of the episodes.
    #[arg(long)]
    seed: Option<u64>,
    /// Device: cpu, wgpu or cuda; the last two need a build with the feature of that name.
    #[arg(long)]
    device: Option<String>,
    /// Data sets to learn from, instead of those of the configuration: shipped names, folders, Parquet or JSONL files.
    #[arg(long, value_delimiter = ',')]
    dataset: Vec<String>,
    /// Go on with a run: its folder, or `last` for the newest run of this name and seed.
    #[arg(long, value_name = "last|DIR")]
    resume: Option<String>,
    /// Say what would be run, then stop.
    #[arg(long)]
    dry_run: bool,
    /// Draw no progress bar.
    #[arg(long, short)]
    quiet: bool,
}

impl TrainArgs {
    fn request(&self) -> Request {
        let mut set = self.set.clone();
        set.extend(self.seed.map(|seed| format!("run.seed={seed}")));
        set.extend(self.device.iter().map(|device| format!("run.device=\"{device}\"")));
        if !self.dataset.is_empty() {
            set.push(format!("data.datasets={:?}", self.dataset));
        }
        Request { config: self.config.clone(), set, resume: self.resume.clone() }
    }
}

/// Trains, and says where the checkpoint is and what can be done with it.
pub(crate) fn run(args: &TrainArgs) -> miette::Result<()> {
    let run = Run::prepare(&args.request()).into_diagnostic()?;
    if args.dry_run {
        println!("{}", run.describe().into_diagnostic()?);
        return Ok(());
    }
    let outcome = run.execute(stop_flag(), args.quiet).into_diagnostic()?;
    println!("{}", summary(&run, &outcome));
    Ok(())
}

/// How the run ended and what to do next.
pub(crate) fn summary(run: &Run, outcome: &Outcome) -> String {
    let (folder, steps) = (run.dir.display(), outcome.steps);
    if outcome.ending == Ending::Interrupted {
        return format!(
            "Interrupted after step {steps}; everything up to it is saved.\nGo on with: lrrc train --resume {folder}"
        );
    }
    let how = match outcome.ending {
        Ending::EarlyStopped => "no progress for as many epochs as allowed",
        _ => "all epochs done",
    };
    let best = outcome.best.and_then(|(best, _)| outcome.epochs.get(best - 1));
    let figures = best.map_or(String::new(), |epoch| {
        let scores = &epoch.validation;
        format!(
            "Best epoch {}: validation loss {:.4}; essential weight kept at 20 % of the candidates {:.3}, at 50 % {:.3}\n",
            epoch.epoch, scores.loss.scores, scores.recall[1], scores.recall[3]
        )
    });
    let model = outcome.checkpoint.display();
    format!(
        "Trained {steps} steps ({how}).\n{figures}Weights {hash}\nCheckpoint {model}\nCurves and logs {folder}\n\
         Evaluate with: lrrc eval --checkpoint {model} --dataset NAME",
        hash = &outcome.weights_hash[..16],
    )
}
