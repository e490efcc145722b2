//! `lrrc dataset import`.

use std::path::{Path, PathBuf};

use clap::Args;
use lrrc_dataset::hub::{HubOptions, fetch};
use lrrc_dataset::{
    Dataset, DatasetError, DatasetWriter, Defaults, Manifest, Provenance, ReadOptions, SplitSpec,
    StatsBuilder,
};

use super::{RowArgs, card, grouped, progress, report, tell_skipped};
use crate::told::escaped;

/// Arguments of `lrrc dataset import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// A JSONL or Parquet file, or hf:OWNER/NAME or hf:OWNER/NAME:PATH; may be given more than once.
    #[arg(long, required = true)]
    from: Vec<String>,
    /// Folder to write.
    #[arg(long)]
    out: PathBuf,
    /// Name of the data set; the name of the folder if it is not given.
    #[arg(long)]
    name: Option<String>,
    /// Licence of the text, as an SPDX name; also for rows that do not say.
    #[arg(long, default_value = "unknown")]
    licence: String,
    /// Whom the licence asks to name.
    #[arg(long, default_value = "")]
    attribution: String,
    /// Where the episodes come from; also for rows that do not say.
    #[arg(long)]
    source: Option<String>,
    /// Seed of the split that the manifest names.
    #[arg(long, default_value_t = SplitSpec::default().seed)]
    seed: u64,
    /// Replace the data set that is there.
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    rows: RowArgs,
}

/// Imports.
pub(crate) fn run(args: &ImportArgs) -> miette::Result<()> {
    let files = files(&args.from).map_err(report)?;
    let manifest = import(args, files).map_err(report)?;
    println!(
        "{}: {} episodes in {} groups, {} turns, {} tokens → {}",
        escaped(&manifest.name),
        grouped(manifest.episodes),
        grouped(manifest.groups),
        grouped(manifest.turns),
        grouped(manifest.tokens),
        args.out.display()
    );
    Ok(())
}

fn files(from: &[String]) -> Result<Vec<PathBuf>, DatasetError> {
    let mut files = Vec::new();
    for place in from {
        match place.strip_prefix("hf:") {
            Some(repo) => files.extend(fetch(repo, &HubOptions::from_env())?),
            None => files.push(PathBuf::from(place)),
        }
    }
    Ok(files)
}

fn import(args: &ImportArgs, files: Vec<PathBuf>) -> Result<Manifest, DatasetError> {
    let source = args.source.clone().unwrap_or_else(|| args.from.join(", "));
    let provenance = Provenance {
        source: source.clone(),
        licence: args.licence.clone(),
        attribution: args.attribution.clone(),
    };
    let defaults = Defaults { source, licence: args.licence.clone() };
    let dataset = Dataset::of_files(files, &ReadOptions { defaults, ..args.rows.options() });
    let name = args.name.clone().unwrap_or_else(|| folder_name(&args.out));
    let spec = SplitSpec { seed: args.seed, ..SplitSpec::default() };
    let mut writer = DatasetWriter::create(&args.out, &name, provenance, spec, args.overwrite)?;
    let mut stats = StatsBuilder::default();
    let bar = progress("importing");
    let mut stream = dataset.episodes();
    for episode in stream.by_ref() {
        let episode = episode?;
        stats.add(&episode);
        writer.push(episode)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    tell_skipped(stream.report());
    let manifest = writer.finish()?;
    card::write(&args.out, &manifest, stats, &command(args))?;
    Ok(manifest)
}

fn folder_name(folder: &Path) -> String {
    folder.file_name().map_or_else(|| "dataset".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The command line that makes the same data set again.
fn command(args: &ImportArgs) -> String {
    let quoted =
        |text: &str| if text.contains([' ', '(', '"']) { format!("'{text}'") } else { text.to_owned() };
    let mut words = vec!["lrrc dataset import".to_owned()];
    words.extend(args.from.iter().map(|from| format!("--from {}", quoted(from))));
    words.push(format!("--out {}", quoted(&args.out.to_string_lossy())));
    let options = [
        ("--name", args.name.as_deref()),
        ("--licence", Some(args.licence.as_str())),
        ("--attribution", Some(args.attribution.as_str()).filter(|text| !text.is_empty())),
        ("--source", args.source.as_deref()),
        ("--format", args.rows.format.0.map(lrrc_dataset::Format::name)),
    ];
    words.extend(options.iter().filter_map(|(flag, value)| Some(format!("{flag} {}", quoted((*value)?)))));
    words.push(format!("--seed {}", args.seed));
    if args.rows.skip_bad {
        words.push("--skip-bad".to_owned());
    }
    words.join(" \\\n    ")
}
