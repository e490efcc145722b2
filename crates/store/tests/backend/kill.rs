//! Processes killed in the middle of commits, and what they leave compared with what they acknowledged.
//!
//! Each round, a process with several writers commits until it is killed. Each batch of a writer raises its own count, a
//! count that all share, and two records that must stay equal, and carries a content; so a batch that landed in part
//! would show. Each attempt and each acknowledgement is a line on its output, with the revision.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lrrc_store::{Backend, BackendError, Batch, Expect, Listing, RedbBackend, Revision, Write, digest_of};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[cfg(feature = "etcd")]
use crate::etcd_server::EtcdServer;

const WRITERS: u64 = 3;
#[cfg(feature = "etcd")]
const ROOT: &str = "kill";

/// Where the killed processes commit.
pub(crate) enum Target {
    /// A file.
    Redb(tempfile::TempDir),
    /// A server: it is killed, its client, or both, in turn.
    #[cfg(feature = "etcd")]
    Etcd { server: EtcdServer, kills: u32 },
}

/// What all rounds of a run came to.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) rounds: u32,
    /// Commits that were acknowledged as durable.
    pub(crate) acknowledged: u64,
    /// Commits whose answer the kill cut off, and that were found whole.
    pub(crate) landed: u64,
    /// Commits whose answer the kill cut off, and that were not found.
    pub(crate) vanished: u64,
}

impl Target {
    fn place(&self) -> String {
        match self {
            Self::Redb(folder) => format!("redb:{}", folder.path().join("store.redb").display()),
            #[cfg(feature = "etcd")]
            Self::Etcd { server, .. } => format!("etcd:{}", server.endpoint()),
        }
    }

    fn kill(&mut self, process: &mut Child) {
        match self {
            Self::Redb(_) => process.kill().unwrap(),
            #[cfg(feature = "etcd")]
            Self::Etcd { server, kills } => {
                *kills += 1;
                match *kills % 3 {
                    0 => server.kill(),
                    1 => process.kill().unwrap(),
                    _ => {
                        server.kill();
                        process.kill().unwrap();
                    }
                }
            }
        }
    }

    fn reopen(&mut self) -> Box<dyn Backend> {
        match self {
            Self::Redb(folder) => Box::new(RedbBackend::open(folder.path().join("store.redb")).unwrap()),
            #[cfg(feature = "etcd")]
            Self::Etcd { server, .. } => {
                server.restart();
                Box::new(server.open(ROOT))
            }
        }
    }
}

/// What the killed process does: commits until it ends, or its backend does.
pub(crate) fn commit_until_killed(place: &str) {
    let store: Box<dyn Backend> = match place.split_once(':').unwrap() {
        ("redb", path) => Box::new(RedbBackend::open(path).unwrap()),
        #[cfg(feature = "etcd")]
        ("etcd", endpoint) => {
            let config =
                lrrc_store::EtcdConfig { root: format!("{ROOT}/"), ..lrrc_store::EtcdConfig::at(endpoint) };
            Box::new(lrrc_store::EtcdBackend::connect(&config).unwrap())
        }
        other => panic!("{other:?}"),
    };
    say("");
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = &*store;
            scope.spawn(move || while write_once(store, writer) {});
        }
    });
}

