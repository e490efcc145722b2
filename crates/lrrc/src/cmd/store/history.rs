//! `lrrc store history`.

use clap::Args;
use lrrc_store::{Clock, Name};
use miette::IntoDiagnostic;

use super::refused::claimed;
use super::{PlaceArgs, ago, table};
use crate::bounds::tame;
use crate::output::print;
use crate::told::escaped;

/// Print the versions of an artifact, its sections, and who may write it.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// Name of the artifact.
    #[arg(value_parser = tame::<Name>)]
    name: Name,
    /// One JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Prints.
pub(crate) fn run(args: &HistoryArgs) -> miette::Result<()> {
    let history = args.place.with_client(async |client| client.history(&args.name).await)?;
    if args.json {
        let mut bytes = serde_json::to_vec(&history).into_diagnostic()?;
        bytes.push(b'\n');
        return print(&bytes);
    }
    let now = Clock::start().now();
    let mut versions = table(["version", "bytes", "tokens", "by", "written", "digest"]);
    for edition in history.past.iter().chain([&history.current]) {
        versions.add_row([
            edition.version.0.to_string(),
            edition.size_bytes.to_string(),
            edition.tokens.to_string(),
            edition.writer.to_string(),
            ago(edition.at, now),
            edition.digest.to_string()[..16].to_owned(),
        ]);
    }
    let mut text = format!("{}, {}\n{versions}\n", args.name, history.mark.generation);
    if !history.sections.is_empty() {
        let mut sections = table(["section", "changed at"]);
        for section in &history.sections {
            sections.add_row([escaped(&section.name), section.changed_at.to_string()]);
        }
        text += &format!("{sections}\n");
    }
    if let Some((agent, expires)) = history.claim {
        text += &format!("claimed by {agent} {}\n", claimed(expires, now));
    }
    if !history.waiting.is_empty() {
        let waiting: Vec<String> = history.waiting.iter().map(ToString::to_string).collect();
        text += &format!("waiting: {}\n", waiting.join(", "));
    }
    print(text.as_bytes())
}
