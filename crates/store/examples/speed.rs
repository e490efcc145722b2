//! How fast reads and durable commits are through a daemon on this machine, against the raw costs below them.
//!
//! `cargo run --release -p lrrc-store --example speed -- --json speed.json`

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Parser;
use lrrc_store::{
    Address, Client, ClientConfig, Clock, Content, ContentRules, Home, HomeConfig, Listener, Name,
    RedbBackend, serve,
};
use serde::Serialize;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Measures reads and durable commits through a daemon.
#[derive(Debug, Parser)]
struct Args {
    /// Folder for the store; on the disk that is to be measured. A temporary one if not given.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Reads of each kind.
    #[arg(long, default_value_t = 20_000)]
    reads: usize,
    /// Commits, and as many raw writes.
    #[arg(long, default_value_t = 1000)]
    commits: usize,
    /// Length of the content, in bytes.
    #[arg(long, default_value_t = 4096)]
    content_bytes: usize,
    /// Also writes the figures to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// One row of the table, in microseconds.
#[derive(Debug, Serialize)]
struct Row {
    what: &'static str,
    count: usize,
    p10_us: f64,
    p50_us: f64,
    p99_us: f64,
}

impl Row {
    fn of(what: &'static str, mut took: Vec<Duration>) -> Self {
        took.sort_unstable();
        let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e6;
        Self { what, count: took.len(), p10_us: at(0.10), p50_us: at(0.50), p99_us: at(0.99) }
    }
}

fn main() -> Outcome<()> {
    let args = Args::parse();
    let temporary = tempfile::tempdir()?;
    let folder = args.folder.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&folder)?;
    let clock = Clock::start();
    let backend = RedbBackend::open(folder.join("speed.redb"))?;
    let content = Content::in_folder(folder.join("contents"), ContentRules::default())?;
    let home = Home::open(backend, content, HomeConfig::default(), clock.now())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let rows = runtime.block_on(async {
        let listener = Listener::open(&"tcp:127.0.0.1:0".parse()?).await?;
        let place = listener.place().clone();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let served = tokio::spawn(serve(home, clock, listener, async {
            let _ = stopped.await;
        }));
        let rows = measure(&args, &place, &folder).await;
        let _ = stop.send(());
        served.await??;
        rows
    })?;
    print(&rows);
    if let Some(path) = &args.json {
        std::fs::write(path, serde_json::to_vec_pretty(&rows)?)?;
    }
    Ok(())
}

async fn measure(args: &Args, place: &Address, folder: &Path) -> Outcome<Vec<Row>> {
    let client = Client::connect(place, ClientConfig::default()).await?;
    let plan: Name = "speed/plan".parse()?;
    let content = vec![b'x'; args.content_bytes];
    let mut stamp = match client.create(&plan, content.clone()).await {
        Ok(made) => made.mark.stamp,
        Err(_) => client.read_fresh(&plan).await?.stamp(),
    };
    let (mut copies, mut trips) = (Vec::new(), Vec::new());
    for _ in 0..args.reads {
        let begin = Instant::now();
        let read = client.read(&plan).await?;
        if read.freshness.from_copy {
            copies.push(begin.elapsed());
        }
    }
    for _ in 0..args.reads {
        let begin = Instant::now();
        client.read_fresh(&plan).await?;
        trips.push(begin.elapsed());
    }
    let (mut commits, mut raw) = (Vec::new(), Vec::new());
    let mut file = File::create(folder.join("speed.raw"))?;
    for turn in 0..args.commits {
        let mut content = content.clone();
        content[..8].copy_from_slice(&(turn as u64).to_be_bytes());
        for kind in [turn % 2, (turn + 1) % 2] {
            let begin = Instant::now();
            if kind == 0 {
                file.write_all(&content)?;
                file.sync_data()?;
                raw.push(begin.elapsed());
            } else {
                stamp = client.commit_cas(&plan, stamp, content.clone()).await?.mark.stamp;
                commits.push(begin.elapsed());
            }
        }
    }
    Ok(vec![
        Row::of("read of a copy (no round trip)", copies),
        Row::of("read with a round trip", trips),
        Row::of("durable commit", commits),
        Row::of("raw write and fsync", raw),
    ])
}

fn print(rows: &[Row]) {
    println!("{:<32} {:>8} {:>12} {:>12} {:>12}", "", "count", "p10 µs", "p50 µs", "p99 µs");
    for row in rows {
        let Row { what, count, p10_us, p50_us, p99_us } = row;
        println!("{what:<32} {count:>8} {p10_us:>12.1} {p50_us:>12.1} {p99_us:>12.1}");
    }
    if let [copies, _, commits, raw] = rows {
        println!("\nread of a copy, p99: {:.1} µs (bar: 100)", copies.p99_us);
        let [p10, p50] = [commits.p10_us / raw.p10_us, commits.p50_us / raw.p50_us];
        println!("durable commit over raw fsync: {p50:.2} at p50 (bar: 1.5), {p10:.2} at p10");
    }
}
