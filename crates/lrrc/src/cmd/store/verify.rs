//! `lrrc store verify`.

use clap::Args;
use miette::miette;

use super::{ContentsArgs, PlaceArgs, counted};

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
    let text = format!(
        "{}, {}, {}\n",
        counted(found.records, "artifact", "artifacts"),
        counted(found.versions, "version", "versions"),
        counted(found.bytes, "byte", "bytes")
    );
    crate::output::print(text.as_bytes())?;
    if found.faults.is_empty() {
        return Ok(());
    }
    let (count, faults) = (counted(found.faults.len() as u64, "fault", "faults"), found.faults.join("\n"));
    Err(miette!(
        help = "write the content again, or restore the folder of the store from a copy",
        "{count}:\n{faults}"
    ))
}
