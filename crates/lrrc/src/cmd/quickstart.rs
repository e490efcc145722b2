//! `lrrc quickstart`: shipped episodes in, a trained coordinator and an honest table out.

use std::{path::PathBuf, sync::Arc, time::Instant};

use clap::Args;
use lrrc_dataset::{Dataset, ReadOptions, Side, Split};
use lrrc_episode::{Encoding, TokenCounter};
use lrrc_eval::{BUDGETS, Evaluation, Method};
use lrrc_train::{Ending, Request, Run, stop_flag};
use miette::{IntoDiagnostic, miette};

use crate::cmd::{
    dataset::report as dataset_report,
    eval::{load_policies, print, run_with_progress, write_curves},
};

/// The data set that is trained and evaluated on.
const DATASET: &str = "taubench-airline";
/// Budgets whose tables are printed; the JSON holds all.
const SHOWN: [f64; 2] = [0.50, 0.20];

/// Train a rank-8 coordinator on the shipped tau-bench episodes and compare it with every baseline on held-out tasks.
#[derive(Debug, Args)]
pub(crate) struct QuickstartArgs {
    /// Seed of the run.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Folder that run folders go into.
    #[arg(long, default_value = "runs")]
    out: PathBuf,
    /// One short epoch and two budgets: shows that everything works, not how well.
    #[arg(long)]
    smoke: bool,
}

/// Runs the command.
pub(crate) fn run(args: &QuickstartArgs) -> miette::Result<()> {
    let start = Instant::now();
    let mut set = vec![format!("run.seed={}", args.seed), format!("run.dir=\"{}\"", args.out.display())];
    if args.smoke {
        set.extend(["optim.epochs=1".to_owned(), "data.decisions=4".to_owned()]);
    }
    let request = Request { config: Some("quickstart".to_owned()), set, resume: None };
    let run = Run::prepare(&request).map_err(miette::Report::from_err)?;
    println!(
        "training rank {} on {} episodes of {DATASET}, choosing on {} of other tasks; everything goes to {}",
        run.config.model.rank,
        run.data.train.len(),
        run.data.validation.len(),
        run.dir.display()
    );
    let stop = stop_flag();
    let outcome = run.execute(stop, false).map_err(miette::Report::from_err)?;
    if outcome.ending == Ending::Interrupted {
        return Err(miette!(
            help = format!("go on with: lrrc train --resume {}", run.dir.display()),
            "interrupted after {} steps; nothing is lost",
            outcome.steps
        ));
    }
    println!(
        "trained {} steps in {:.0} s; weights {}",
        outcome.steps,
        start.elapsed().as_secs_f64(),
        outcome.weights_hash
    );
    evaluate(args, &run, &outcome.checkpoint)?;
    println!(
        "\n{:.0} s in all. Checkpoint: {}\n\nNext\n  your own logs   lrrc dataset import --format openai --from LOG.jsonl --out DIR --name NAME\n  train on them   lrrc train --config default --set 'data.datasets=[\"DIR\"]'\n  other ranks     lrrc train --config default --set model.rank=16\n  evaluate        lrrc eval --checkpoint {} --dataset FILE.jsonl --json out.json --plots plots",
        start.elapsed().as_secs_f64(),
        outcome.checkpoint.display(),
        outcome.checkpoint.display()
    );
    Ok(())
}

fn evaluate(args: &QuickstartArgs, run: &Run, checkpoint: &std::path::Path) -> miette::Result<()> {
    let (policy, control) = load_policies(checkpoint)?;
    let counter = Arc::new(TokenCounter::new(Encoding::Cl100kBase));
    let options = ReadOptions { counter: Some(Arc::clone(&counter)), ..ReadOptions::default() };
    let dataset = Dataset::open(DATASET, &options).map_err(dataset_report)?;
    let (episodes, _) = dataset.read_all().map_err(dataset_report)?;
    let held_out =
        Split::of(&episodes, dataset.split_spec()).into_diagnostic()?.select(&episodes, Side::Test);
    let request = Evaluation {
        dataset: DATASET,
        episodes: &held_out,
        counter: &counter,
        policy: Some(&policy),
        control: control.as_ref(),
        trees: None,
        background: None,
        budgets: if args.smoke { SHOWN.to_vec() } else { BUDGETS.to_vec() },
        methods: Method::ALL.to_vec(),
        timed: true,
    };
    let report = run_with_progress(&request, args.seed)?;
    print(&report, &SHOWN);
    let json = serde_json::to_vec_pretty(&report).into_diagnostic()?;
    lrrc_model::write_atomic(&run.dir.join("evaluation.json"), &json).into_diagnostic()?;
    write_curves(&report, &run.dir.join("plots"))
}
