//! The card of a data set: where it comes from, under which terms, and what it holds, all of it computed.

use std::fmt::Write;
use std::path::Path;

use lrrc_dataset::{DatasetError, Manifest, Side, Split, StatsBuilder};

use super::grouped;

/// Name of the file.
const CARD_FILE: &str = "card.md";

/// Writes the card beside the manifest.
pub(super) fn write(
    folder: &Path,
    manifest: &Manifest,
    stats: StatsBuilder,
    command: &str,
) -> Result<(), DatasetError> {
    let split = Split::new(stats.groups().iter().map(String::as_str), manifest.split)?;
    let path = folder.join(CARD_FILE);
    let text = card(manifest, stats, &split, command);
    std::fs::write(&path, text).map_err(|source| DatasetError::Io { file: path, source })
}

fn card(manifest: &Manifest, stats: StatsBuilder, split: &Split, command: &str) -> String {
    let stats = stats.finish();
    let mut text = format!("# {}\n\n", manifest.name);
    let provenance = &manifest.provenance;
    let attribution = Some(provenance.attribution.as_str()).filter(|name| !name.is_empty());
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "- {name}: {value}");
    };
    line("Source", provenance.source.clone());
    line("Licence", provenance.licence.clone());
    if let Some(attribution) = attribution {
        line("Attribution", attribution.to_owned());
    }
    line("Token counts", manifest.encoding.clone());
    line("Data hash", format!("`{}`", manifest.data_hash()));
    let _ = write!(text, "\nMade by\n\n```sh\n{command}\n```\n\n## What it holds\n\n");
    let counts = [
        ("episodes", stats.episodes),
        ("groups (unit of splitting)", stats.groups),
        ("turns", stats.all.turns),
        ("tool calls", stats.calls),
        ("queries", stats.queries),
        ("tokens", stats.all.tokens),
        ("median tokens of a turn", u64::from(stats.all.median)),
        ("90th percentile", u64::from(stats.all.p90)),
        ("longest turn", u64::from(stats.all.max)),
    ];
    text.push_str("| | |\n|---|---|\n");
    for (name, count) in counts {
        let _ = writeln!(text, "| {name} | {} |", grouped(count));
    }
    let _ = writeln!(text, "| mean tokens of a turn | {:.1} |", stats.all.mean);
    text.push_str("\n| role | turns | tokens | mean | median | p90 | max |\n|---|---|---|---|---|---|---|\n");
    for (role, lengths) in &stats.roles {
        let [turns, tokens] = [lengths.turns, lengths.tokens].map(grouped);
        let [median, p90, max] =
            [lengths.median, lengths.p90, lengths.max].map(|count| grouped(count.into()));
        let _ = writeln!(
            text,
            "| {role} | {turns} | {tokens} | {:.1} | {median} | {p90} | {max} |",
            lengths.mean
        );
    }
    let sides = Side::ALL.map(|side| format!("{} {}", split.groups(side), side.name())).join(", ");
    let _ = writeln!(text, "\nSplit by group with seed {}: {sides}.", manifest.split.seed);
    text
}
