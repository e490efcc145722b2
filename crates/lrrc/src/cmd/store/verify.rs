//! `lrrc store verify`.

use clap::Args;
use miette::miette;

use super::{ContentsArgs, PlaceArgs};

/// Read every version of every artifact and compare it with its digest.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    contents: ContentsArgs,
}

/// Verifies; faults are a failure.
pub(crate) fn run(args: &VerifyArgs) -> miette::Result<()> {
    let found = args.place.with_or_without_daemon(&args.contents, async |client| client.verify().await)?;
    println!("{} artifacts, {} versions, {} bytes", found.records, found.versions, found.bytes);
    if found.faults.is_empty() {
        return Ok(());
    }
    let (count, faults) = (found.faults.len(), found.faults.join("\n"));
    Err(miette!(
        help = "write the content again, or restore the folder of the store from a copy",
        "{count} faults:\n{faults}"
    ))
}
