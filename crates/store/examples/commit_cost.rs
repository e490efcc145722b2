//! What a durable commit costs beside a bare write of the same bytes and `fdatasync`, on the same disk:
//! `cargo run --release -p lrrc-store --example commit_cost -- --folder .`

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write as _};
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use lrrc_store::{Backend, Batch, Expect, RedbBackend, Write, digest_of};
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

const LEDGER_BYTES: usize = 600;

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
    let mut appended = File::create(folder.path().join("appended"))?;
    let mut overwritten =
        OpenOptions::new().create_new(true).write(true).open(folder.path().join("overwritten"))?;
    let bytes = args.content_bytes + LEDGER_BYTES;
    overwritten.write_all(&vec![0; 64 * bytes])?;
    overwritten.sync_all()?;

    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut times_ms: [Vec<f64>; 3] = Default::default();
    let mut written = vec![0; bytes];
    for round in 0..args.commits {
        rng.fill_bytes(&mut written);
        let (ledger, content) = written.split_at(LEDGER_BYTES);
        let key = format!("a/artifact-{}", rng.random_range(0..args.artifacts));
        let batch = Batch::of([Write::put(key, Expect::Any, ledger.to_vec())]);
        let batch = batch.with_blob(digest_of(content), content.to_vec(), round as u64);
        for turn in 0..3 {
            let kind = (round + turn) % 3;
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
                _ => drop(store.commit(&batch)?),
            }
            times_ms[kind].push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    report(&mut times_ms, bytes);
    Ok(())
}

fn report(times_ms: &mut [Vec<f64>; 3], bytes: usize) {
    println!("{} commits of {bytes} bytes each; milliseconds", times_ms[0].len());
    println!("{:<28}{:>9}{:>9}{:>9}{:>9}{:>9}", "", "p10", "median", "p90", "p99", "mean");
    let mut medians = Vec::new();
    for (name, times) in
        ["append + fdatasync", "overwrite + fdatasync", "durable commit in redb"].iter().zip(times_ms)
    {
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        let mean = times.iter().sum::<f64>() / times.len() as f64;
        println!("{name:<28}{:>9.3}{:>9.3}{:>9.3}{:>9.3}{mean:>9.3}", at(0.1), at(0.5), at(0.9), at(0.99));
        medians.push(at(0.5));
    }
    println!(
        "a commit is {:.2} appends, {:.2} overwrites (medians)",
        medians[2] / medians[0],
        medians[2] / medians[1]
    );
}
