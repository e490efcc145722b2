//! `lrrc dataset annotate`.

use std::path::PathBuf;

use clap::Args;
use lrrc_dataset::{Dataset, DatasetError, DatasetWriter, Provenance, annotate};
use lrrc_episode::{Encoding, TokenCounter};

use super::{InputArgs, grouped, progress, report, tell_skipped};
use crate::told::escaped;

/// Arguments of `lrrc dataset annotate`.
#[derive(Debug, Args)]
pub(crate) struct AnnotateArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Folder to write with the new counts; without it the stored counts are only compared.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Replace the data set that is there.
    #[arg(long, requires = "out")]
    overwrite: bool,
}

/// Counts.
pub(crate) fn run(args: &AnnotateArgs) -> miette::Result<()> {
    let dataset = args.input.open()?;
    let (turns, changed) = recount(args, &dataset).map_err(report)?;
    let verb = if args.out.is_some() { "changed" } else { "differ" };
    println!("{}: {} turns counted, {} {verb}", escaped(dataset.name()), grouped(turns), grouped(changed));
    match (&args.out, changed) {
        (None, 1..) => {
            Err(miette::miette!(help = "write the right counts with --out DIR", "stored counts are wrong"))
        }
        _ => Ok(()),
    }
}

/// Turns counted, and how many of them had another count.
fn recount(args: &AnnotateArgs, dataset: &Dataset) -> Result<(u64, u64), DatasetError> {
    let counter = TokenCounter::new(Encoding::Cl100kBase);
    let mut writer = args.out.as_ref().map(|out| writer(out, dataset, args.overwrite)).transpose()?;
    let (mut turns, mut changed) = (0, 0);
    let bar = progress("counting");
    let mut stream = dataset.episodes();
    for episode in stream.by_ref() {
        let mut episode = episode?;
        let stored: Vec<_> = episode.turns.iter().map(|turn| turn.tokens).collect();
        turns += annotate(&mut episode, &counter, true) as u64;
        changed +=
            episode.turns.iter().zip(stored).filter(|(turn, stored)| turn.tokens != *stored).count() as u64;
        if let Some(writer) = &mut writer {
            writer.push(episode)?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    tell_skipped(stream.report());
    if let Some(writer) = writer {
        writer.finish()?;
    }
    Ok((turns, changed))
}

fn writer(out: &std::path::Path, dataset: &Dataset, overwrite: bool) -> Result<DatasetWriter, DatasetError> {
    let provenance =
        dataset.manifest().map_or_else(Provenance::default, |manifest| manifest.provenance.clone());
    DatasetWriter::create(out, dataset.name(), provenance, dataset.split_spec(), overwrite)
}
