//! Exact token counts, each text counted once.
//!
//! The tables come from `bpe-openai`. It was chosen by measurement: `LRRC_BENCH_DATA=<folder of JSONL> cargo bench
//! -p lrrc-episode --bench tokenizer`, on two cores shared with other work, over the 307,307 strings of the JSONL
//! files behind the shipped data sets (MiB/s on 1 MiB of prose and of JSON; time for one run of 2,000,000 × `a`).
//! `tiktoken-rs` carries OpenAI's own code and is the reference of the counts.
//!
//! | cl100k_base | counts unlike the reference | prose | JSON | hostile run |
//! |---|---|---|---|---|
//! | `bpe-openai` 0.3.2 | 0 | 43.3 | 28.0 | 18 ms |
//! | `tiktoken-rs` 0.12.1 | reference | 16.6 | 10.5 | 875 ms |
//! | `tiktoken` 3.1.4 | 1,722 | 47.1 | 30.5 | 570 ms |
//!
//! | o200k_base | counts unlike the reference | prose | JSON | hostile run |
//! |---|---|---|---|---|
//! | `bpe-openai` 0.3.2 | 0 | 45.6 | 31.3 | 18 ms |
//! | `tiktoken-rs` 0.12.1 | reference | 30.0 | 16.3 | 783 ms |
//! | `tiktoken` 3.1.4 | 1,734 | 48.7 | 28.8 | 471 ms |
//!
//! `tiktoken` splits some texts otherwise (a policy of 1,252 tokens counts 1,258), so its speed is beside the point.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bpe_openai::Tokenizer;

use crate::Turn;

/// A token table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Encoding {
    /// 100,256 tokens; GPT-3.5 and GPT-4. Every count stored on disk uses this one.
    #[default]
    Cl100kBase,
    /// 199,998 tokens; GPT-4o and later.
    O200kBase,
}

impl Encoding {
    /// Every encoding.
    pub const ALL: [Self; 2] = [Self::Cl100kBase, Self::O200kBase];

    /// The name that tiktoken gives the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cl100kBase => "cl100k_base",
            Self::O200kBase => "o200k_base",
        }
    }

    /// The encoding with this tiktoken name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|encoding| encoding.name() == name)
    }

    fn tokenizer(self) -> &'static Tokenizer {
        match self {
            Self::Cl100kBase => bpe_openai::cl100k_base(),
            Self::O200kBase => bpe_openai::o200k_base(),
        }
    }
}

/// Counts tokens and remembers each count by the content of the text.
///
/// Shared freely between threads. The memory is bounded: at most [`TokenCounter::MEMO_ENTRIES`] counts of 24 bytes,
/// the least recently seen generation of them forgotten first.
#[derive(Debug)]
pub struct TokenCounter {
    encoding: Encoding,
    shards: [Mutex<Shard>; SHARDS],
}

const SHARDS: usize = 16;
const GENERATION_ENTRIES: usize = 8_192;

/// Two generations of counts; a full young one becomes the old one, and the old one is forgotten.
#[derive(Debug, Default)]
struct Shard {
    young: HashMap<u128, u32>,
    old: HashMap<u128, u32>,
}

impl Shard {
    fn get(&mut self, key: u128) -> Option<u32> {
        if let Some(&count) = self.young.get(&key) {
            return Some(count);
        }
        let count = self.old.remove(&key)?;
        self.put(key, count);
        Some(count)
    }

    fn put(&mut self, key: u128, count: u32) {
        if self.young.len() >= GENERATION_ENTRIES {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, count);
    }
}

impl TokenCounter {
    /// Upper bound of remembered counts.
    pub const MEMO_ENTRIES: usize = SHARDS * GENERATION_ENTRIES * 2;

    /// A counter with an empty memory.
    #[must_use]
    pub fn new(encoding: Encoding) -> Self {
        Self { encoding, shards: std::array::from_fn(|_| Mutex::default()) }
    }

    /// The table that is counted with.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Tokens of `text`; names of special tokens count as the plain text they are.
    #[must_use]
    pub fn count(&self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let key = content_key(text);
        let shard = &self.shards[(key % SHARDS as u128) as usize];
        if let Some(count) = lock(shard).get(key) {
            return count;
        }
        let count = u32::try_from(self.encoding.tokenizer().count(text)).unwrap_or(u32::MAX);
        lock(shard).put(key, count);
        count
    }

    /// Token ids of `text`, not memoised.
    #[must_use]
    pub fn encode(&self, text: &str) -> Vec<u32> {
        self.encoding.tokenizer().encode(text)
    }

