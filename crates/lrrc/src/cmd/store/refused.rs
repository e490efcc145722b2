//! What a store refuses, as its user sees it: with times that need no table, and commands that lead to the same store.

use lrrc_coherence::{Conflict, Edition, Millis};
use lrrc_store::{Clock, Name, Refusal, StoreError};
use miette::{Report, miette};

use super::place::PlaceArgs;
use super::serve::CONTENT_MIB_MAX;
use super::{ago, until};

impl PlaceArgs {
    /// The error as the user sees it, with what can be done about it.
    #[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
    pub(super) fn report(&self, error: StoreError) -> Report {
        match &error {
            StoreError::Unreachable { why, .. } => self.unreachable(why),
            StoreError::Refused(Refusal::Conflict { name, conflict }) => self.conflict(name, conflict),
            StoreError::Refused(Refusal::TooLarge { name, size_bytes, limit_bytes }) => {
                self.too_large(name, *size_bytes, *limit_bytes)
            }
            StoreError::Refused(Refusal::UnknownSection { known, .. }) if known.is_empty() => miette!(
                help = "contents are divided if their name ends in .md or .json, or if put says --divide",
                "{error}"
            ),
            StoreError::Refused(Refusal::MissingContent { name, version, digest }) => miette!(
                help = format!("{} lists everything that is missing or damaged", self.command("verify")),
                "{name}: the content {digest} of {version} is missing or damaged"
            ),
            _ => miette!("{error}"),
        }
    }

    fn conflict(&self, name: &Name, conflict: &Conflict) -> Report {
        let now = Clock::start().now();
        match conflict {
            Conflict::VersionMismatch { expected, actual, base, theirs, .. } => miette!(
                help = self.both_sides(name, theirs, base.as_deref()),
                "{name}: based on {}, but the newest is {}, written by {} {}: read it, merge, write again",
                expected.version,
                actual.version,
                theirs.writer,
                ago(theirs.at, now)
            ),
            Conflict::OtherHolder { who, since, expires } => miette!(
                "{name}: {who} took the write claim {} and has it {}: wait for it or try later",
                ago(*since, now),
                claimed(*expires, now)
            ),
            Conflict::UnknownArtifact => {
                miette!(help = format!("{} lists what there is", self.command("ls")), "{name}: {conflict}")
            }
            _ => miette!("{name}: {conflict}"),
        }
    }

    /// The commands that print what a merge needs.
    fn both_sides(&self, name: &Name, theirs: &Edition, base: Option<&Edition>) -> String {
        let get = |edition: &Edition| self.command(&format!("get {name} --version {}", edition.version.0));
        let base = base.map_or(String::new(), |base| format!("\nbase:   {}", get(base)));
        format!("theirs: {}{base}", get(theirs))
    }

    fn too_large(&self, name: &Name, size_bytes: u64, limit_bytes: u64) -> Report {
        let mib = size_bytes.div_ceil(1 << 20);
        let raise = format!("raise the limit with: {} --content-mib {mib}\nor ", self.command("serve"));
        let raise = if mib <= CONTENT_MIB_MAX { raise } else { String::new() };
        miette!(
            help = raise + "divide the content",
            "{name}: the content has {size_bytes} bytes, and this store takes at most {limit_bytes}"
        )
    }
}

/// How long a claim lives.
pub(super) fn claimed(expires: Millis, now: Millis) -> String {
    format!("for another {} unless renewed", until(expires, now))
}
