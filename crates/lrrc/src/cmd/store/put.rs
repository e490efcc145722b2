//! `lrrc store put`.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lrrc_coherence::{Conflict, Stamp, Version};
use lrrc_store::wire::{Committed, Divide, Payload};
use lrrc_store::{Client, Name, Refusal, StoreError};
use miette::miette;

use super::PlaceArgs;
use super::serve::CONTENT_MIB_MAX;
use crate::bounds::{tame, whole};
use crate::output::print;

/// Longest content that is read.
const BYTES_MAX: u64 = CONTENT_MIB_MAX << 20;

/// Write an artifact: a new one, or the next version of one that is there.
#[derive(Debug, Args)]
pub(crate) struct PutArgs {
    /// Name of the artifact; one that ends in .md is divided into sections by its headings, one in .json by its members.
    #[arg(value_parser = tame::<Name>)]
    name: Name,
    /// File with the content; - or nothing reads the input.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Write only if this is still the newest version; 0 writes only a new artifact.
    #[arg(long, value_name = "VERSION", value_parser = whole::<u64>(0..=u64::MAX), allow_negative_numbers = true)]
    expect: Option<u64>,
    /// Tokens of the content, where you have counted them.
    #[arg(long, value_name = "COUNT", value_parser = whole::<u32>(0..=u64::from(u32::MAX)), allow_negative_numbers = true)]
    tokens: Option<u32>,
    /// How the content is divided into sections, whatever its name ends in.
    #[arg(long, value_enum)]
    divide: Option<DivideName>,
    /// Write an empty content where the input is empty.
    #[arg(long)]
    empty: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

/// The ways to divide a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DivideName {
    /// Not at all.
    Whole,
    /// By Markdown headings.
    Headings,
    /// By JSON pointers.
    Pointers,
}

impl From<DivideName> for Divide {
    fn from(name: DivideName) -> Self {
        match name {
            DivideName::Whole => Self::Whole,
            DivideName::Headings => Self::Headings,
            DivideName::Pointers => Self::Pointers,
        }
    }
}

/// Writes.
pub(crate) fn run(args: &PutArgs) -> miette::Result<()> {
    let bytes = read(args)?;
    let divide = args.divide.map_or(Divide::ByName, Divide::from);
    let content = Payload { tokens: args.tokens, divide, ..Payload::from(bytes) };
    let committed = args.place.with_client(async |client| put(&client, args, content).await)?;
    print(format!("{} {} {}\n", args.name, committed.mark.stamp.version, committed.digest).as_bytes())
}

fn read(args: &PutArgs) -> miette::Result<Vec<u8>> {
    let endless = || endless(&args.place);
    if args.file != Path::new("-") {
        let bytes = File::open(&args.file).and_then(|file| bounded(file, BYTES_MAX));
        let bytes = bytes.map_err(|error| miette!("cannot read {}: {error}", args.file.display()))?;
        return bytes.ok_or_else(endless);
    }
    let input = io::stdin().lock();
    if input.is_terminal() {
        eprintln!("the content of {} is read from here, until Ctrl-D", args.name);
    }
    let bytes = bounded(input, BYTES_MAX).map_err(|error| miette!("cannot read the input: {error}"))?;
    let bytes = bytes.ok_or_else(endless)?;
    if bytes.is_empty() && !args.empty {
        return Err(miette!(
            help =
                "--empty writes an empty content; otherwise see whether the command before the pipe failed",
            "the input is empty, and {} stays as it is",
            args.name
        ));
    }
    Ok(bytes)
}

/// All bytes of an input, or nothing if they are more than `bytes_max`: not every input ends.
fn bounded(input: impl Read, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    // Room that is not used costs nothing, and a buffer that grows by copying has everything twice. Without it, it grows.
    let _ = bytes.try_reserve_exact(usize::try_from(bytes_max + 1).unwrap_or(0));
    let found = input.take(bytes_max + 1).read_to_end(&mut bytes)?;
    Ok((found as u64 <= bytes_max).then_some(bytes))
}

fn endless(place: &PlaceArgs) -> miette::Report {
    let raised = place.command("serve --content-mib MIB");
    miette!(
        help = format!(
            "a store takes 16 MiB, or as many as it was started with: {raised}\nor divide the content"
        ),
        "the content is longer than {CONTENT_MIB_MAX} MiB, the most that any store takes"
    )
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_without_end_is_read_to_the_bound_only() {
        assert_eq!(bounded(io::repeat(0), 1000).expect("zeros"), None);
        assert_eq!(bounded(io::repeat(7).take(1000), 1000).expect("sevens"), Some(vec![7; 1000]));
    }
}