    /// Tokens of a turn: its content, and the name and the arguments of every call, each counted by itself.
    #[must_use]
    pub fn count_turn(&self, turn: &Turn) -> u32 {
        let calls = turn.tool_calls.iter().flat_map(|call| [&call.name, &call.arguments]);
        calls.fold(self.count(&turn.content), |sum, text| sum.saturating_add(self.count(text)))
    }

    /// Number of counts remembered at this moment.
    #[must_use]
    pub fn remembered(&self) -> usize {
        let sizes = self.shards.iter().map(|shard| {
            let shard = lock(shard);
            shard.young.len() + shard.old.len()
        });
        sizes.sum()
    }
}

/// The first 128 bits of the BLAKE3 hash: texts that share them do not occur by accident or by malice.
fn content_key(text: &str) -> u128 {
    let hash = blake3::hash(text.as_bytes());
    let (first, _) = hash.as_bytes().split_at(16);
    first.iter().fold(0, |key, &byte| key << 8 | u128::from(byte))
}

/// A panic elsewhere cannot leave a map of counts half-written, so a poisoned lock is still good.
fn lock(shard: &Mutex<Shard>) -> std::sync::MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Role, ToolCall};

    #[track_caller]
    fn check(encoding: Encoding, text: &str, expect: &[u32]) {
        let counter = TokenCounter::new(encoding);
        assert_eq!(counter.encode(text), expect, "{} of {text:?}", encoding.name());
        assert_eq!(counter.count(text) as usize, expect.len(), "{} of {text:?}", encoding.name());
    }

    #[test]
    fn ids_are_those_of_the_published_tables() {
        check(Encoding::Cl100kBase, "hello world", &[15339, 1917]);
        check(Encoding::O200kBase, "hello world", &[24912, 2375]);
        check(Encoding::Cl100kBase, "", &[]);
        check(Encoding::Cl100kBase, "<|endoftext|>", &[27, 91, 8862, 728, 428, 91, 29]);
    }

    #[test]
    fn names_lead_back_to_their_encoding() {
        for encoding in Encoding::ALL {
            assert_eq!(Encoding::from_name(encoding.name()), Some(encoding));
        }
        assert_eq!(Encoding::from_name("p50k_base"), None);
    }

    #[test]
    fn a_turn_counts_content_names_and_arguments_apart() {
        let counter = TokenCounter::new(Encoding::Cl100kBase);
        let mut turn = Turn::text(0, Role::Assistant, "hello world");
        turn.tool_calls =
            vec![ToolCall { id: None, name: "get_user".into(), arguments: "{\"id\": 7}".into() }];
        assert_eq!(counter.count_turn(&turn), 2 + counter.count("get_user") + counter.count("{\"id\": 7}"));
    }

    #[test]
    fn a_second_count_comes_from_memory() {
        let counter = TokenCounter::new(Encoding::Cl100kBase);
        let first = counter.count("the same text");
        assert_eq!(counter.remembered(), 1);
        let key = content_key("the same text");
        let shard = &counter.shards[(key % SHARDS as u128) as usize];
        lock(shard).put(key, first + 100);
        assert_eq!(counter.count("the same text"), first + 100, "the memory was not asked");
    }

    #[test]
    fn the_memory_is_bounded_and_keeps_what_is_in_use() {
        let mut shard = Shard::default();
        for key in 0..5 * GENERATION_ENTRIES as u128 {
            shard.put(key, 1);
            assert!(shard.get(0).is_some(), "an entry in use was forgotten after {key} others");
        }
        assert!(shard.get(1).is_none());
        assert!(shard.young.len() + shard.old.len() <= 2 * GENERATION_ENTRIES);
    }

    #[test]
    fn threads_share_one_counter() {
        let counter = TokenCounter::new(Encoding::O200kBase);
        let texts: Vec<String> = (0..500).map(|number| format!("text number {number}")).collect();
        let count_all = || texts.iter().map(|text| counter.count(text)).collect::<Vec<_>>();
        std::thread::scope(|scope| {
            let (one, two) = (scope.spawn(count_all), scope.spawn(count_all));
            assert_eq!(one.join().expect("no panic"), two.join().expect("no panic"));
        });
        assert_eq!(counter.remembered(), 500);
    }

    proptest! {
        #[test]
        fn ids_equal_those_of_tiktoken(text in any::<String>()) {
            let reference = [tiktoken_rs::cl100k_base_singleton(), tiktoken_rs::o200k_base_singleton()];
            for (encoding, reference) in Encoding::ALL.into_iter().zip(reference) {
                prop_assert_eq!(TokenCounter::new(encoding).encode(&text), reference.encode_ordinary(&text));
            }
        }
    }
}
