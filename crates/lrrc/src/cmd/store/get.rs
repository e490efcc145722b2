//! `lrrc store get`.

use std::path::PathBuf;

use clap::Args;
use lrrc_coherence::Version;
use lrrc_store::{Client, Name, StoreError};

use super::PlaceArgs;
use crate::bounds::{tame, whole};
use crate::output;

/// Print an artifact.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// Name of the artifact.
    #[arg(value_parser = tame::<Name>)]
    name: Name,
    /// An earlier version, while the history names it.
    #[arg(long, value_parser = whole::<u64>(1..=u64::MAX), allow_negative_numbers = true)]
    version: Option<u64>,
    /// Print this section only; may be given more than once. A content has sections if the name of the artifact ends in .md
    /// (Plan/Risks is the heading Risks under Plan) or .json (/plan/risks), or put --divide says so; `lrrc store history`
    /// lists them.
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
    output::check(args.out.as_deref())?;
    let (bytes, told) = args.place.with_client(async |client| read(&client, args).await)?;
    if args.verbose {
        eprintln!("{} {told}", args.name);
    }
    match &args.out {
        Some(path) if !output::is_stdout(path) => output::write(path, &bytes),
        _ => output::print(&bytes),
    }
}

/// The content that was asked for, and what it is.
async fn read(client: &Client, args: &GetArgs) -> Result<(Vec<u8>, String), StoreError> {
    if let Some(version) = args.version {
        let (edition, bytes) = client.read_version(&args.name, Version(version)).await?;
        return Ok((bytes.to_vec(), format!("{} by {}", edition.version, edition.writer)));
    }
    let (bytes, freshness) = if args.sections.is_empty() {
        let read = client.read_fresh(&args.name).await?;
        (read.bytes.to_vec(), read.freshness)
    } else {
        let read = client.read_sections(&args.name, &args.sections).await?;
        (read.sections.into_iter().flat_map(|(_, bytes)| bytes).collect(), read.freshness)
    };
    let told = format!(
        "{}, confirmed at revision {}, {} ms ago",
        freshness.mark.stamp.version, freshness.confirmed_revision, freshness.age_ms
    );
    Ok((bytes, told))
}
