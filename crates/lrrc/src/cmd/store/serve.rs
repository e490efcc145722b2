//! `lrrc store serve`.

use std::path::PathBuf;

use clap::Args;
use lrrc_coherence::{Rules, Strategy};
use lrrc_store::{
    Backend, Clock, Content, ContentRules, Home, HomeConfig, Limits, Listener, MemoryBackend, Trace, serve,
};
#[cfg(feature = "etcd")]
use lrrc_store::{EtcdBackend, EtcdConfig};
use miette::IntoDiagnostic;
use tokio::runtime::Runtime;

#[cfg(feature = "etcd")]
use super::open_content;
use super::{PlaceArgs, make_folder, open_home, runtime};

/// Serve the artifacts of a folder until interrupted.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Keep nothing: the artifacts go with the process.
    #[arg(long, conflicts_with_all = ["folder", "contents"], requires = "at")]
    memory: bool,
    /// Where large contents lie: a folder, or s3://BUCKET/FOLDER; the folder of the store if not given.
    #[arg(long, value_name = "ADDRESS")]
    contents: Option<String>,
    /// Serve the artifacts of an etcd cluster, beside the daemons of other machines; large contents must lie where all
    /// of them reach them. Addresses such as http://127.0.0.1:2379; may be given more than once.
    #[cfg(feature = "etcd")]
    #[arg(long, value_name = "URL", requires = "contents", conflicts_with = "memory")]
    etcd: Vec<String>,
    /// What a write does to the copies of others: lazy, eager or broadcast.
    #[arg(long, default_value = "lazy", value_parser = parse_strategy)]
    strategy: Strategy,
    /// Lease of a claim that asks for none, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = Rules::default().lease_ms / 1000)]
    lease: u64,
    /// Earlier versions that are kept of each artifact.
    #[arg(long, value_name = "COUNT", default_value_t = Rules::default().history_max)]
    history: usize,
    /// Largest content, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = Limits::default().content_bytes_max >> 20)]
    content_mib: u64,
    /// Write down each action, a line of JSON each, to this new file.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

fn parse_strategy(name: &str) -> Result<Strategy, String> {
    match name {
        "lazy" => Ok(Strategy::Lazy),
        "eager" => Ok(Strategy::Eager),
        "broadcast" => Ok(Strategy::Broadcast),
        _ => Err("expected lazy, eager or broadcast".to_owned()),
    }
}

/// Serves.
pub(crate) fn run(args: &ServeArgs) -> miette::Result<()> {
    let rules = Rules {
        strategy: args.strategy,
        lease_ms: args.lease.saturating_mul(1000).max(1),
        history_max: args.history,
        ..Rules::default()
    };
    let limits = Limits { content_bytes_max: args.content_mib.saturating_mul(1 << 20), ..Limits::default() };
    make_folder(&args.place.folder)?;
    let (config, clock, runtime) = (HomeConfig { rules, limits }, Clock::start(), runtime()?);
    let listener = runtime.block_on(Listener::open(&args.place.address())).into_diagnostic()?;
    if args.memory {
        let content = Content::in_memory(ContentRules::default()).into_diagnostic()?;
        let home = Home::open(MemoryBackend::new(), content, config, clock.now()).into_diagnostic()?;
        return work(args, home, clock, listener, &runtime);
    }
    #[cfg(feature = "etcd")]
    if let Some(first) = args.etcd.first() {
        let etcd = EtcdConfig { endpoints: args.etcd.clone(), ..EtcdConfig::at(first) };
        let backend = EtcdBackend::connect(&etcd).into_diagnostic()?;
        let content = open_content(&args.place.folder, args.contents.as_deref(), &config)?;
        let home = Home::open(backend, content, config, clock.now()).into_diagnostic()?;
        return work(args, home, clock, listener, &runtime);
    }
    let home = open_home(&args.place.folder, args.contents.as_deref(), config, clock)?;
    work(args, home, clock, listener, &runtime)
}

fn work<B: Backend + 'static>(
    args: &ServeArgs,
    home: Home<B>,
    clock: Clock,
    listener: Listener,
    runtime: &Runtime,
) -> miette::Result<()> {
    let home = match &args.trace {
        Some(path) => home.with_trace(Trace::create(path).into_diagnostic()?),
        None => home,
    };
    let _inside = runtime.enter();
    let interrupted = interrupted()?;
    println!("listening at {}", listener.place());
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
