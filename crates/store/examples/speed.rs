//! How fast reads and durable commits are through a daemon in another process, beside the raw costs below them:
//!
//! `cargo run --release -p lrrc-store --example speed -- --folder . --json speed.json`
//!
//! The raw costs of a write are measured in turn with what stands on them: an `fdatasync` after an append of the content's
//! bytes, and one after an overwrite of bytes that lie there already (what no store can undercut on this disk). A round trip
//! of one byte between two processes over the same kind of socket is measured after the rest.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read as _, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use lrrc_store::{
    Address, Client, ClientConfig, Clock, Content, ContentRules, Home, HomeConfig, Listener, Name,
    RedbBackend, serve,
};
use serde::Serialize;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Slots of the file that is overwritten.
const SLOTS: u64 = 64;

/// Measures reads and durable commits through a daemon.
#[derive(Debug, Parser)]
struct Args {
    /// Folder for the store, on the disk that is to be measured. A temporary one if not given.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// How the daemon is reached.
    #[arg(long, value_enum, default_value_t = Socket::Unix)]
    socket: Socket,
    /// Reads of each kind.
    #[arg(long, default_value_t = 20_000)]
    reads: usize,
    /// Commits, and as many raw writes of either kind.
    #[arg(long, default_value_t = 1000)]
    commits: usize,
    /// Length of the content, in bytes.
    #[arg(long, default_value_t = 4096)]
    content_bytes: usize,
    /// Also writes the figures to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Be the daemon, or the other end of the raw round trips.
    #[arg(long, hide = true)]
    role: Option<Role>,
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum Socket {
    Unix,
    Tcp,
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum Role {
    Daemon,
    Echo,
}

/// One row of the table, in microseconds.
#[derive(Debug, Serialize)]
struct Row {
    what: &'static str,
    count: usize,
    p10_us: f64,
    p50_us: f64,
    p90_us: f64,
    p99_us: f64,
}

impl Row {
    fn of(what: &'static str, mut took: Vec<Duration>) -> Self {
        took.sort_unstable();
        let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e6;
        Self {
            what,
            count: took.len(),
            p10_us: at(0.10),
            p50_us: at(0.50),
            p90_us: at(0.90),
            p99_us: at(0.99),
        }
    }
}

fn main() -> Outcome<()> {
    let args = Args::parse();
    let temporary = tempfile::tempdir()?;
    let folder = args.folder.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&folder)?;
    let place = match args.socket {
        Socket::Unix => format!("unix:{}", folder.join("socket").display()),
        Socket::Tcp => "tcp:127.0.0.1:0".to_owned(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match args.role {
        Some(Role::Daemon) => return runtime.block_on(daemon(&folder, place.parse()?)),
        Some(Role::Echo) => return echo(&folder, args.socket),
        None => {}
    }
    let mut rows = runtime.block_on(measure(&args, &folder))?;
    rows.push(Row::of("round trip of one byte, raw", round_trips(&args, &folder)?));
    print(&args, &rows);
    if let Some(path) = &args.json {
        std::fs::write(path, serde_json::to_vec_pretty(&rows)?)?;
    }
    Ok(())
}

/// Serves until its input ends.
async fn daemon(folder: &Path, place: Address) -> Outcome<()> {
    let clock = Clock::start();
    let backend = RedbBackend::open(folder.join("speed.redb"))?;
    let content = Content::in_folder(folder.join("contents"), ContentRules::default())?;
    let home = Home::open(backend, content, HomeConfig::default(), clock.now())?;
    let listener = Listener::open(&place).await?;
    println!("{}", listener.place());
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    serve(home, clock, listener, async { drop(ended.await) }).await?;
    Ok(())
}

/// This program again in a role, and the line that it says first. It ends when its input does.
fn start(args: &Args, folder: &Path, role: &str) -> Outcome<(Child, String)> {
    let socket = if args.socket == Socket::Unix { "unix" } else { "tcp" };
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--role", role, "--socket", socket, "--folder"])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    if let Some(output) = child.stdout.take() {
        BufReader::new(output).read_line(&mut said)?;
    }
    Ok((child, said.trim_end().to_owned()))
}

async fn measure(args: &Args, folder: &Path) -> Outcome<Vec<Row>> {
    let (mut daemon, place) = start(args, folder, "daemon")?;
    let client = Client::connect(&place.parse()?, ClientConfig::default()).await?;
    let plan: Name = "speed/plan".parse()?;
    let content = vec![b'x'; args.content_bytes];
    if client.read_fresh(&plan).await.is_err() {
        client.create(&plan, content.clone()).await?;
    }
    let mut copies = Vec::new();
    for _ in 0..args.reads {
        let begin = Instant::now();
        let read = client.read(&plan).await?;
        if read.freshness.from_copy {
            copies.push(begin.elapsed());
        }
    }
    let mut trips = Vec::new();
    for _ in 0..args.reads {
        let begin = Instant::now();
        client.read_fresh(&plan).await?;
        trips.push(begin.elapsed());
    }
    let [appends, overwrites, commits] = commits(args, folder, &client, &plan).await?;
    drop(client);
    drop(daemon.stdin.take());
    daemon.wait()?;
    Ok(vec![
        Row::of("read hit: the agent's own copy", copies),
        Row::of("read, confirmed by the home", trips),
        Row::of("durable commit", commits),
        Row::of("append + fdatasync, raw", appends),
        Row::of("overwrite + fdatasync, raw", overwrites),
    ])
}

/// Raw appends, raw overwrites and commits in turn, so that all three see the same disk.
async fn commits(args: &Args, folder: &Path, client: &Client, plan: &Name) -> Outcome<[Vec<Duration>; 3]> {
    let mut appended = File::create(folder.join("speed.appended"))?;
    let mut overwritten =
        OpenOptions::new().create(true).truncate(true).write(true).open(folder.join("speed.overwritten"))?;
    let mut content = vec![b'x'; args.content_bytes];
    (0..SLOTS).try_for_each(|_| overwritten.write_all(&content))?;
    overwritten.sync_all()?;
    let mut stamp = client.read_fresh(plan).await?.stamp();
    let mut took: [Vec<Duration>; 3] = Default::default();
    for turn in 0..args.commits {
        content[..8].copy_from_slice(&(turn as u64).to_be_bytes());
        for kind in 0..3 {
            let kind = (turn + kind) % 3;
            let begin = Instant::now();
            match kind {
                0 => {
                    appended.write_all(&content)?;
                    appended.sync_data()?;
                }
                1 => {
                    let slot = turn as u64 % SLOTS;
                    overwritten.seek(SeekFrom::Start(slot * content.len() as u64))?;
                    overwritten.write_all(&content)?;
                    overwritten.sync_data()?;
                }
                _ => stamp = client.commit_cas(plan, stamp, content.clone()).await?.mark.stamp,
            }
            took[kind].push(begin.elapsed());
        }
    }
    Ok(took)
}

/// Sends back each byte.
fn echo(folder: &Path, socket: Socket) -> Outcome<()> {
    let mut byte = [0];
    let mut answer = |mut stream: Box<dyn Duplex>| -> Outcome<()> {
        while stream.read(&mut byte)? > 0 {
            stream.write_all(&byte)?;
        }
        Ok(())
    };
    match socket {
        Socket::Unix => {
            let place = folder.join("echo");
            let listener = std::os::unix::net::UnixListener::bind(&place)?;
            println!("{}", place.display());
            answer(Box::new(listener.accept()?.0))
        }
        Socket::Tcp => {
            let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
            println!("{}", listener.local_addr()?);
            let stream = listener.accept()?.0;
            stream.set_nodelay(true)?;
            answer(Box::new(stream))
        }
    }
}

trait Duplex: std::io::Read + std::io::Write {}
impl<T: std::io::Read + std::io::Write> Duplex for T {}

fn round_trips(args: &Args, folder: &Path) -> Outcome<Vec<Duration>> {
    let (mut other, place) = start(args, folder, "echo")?;
    let mut stream: Box<dyn Duplex> = match args.socket {
        Socket::Unix => Box::new(std::os::unix::net::UnixStream::connect(place)?),
        Socket::Tcp => {
            let stream = std::net::TcpStream::connect(place)?;
            stream.set_nodelay(true)?;
            Box::new(stream)
        }
    };
    let mut trips = Vec::new();
    for _ in 0..args.reads {
        let begin = Instant::now();
        stream.write_all(&[1])?;
        stream.read_exact(&mut [0])?;
        trips.push(begin.elapsed());
    }
    drop(stream);
    other.wait()?;
    Ok(trips)
}

fn print(args: &Args, rows: &[Row]) {
    println!("{} bytes of content, {:?} socket; microseconds\n", args.content_bytes, args.socket);
    println!("| what | count | p10 | p50 | p90 | p99 |\n|---|---|---|---|---|---|");
    for Row { what, count, p10_us, p50_us, p90_us, p99_us } in rows {
        println!("| {what} | {count} | {p10_us:.1} | {p50_us:.1} | {p90_us:.1} | {p99_us:.1} |");
    }
    let [hit, trip, commit, append, overwrite, _] = rows else { return };
    println!("\n| figure | value | bar | |\n|---|---|---|---|");
    bar("read hit, p99, µs", hit.p99_us, 100.0);
    bar("read, confirmed by the home, p99, µs", trip.p99_us, 100.0);
    bar("durable commit / append + fdatasync, p50", commit.p50_us / append.p50_us, 1.5);
    bar("durable commit / append + fdatasync, p10", commit.p10_us / append.p10_us, 1.5);
    println!(
        "| overwrite + fdatasync / append + fdatasync, p50 | {:.2} | | floor |",
        overwrite.p50_us / append.p50_us
    );
}

fn bar(figure: &str, value: f64, most: f64) {
    let verdict = if value <= most { "reached" } else { "missed" };
    println!("| {figure} | {value:.2} | ≤ {most} | {verdict} |");
}
