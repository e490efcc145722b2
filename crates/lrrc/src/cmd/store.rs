//! `lrrc store`: serve, put, get, ls, rm, watch, history, gc, verify.

mod gc;
mod get;
mod history;
mod ls;
mod put;
mod rm;
mod serve;
mod verify;
mod watch;

use std::future::Future;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use lrrc_coherence::{Conflict, Millis};
use lrrc_store::{
    Address, Backend, Client, ClientConfig, Clock, Content, ContentRules, Home, HomeConfig, Owner,
    RedbBackend, Refusal, StoreError,
};
use miette::{IntoDiagnostic, miette};

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

/// Which store.
#[derive(Debug, Args)]
pub(crate) struct PlaceArgs {
    /// Folder of the store.
    #[arg(long, value_name = "DIR", default_value = ".lrrc/store")]
    folder: PathBuf,
    /// Where the store listens: unix:PATH or tcp:127.0.0.1:PORT; the socket in its folder if not given.
    #[arg(long, value_name = "ADDRESS")]
    at: Option<Address>,
}

impl PlaceArgs {
    fn address(&self) -> Address {
        self.at.clone().unwrap_or_else(|| Address::Unix(self.folder.join("socket")))
    }

    /// A client of the daemon.
    async fn client(&self) -> Result<Client, StoreError> {
        let config = ClientConfig { connect_within: Duration::from_secs(2), ..ClientConfig::default() };
        Client::connect(&self.address(), config).await
    }

    /// Does work with a client of the daemon, or, where none answers, of a home that this process opens meanwhile; then
    /// large contents are looked for where `contents` says.
    fn with_or_without_daemon<F: Future<Output = Result<T, StoreError>>, T>(
        &self,
        contents: &ContentsArgs,
        work: impl Fn(Client) -> F,
    ) -> miette::Result<T> {
        let runtime = runtime()?;
        let absent = match runtime.block_on(self.client()) {
            Ok(client) => return runtime.block_on(work(client)).map_err(report),
            Err(error @ StoreError::Unreachable { .. }) if self.database().exists() => error,
            Err(error) => return Err(report(error)),
        };
        eprintln!("{absent}: opening {} in this process", self.folder.display());
        let (clock, config) = (Clock::start(), HomeConfig::default());
        let owner = Owner::spawn(open_home(&self.folder, contents.address(), config, clock)?, clock);
        let done = runtime
            .block_on(async { work(Client::local(owner.handle(), ClientConfig::default()).await?).await });
        owner.stop().into_diagnostic()?;
        done.map_err(report)
    }

    fn database(&self) -> PathBuf {
        self.folder.join("store.redb")
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

/// Runs a command against the daemon.
fn with_client<F: Future<Output = miette::Result<T>>, T>(
    place: &PlaceArgs,
    work: impl FnOnce(Client) -> F,
) -> miette::Result<T> {
    runtime()?.block_on(async { work(place.client().await.map_err(report)?).await })
}

fn runtime() -> miette::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().into_diagnostic()
}

/// The error as the user sees it, with what can be done about it.
#[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
fn report(error: StoreError) -> miette::Report {
    let help = match &error {
        StoreError::Refused(Refusal::Conflict { name, conflict }) => match conflict.as_ref() {
            Conflict::VersionMismatch { actual, base, .. } => Some(format!(
                "theirs: lrrc store get {name} --version {}{}",
                actual.version.0,
                base.as_ref().map_or(String::new(), |base| format!(
                    "\nbase:   lrrc store get {name} --version {}",
                    base.version.0
                ))
            )),
            Conflict::UnknownArtifact => Some("lrrc store ls lists what there is".to_owned()),
            _ => None,
        },
        StoreError::Unreachable { .. } => Some("--folder or --at names another store".to_owned()),
        _ => None,
    };
    match help {
        Some(help) => miette!(help = help, "{error}"),
        None => miette!("{error}"),
    }
}

/// A table in the style of all tables.
fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(header);
    table
}

/// How long ago, in one unit.
fn ago(at: Millis, now: Millis) -> String {
    let seconds = now.since(at) / 1000;
    match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7200 => format!("{} min ago", seconds / 60),
        7200..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// Writes to the output; a reader that has gone away is no fault.
fn print(bytes: &[u8]) -> miette::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.into_diagnostic(),
    }
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
