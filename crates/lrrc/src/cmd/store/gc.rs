//! `lrrc store gc`.

use clap::Args;

use super::{ContentsArgs, PlaceArgs, counted};

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
    let text = format!(
        "{} in use; removed {}, and {} too young to be removed\n",
        counted(swept.reachable, "content is", "contents are"),
        counted(swept.removed, "other", "others"),
        counted(swept.young, "is", "are")
    );
    crate::output::print(text.as_bytes())
}
