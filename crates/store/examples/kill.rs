//! Kills committing processes, and compares what they leave with what they acknowledged:
//! `cargo run --release -p lrrc-store --features etcd --example kill -- --backend redb --rounds 200`

#[cfg(feature = "etcd")]
#[path = "../tests/backend/etcd_server.rs"]
mod etcd_server;
#[path = "../tests/backend/kill.rs"]
mod kill;

use std::process::Command;

use clap::{Parser, ValueEnum};

#[derive(Parser)]
struct Args {
    /// Where the processes commit.
    #[arg(long, value_enum, default_value_t = Backend::Redb)]
    backend: Backend,
    /// How often to kill.
    #[arg(long, default_value_t = 200)]
    rounds: u32,
    /// Chooses the moments.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Be the process to be killed, at this place.
    #[arg(long, hide = true)]
    place: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Backend {
    Redb,
    #[cfg(feature = "etcd")]
    Etcd,
}

fn main() {
    let args = Args::parse();
    if let Some(place) = args.place {
        kill::commit_until_killed(&place);
        return;
    }
    let target = match args.backend {
        Backend::Redb => kill::Target::Redb(tempfile::tempdir().expect("a temporary folder")),
        #[cfg(feature = "etcd")]
        Backend::Etcd => match etcd_server::EtcdServer::start() {
            Some(server) => kill::Target::Etcd { server, kills: 0 },
            None => return,
        },
    };
    let own = std::env::current_exe().expect("the path of this program");
    let report = kill::rounds(target, args.rounds, args.seed, |place| {
        let mut command = Command::new(&own);
        command.args(["--place", place]);
        command
    });
    println!(
        "{} kills: {} durable commits acknowledged, none lost; of the unanswered, {} landed whole and {} not at all",
        report.rounds, report.acknowledged, report.landed, report.vanished
    );
}
