//! The shipped data sets are what their manifests and cards say.

use std::path::{Path, PathBuf};

use lrrc_dataset::{Dataset, ReadOptions, Side, Stats, annotate};
use lrrc_episode::{Encoding, TokenCounter};

const NAMES: [&str; 4] = ["taubench-airline", "mtbench-human", "pandalm-human", "qmsum"];
const BYTES_MAX: u64 = 20_000_000;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets")
}

fn open(name: &str) -> Dataset {
    let folder = root().join(name);
    Dataset::open(folder.to_str().expect("a UTF-8 path"), &ReadOptions::default())
        .expect("a shipped data set")
}

#[test]
fn manifests_count_what_the_shards_hold() {
    for name in NAMES {
        let dataset = open(name);
        let manifest = dataset.manifest().expect("a shipped data set has a manifest").clone();
        let (episodes, _) = dataset.read_all().expect("a shipped data set is sound");
        let stats = Stats::of(&episodes);
        assert_eq!(manifest.name, name);
        assert_eq!(
            [manifest.episodes, manifest.groups, manifest.turns, manifest.tokens],
            [stats.episodes, stats.groups, stats.all.turns, stats.all.tokens],
            "{name}"
        );
    }
}

#[test]
fn stored_counts_are_those_of_the_tokenizer() {
    let counter = TokenCounter::new(Encoding::Cl100kBase);
    for name in NAMES {
        for episode in open(name).episodes() {
            let stored = episode.expect("a shipped data set is sound");
            let mut counted = stored.clone();
            annotate(&mut counted, &counter, true);
            assert_eq!(counted, stored, "{name}");
        }
    }
}

#[test]
fn cards_licences_and_splits_belong_to_the_data() {
    let mut bytes = 0;
    for name in NAMES {
        let dataset = open(name);
        let manifest = dataset.manifest().expect("a shipped data set has a manifest");
        let card = std::fs::read_to_string(root().join(name).join("card.md")).expect("a card");
        assert!(card.contains(&manifest.data_hash()), "the card of {name} describes other data");
        assert!(card.contains(&manifest.provenance.attribution), "{name}");
        let licence = std::fs::read_to_string(root().join(name).join("LICENSE")).expect("a licence");
        assert!(licence.len() > 300, "{name}");
        bytes += manifest.shards.iter().map(|shard| shard.bytes).sum::<u64>();

        let (episodes, split) = dataset.read_split().expect("a shipped data set is sound");
        let sides = Side::ALL.map(|side| split.select(&episodes, side).len());
        assert_eq!(sides.iter().sum::<usize>(), episodes.len(), "{name}");
        assert!(sides.iter().all(|episodes| *episodes > 0), "{name}: {sides:?}");
    }
    assert!(bytes < BYTES_MAX, "{bytes} bytes");
}
