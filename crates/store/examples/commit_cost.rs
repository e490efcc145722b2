//! What a durable commit costs beside a bare write of the same bytes and `fdatasync`, on the same disk, and beside one
//! transaction of redb without a journal before it:
//! `cargo run --release -p lrrc-store --example commit_cost -- --folder .`

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write as _};
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use lrrc_store::{Backend, Batch, Expect, RedbBackend, Write, digest_of};
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use redb::{Database, TableDefinition};

const LEDGER_BYTES: usize = 1200;

const KINDS: [&str; 4] =
    ["append + fdatasync", "overwrite + fdatasync", "commit of the store", "commit of redb alone"];

/// Records and contents of redb alone.
const RECORDS: TableDefinition<&str, &[u8]> = TableDefinition::new("records");
const CONTENTS: TableDefinition<&[u8; 32], &[u8]> = TableDefinition::new("contents");

#[derive(Parser)]
struct Args {
    /// On the disk to be measured; the files are removed at the end.
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    /// Commits, each beside one bare write of either kind.
    #[arg(long, default_value_t = 1000)]
    commits: usize,
    /// Length of the content of each commit, in bytes.
    #[arg(long, default_value_t = 4096)]
    content_bytes: usize,
    /// Artifacts that the commits go to.
    #[arg(long, default_value_t = 100)]
    artifacts: usize,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let folder = tempfile::tempdir_in(&args.folder)?;
    let store = RedbBackend::open(folder.path().join("store.redb"))?;
    let alone = Database::create(folder.path().join("alone.redb"))?;
    let mut appended = File::create(folder.path().join("appended"))?;
    let mut overwritten =
        OpenOptions::new().create_new(true).write(true).open(folder.path().join("overwritten"))?;
    let bytes = args.content_bytes + LEDGER_BYTES;
    overwritten.write_all(&vec![0; 64 * bytes])?;
    overwritten.sync_all()?;

    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut times_ms: [Vec<f64>; 4] = Default::default();
    let mut written = vec![0; bytes];
    for round in 0..args.commits {
        rng.fill_bytes(&mut written);
        let (ledger, content) = written.split_at(LEDGER_BYTES);
        let key = format!("a/artifact-{}", rng.random_range(0..args.artifacts));
        let digest = digest_of(content);
        let batch = Batch::of([Write::put(key.clone(), Expect::Any, ledger.to_vec())]);
        let batch = batch.with_blob(digest, content.to_vec(), round as u64);
        for turn in 0..KINDS.len() {
            let kind = (round + turn) % KINDS.len();
            let start = Instant::now();
            match kind {
                0 => {
                    appended.write_all(&written)?;
                    appended.sync_data()?;
                }
                1 => {
                    overwritten.seek(SeekFrom::Start(((round % 64) * bytes) as u64))?;
                    overwritten.write_all(&written)?;
                    overwritten.sync_data()?;
                }
                2 => drop(store.commit(&batch)?),
                _ => {
                    let write = alone.begin_write()?;
                    write.open_table(RECORDS)?.insert(&*key, ledger)?;
                    write.open_table(CONTENTS)?.insert(&digest.0, content)?;
                    write.commit()?;
                }
            }
            times_ms[kind].push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    report(&mut times_ms, bytes);
    Ok(())
}

fn report(times_ms: &mut [Vec<f64>; 4], bytes: usize) {
    println!("{} commits of {bytes} bytes each; milliseconds\n", times_ms[0].len());
    println!("| | p10 | p50 | p90 | p99 | mean | p50, in appends |\n|---|---|---|---|---|---|---|");
    let mut append = None;
    for (name, times) in KINDS.iter().zip(times_ms) {
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        let mean = times.iter().sum::<f64>() / times.len() as f64;
        let (p10, p50, p90, p99) = (at(0.1), at(0.5), at(0.9), at(0.99));
        let appends = p50 / *append.get_or_insert(p50);
        println!("| {name} | {p10:.3} | {p50:.3} | {p90:.3} | {p99:.3} | {mean:.3} | {appends:.2} |");
    }
}
