//! `lrrc eval`: replays recorded episodes through every compressor.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use lrrc_dataset::{Dataset, ReadOptions, Side, Split};
use lrrc_episode::{Encoding, Episode, TokenCounter};
use lrrc_eval::{BUDGETS, CallEvaluation, CallReport, Evaluation, Method, Report, evaluate, evaluate_calls};
use lrrc_model::{Checkpoint, Policy, device};
use miette::{Context, IntoDiagnostic, miette};

use crate::cmd::{
    dataset::report as dataset_report,
    judge::{self, JudgeArgs, Material},
    method::parse_method,
};
use crate::output;

mod price;
mod winner;

/// The checkpoint that is shipped.
pub(crate) const SHIPPED_CHECKPOINT: &str = "checkpoints/default";

/// The data set that a live judge is given unless another is named.
const JUDGED_DATASET: &str = "taubench-airline";

/// Replay recorded episodes through every compressor and say what each saves and what it loses.
#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    /// Checkpoint folder.
    #[arg(long, default_value = SHIPPED_CHECKPOINT)]
    checkpoint: PathBuf,
    /// A shipped name, a folder with a manifest, a Parquet shard, or a JSONL in the traj_*, evidence_* or arena_* format.
    /// A live judge is given taubench-airline unless another is named.
    #[arg(long, required_unless_present = "judge")]
    dataset: Option<String>,
    /// Side of the split to replay: test, validation, train or all. A shipped data set is replayed on its test side,
    /// a file of one's own as a whole.
    #[arg(long, value_parser = parse_side)]
    split: Option<SideChoice>,
    /// Shares of the history to keep, in per cent.
    #[arg(long, value_delimiter = ',', value_name = "PERCENT")]
    budgets: Option<Vec<f64>>,
    /// Methods to run; all by default.
    #[arg(long, value_delimiter = ',', value_parser = parse_method)]
    methods: Option<Vec<Method>>,
    /// Write the figures as JSON; `-` is the standard output, which then holds nothing else.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write budget–recall curves as SVG into this folder.
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    /// Also say how many calls the call gate could skip, and at what loss.
    #[arg(long)]
    calls: bool,
    /// Read at most this many episodes.
    #[arg(long)]
    limit: Option<usize>,
    /// Seed of the resampling behind the intervals.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Pass over faulty rows; they are counted and listed.
    #[arg(long)]
    skip_bad: bool,
    #[command(flatten)]
    judge: JudgeArgs,
    #[command(flatten)]
    price: price::PriceArgs,
}

/// A side of a split, or none for the whole data set.
#[derive(Debug, Clone, Copy)]
struct SideChoice(Option<Side>);

fn parse_side(name: &str) -> Result<SideChoice, String> {
    let sides = [Side::Train, Side::Validation, Side::Test];
    match sides.into_iter().find(|side| side.name() == name) {
        Some(side) => Ok(SideChoice(Some(side))),
        None if name == "all" => Ok(SideChoice(None)),
        None => Err("expected test, validation, train or all".to_owned()),
    }
}

/// Runs the command.
pub(crate) fn run(args: &EvalArgs) -> miette::Result<()> {
    output::check(args.json.as_deref())?;
    output::check(args.price.json())?;
    let (policy, control) = load_policies(&args.checkpoint)?;
    let counter = Arc::new(TokenCounter::new(Encoding::Cl100kBase));
    let (name, episodes) = read(args, &counter)?;
    if args.judge.is_asked() {
        let material = Material {
            dataset: &name,
            episodes: &episodes,
            counter: &counter,
            policy: &policy,
            control: control.as_ref(),
            seed: args.seed,
            is_quiet: args.json.as_deref().is_some_and(output::is_stdout),
        };
        let report = judge::run(&args.judge, &material)?;
        return report.map_or(Ok(()), |report| write_json(&report, args.json.as_deref()));
    }
    let asked: Option<Vec<f64>> =
        args.budgets.as_ref().map(|all| all.iter().map(|keep| keep / 100.0).collect());
    let budgets = asked.clone().unwrap_or_else(|| BUDGETS.to_vec());
    let methods = args.methods.clone().unwrap_or_else(|| Method::ALL.to_vec());
    let request = Evaluation {
        dataset: &name,
        episodes: &episodes,
        counter: &counter,
        policy: Some(&policy),
        control: control.as_ref(),
        trees: None,
        background: None,
        budgets,
        methods,
        timed: true,
    };
    let calls = args.calls.then(|| gate(&request, args.seed)).transpose()?;
    let mut report = run_with_progress(&request, args.seed)?;
    if episodes.iter().any(|episode| episode.outcome.winner.is_some()) {
        let side = args.split.and_then(|choice| choice.0);
        let at = args.dataset.as_deref().unwrap_or(JUDGED_DATASET);
        report.winner = winner::agreement(at, side, (&policy, control.as_ref()), args.seed)?;
    }
    let to_stdout = args.json.as_deref().is_some_and(output::is_stdout);
    if !to_stdout {
        print(&report, &report.budgets());
        report.winner.iter().for_each(winner::print);
        calls.iter().for_each(print_calls);
    }
    write_json(&with_calls(&report, calls.as_ref())?, args.json.as_deref())?;
    if let Some(dir) = &args.plots {
        write_curves(&report, dir)?;
    }
    let priced = price::Priced {
        dataset: &name,
        episodes: &episodes,
        counter: &counter,
        policy: &policy,
        budgets: asked.as_deref(),
        seed: args.seed,
        prints: !to_stdout,
    };
    price::run(&args.price, &priced)
}

