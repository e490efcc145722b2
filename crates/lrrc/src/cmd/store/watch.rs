//! `lrrc store watch`.

use clap::Args;
use lrrc_store::Noticed;
use miette::IntoDiagnostic;

use super::{PlaceArgs, print, report, with_client};

/// Print a line for every new version and every deletion, until interrupted.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Beginning of the names; all if not given.
    #[arg(default_value = "")]
    prefix: String,
    /// Lines of JSON.
    #[arg(long)]
    json: bool,
    /// End after this many lines.
    #[arg(long, value_name = "COUNT")]
    count: Option<u64>,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Watches.
pub(crate) fn run(args: &WatchArgs) -> miette::Result<()> {
    with_client(&args.place, async |client| {
        let mut watch = client.watch(&args.prefix).await.map_err(report)?;
        eprintln!("watching {:?}", args.prefix);
        let mut told = 0;
        while args.count.is_none_or(|count| told < count) {
            let noticed = tokio::select! {
                noticed = watch.next() => noticed,
                _ = tokio::signal::ctrl_c() => None,
            };
            match noticed {
                None => return Ok(()),
                Some(Noticed::Gap) => eprintln!("some changes may be missing: see lrrc store ls"),
                Some(Noticed::Changed(changed)) => {
                    told += 1;
                    let line = if args.json {
                        serde_json::to_string(&changed).into_diagnostic()?
                    } else {
                        let now = changed.now.map_or("deleted".to_owned(), |(stamp, digest)| {
                            format!("{} {digest}", stamp.version)
                        });
                        format!("{} {now}", changed.name)
                    };
                    print(format!("{line}\n").as_bytes())?;
                }
            }
        }
        Ok(())
    })
}
