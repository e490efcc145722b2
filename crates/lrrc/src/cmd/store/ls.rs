//! `lrrc store ls`.

use clap::Args;
use lrrc_store::wire::Row;
use lrrc_store::{Client, StoreError};
use miette::IntoDiagnostic;

use super::{PlaceArgs, table};
use crate::output::print;

/// List artifacts.
#[derive(Debug, Args)]
pub(crate) struct LsArgs {
    /// Beginning of the names; all if not given.
    #[arg(default_value = "")]
    prefix: String,
    /// A line of JSON each.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Lists.
pub(crate) fn run(args: &LsArgs) -> miette::Result<()> {
    let rows = args.place.with_client(async |client| list(&client, &args.prefix).await)?;
    if args.json {
        let mut lines = Vec::new();
        for row in &rows {
            serde_json::to_writer(&mut lines, row).into_diagnostic()?;
            lines.push(b'\n');
        }
        return print(&lines);
    }
    let mut table = table(["name", "version", "bytes", "tokens", "claimed by"]);
    for row in &rows {
        let holder = row.holder.map_or(String::new(), |agent| agent.to_string());
        let numbers = [row.version.0.to_string(), row.size_bytes.to_string(), row.tokens.to_string()];
        let [version, bytes, tokens] = numbers;
        table.add_row([row.name.to_string(), version, bytes, tokens, holder]);
    }
    print(format!("{table}\n").as_bytes())
}

async fn list(client: &Client, prefix: &str) -> Result<Vec<Row>, StoreError> {
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let (page, more) = client.list(prefix, rows.last().map(|row| &row.name)).await?;
        rows.extend(page);
        if !more {
            return Ok(rows);
        }
    }
}
