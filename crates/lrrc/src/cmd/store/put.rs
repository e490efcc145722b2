//! `lrrc store put`.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use lrrc_coherence::{Conflict, Stamp, Version};
use lrrc_store::wire::{Committed, Payload};
use lrrc_store::{Client, Name, Refusal, StoreError};
use miette::miette;

use super::{PlaceArgs, report, with_client};

/// Write an artifact: a new one, or the next version of one that is there.
#[derive(Debug, Args)]
pub(crate) struct PutArgs {
    /// Name of the artifact.
    name: Name,
    /// File with the content; - or nothing reads the input.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Write only if this is still the newest version; 0 writes only a new artifact.
    #[arg(long, value_name = "VERSION")]
    expect: Option<u64>,
    /// Tokens of the content, where you have counted them.
    #[arg(long)]
    tokens: Option<u32>,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Writes.
pub(crate) fn run(args: &PutArgs) -> miette::Result<()> {
    let bytes = read(&args.file).map_err(|error| miette!("cannot read {}: {error}", args.file.display()))?;
    let content = Payload { tokens: args.tokens, ..Payload::from(bytes) };
    with_client(&args.place, async |client| {
        let committed = put(&client, args, content).await.map_err(report)?;
        println!("{} {} {}", args.name, committed.mark.stamp.version, committed.digest);
        Ok(())
    })
}

fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    if file != Path::new("-") {
        return std::fs::read(file);
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

async fn put(client: &Client, args: &PutArgs, content: Payload) -> Result<Committed, StoreError> {
    if args.expect == Some(0) {
        return client.create(&args.name, content).await;
    }
    let history = match client.history(&args.name).await {
        Err(StoreError::Refused(Refusal::Conflict { conflict, .. }))
            if args.expect.is_none() && matches!(*conflict, Conflict::UnknownArtifact) =>
        {
            return client.create(&args.name, content).await;
        }
        history => history?,
    };
    let stamp = history.mark.stamp;
    let expected = Stamp { version: args.expect.map_or(stamp.version, Version), ..stamp };
    client.commit_cas(&args.name, expected, content).await
}
