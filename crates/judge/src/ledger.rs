//! What a run will cost, what it has cost, and when it must stop.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use serde::Serialize;

use crate::{
    chat::{Ask, Usage},
    error::JudgeError,
};

/// Prices in USD of a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Prices {
    /// Of the request.
    pub input_usd: f64,
    /// Of the reply.
    pub output_usd: f64,
}

impl Prices {
    /// The price of so many tokens in USD.
    #[must_use]
    pub fn of(&self, input_tokens: f64, output_tokens: f64) -> f64 {
        (input_tokens * self.input_usd + output_tokens * self.output_usd) / 1e6
    }
}

/// Limits of one run; replies from the cache count for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Caps {
    /// Most money in USD.
    pub max_usd: Option<f64>,
    /// Most requests, repetitions included.
    pub max_requests: Option<u64>,
}

/// What a run can cost at most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// Different requests of the game.
    pub asks: usize,
    /// Those whose reply lies in the cache.
    pub cached: usize,
    /// Those to be sent.
    pub requests: usize,
    /// Their cl100k_base tokens; other tokenizers differ.
    pub input_tokens: u64,
    /// Their replies at full length.
    pub output_tokens_max: u64,
    /// Their price with replies at full length, where prices are known.
    pub usd_max: Option<f64>,
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asks, cached, requests, input_tokens, output_tokens_max, .. } = self;
        write!(
            f,
            "{requests} requests to send ({asks} in all, {cached} in the cache), {input_tokens} input tokens, at most {output_tokens_max} output tokens"
        )?;
        match self.usd_max {
            Some(usd) => write!(f, ", at most {usd:.4} USD"),
            None => write!(f, ", price unknown"),
        }
    }
}

impl Estimate {
    pub(crate) fn new<'a>(
        asks: usize,
        to_send: impl Iterator<Item = &'a Ask>,
        prices: Option<Prices>,
    ) -> Self {
        let (mut requests, mut input_tokens, mut output_tokens_max) = (0, 0, 0);
        for ask in to_send {
            requests += 1;
            input_tokens += ask.input_tokens;
            output_tokens_max += ask.output_tokens_max;
        }
        let usd_max = prices.map(|prices| prices.of(input_tokens as f64, output_tokens_max as f64));
        Self { asks, cached: asks - requests, requests, input_tokens, output_tokens_max, usd_max }
    }

    /// Whether the run stays below the caps, as far as can be known beforehand.
    ///
    /// # Errors
    /// [`JudgeError::AboveCap`], and [`JudgeError::NoPrices`] where money cannot be counted.
    pub fn check(&self, caps: &Caps) -> Result<(), JudgeError> {
        let above = |cap: String| Err(JudgeError::AboveCap { estimate: self.to_string(), cap });
        match (caps.max_usd, self.usd_max) {
            (Some(max_usd), None) => return Err(JudgeError::NoPrices { max_usd }),
            (Some(max), Some(usd)) if usd > max => return above(format!("{max} USD")),
            _ => {}
        }
        match caps.max_requests {
            Some(max) if self.requests as u64 > max => above(format!("{max} requests")),
            _ => Ok(()),
        }
    }
}

/// The running account, shared by the workers.
#[derive(Debug)]
pub(crate) struct Ledger {
    prices: Option<Prices>,
    caps: Caps,
    books: Mutex<Books>,
}

/// Totals of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Books {
    /// Requests sent, repetitions included.
    pub(crate) sent: u64,
    /// Tokens reported, and those estimated where nothing was reported.
    pub(crate) usage: Usage,
    /// Price of `usage`; 0 without prices.
    pub(crate) usd: f64,
    /// Price of what is under way, at most.
    reserved_usd: f64,
    /// Largest ratio of reported to estimated input tokens so far, at least 1: another tokenizer counts more.
    ratio: f64,
}

impl Ledger {
    pub(crate) fn new(prices: Option<Prices>, caps: Caps) -> Self {
        let books = Books { sent: 0, usage: Usage::default(), usd: 0.0, reserved_usd: 0.0, ratio: 1.0 };
        Self { prices, caps, books: Mutex::new(books) }
    }

    /// Enters a request before it is sent; the price that is set aside for it.
    ///
    /// # Errors
    /// [`JudgeError::CapReached`] where it could go above a cap.
    pub(crate) fn reserve(&self, ask: &Ask) -> Result<f64, JudgeError> {
        let mut books = self.lock();
        let usd = self.price(ask.input_tokens as f64 * books.ratio, ask.output_tokens_max as f64);
        if let Some(max) = self.caps.max_requests.filter(|max| books.sent >= *max) {
            return Err(self.reached(&books, format!("{max} requests")));
        }
        if let Some(max) = self.caps.max_usd.filter(|max| books.usd + books.reserved_usd + usd > *max) {
            return Err(self.reached(&books, format!("{max} USD")));
        }
        books.sent += 1;
        books.reserved_usd += usd;
        Ok(usd)
    }

