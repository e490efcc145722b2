//! A short run of the three machines; `cargo run --release -p lrrc-store --features etcd --example machines` makes longer
//! ones. And the same check over stores that are wrong, which it has to find.

use std::time::Duration;

use crate::etcd_server::EtcdServer;
use crate::machines::{Kind, Mutant, Plan, Report, run, run_if_machine};

const ARGUMENTS: [&str; 3] = ["--exact", "machines_apart::one_of_the_machines", "--nocapture"];

/// Passes at once unless a run started it.
#[test]
fn one_of_the_machines() {
    run_if_machine();
}

fn short_run(seed: u64, kind: Kind, mutant: Option<Mutant>) -> Option<Report> {
    let mut server = EtcdServer::start()?;
    let folder = tempfile::tempdir().unwrap();
    let time = Duration::from_secs(8);
    let plan = Plan { seed, time, kind, mutant, folder: folder.path(), arguments: &ARGUMENTS };
    let report = run(&plan, &mut server);
    println!("{kind:?}: {report:?}");
    Some(report)
}

fn assert_sound(report: &Report) {
    assert_eq!(report.faults, [""; 0]);
    assert!(report.kills >= 2 && report.counts.writes_acknowledged > 50 && report.counts.claims > 5);
    assert!(report.counts.reads_from_copy > 50);
    assert!(report.cuts.iter().any(|cut| cut.refused > 0), "a machine that is cut off says so");
    assert!(report.cuts.iter().all(|cut| cut.caught_up_ms < 60_000), "and comes back when it is not");
}

#[test]
fn machines_behind_ports_lose_nothing() {
    if let Some(report) = short_run(1, Kind::Port, None) {
        assert_sound(&report);
    }
}

#[test]
fn machines_in_namespaces_lose_nothing() {
    if Kind::available() == Kind::Port {
        println!("SKIPPED: no network namespace can be made here (it takes root and the ip of iproute2)");
    } else if let Some(report) = short_run(2, Kind::Namespace, None) {
        assert_sound(&report);
    }
}

#[test]
fn the_check_finds_a_store_that_is_wrong() {
    const LOST: &str = "nothing acknowledged is lost";
    for (mutant, laws) in [
        (Mutant::NoCompare, &[LOST, "single writer", "monotone versions"][..]),
        (Mutant::Deaf, &["bounded staleness"][..]),
        (Mutant::Forgetful, &[LOST][..]),
    ] {
        let Some(report) = short_run(3, Kind::Port, Some(mutant)) else { return };
        let is_found = |fault: &String| laws.iter().any(|law| fault.starts_with(law));
        assert!(report.faults.iter().any(is_found), "{mutant:?} passed as sound");
    }
}
