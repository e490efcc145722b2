//! What a directory costs, at three sizes ten times apart in agents and in artifacts:
//! `cargo run --release -p lrrc-coherence --example directory`.
//!
//! Every agent holds a copy of every artifact, the worst case: a line is one agent's copy of one artifact. Agents come
//! in an order that jumps. A write is a claim, a commit and a release; it makes all other copies of its artifact old, so
//! its price is that of its signals. A sweep looks at every record for leases that are over.

use std::time::Instant;

use lrrc_coherence::{AgentId, Commit, Content, Digest, Directory, Event, Millis, Reply, Rules};

const SIZES: [(u32, u32); 3] = [(10, 100), (100, 1_000), (1_000, 10_000)];
/// Operations of each kind; writes are fewer, because each is a thousand signals at the largest size.
const READS: u32 = 1_000_000;
const WRITES: u32 = 2_000;
const SWEEPS: u32 = 20;

/// Seconds on the processor where the system tells, else on the wall: other work of the machine does not count.
#[expect(clippy::disallowed_methods, reason = "a measurement needs a clock; the protocol has none")]
fn seconds(work: impl FnOnce()) -> f64 {
    let on_processor = || {
        let told = std::fs::read_to_string("/proc/self/schedstat").ok()?;
        told.split_whitespace().next()?.parse::<f64>().ok()
    };
    let (wall, before) = (Instant::now(), on_processor());
    work();
    let spent = before.zip(on_processor()).map(|(before, after)| (after - before) * 1e-9);
    // The system counts in steps of some milliseconds: less than ten of them are no measure.
    spent.filter(|seconds| *seconds > 0.05).unwrap_or_else(|| wall.elapsed().as_secs_f64())
}

/// Resident memory of this process; 0 where the system does not tell.
#[expect(clippy::disallowed_methods, reason = "a measurement asks the system; the protocol does not")]
fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let resident = pages.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    resident.unwrap_or(0) * 4_096
}

/// A number that jumps, the same in each run.
fn jump(at: u32, among: u32) -> u32 {
    (at.wrapping_mul(2_654_435_761) >> 7) % among
}

fn content(version: u8) -> Content {
    Content { digest: Digest([version; 32]), size_bytes: 16_384, tokens: 4_096, sections: Vec::new() }
}

fn read(agent: u32) -> Event {
    Event::Read { agent: AgentId(agent), have: None, sections: Vec::new() }
}

fn filled(agents: u32, artifacts: u32) -> Directory<u32> {
    let mut directory = Directory::new(Rules::default());
    for artifact in 0..artifacts {
        directory.create(&artifact, AgentId(0), content(1), Millis(0)).expect("it is new");
    }
    for at in 0..agents {
        // 7 has no factor in common with the sizes, so each agent comes once.
        let event = read(at * 7 % agents);
        for artifact in 0..artifacts {
            directory.step(&artifact, &event, Millis(1)).expect("it exists");
        }
    }
    directory
}

fn write(directory: &mut Directory<u32>, artifact: u32, agent: u32) -> usize {
    let agent = AgentId(agent);
    let acquire = Event::Acquire { agent, lease_ms: None, wait: false };
    let acquired = directory.step(&artifact, &acquire, Millis(2)).expect("nobody else writes");
    let Reply::Acquired { mark, .. } = acquired.reply else { return 0 };
    let commit = Commit { generation: mark.generation, base: mark.stamp, content: content(2) };
    directory.step(&artifact, &Event::Commit { agent, commit }, Millis(2)).expect("the claim is live");
    directory
        .step(&artifact, &Event::Release { agent, generation: None }, Millis(2))
        .expect("the claim is live");
    acquired.effects.len()
}

fn measure(agents: u32, artifacts: u32) {
    let before = resident_bytes();
    let mut kept = None;
    let fill_s = seconds(|| kept = Some(filled(agents, artifacts)));
    let Some(mut directory) = kept else { return };
    let lines = u64::from(agents) * u64::from(artifacts);
    let bytes_a_line = resident_bytes().saturating_sub(before) as f64 / lines as f64;
    let read_s = seconds(|| {
        for at in 0..READS {
            let (artifact, agent) = (jump(at, artifacts), jump(at.wrapping_add(77), agents));
            directory.step(&artifact, &read(agent), Millis(2)).expect("it exists");
        }
    });
    let sweep_s = seconds(|| {
        for _ in 0..SWEEPS {
            assert!(directory.lease_over(Millis(3)).is_empty());
        }
    });
    let (mut signals, writes) = (0, WRITES.min(artifacts));
    let write_s = seconds(|| {
        for at in 0..writes {
            signals += write(&mut directory, at, jump(at, agents));
        }
    });
    println!(
        "| {agents} | {artifacts} | {lines} | {bytes_a_line:.1} | {:.2} | {:.2} | {:.0} | {:.1} | {:.3} |",
        lines as f64 / fill_s / 1e6,
        f64::from(READS) / read_s / 1e6,
        f64::from(writes) / write_s,
        signals as f64 / write_s / 1e6,
        sweep_s * 1e3 / f64::from(SWEEPS),
    );
}

fn main() {
    println!(
        "| agents | artifacts | lines | bytes a line | M misses/s | M reads/s | writes/s | M signals/s | sweep ms |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (agents, artifacts) in SIZES {
        measure(agents, artifacts);
    }
}
