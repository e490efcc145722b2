//! `lrrc store rm`.

use clap::Args;
use lrrc_coherence::{Stamp, Version};
use lrrc_store::Name;

use super::PlaceArgs;
use crate::bounds::{tame, whole};

/// Delete an artifact with its history.
#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// Name of the artifact.
    #[arg(value_parser = tame::<Name>)]
    name: Name,
    /// Delete only if this is still the newest version.
    #[arg(long, value_name = "VERSION", value_parser = whole::<u64>(1..=u64::MAX), allow_negative_numbers = true)]
    expect: Option<u64>,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Deletes.
pub(crate) fn run(args: &RmArgs) -> miette::Result<()> {
    let version = args.place.with_client(async |client| {
        let stamp = client.history(&args.name).await?.mark.stamp;
        let expected = args.expect.map(|version| Stamp { version: Version(version), ..stamp });
        client.delete(&args.name, expected).await.map(|()| stamp.version)
    })?;
    crate::output::print(format!("{} deleted at {version}\n", args.name).as_bytes())
}
