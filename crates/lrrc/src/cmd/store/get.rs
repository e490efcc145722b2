//! `lrrc store get`.

use std::path::PathBuf;

use clap::Args;
use lrrc_coherence::Version;
use lrrc_store::Name;
use miette::miette;

use super::{PlaceArgs, print, report, with_client};

/// Print an artifact.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// Name of the artifact.
    name: Name,
    /// An earlier version, while the history names it.
    #[arg(long)]
    version: Option<u64>,
    /// Print this section only; may be given more than once.
    #[arg(long = "section", value_name = "NAME", conflicts_with = "version")]
    sections: Vec<String>,
    /// Write to this file.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Also say on the error stream which version it is, and how current.
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Prints.
pub(crate) fn run(args: &GetArgs) -> miette::Result<()> {
    let (bytes, told) = with_client(&args.place, async |client| {
        if let Some(version) = args.version {
            let (edition, bytes) = client.read_version(&args.name, Version(version)).await.map_err(report)?;
            return Ok((bytes.to_vec(), format!("{} by {}", edition.version, edition.writer)));
        }
        let (bytes, freshness) = if args.sections.is_empty() {
            let read = client.read_fresh(&args.name).await.map_err(report)?;
            (read.bytes.to_vec(), read.freshness)
        } else {
            let read = client.read_sections(&args.name, &args.sections).await.map_err(report)?;
            (read.sections.into_iter().flat_map(|(_, bytes)| bytes).collect(), read.freshness)
        };
        let told = format!(
            "{}, confirmed at revision {}, {} ms ago",
            freshness.mark.stamp.version, freshness.confirmed_revision, freshness.age_ms
        );
        Ok((bytes, told))
    })?;
    if args.verbose {
        eprintln!("{} {told}", args.name);
    }
    match &args.out {
        Some(path) => {
            std::fs::write(path, bytes).map_err(|error| miette!("cannot write {}: {error}", path.display()))
        }
        None => print(&bytes),
    }
}
