//! Where a run took place.

use std::process::Command;

use serde_json::{Value, json};

use crate::config::Config;
use crate::parallel::threads;

/// Version, system, processor, device, threads and commit, as far as they can be known.
#[must_use]
pub(crate) fn capture(config: &Config) -> Value {
    json!({
        "lrrc": env!("CARGO_PKG_VERSION"),
        "profile": if cfg!(debug_assertions) { "debug" } else { "release" },
        "devices": lrrc_model::devices(),
        "device": config.run.device,
        "threads": threads(config.run.workers),
        "cores": threads(0),
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
        "processor": processor(),
        "commit": commit(),
    })
}

fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(':').map(|(_, name)| name.trim().to_owned())
}

/// The commit of the working folder, with `+` where files differ from it.
fn commit() -> Option<String> {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let head = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changed =
        git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|text| !text.is_empty());
    Some(if changed { format!("{head}+") } else { head })
}
