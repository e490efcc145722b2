//! How long to wait before a request is sent again.

use std::time::{Duration, SystemTime};

/// When a request that failed for a passing reason is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How often a request is sent at most, the first time included.
    pub attempts: u32,
    /// Wait after the first failure; it doubles with each further one.
    pub first_wait: Duration,
    /// Longest wait. A server that asks for a longer one ends the run.
    pub longest_wait: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 6, first_wait: Duration::from_secs(1), longest_wait: Duration::from_secs(90) }
    }
}

impl Retry {
    /// The wait after failure number `failures` (from 1): what the server asked for, else the doubled first wait.
    pub(crate) fn wait(&self, failures: u32, asked: Option<Duration>) -> Duration {
        let doubled = self.first_wait.saturating_mul(1 << failures.saturating_sub(1).min(20));
        asked.unwrap_or_else(|| doubled.min(self.longest_wait))
    }
}

/// The wait that a `Retry-After` header asks for: seconds, or an HTTP date (RFC 9110, §10.2.3).
pub(crate) fn retry_after(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(header).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_end_at_the_longest() {
        let retry =
            Retry { attempts: 9, first_wait: Duration::from_secs(2), longest_wait: Duration::from_secs(9) };
        let waits: Vec<u64> = (1..=4).map(|failures| retry.wait(failures, None).as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 9]);
        assert_eq!(retry.wait(1, Some(Duration::from_secs(30))), Duration::from_secs(30));
        assert_eq!(retry.wait(4_000_000_000, None), Duration::from_secs(9));
    }

    #[test]
    fn a_server_names_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").expect("the date of RFC 9110");
        for (header, seconds) in [
            (" 7 ", Some(7)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(retry_after(header, now).map(|wait| wait.as_secs()), seconds, "{header}");
        }
    }
}
