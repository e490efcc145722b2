//! `lrrc store serve`.

use std::io::ErrorKind;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lrrc_coherence::{Rules, Strategy};
use lrrc_store::{
    Backend, Clock, Content, Home, HomeConfig, Limits, Listener, MemoryBackend, ServeError, Trace, serve,
};
#[cfg(feature = "etcd")]
use lrrc_store::{EtcdBackend, EtcdConfig, EtcdTls};
use miette::{IntoDiagnostic, miette};
use tokio::runtime::Runtime;

#[cfg(feature = "etcd")]
use super::open_content;
use super::{ContentsArgs, PlaceArgs, content_rules, make_folder, open_home, runtime};
use crate::bounds::whole;
use crate::output::print;

/// Largest content that a store may take, in MiB: clients take frames of 1 GiB, and around a content more is said.
pub(super) const CONTENT_MIB_MAX: u64 = 1023;
/// The variable that holds the password for etcd: a command line is seen by everybody.
#[cfg(feature = "etcd")]
const PASSWORD: &str = "LRRC_ETCD_PASSWORD";
/// Longest lease, in seconds: 136 years.
const SECONDS_MAX: u64 = u32::MAX as u64;

/// Serve the artifacts of a folder until interrupted.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Keep nothing: the artifacts go with the process.
    #[arg(long, conflicts_with_all = ["folder", "contents"], requires = "at")]
    memory: bool,
    #[command(flatten)]
    contents: ContentsArgs,
    /// Serve the artifacts of an etcd cluster, beside the daemons of other machines; large contents must lie where all
    /// of them reach them. Addresses such as http://127.0.0.1:2379; may be given more than once. The history of the whole
    /// cluster is compacted, but for the last hour.
    #[arg(long, value_name = "URL", requires = "contents", conflicts_with = "memory")]
    etcd: Vec<String>,
    #[command(flatten)]
    etcd_access: EtcdArgs,
    /// What a write does to the copies of others, and how long a copy is read.
    #[arg(long, value_enum, default_value_t = StrategyName::Lazy)]
    strategy: StrategyName,
    /// With the strategy lease: from the fetch of a copy to its last read, in seconds.
    #[arg(long, value_name = "SECONDS", required_if_eq("strategy", "lease"), value_parser = whole::<u64>(1..=SECONDS_MAX), allow_negative_numbers = true)]
    lease_ttl: Option<u64>,
    /// With the strategy access-count: how many reads one fetch of a copy allows.
    #[arg(long, value_name = "COUNT", required_if_eq("strategy", "access-count"), value_parser = whole::<u32>(1..=u64::from(u32::MAX)), allow_negative_numbers = true)]
    reads: Option<u32>,
    /// Lease of a claim that asks for none, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = Rules::default().lease_ms / 1000, value_parser = whole::<u64>(1..=SECONDS_MAX), allow_negative_numbers = true)]
    lease: u64,
    /// Earlier versions that are kept of each artifact.
    #[arg(long, value_name = "COUNT", default_value_t = Rules::default().history_max, value_parser = whole::<usize>(0..=u64::from(u32::MAX)), allow_negative_numbers = true)]
    history: usize,
    /// Largest content, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = Limits::default().content_bytes_max >> 20, value_parser = whole::<u64>(1..=CONTENT_MIB_MAX), allow_negative_numbers = true)]
    content_mib: u64,
    /// Write down each action, a line of JSON each, to this new file.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

/// The way into etcd; files in PEM for addresses that begin with https://.
#[derive(Debug, Args)]
struct EtcdArgs {
    /// What all keys of this store start with; lrrc/ if not given. A cluster may hold several stores.
    #[arg(long, value_name = "PREFIX", requires = "etcd")]
    etcd_root: Option<String>,
    /// Who asks, where the cluster wants to know; the password is read from LRRC_ETCD_PASSWORD.
    #[arg(long, value_name = "NAME", requires = "etcd")]
    etcd_user: Option<String>,
    /// Certificates of the authorities that sign those of etcd; those that the system trusts if not given.
    #[arg(long, value_name = "FILE", requires = "etcd")]
    etcd_ca: Option<PathBuf>,
    /// Certificate to show to etcd, where it asks its clients for one.
    #[arg(long, value_name = "FILE", requires = "etcd", requires = "etcd_key")]
    etcd_cert: Option<PathBuf>,
    /// Private key of that certificate.
    #[arg(long, value_name = "FILE", requires = "etcd", requires = "etcd_cert")]
    etcd_key: Option<PathBuf>,
}

#[cfg(feature = "etcd")]
impl EtcdArgs {
    fn config(&self, endpoints: Vec<String>) -> miette::Result<EtcdConfig> {
        let tls =
            EtcdTls { ca: self.etcd_ca.clone(), identity: self.etcd_cert.clone().zip(self.etcd_key.clone()) };
        let password =
            || std::env::var(PASSWORD).map_err(|_| miette!("--etcd-user needs {PASSWORD} to be set"));
        let user = match &self.etcd_user {
            Some(name) => Some((name.clone(), password()?)),
            None => None,
        };
        let standard = EtcdConfig::at("");
        let root = self.etcd_root.clone().unwrap_or_else(|| standard.root.clone());
        Ok(EtcdConfig { endpoints, root, user, tls, ..standard })
    }
}

