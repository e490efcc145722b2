//! `lrrc store watch`.

use std::time::Duration;

use clap::Args;
use lrrc_store::wire::Changed;
use lrrc_store::{Client, Noticed, Watch};
use miette::IntoDiagnostic;

use super::{PlaceArgs, runtime};
use crate::bounds::whole;
use crate::output::{Reader, reader_gone, try_print};

/// How often the connection is looked at.
const GLANCE: Duration = Duration::from_millis(500);

/// Print a line for every new version and every deletion, until interrupted or nobody reads them.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Beginning of the names; all if not given.
    #[arg(default_value = "")]
    prefix: String,
    /// Lines of JSON.
    #[arg(long)]
    json: bool,
    /// End after this many lines.
    #[arg(long, value_name = "COUNT", value_parser = whole::<u64>(1..=u64::MAX), allow_negative_numbers = true)]
    count: Option<u64>,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Watches.
pub(crate) fn run(args: &WatchArgs) -> miette::Result<()> {
    runtime()?.block_on(async {
        let client = args.place.client().await?;
        let mut watch = args.place.in_time(client.watch(&args.prefix)).await?;
        eprintln!("watching {:?}", args.prefix);
        tokio::select! {
            ended = follow(args, &mut watch) => ended,
            () = tell_outages(args, &client) => Ok(()),
            () = reader_gone() => Ok(()),
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    })
}

/// Prints what happens until there were enough lines, or nobody reads them.
async fn follow(args: &WatchArgs, watch: &mut Watch) -> miette::Result<()> {
    let mut told = 0;
    while args.count.is_none_or(|count| told < count) {
        match watch.next().await {
            None => break,
            Some(Noticed::Gap) => eprintln!("some changes may be missing: see {}", args.place.command("ls")),
            Some(Noticed::Changed(changed)) => {
                told += 1;
                if try_print(line(args, &changed)?.as_bytes())? == Reader::Gone {
                    break;
                }
            }
        }
    }
    Ok(())
}

fn line(args: &WatchArgs, changed: &Changed) -> miette::Result<String> {
    if args.json {
        return Ok(serde_json::to_string(changed).into_diagnostic()? + "\n");
    }
    let now =
        changed.now.map_or("deleted".to_owned(), |(stamp, digest)| format!("{} {digest}", stamp.version));
    Ok(format!("{} {now}\n", changed.name))
}

/// Says when the connection is lost and when it is back: silence could mean that nothing changes. Never over.
async fn tell_outages(args: &WatchArgs, client: &Client) {
    let (mut glance, mut is_up) = (tokio::time::interval(GLANCE), true);
    loop {
        glance.tick().await;
        let is_there = client.id().is_some();
        if is_there != is_up {
            let what = if is_there { "is back" } else { "is lost; trying again until it is back" };
            eprintln!("the connection to the store at {} {what}", args.place.address());
        }
        is_up = is_there;
    }
}
