//! What a provider charges for a run of requests when it caches the prefixes of prompts.
//!
//! The unit of money is one fresh input token. A provider keeps the prompt of a request, and the next request of the
//! session reads from it what both begin with; the rest is written. Prompts are compared block by block, one block a
//! message, so a message that differs in one byte ends what is shared. Nothing expires: all requests of a session
//! are taken to follow each other within the lifetime of an entry.

use serde::{Deserialize, Serialize};

/// Shortest prompt in tokens that providers cache.
pub const CACHED_TOKENS_MIN: u32 = 1_024;

/// Prices of a provider, relative to a fresh input token.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CacheModel {
    /// Name in tables and JSON.
    pub name: &'static str,
    /// Price of an input token that is read from the cache.
    pub read: f64,
    /// Price of an input token that is written to the cache.
    pub write: f64,
    /// Shortest prompt in tokens that is cached; a shorter one costs 1 a token, whatever writing costs.
    pub tokens_min: u32,
}

impl CacheModel {
    /// Every provider of the tables: a tenth to read and a quarter more to write, as on current flagships; half to
    /// read and nothing more to write, as on older ones; and no cache.
    pub const ALL: [Self; 3] = [
        Self { name: "r=0.1 w=1.25", read: 0.1, write: 1.25, tokens_min: CACHED_TOKENS_MIN },
        Self { name: "r=0.5 w=1", read: 0.5, write: 1.0, tokens_min: CACHED_TOKENS_MIN },
        Self { name: "no cache", read: 1.0, write: 1.0, tokens_min: CACHED_TOKENS_MIN },
    ];

    /// Input tokens of a session's requests, in order, by what they are charged as.
    #[must_use]
    pub fn charge(&self, requests: &[Request]) -> Charge {
        let mut charge = Charge::default();
        let mut cached: &[Block] = &[];
        for request in requests {
            let marked = self.marked(request);
            let (all, wanted) = (tokens(&request.blocks), tokens(marked));
            charge.output += u64::from(request.output_tokens);
            if wanted < u64::from(self.tokens_min) {
                charge.fresh += all;
                continue;
            }
            let shared = marked.iter().zip(cached).take_while(|(new, old)| new == old).count();
            let read = tokens(&marked[..shared]);
            let read = if read < u64::from(self.tokens_min) { 0 } else { read };
            charge.read += read;
            charge.written += wanted - read;
            charge.fresh += all - wanted;
            cached = marked;
        }
        charge
    }

    /// What the provider is asked to cache. One that takes nothing more for writing caches whatever it sees.
    fn marked<'a>(&self, request: &'a Request) -> &'a [Block] {
        if self.write > 1.0 { &request.blocks[..request.marked] } else { &request.blocks }
    }

    /// Price of the input, in fresh tokens.
    #[must_use]
    pub fn input_price(&self, charge: &Charge) -> f64 {
        self.read * charge.read as f64 + self.write * charge.written as f64 + charge.fresh as f64
    }
}

/// One message of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Tokens.
    pub tokens: u32,
    /// Hash of the bytes.
    pub hash: u64,
}

/// One request of a session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// The messages of the prompt in order.
    pub blocks: Vec<Block>,
    /// How many of them the client asks the provider to cache.
    pub marked: usize,
    /// Tokens of the answer.
    pub output_tokens: u32,
}

/// Tokens by what they are charged as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Charge {
    /// Input read from the cache.
    pub read: u64,
    /// Input written to the cache.
    pub written: u64,
    /// Input that the cache does not touch.
    pub fresh: u64,
    /// Output.
    pub output: u64,
}

impl Charge {
    /// All input tokens.
    #[must_use]
    pub fn input(&self) -> u64 {
        self.read + self.written + self.fresh
    }
}

fn tokens(blocks: &[Block]) -> u64 {
    blocks.iter().map(|block| u64::from(block.tokens)).sum()
}