/// The coordinator of a checkpoint folder and, where it has one, the no-state control.
pub(crate) fn load_policies(dir: &Path) -> miette::Result<(Policy, Option<Policy>)> {
    let device = device("cpu").into_diagnostic()?;
    let checkpoint = Checkpoint::load(dir, &device).map_err(|error| {
        miette!(
            help = "--checkpoint names a folder that `lrrc train` or `lrrc quickstart` wrote, or one of checkpoints/",
            "{error}"
        )
    })?;
    let control = checkpoint.control.as_deref().map(Policy::from_checkpoint);
    Ok((Policy::from_checkpoint(&checkpoint), control))
}

fn read(args: &EvalArgs, counter: &Arc<TokenCounter>) -> miette::Result<(String, Vec<Episode>)> {
    let options =
        ReadOptions { skip_bad: args.skip_bad, counter: Some(Arc::clone(counter)), ..ReadOptions::default() };
    let at = args.dataset.as_deref().unwrap_or(JUDGED_DATASET);
    let dataset = Dataset::open(at, &options).map_err(dataset_report)?;
    let (mut episodes, skipped) = dataset.read_all().map_err(dataset_report)?;
    crate::cmd::dataset::tell_skipped(&skipped);
    let side = args.split.map_or_else(|| dataset.manifest().map(|_| Side::Test), |choice| choice.0);
    if let Some(side) = side {
        let split = Split::of(&episodes, dataset.split_spec()).into_diagnostic()?;
        episodes = split.select(&episodes, side);
    }
    episodes.truncate(args.limit.unwrap_or(usize::MAX));
    Ok((dataset.name().to_owned(), episodes))
}

/// Evaluates with one line of progress a method on the error stream.
pub(crate) fn run_with_progress(request: &Evaluation<'_>, seed: u64) -> miette::Result<Report> {
    let bar = indicatif::ProgressBar::new(request.methods.len() as u64);
    let style = indicatif::ProgressStyle::with_template("{wide_bar} {pos}/{len} methods, {eta} left  {msg}");
    bar.set_style(style.into_diagnostic()?);
    let replays = evaluate(request, |method| {
        bar.inc(u64::from(!bar.message().is_empty()));
        bar.set_message(method.name());
    });
    bar.finish_and_clear();
    replays
        .and_then(|replays| replays.report(seed))
        .into_diagnostic()
        .wrap_err_with(|| format!("evaluating {}", request.dataset))
}

/// Prints one table a budget.
pub(crate) fn print(report: &Report, budgets: &[f64]) {
    println!(
        "{}: {} episodes in {} groups, {} calls, {} tokens uncompressed (system, history and output)",
        report.dataset, report.episodes, report.groups, report.calls, report.full_tokens
    );
    for keep in budgets {
        println!("\nkeep {:.0} % of the history\n{}", keep * 100.0, report.table(*keep));
    }
    for method in ["coverage", "lrrc-ingest", "lrrc-once", "lrrc-rerank"] {
        let lines = report.intervals(method);
        if !lines.is_empty() {
            println!("\n{method}, 95 % cluster bootstrap over groups\n  {}", lines.join("\n  "));
        }
    }
}

/// What the call gate could skip on the same episodes.
fn gate(request: &Evaluation<'_>, seed: u64) -> miette::Result<CallReport> {
    let Evaluation { dataset, episodes, counter, policy, control, .. } = *request;
    evaluate_calls(&CallEvaluation { dataset, episodes, counter, policy, control, seed }).into_diagnostic()
}

fn print_calls(report: &CallReport) {
    println!(
        "\ncalls: {} recorded, {} of them bound to stay (they act, are answered by a person, or end the episode)\n{}\n{}",
        report.calls,
        report.bound,
        report.table(),
        report.verdict()
    );
}

/// The report as JSON; with the figures of the call gate under `call_gate`, where they were asked for.
fn with_calls(report: &Report, calls: Option<&CallReport>) -> miette::Result<String> {
    let mut json = serde_json::to_value(report).into_diagnostic()?;
    if let Some(calls) = calls {
        json["call_gate"] = serde_json::to_value(calls).into_diagnostic()?;
    }
    serde_json::to_string_pretty(&json).into_diagnostic()
}

/// Writes JSON to a file, or to the standard output for `-`.
fn write_json(text: &str, to: Option<&Path>) -> miette::Result<()> {
    let Some(path) = to else { return Ok(()) };
    if output::is_stdout(path) {
        return output::print(format!("{text}\n").as_bytes());
    }
    output::write(path, text.as_bytes())?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

/// Writes the curves of a report.
pub(crate) fn write_curves(report: &Report, dir: &Path) -> miette::Result<()> {
    std::fs::create_dir_all(dir).into_diagnostic().wrap_err_with(|| format!("creating {}", dir.display()))?;
    for (name, svg) in report.curves().into_diagnostic()? {
        output::write(&dir.join(&name), svg.as_bytes())?;
    }
    eprintln!("wrote {}", dir.display());
    Ok(())
}