/// The names of the strategies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StrategyName {
    /// Invalidate on a write, fetch on the next read.
    Lazy,
    /// Push the content to everyone whose copy the write made old.
    Eager,
    /// As lazy, and a copy is read for --lease-ttl seconds after it was fetched.
    Lease,
    /// As lazy, and a copy is read --reads times after it was fetched.
    AccessCount,
    /// The baseline: push the content to everyone who ever touched the artifact.
    Broadcast,
}

impl ServeArgs {
    /// The strategy with its number. One that belongs to another strategy would do nothing, and is refused.
    fn strategy(&self) -> miette::Result<Strategy> {
        let strategy = match (self.strategy, self.lease_ttl, self.reads) {
            (StrategyName::Lazy, None, None) => Strategy::Lazy,
            (StrategyName::Eager, None, None) => Strategy::Eager,
            (StrategyName::Broadcast, None, None) => Strategy::Broadcast,
            (StrategyName::Lease, Some(seconds), None) => {
                Strategy::Lease { ttl_ms: seconds.saturating_mul(1000) }
            }
            (StrategyName::AccessCount, None, Some(reads)) => Strategy::AccessCount { reads },
            (name, ttl, reads) => {
                let given = [("--lease-ttl", ttl), ("--reads", reads.map(u64::from))];
                let given = given.iter().filter_map(|(flag, value)| Some(format!("{flag} {}", (*value)?)));
                return Err(miette!(
                    help = "--strategy lease takes --lease-ttl, --strategy access-count takes --reads",
                    "{} does not go with the strategy {name:?}",
                    given.collect::<Vec<_>>().join(" ")
                ));
            }
        };
        Ok(strategy)
    }
}

/// Serves.
pub(crate) fn run(args: &ServeArgs) -> miette::Result<()> {
    let rules = Rules {
        strategy: args.strategy()?,
        lease_ms: args.lease.saturating_mul(1000),
        history_max: args.history,
        ..Rules::default()
    };
    let limits = Limits { content_bytes_max: args.content_mib.saturating_mul(1 << 20), ..Limits::default() };
    make_folder(&args.place.folder)?;
    let (config, clock, runtime) = (HomeConfig { rules, limits }, Clock::start(), runtime()?);
    if args.memory {
        let content = Content::in_memory(content_rules(&config)).into_diagnostic()?;
        let home = Home::open(MemoryBackend::new(), content, config, clock.now()).into_diagnostic()?;
        return work(args, home, clock, &runtime);
    }
    if !args.etcd.is_empty() {
        return serve_etcd(args, config, clock, &runtime);
    }
    let home = open_home(&args.place.folder, args.contents.address(), config, clock)?;
    work(args, home, clock, &runtime)
}

#[cfg(feature = "etcd")]
fn serve_etcd(args: &ServeArgs, config: HomeConfig, clock: Clock, runtime: &Runtime) -> miette::Result<()> {
    let etcd = args.etcd_access.config(args.etcd.clone())?;
    let backend = EtcdBackend::connect(&etcd).map_err(|error| miette!("{error}"))?;
    let content = open_content(&args.place.folder, args.contents.address(), &config, &backend)?;
    let home = Home::open(backend, content, config, clock.now()).into_diagnostic()?;
    work(args, home, clock, runtime)
}

#[cfg(not(feature = "etcd"))]
fn serve_etcd(args: &ServeArgs, _: HomeConfig, _: Clock, _: &Runtime) -> miette::Result<()> {
    let EtcdArgs { etcd_root, etcd_user, etcd_ca, etcd_cert, etcd_key } = &args.etcd_access;
    let files = [etcd_ca, etcd_cert, etcd_key].into_iter().flatten().map(|file| file.display().to_string());
    let names = args.etcd.iter().chain([etcd_root, etcd_user].into_iter().flatten()).cloned();
    Err(miette!(
        help = "build it with: cargo build --release --features etcd",
        "this lrrc was built without etcd, and cannot use {}",
        names.chain(files).collect::<Vec<_>>().join(", ")
    ))
}

fn work<B: Backend + 'static>(
    args: &ServeArgs,
    home: Home<B>,
    clock: Clock,
    runtime: &Runtime,
) -> miette::Result<()> {
    let home = match &args.trace {
        Some(path) => home.with_trace(Trace::create(path).into_diagnostic()?),
        None => home,
    };
    // Only who has the store open may take the place: a second daemon fails before it comes here.
    let listener = runtime.block_on(Listener::open(&args.place.address())).map_err(|error| match &error {
        ServeError::Listen { source, .. } if source.kind() == ErrorKind::InvalidInput => {
            args.place.too_long()
        }
        _ => miette!("{error}"),
    })?;
    let _inside = runtime.enter();
    let interrupted = interrupted()?;
    print(format!("listening at {}\n", listener.place()).as_bytes())?;
    runtime.block_on(serve(home, clock, listener, interrupted)).into_diagnostic()
}

/// Over when the user or the system asks the process to end.
fn interrupted() -> miette::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let mut terminated =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).into_diagnostic()?;
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    })
}
