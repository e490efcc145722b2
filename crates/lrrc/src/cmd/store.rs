//! `lrrc store`: serve, put, get, ls, rm, watch, history, gc, verify.

mod gc;
mod get;
mod history;
mod ls;
mod place;
mod put;
mod refused;
mod rm;
mod serve;
mod verify;
mod watch;

use std::path::Path;

use clap::{Args, Subcommand};
use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use lrrc_coherence::Millis;
use lrrc_store::{Backend, Clock, Content, ContentRules, Home, HomeConfig, RedbBackend};
use miette::{IntoDiagnostic, miette};

use place::PlaceArgs;

/// What to do with shared artifacts.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    Serve(serve::ServeArgs),
    Put(put::PutArgs),
    Get(get::GetArgs),
    Ls(ls::LsArgs),
    Rm(rm::RmArgs),
    Watch(watch::WatchArgs),
    History(history::HistoryArgs),
    Gc(gc::GcArgs),
    Verify(verify::VerifyArgs),
}

/// Runs the command.
pub(crate) fn run(command: StoreCommand) -> miette::Result<()> {
    match command {
        StoreCommand::Serve(args) => serve::run(&args),
        StoreCommand::Put(args) => put::run(&args),
        StoreCommand::Get(args) => get::run(&args),
        StoreCommand::Ls(args) => ls::run(&args),
        StoreCommand::Rm(args) => rm::run(&args),
        StoreCommand::Watch(args) => watch::run(&args),
        StoreCommand::History(args) => history::run(&args),
        StoreCommand::Gc(args) => gc::run(&args),
        StoreCommand::Verify(args) => verify::run(&args),
    }
}

/// Where large contents lie.
#[derive(Debug, Args)]
pub(crate) struct ContentsArgs {
    /// Where large contents lie: a folder, or s3://BUCKET/FOLDER; the folder of the store if not given.
    #[arg(long, value_name = "ADDRESS")]
    contents: Option<String>,
}

impl ContentsArgs {
    fn address(&self) -> Option<&str> {
        self.contents.as_deref()
    }
}

/// Makes the folder of a store, which nobody but its user may enter.
fn make_folder(folder: &Path) -> miette::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made = builder.recursive(true).create(folder);
    made.map_err(|error| miette!("cannot make {}: {error}", folder.display()))
}

/// The home of the store in a folder; large contents lie in it too, or at `contents`.
fn open_home(
    folder: &Path,
    contents: Option<&str>,
    config: HomeConfig,
    clock: Clock,
) -> miette::Result<Home<RedbBackend>> {
    let backend = RedbBackend::open(folder.join("store.redb")).into_diagnostic()?;
    let content = open_content(folder, contents, &config, &backend)?;
    Home::open(backend, content, config, clock.now()).into_diagnostic()
}

/// Contents are as long as the home takes them.
fn content_rules(config: &HomeConfig) -> ContentRules {
    let content_bytes_max = usize::try_from(config.limits.content_bytes_max).unwrap_or(usize::MAX);
    ContentRules { content_bytes_max, ..ContentRules::default() }
}

/// The contents of the store that `backend` keeps.
fn open_content(
    folder: &Path,
    contents: Option<&str>,
    config: &HomeConfig,
    backend: &impl Backend,
) -> miette::Result<Content> {
    let rules = content_rules(config);
    let content = match contents {
        Some(address) => {
            // As every S3 client reads them: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT …
            let options: Vec<(String, String)> = std::env::vars()
                .filter(|(name, _)| name.starts_with("AWS_"))
                .map(|(name, value)| (name.to_ascii_lowercase(), value))
                .collect();
            let options = options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            Content::at(address, options, rules)
        }
        None => Content::in_folder(folder, rules),
    };
    let content = content.into_diagnostic()?;
    content.belong_to(backend).into_diagnostic()?;
    Ok(content)
}

fn runtime() -> miette::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().into_diagnostic()
}

/// A table in the style of all tables.
fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(header);
    table
}

/// How long ago, in one unit.
fn ago(at: Millis, now: Millis) -> String {
    format!("{} ago", span(now.since(at)))
}

/// How long from now on, in one unit.
fn until(at: Millis, now: Millis) -> String {
    span(at.since(now))
}

fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// So many of a thing.
fn counted(count: u64, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_one_unit() {
        let told = [0, 119_999, 120_000, 7_200_000, 172_800_000].map(|ms| ago(Millis(0), Millis(ms)));
        assert_eq!(told, ["0 s ago", "119 s ago", "2 min ago", "2 h ago", "2 days ago"]);
    }
}
