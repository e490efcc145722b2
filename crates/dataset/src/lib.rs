//! Episodes on disk: Arrow, Parquet, manifests, imports and splits.
//!
//! A data set is a folder: `manifest.toml` and Parquet shards. [`Dataset::open`] reads one, or a file in one of the
//! formats of [`Format`], and streams episodes that are checked, have distinct ids and carry token counts:
//!
//! ```
//! use lrrc_dataset::{Dataset, ReadOptions, Side, Stats};
//! # fn main() -> Result<(), lrrc_dataset::DatasetError> {
//! # let folder = tempfile::tempdir().expect("a temporary folder");
//! # let path = folder.path().join("runs.jsonl");
//! # let row = |id| format!(r#"{{"traj_id": "{id}", "turns": [{{"role": "user", "content": "hello"}}]}}"#);
//! # std::fs::write(&path, format!("{}\n{}\n", row(1), row(2))).expect("a writable folder");
//! # let path = path.to_str().expect("a UTF-8 path");
//! let dataset = Dataset::open(path, &ReadOptions::default())?;
//! let (episodes, split) = dataset.read_split()?;
//! println!("{} tokens", Stats::of(&episodes).all.tokens);
//! let held_out = split.select(&episodes, Side::Test);
//! # assert_eq!((episodes.len(), Stats::of(&episodes).all.tokens), (2, 2));
//! # assert!(held_out.len() < 2);
//! # Ok(())
//! # }
//! ```

mod annotate;
mod error;
pub mod hub;
pub mod import;
mod manifest;
mod reader;
pub mod schema;
mod shard;
pub mod split;
mod stats;
mod writer;

pub use annotate::annotate;
pub use error::{DatasetError, RowFault};
pub use import::{Defaults, Format};
pub use manifest::{MANIFEST_FILE, Manifest, Provenance};
pub use reader::{
    DATASETS_VARIABLE, Dataset, Episodes, ReadOptions, SKIPPED_LISTED_MAX, SkipReport, shipped,
};
pub use shard::{GROUP_BYTES, GROUP_EPISODES, ShardInfo, ShardWriter, hash_file};
pub use split::{Side, Split, SplitError, SplitSpec, k_folds};
pub use stats::{Bin, LengthStats, Stats, StatsBuilder};
pub use writer::DatasetWriter;

/// A small sound episode: a question, a call and its result.
#[cfg(test)]
fn test_episode(id: usize, group: usize) -> lrrc_episode::Episode {
    use lrrc_episode::{Agent, Episode, Outcome, Role, ToolCall, Turn};

    let call = ToolCall { id: None, name: "find".into(), arguments: "{}".into() };
    let mut turns = vec![
        Turn::text(0, Role::User, format!("question {id}")),
        Turn::text(1, Role::Assistant, ""),
        Turn::text(2, Role::Tool, "42"),
    ];
    turns[1].tool_calls = vec![call];
    (1..).zip(&mut turns).for_each(|(tokens, turn)| turn.tokens = Some(tokens));
    Episode {
        id: format!("e{id}"),
        group: format!("g{group}"),
        source: "test".into(),
        license: "MIT".into(),
        task: None,
        agents: ["user", "agent", "tool"].map(|name| Agent { name: name.into(), model: None }).into(),
        turns,
        queries: Vec::new(),
        outcome: Outcome::default(),
    }
}
