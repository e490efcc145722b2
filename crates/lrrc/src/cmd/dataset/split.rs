//! `lrrc dataset split`.

use std::path::Path;

use clap::Args;
use lrrc_dataset::{DatasetError, Side, Split, SplitSpec, Stats, k_folds};
use lrrc_episode::Episode;
use miette::IntoDiagnostic;

use super::{InputArgs, grouped, report, table, tell_skipped};

/// Arguments of `lrrc dataset split`.
#[derive(Debug, Args)]
pub(crate) struct SplitArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Seed of the order of the groups; that of the manifest if it is not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Shares of the groups for training, validation and test, such as 0.6,0.2,0.2.
    #[arg(long, value_delimiter = ',', num_args = 3, conflicts_with = "folds")]
    fractions: Option<Vec<f64>>,
    /// Make this many folds instead of three sides.
    #[arg(long)]
    folds: Option<usize>,
    /// Print the side or fold of every episode as JSON.
    #[arg(long)]
    json: bool,
    /// Store seed and fractions in the manifest.
    #[arg(long, conflicts_with = "folds")]
    write: bool,
}

/// Splits.
pub(crate) fn run(args: &SplitArgs) -> miette::Result<()> {
    let dataset = args.input.open()?;
    let (episodes, skipped) = dataset.read_all().map_err(report)?;
    tell_skipped(&skipped);
    let mut spec = dataset.split_spec();
    spec.seed = args.seed.unwrap_or(spec.seed);
    if let Some([train, validation, test]) = args.fractions.as_deref() {
        spec = SplitSpec { train: *train, validation: *validation, test: *test, ..spec };
    }
    let parts = parts(&episodes, spec, args.folds).map_err(report)?;
    if args.write {
        let mut manifest = dataset.manifest().cloned().ok_or_else(|| {
            miette::miette!(
                help = "import the file first",
                "only a data set with a manifest can store its split"
            )
        })?;
        manifest.split = spec;
        let folder = dataset.files().first().and_then(|file| file.parent()).unwrap_or(Path::new("."));
        manifest.write(folder).map_err(report)?;
    }
    if args.json { print_json(&episodes, &parts) } else { print_table(&episodes, &parts) }
}

/// The part of each episode.
fn parts(episodes: &[Episode], spec: SplitSpec, folds: Option<usize>) -> Result<Vec<String>, DatasetError> {
    if let Some(folds) = folds {
        return Ok(k_folds(episodes, folds, spec.seed)?.iter().map(|fold| format!("fold {fold}")).collect());
    }
    let split = Split::of(episodes, spec)?;
    let side = |episode: &Episode| split.side(&episode.group).map_or("none", Side::name).to_owned();
    Ok(episodes.iter().map(side).collect())
}

fn print_json(episodes: &[Episode], parts: &[String]) -> miette::Result<()> {
    let rows: serde_json::Map<String, serde_json::Value> = episodes
        .iter()
        .zip(parts)
        .map(|(episode, part)| (episode.id.clone(), part.as_str().into()))
        .collect();
    println!("{}", serde_json::to_string_pretty(&rows).into_diagnostic()?);
    Ok(())
}

fn print_table(episodes: &[Episode], parts: &[String]) -> miette::Result<()> {
    let mut names: Vec<&String> = Vec::new();
    parts.iter().for_each(|part| {
        if !names.contains(&part) {
            names.push(part);
        }
    });
    names.sort_unstable_by_key(|name| {
        (Side::ALL.iter().position(|side| side.name() == *name), name.len(), *name)
    });
    let mut table = table(["part", "groups", "episodes", "turns", "tokens"]);
    for name in names {
        let stats = Stats::of(
            episodes.iter().zip(parts).filter(|(_, part)| *part == name).map(|(episode, _)| episode),
        );
        let counts = [stats.groups, stats.episodes, stats.all.turns, stats.all.tokens].map(grouped);
        table.add_row([name.clone()].into_iter().chain(counts));
    }
    println!("{table}");
    Ok(())
}