    /// Takes back what was set aside for an attempt that brought nothing.
    pub(crate) fn release(&self, reserved_usd: f64) {
        self.lock().reserved_usd -= reserved_usd;
    }

    /// Books what a reply has cost: as reported, else as estimated.
    pub(crate) fn settle(&self, ask: &Ask, reserved_usd: f64, reported: Option<Usage>) {
        let mut books = self.lock();
        let usage = reported
            .unwrap_or(Usage { prompt_tokens: ask.input_tokens, completion_tokens: ask.output_tokens_max });
        books.ratio = books.ratio.max(usage.prompt_tokens as f64 / ask.input_tokens.max(1) as f64);
        books.usage.prompt_tokens += usage.prompt_tokens;
        books.usage.completion_tokens += usage.completion_tokens;
        books.usd += self.price(usage.prompt_tokens as f64, usage.completion_tokens as f64);
        books.reserved_usd -= reserved_usd;
    }

    pub(crate) fn books(&self) -> Books {
        *self.lock()
    }

    pub(crate) fn has_prices(&self) -> bool {
        self.prices.is_some()
    }

    fn price(&self, input_tokens: f64, output_tokens: f64) -> f64 {
        self.prices.map_or(0.0, |prices| prices.of(input_tokens, output_tokens))
    }

    fn reached(&self, books: &Books, cap: String) -> JudgeError {
        let tokens = books.usage.prompt_tokens + books.usage.completion_tokens;
        let money = if self.has_prices() { format!("{:.4} USD, ", books.usd) } else { String::new() };
        JudgeError::CapReached { cap, sent: books.sent, spent: format!("{money}{tokens} tokens spent") }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICES: Prices = Prices { input_usd: 1.0, output_usd: 10.0 };

    fn ask(input_tokens: u64) -> Ask {
        let (key, model) = (input_tokens.to_string(), "m".to_owned());
        Ask { body: Vec::new(), input_tokens, output_tokens_max: 10, key, model }
    }

    #[test]
    fn an_estimate_above_a_cap_stops_before_the_first_request() {
        let asks = [ask(100), ask(200)];
        let estimate = Estimate::new(3, asks.iter(), Some(PRICES));
        assert_eq!((estimate.cached, estimate.input_tokens, estimate.output_tokens_max), (1, 300, 20));
        assert_eq!(estimate.usd_max, Some(500.0 / 1e6));
        let check = |max_usd, max_requests| estimate.check(&Caps { max_usd, max_requests });
        assert!(check(Some(0.0005), Some(2)).is_ok());
        let told = check(Some(0.0004), None).expect_err("too dear").to_string();
        assert!(told.contains("300 input tokens") && told.contains("0.0004 USD"), "{told}");
        assert!(matches!(check(None, Some(1)), Err(JudgeError::AboveCap { .. })));
        let unpriced = Estimate::new(2, asks.iter(), None);
        let caps = Caps { max_usd: Some(1.0), max_requests: None };
        assert!(matches!(unpriced.check(&caps), Err(JudgeError::NoPrices { .. })));
    }

    #[test]
    fn the_running_cap_counts_what_is_under_way_and_what_was_reported() {
        let caps = Caps { max_usd: Some(700.0 / 1e6), max_requests: None };
        let ledger = Ledger::new(Some(PRICES), caps);
        let first = ledger.reserve(&ask(100)).expect("200 of 700");
        let second = ledger.reserve(&ask(100)).expect("400 of 700");
        assert!(ledger.reserve(&ask(300)).is_err(), "800 of 700 with what is under way");
        ledger.release(second);
        // Twice the tokens that were estimated: the next request is taken for twice as long too.
        ledger.settle(&ask(100), first, Some(Usage { prompt_tokens: 200, completion_tokens: 0 }));
        assert!(ledger.reserve(&ask(210)).is_err(), "200 + 2 × 210 + 100 of 700");
        assert!(ledger.reserve(&ask(190)).is_ok(), "200 + 2 × 190 + 100 of 700");
        assert_eq!(ledger.books().sent, 3);
    }

    #[test]
    fn repetitions_count_as_requests() {
        let ledger = Ledger::new(None, Caps { max_usd: None, max_requests: Some(2) });
        for _ in 0..2 {
            ledger.release(ledger.reserve(&ask(1)).expect("two are allowed"));
        }
        assert!(matches!(ledger.reserve(&ask(1)), Err(JudgeError::CapReached { sent: 2, .. })));
    }
}
