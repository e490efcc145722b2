//! `lrrc store rm`.

use clap::Args;
use lrrc_coherence::{Stamp, Version};
use lrrc_store::Name;

use super::{PlaceArgs, report, with_client};

/// Delete an artifact with its history.
#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// Name of the artifact.
    name: Name,
    /// Delete only if this is still the newest version.
    #[arg(long, value_name = "VERSION")]
    expect: Option<u64>,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Deletes.
pub(crate) fn run(args: &RmArgs) -> miette::Result<()> {
    with_client(&args.place, async |client| {
        let stamp = client.history(&args.name).await.map_err(report)?.mark.stamp;
        let expected = args.expect.map(|version| Stamp { version: Version(version), ..stamp });
        client.delete(&args.name, expected).await.map_err(report)?;
        println!("{} deleted at {}", args.name, stamp.version);
        Ok(())
    })
}
