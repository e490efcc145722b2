//! Three processes over one etcd, two of them killed in turn while the third is cut off; then the check of everything
//! that they were told:
//! `cargo run --release -p lrrc-store --features etcd --example machines -- --seconds 120 --seed 7`

#[path = "../tests/backend/etcd_server.rs"]
mod etcd_server;
#[path = "../tests/backend/machines/mod.rs"]
mod machines;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use machines::{Kind, Mutant, Plan, Report};

#[derive(Parser)]
struct Args {
    /// How long cycles of two kills and one cut are begun.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Chooses the moments, and what the agents do.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How a machine is cut off; namespaces where they can be made, if not given.
    #[arg(long, value_enum)]
    cut: Option<Cut>,
    /// Runs over a store that is wrong, to see the check find it.
    #[arg(long, value_enum)]
    mutant: Option<Wrong>,
    /// Keeps the records of the agents in this folder, which must be empty or new.
    #[arg(long)]
    records: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Cut {
    Namespace,
    Port,
}

#[derive(Clone, Copy, ValueEnum)]
enum Wrong {
    NoCompare,
    Deaf,
    Forgetful,
}

fn main() -> ExitCode {
    if machines::run_if_machine() {
        return ExitCode::SUCCESS;
    }
    let args = Args::parse();
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let folder = args.records.as_deref().unwrap_or(temporary.path());
    std::fs::create_dir_all(folder).expect("a folder for the records");
    let Some(mut server) = etcd_server::EtcdServer::start() else { return ExitCode::FAILURE };
    let kind = args.cut.map_or_else(Kind::available, |cut| match cut {
        Cut::Namespace => Kind::Namespace,
        Cut::Port => Kind::Port,
    });
    let mutant = args.mutant.map(|wrong| match wrong {
        Wrong::NoCompare => Mutant::NoCompare,
        Wrong::Deaf => Mutant::Deaf,
        Wrong::Forgetful => Mutant::Forgetful,
    });
    let time = Duration::from_secs(args.seconds);
    let report =
        machines::run(&Plan { seed: args.seed, time, kind, mutant, folder, arguments: &[] }, &mut server);
    print(kind, &report);
    if report.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print(kind: Kind, Report { counts, faults, kills, cuts }: &Report) {
    let of_cuts = |count: fn(&machines::Cut) -> u64| cuts.iter().map(count);
    println!("{kills} kills, {} cuts ({kind:?})", cuts.len());
    println!(
        "{} writes acknowledged, {} refused; of the unanswered, {} landed once and {} not at all",
        counts.writes_acknowledged,
        counts.writes_refused,
        counts.unanswered_landed,
        counts.unanswered_vanished
    );
    println!(
        "{} reads from copies, none older than {} ms; {} from the home, {} refused",
        counts.reads_from_copy, counts.age_ms_max, counts.reads_from_home, counts.reads_refused
    );
    println!("{} claims, {} revisions of records", counts.claims, counts.revisions);
    println!(
        "while cut off: {} reads from copies within the bound, {} asks refused; caught up in at most {} ms",
        of_cuts(|cut| cut.reads_from_copy).sum::<u64>(),
        of_cuts(|cut| cut.refused).sum::<u64>(),
        of_cuts(|cut| cut.caught_up_ms).max().unwrap_or(0)
    );
    println!("{} faults", faults.len());
    for fault in faults.iter().take(20) {
        println!("  {fault}");
    }
}
