//! A few rounds of kills; `cargo run --release -p lrrc-store --example kill` does as many as wanted.

use std::process::Command;

use crate::kill::{Report, Target, commit_until_killed, rounds};

const PLACE: &str = "LRRC_STORE_KILL_PLACE";

/// This test binary again, as the process to be killed.
fn command(place: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "killed::process_to_be_killed", "--nocapture"]).env(PLACE, place);
    command
}

/// Passes at once unless a round of kills started it.
#[test]
fn process_to_be_killed() {
    if let Ok(place) = std::env::var(PLACE) {
        commit_until_killed(&place);
    }
}

#[test]
fn a_killed_process_leaves_what_it_acknowledged() {
    let report: Report = rounds(Target::Redb(tempfile::tempdir().unwrap()), 10, 1, command);
    println!("{report:?}");
    assert!(report.acknowledged > 0);
}

#[cfg(feature = "etcd")]
#[test]
fn a_killed_etcd_leaves_what_it_acknowledged() {
    let Some(server) = crate::etcd_server::EtcdServer::start() else { return };
    let report = rounds(Target::Etcd { server, kills: 0 }, 6, 2, command);
    println!("{report:?}");
    assert!(report.acknowledged > 0);
}
