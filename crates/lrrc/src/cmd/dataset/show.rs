//! `lrrc dataset show`.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};

use clap::Args;
use lrrc_dataset::DatasetError;
use lrrc_episode::history::History;
use lrrc_episode::reuse::{Needs, Said, needs, text_needs};
use lrrc_episode::{Encoding, Episode, Role, TokenCounter};
use miette::IntoDiagnostic;

use super::{InputArgs, report};
use crate::told::escaped;

/// Arguments of `lrrc dataset show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Id of the episode, or its number from 1; the first one if it is not given.
    episode: Option<String>,
}

/// Opens and closes a mark.
type Marks = [&'static str; 2];

/// Shows.
pub(crate) fn run(args: &ShowArgs) -> miette::Result<()> {
    let episode = find(args).map_err(report)?.ok_or_else(|| {
        let wanted = args.episode.as_deref().unwrap_or("1");
        miette::miette!(help = "lrrc dataset split NAME --json lists the ids", "no episode {wanted:?}")
    })?;
    let marks = if std::io::stdout().is_terminal() { ["\x1b[1;32m", "\x1b[0m"] } else { ["⟦", "⟧"] };
    match print(&episode, marks, &mut std::io::stdout().lock()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.into_diagnostic(),
    }
}

fn find(args: &ShowArgs) -> Result<Option<Episode>, DatasetError> {
    let dataset = lrrc_dataset::Dataset::open(&args.input.dataset, &args.input.rows.options())?;
    let wanted = args.episode.as_deref().unwrap_or("1");
    let number: Option<usize> = wanted.parse().ok();
    for (at, episode) in dataset.episodes().enumerate() {
        let episode = episode?;
        if episode.id == wanted || number == Some(at + 1) {
            return Ok(Some(episode));
        }
    }
    Ok(None)
}

fn print(episode: &Episode, marks: Marks, out: &mut impl Write) -> std::io::Result<()> {
    let counter = TokenCounter::new(Encoding::Cl100kBase);
    let [id, group, source, license] =
        [&episode.id, &episode.group, &episode.source, &episode.license].map(|text| escaped(text));
    writeln!(out, "{id} · group {group} · {source} · {license}")?;
    if let Some(task) = &episode.task {
        writeln!(out, "task: {}", escaped(task))?;
    }
    writeln!(
        out,
        "{} turns, {} tokens; marked {}thus{}: a later output reuses it",
        episode.turns.len(),
        episode.total_tokens(),
        marks[0],
        marks[1]
    )?;
    let history = History::of(&episode.turns, &counter);
    let essential = mark_essential(episode, &counter);
    for (at, turn) in episode.turns.iter().enumerate() {
        let agent = episode.agents.get(turn.agent).map_or("?", |agent| agent.name.as_str());
        let tokens = turn.tokens.unwrap_or(0);
        writeln!(out, "\n[{at}] {} ({}) · {tokens} tokens", escaped(agent), turn.role.name())?;
        writeln!(out, "{}", marked(episode, &history, at, &essential, marks))?;
    }
    for (at, query) in episode.queries.iter().enumerate() {
        writeln!(out, "\nquery {at}: {}\n  answer: {}", escaped(&query.text), escaped(&query.answer))?;
        if !query.evidence.is_empty() {
            writeln!(out, "  evidence: turns {:?}", query.evidence)?;
        }
    }
    writeln!(out, "\noutcome: {:?}", episode.outcome)
}

/// Segments, numbered through the episode, that hold an item which a later output takes from the history.
fn mark_essential(episode: &Episode, counter: &TokenCounter) -> BTreeSet<usize> {
    let (mut history, mut said) = (History::new(), Said::default());
    let mut essential = BTreeSet::new();
    let mut add = |history: &History, needs: &Needs| {
        let items = needs.items.iter().map(|id| &history.items()[*id as usize]);
        essential.extend(items.flat_map(|item| item.segments.iter().map(|segment| *segment as usize)));
    };
    let mut last = String::new();
    for turn in &episode.turns {
        said.last = history.known_items(&last);
        if turn.role == Role::Assistant {
            add(&history, &needs(&history, &said, turn));
        }
        last = turn.shown();
        if turn.role == Role::System {
            said.system.extend(&turn.content);
        } else {
            said.history.extend(&last);
        }
        history.push(turn, counter);
    }
    for query in &episode.queries {
        said.last = history.known_items(&query.text);
        add(&history, &text_needs(&history, &said, &query.answer));
    }
    essential
}

/// The text of a turn with its essential segments marked.
fn marked(
    episode: &Episode,
    history: &History,
    at: usize,
    essential: &BTreeSet<usize>,
    marks: Marks,
) -> String {
    let turn = &episode.turns[at];
    let mut sources: Vec<(String, &str)> = Vec::new();
    if !turn.content.trim().is_empty() {
        sources.push((String::new(), &turn.content));
    }
    sources.extend(
        turn.tool_calls.iter().map(|call| (format!("→ {} ", escaped(&call.name)), call.arguments.as_str())),
    );
    let mut lines = Vec::new();
    for (part, (head, source)) in sources.into_iter().enumerate() {
        let spans = history.range(at).filter(|segment| essential.contains(segment)).filter_map(|segment| {
            let segment = history.segment(segment);
            (segment.part == part && !segment.span.is_empty()).then(|| segment.span.clone())
        });
        lines.push(head + &insert_marks(source, spans.collect(), marks));
    }
    lines.join("\n")
}

fn insert_marks(source: &str, mut spans: Vec<std::ops::Range<usize>>, marks: Marks) -> String {
    spans.sort_unstable_by_key(|span| span.start);
    let mut text = String::with_capacity(source.len() + spans.len() * 8);
    let mut from = 0;
    for span in spans {
        let (Some(before), Some(inside)) = (source.get(from..span.start), source.get(span.clone())) else {
            continue;
        };
        text.extend([&escaped(before), marks[0], &escaped(inside), marks[1]]);
        from = span.end;
    }
    text + &escaped(source.get(from..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stand_around_their_spans() {
        assert_eq!(insert_marks("abcdef", vec![4..6, 1..2], ["<", ">"]), "a<b>cd<ef>");
        assert_eq!(insert_marks("äb", vec![1..3, 0..2, 0..1], ["<", ">"]), "<ä>b");
        assert_eq!(insert_marks("a\u{1b}b\n", vec![0..1, 2..3], ["<", ">"]), "<a>\\u{1b}<b>\n");
    }
}