/// One line, in one call, so that a kill leaves whole lines or a last one without its end.
fn say(line: &str) {
    std::io::stdout().write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn count_of(listing: &Listing, key: &str) -> (u64, Expect) {
    let found = listing.entries.iter().find(|(found, _)| found == key);
    found.map_or((0, Expect::Absent), |(_, entry)| {
        (std::str::from_utf8(&entry.value).unwrap().parse().unwrap(), Expect::At(entry.revision))
    })
}

fn content(writer: u64, count: u64) -> Vec<u8> {
    format!("{writer} {count} ").into_bytes().repeat(700)
}

/// Whether to go on.
fn write_once(store: &dyn Backend, writer: u64) -> bool {
    let Ok(listing) = store.list("") else { return false };
    let own = format!("count/{writer}");
    let ((count, stands), (shared, all)) = (count_of(&listing, &own), count_of(&listing, "shared"));
    let count = count + 1;
    let mut batch = Batch::of([
        Write::put(own, stands, count.to_string()),
        Write::put("shared", all, (shared + 1).to_string()),
        Write::put(format!("left/{writer}"), Expect::Any, count.to_string()),
        Write::put(format!("right/{writer}"), Expect::Any, count.to_string()),
    ]);
    batch.durable = count % 3 > 0;
    let content = content(writer, count);
    say(&format!("try {writer} {count}"));
    match store.commit(&batch.clone().with_blob(digest_of(&content), content, 1)) {
        Ok(revision) => say(&format!("ok {writer} {count} {} {revision}", u8::from(batch.durable))),
        Err(BackendError::Lost { .. }) => say(&format!("lost {writer} {count}")),
        Err(_) => return false,
    }
    true
}

/// What one process said before it was killed.
#[derive(Default)]
struct Said {
    /// Writer, count and revision of each acknowledgement.
    acknowledged: Vec<(u64, u64, u64)>,
    /// The highest revision that was acknowledged as durable.
    durable: u64,
    durable_commits: u64,
    /// The attempt of each writer that was not answered.
    open: BTreeMap<u64, u64>,
}

impl Said {
    fn hear(&mut self, line: &str) -> Option<()> {
        let mut words = line.split(' ');
        let word = words.next()?;
        let mut number = || words.next()?.parse::<u64>().ok();
        let (writer, count) = (number()?, number()?);
        match word {
            "try" => {
                self.open.insert(writer, count);
            }
            "lost" => {
                self.open.remove(&writer);
            }
            "ok" => {
                let (is_durable, revision) = (number()? > 0, number()?);
                self.open.remove(&writer);
                self.acknowledged.push((writer, count, revision));
                if is_durable {
                    self.durable = self.durable.max(revision);
                    self.durable_commits += 1;
                }
            }
            _ => {}
        }
        Some(())
    }
}

/// Runs a process until it acknowledged some commits, kills it, and returns all it said.
fn one_round(target: &mut Target, rng: &mut ChaCha8Rng, command: &mut Command) -> Said {
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap());
    let (mut said, mut line) = (Said::default(), String::new());
    let enough = rng.random_range(0..40);
    while said.acknowledged.len() < enough && output.read_line(&mut line).unwrap() > 0 {
        said.hear(line.trim_end());
        line.clear();
    }
    std::thread::sleep(Duration::from_micros(rng.random_range(0..3_000)));
    target.kill(&mut process);
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).unwrap();
    process.wait().unwrap();
    let rest = String::from_utf8(rest).unwrap();
    for line in rest.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        said.hear(line.trim_end());
    }
    said
}

/// Compares the store with what was said, and with itself.
fn check(
    store: &dyn Backend,
    said: &Said,
    before: &BTreeMap<u64, u64>,
    report: &mut Report,
) -> BTreeMap<u64, u64> {
    let listing = store.list("").unwrap();
    let mut counts = BTreeMap::new();
    for writer in 0..WRITERS {
        let count = count_of(&listing, &format!("count/{writer}")).0;
        let kept =
            said.acknowledged.iter().filter(|(of, _, revision)| *of == writer && *revision <= said.durable);
        let least = kept.map(|(_, count, _)| *count).max().unwrap_or(0).max(before[&writer]);
        let answered =
            said.acknowledged.iter().filter(|(of, ..)| *of == writer).map(|(_, count, _)| *count).max();
        let open = said.open.get(&writer).copied();
        let most = open.max(answered).unwrap_or(0).max(before[&writer]);
        assert!((least..=most).contains(&count), "writer {writer}: {count} is not within {least}..={most}");
        for half in ["left", "right"] {
            assert_eq!(count_of(&listing, &format!("{half}/{writer}")).0, count, "{half} of writer {writer}");
        }
        if count > 0 {
            let content = content(writer, count);
            assert_eq!(
                store.blob(&digest_of(&content)).unwrap().as_deref(),
                Some(&content[..]),
                "content of {writer}"
            );
        }
        report.landed += u64::from(open == Some(count));
        report.vanished += u64::from(open.is_some_and(|open| open > count));
        counts.insert(writer, count);
    }
    assert_eq!(count_of(&listing, "shared").0, counts.values().sum::<u64>(), "the count that all share");
    check_feed(store, &listing);
    report.acknowledged += said.durable_commits;
    counts
}

/// The feed from its start makes the same records.
fn check_feed(store: &dyn Backend, listing: &Listing) {
    let mut records = BTreeMap::new();
    for change in store.changes(Revision::START, usize::MAX).unwrap() {
        if change.revision <= listing.revision {
            records.insert(change.key, (change.revision, change.value));
        }
    }
    let listed =
        listing.entries.iter().map(|(key, entry)| (key.clone(), (entry.revision, Some(entry.value.clone()))));
    assert_eq!(records, listed.collect());
}

/// Kills as often as asked; `command` starts a process that calls [`commit_until_killed`] with the place.
pub(crate) fn rounds(
    mut target: Target,
    rounds: u32,
    seed: u64,
    command: impl Fn(&str) -> Command,
) -> Report {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut report = Report::default();
    let mut counts: BTreeMap<u64, u64> = (0..WRITERS).map(|writer| (writer, 0)).collect();
    for _ in 0..rounds {
        let mut command = command(&target.place());
        let said = one_round(&mut target, &mut rng, &mut command);
        counts = check(&*target.reopen(), &said, &counts, &mut report);
        report.rounds += 1;
    }
    report
}
