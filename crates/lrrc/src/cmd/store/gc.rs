//! `lrrc store gc`.

use clap::Args;

use super::{ContentsArgs, PlaceArgs};

/// Remove contents that no version names and that are older than an hour.
#[derive(Debug, Args)]
pub(crate) struct GcArgs {
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    contents: ContentsArgs,
}

/// Collects.
pub(crate) fn run(args: &GcArgs) -> miette::Result<()> {
    let swept = args.place.with_or_without_daemon(&args.contents, async |client| client.gc().await)?;
    println!(
        "{} contents are in use; removed {} others, and {} are too young to be removed",
        swept.reachable, swept.removed, swept.young
    );
    Ok(())
}
