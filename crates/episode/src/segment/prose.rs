//! Prose, transcripts and code.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::{MAX_CHARS, Segment, SegmentKind};
use crate::canon::{self, Atom};

/// Most content atoms of one phrase.
const PHRASE_ATOMS: usize = 4;

/// Appends the segments of a text: lines of code inside ``` fences, and of the rest whole sentences or phrases. A
/// text without a word, such as a lone emoji, is glue.
pub(super) fn cut(text: &str, whole_sentences: bool, segments: &mut Vec<Segment>) {
    let from = segments.len();
    cut_lines(text, whole_sentences, segments);
    if segments.len() == from {
        push_whole(SegmentKind::Glue, text, 0..text.len(), 0, segments);
    }
}

fn cut_lines(text: &str, whole_sentences: bool, segments: &mut Vec<Segment>) {
    let mut record = 0;
    let mut fenced = false;
    for line in lines(text) {
        let fence = text[line.clone()].trim_start().starts_with("```");
        fenced ^= fence;
        if fenced || fence {
            push_whole(SegmentKind::Code, text, line, record, segments);
            record += 1;
            continue;
        }
        let sentences = text[line.clone()].split_sentence_bound_indices();
        for (at, sentence) in sentences {
            let span = line.start + at..line.start + at + sentence.len();
            if whole_sentences {
                push_whole(SegmentKind::Sentence, text, span, record, segments);
            } else {
                push_phrases(text, span, record, segments);
            }
            record += 1;
        }
    }
}

fn lines(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    text.split_inclusive('\n').scan(0, |at, line| {
        let span = *at..*at + line.len();
        *at = span.end;
        Some(span)
    })
}

/// One segment for the span, or several where it is longer than [`MAX_CHARS`].
fn push_whole(kind: SegmentKind, text: &str, span: Range<usize>, record: usize, segments: &mut Vec<Segment>) {
    let span = trimmed(text, span);
    let mut from = span.start;
    while from < span.end {
        let end = piece_end(text, from..span.end);
        let piece = trimmed(text, from..end);
        if !piece.is_empty() {
            let mut segment = Segment::bare(kind, piece.clone(), &text[piece]);
            segment.record = record;
            segments.push(segment);
        }
        from = end;
    }
}

fn trimmed(text: &str, span: Range<usize>) -> Range<usize> {
    let inner = &text[span.clone()];
    let start = span.start + inner.len() - inner.trim_start().len();
    start..start + inner.trim().len()
}

/// Where a piece of at most [`MAX_CHARS`] characters ends: behind the last blank, else at the limit.
fn piece_end(text: &str, span: Range<usize>) -> usize {
    let rest = &text[span.clone()];
    let Some((limit, _)) = rest.char_indices().nth(MAX_CHARS) else { return span.end };
    let blank = rest[..limit].rfind(char::is_whitespace).filter(|at| *at > 0);
    let end = blank.map_or(limit, |at| at + rest[at..].chars().next().map_or(1, char::len_utf8));
    span.start + end
}

fn push_phrases(text: &str, sentence: Range<usize>, record: usize, segments: &mut Vec<Segment>) {
    let atoms: Vec<Atom> = canon::atoms(&text[sentence.clone()])
        .map(|mut atom| {
            atom.span = atom.span.start + sentence.start..atom.span.end + sentence.start;
            atom
        })
        .collect();
    let mut from = 0;
    while from < atoms.len() {
        let glue = atoms[from].is_glue();
        let mut to = from + 1;
        while to < atoms.len() && belongs(text, &atoms[from..=to], glue) {
            to += 1;
        }
        let span = widened(text, atoms[from].span.start, atoms[to - 1].span.end, &sentence);
        let kind = if glue { SegmentKind::Glue } else { SegmentKind::Phrase };
        push_whole(kind, text, span, record, segments);
        from = to;
    }
}

/// Whether the last of `run` continues the segment that the others form.
fn belongs(text: &str, run: &[Atom], glue: bool) -> bool {
    let [.., before, last] = run else { return true };
    let gap = &text[before.span.end..last.span.start];
    let joined = is_joint(gap);
    let length = last.span.end - run[0].span.start;
    length <= MAX_CHARS
        && (joined
            || (last.is_glue() == glue
                && gap.chars().all(|c| c == ' ')
                && (glue || words(text, run) <= PHRASE_ATOMS)))
}

/// Whether two atoms with this text between them are one word: `mia_li_3668`, `a@b.org`, `one-way`.
pub(crate) fn is_joint(gap: &str) -> bool {
    gap.is_empty() || (gap.len() == 1 && "_@./-+'&".contains(gap))
}

fn words(text: &str, run: &[Atom]) -> usize {
    1 + run.windows(2).filter(|pair| !is_joint(&text[pair[0].span.end..pair[1].span.start])).count()
}

/// A currency sign before and a percent sign behind belong to the number.
fn widened(text: &str, start: usize, end: usize, within: &Range<usize>) -> Range<usize> {
    let before = text[within.start..start].chars().next_back().filter(|c| "$€£#".contains(*c));
    let behind = text[end..within.end].chars().next().filter(|c| "%°".contains(*c));
    start - before.map_or(0, char::len_utf8)..end + behind.map_or(0, char::len_utf8)
}

/// The kept segments of `range`: neighbours with the source between them, others apart by a blank, sentences by
/// `apart`. Everything kept is the source.
pub(super) fn render(
    source: &str,
    segments: &[Segment],
    range: Range<usize>,
    keep: &[bool],
    apart: char,
) -> String {
    if keep[range.clone()].iter().all(|kept| *kept) {
        return source.to_owned();
    }
    let mut out = String::new();
    let mut last: Option<usize> = None;
    for at in range.filter(|at| keep[*at]) {
        let segment = &segments[at];
        match last {
            Some(before) if before + 1 == at && segments[before].span.end <= segment.span.start => {
                out.push_str(&source[segments[before].span.end..segment.span.start]);
            }
            Some(before) if segments[before].record == segment.record => out.push(' '),
            Some(_) => out.push(apart),
            None => {}
        }
        out.push_str(&source[segment.span.clone()]);
        last = Some(at);
    }
    out
}
