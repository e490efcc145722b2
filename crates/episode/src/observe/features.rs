//! Exact-match features of a candidate: what two hundred episodes cannot teach a network about equality.

use super::{
    Candidate,
    bm25::{self, Bm25, Query},
};
use crate::{
    canon::{self, Kind},
    episode::Role,
    history::{History, Item, ItemId, ItemKind},
    segment::{Segment, SegmentKind, SegmentedTurn},
};

/// Name of each feature, in order. A *share* is over the candidate's items, weighted by kind.
pub const FEATURE_NAMES: [&str; 54] = [
    "age_log",
    "position_in_history",
    "position_in_turn",
    "cost_log",
    "turn_cost_log",
    "is_field",
    "is_call",
    "is_phrase",
    "is_glue",
    "is_sentence",
    "from_user",
    "from_assistant",
    "from_tool",
    "from_speaker",
    "from_reader",
    "items",
    "has_code",
    "has_quantity",
    "has_name",
    "has_date",
    "has_time",
    "digit_share",
    "share_in_last",
    "share_in_recent",
    "share_in_first_request",
    "share_said_again",
    "share_said_before",
    "share_used_by_agent",
    "share_used_recently",
    "most_mentions_log",
    "fewest_mentions_log",
    "share_in_system",
    "mean_idf",
    "bm25_last",
    "bm25_recent",
    "bm25_turn",
    "bm25_smooth_2",
    "bm25_smooth_6",
    "bm25_smooth_15",
    "record_in_last",
    "record_in_recent",
    "record_used_by_agent",
    "record_said_again",
    "speaker_in_query",
    "turns_since_mention_log",
    "key_seen_in_calls",
    "rank_smooth_6",
    "is_first_mention",
    "request_in_last",
    "request_in_recent",
    "turns_since_request_log",
    "turn_codes_in_last",
    "turn_codes_in_recent",
    "turn_codes_said_again",
];

/// How many of the first features tell what a segment is and where it stands, without a look at other segments.
pub const FORM_FEATURES: usize = 22;
/// Turns counted as recent.
const RECENT_TURNS: usize = 3;

/// The moment a decision is taken: who reads, what was asked, how far the history goes.
#[derive(Debug, Clone)]
pub struct Context<'a> {
    /// Everything said so far.
    pub history: &'a History,
    /// The newest message: the question that the digest should serve.
    pub last: &'a str,
    /// The newest turn that counts as said before the candidates' reader acts; features of recency look back from
    /// here.
    pub now: usize,
    /// Index of the reading agent in the episode.
    pub reader: usize,
    /// Names of the agents, by index.
    pub agents: &'a [String],
}

/// Widest smoothing of turn scores, in turns, and how far it reaches.
const SMOOTH_TURNS: [f32; 3] = [2.0, 6.0, 15.0];
const SMOOTH_REACH: usize = 45;

/// The features of each given segment (flat indices in order), without labels. Relevance is scored over the turns
/// of the given segments and the turns around them, so the work grows with what is asked, not with the history.
#[must_use]
pub fn candidates(context: &Context<'_>, segments: &[usize]) -> Vec<Candidate> {
    let view = View::new(context, segments);
    let of = |(at, segment): (usize, &usize)| Candidate {
        segment: *segment,
        features: view.features(at, *segment),
        label: 0.0,
        weight: 0.0,
    };
    segments.iter().enumerate().map(of).collect()
}

struct View<'a> {
    context: &'a Context<'a>,
    bm25: Bm25<'a>,
    in_last: Vec<bool>,
    in_recent: Vec<bool>,
    in_first: Vec<bool>,
    /// By candidate: relevance to the last message and to the recent turns.
    segment_scores: [Vec<f32>; 2],
    /// By candidate: what [`View::record_scores`] gives.
    records: Vec<[f32; 4]>,
    /// First turn of `turn_scores` and `turn_ranks`.
    first_turn: usize,
    /// By turn: plain relevance to the last message, then smoothed over [`SMOOTH_TURNS`].
    turn_scores: [Vec<f32>; 4],
    turn_ranks: Vec<f32>,
    speaker_asked: Vec<bool>,
    /// By turn of `turn_scores`: what [`View::topic`] gives; zeros where no candidate stands.
    topics: Vec<[f32; 6]>,
}

impl<'a> View<'a> {
    fn new(context: &'a Context<'a>, segments: &[usize]) -> Self {
        let history = context.history;
        let bm25 = Bm25::new(history);
        let recent =
            (context.now + 1).saturating_sub(RECENT_TURNS)..(context.now + 1).min(history.turns().len());
        let last_terms = history.known_terms(context.last);
        let last_items = history.known_items(context.last);
        let recent_segments: Vec<usize> = recent.flat_map(|turn| history.range(turn)).collect();
        let mut recent_terms = last_terms.clone();
        recent_segments.iter().for_each(|at| recent_terms.extend(history.terms_of(*at)));
        let recent_items =
            recent_segments.iter().flat_map(|at| history.items_of(*at)).chain(&last_items).copied();
        let first_request = history.turns().iter().position(|turn| turn.role == Role::User);
        let first_items =
            first_request.map(|turn| history.range(turn).flat_map(|at| history.items_of(at)).copied());
        let (first_turn, turn_scores) = turn_scores(&bm25, history, &Query::new(&last_terms), segments);
        let mut view = Self {
            context,
            in_last: flags(history, last_items.iter().copied()),
            in_recent: flags(history, recent_items),
            in_first: flags(history, first_items.into_iter().flatten()),
            segment_scores: [&last_terms, &recent_terms].map(|terms| {
                let query = Query::new(terms);
                normalised(segments.iter().map(|at| bm25.segment(&query, *at)).collect())
            }),
            records: Vec::new(),
            first_turn,
            turn_ranks: ranks(&turn_scores[2]),
            speaker_asked: context.agents.iter().map(|name| names(name, context.last)).collect(),
            topics: vec![[0.0; 6]; turn_scores[0].len()],
            turn_scores,
            bm25,
        };
        view.records = view.record_scores(segments);
        view.note_topics(segments);
        view
    }

    fn note_topics(&mut self, segments: &[usize]) {
        let turn = |at: &usize| self.context.history.place(*at).turn as usize;
        let mut turns: Vec<usize> = segments.iter().map(turn).collect();
        turns.dedup();
        for turn in turns {
            self.topics[turn - self.first_turn] = self.topic(turn);
        }
    }

    fn item(&self, id: ItemId) -> &Item {
        &self.context.history.items()[id as usize]
    }

    /// Weighted share of the candidate's items for which `holds` is true; 0 for a candidate without items.
    fn share(&self, ids: &[ItemId], holds: impl Fn(ItemId, &Item) -> bool) -> f32 {
        let weight = |id: &ItemId| item_weight(self.item(*id).kind);
        let all: f32 = ids.iter().map(weight).sum();
        let held: f32 = ids.iter().filter(|id| holds(**id, self.item(**id))).map(weight).sum();
        if all > 0.0 { held / all } else { 0.0 }
    }

    fn said_after(&self, item: &Item, turn: usize) -> bool {
        let last = item.segments.last().map(|at| self.context.history.place(*at as usize).turn as usize);
        last.is_some_and(|last| last > turn)
    }

    fn said_before(&self, item: &Item, turn: usize) -> bool {
        let first = item.segments.first().map(|at| self.context.history.place(*at as usize).turn as usize);
        first.is_some_and(|first| first < turn)
    }

    /// For each candidate: how much of its record (all fields of one row, all phrases of one sentence) is in the
    /// last message, in the recent turns, was used by an agent, and is said again later.
    fn record_scores(&self, segments: &[usize]) -> Vec<[f32; 4]> {
        let history = self.context.history;
        let record = |at: usize| (history.place(at).turn, history.segment(at).record);
        let mut scores: Vec<[f32; 4]> = Vec::with_capacity(segments.len());
        while let Some(first) = segments.get(scores.len()) {
            let run = segments[scores.len()..].iter().take_while(|at| record(**at) == record(*first));
            let run: Vec<usize> = run.copied().collect();
            let mut best = [0.0f32; 4];
            for at in &run {
                let shares = self.telling_shares(*at);
                best.iter_mut().zip(shares).for_each(|(best, share)| *best = best.max(share));
            }
            scores.extend(run.iter().map(|_| best));
        }
        scores
    }

    /// The shares of a segment's items that are no plain words, less the more segments hold them: a rare item tells
    /// the row, one that stands in every row does not.
    fn telling_shares(&self, at: usize) -> [f32; 4] {
        let history = self.context.history;
        let turn = history.place(at).turn as usize;
        let ids: Vec<ItemId> =
            history.items_of(at).iter().copied().filter(|id| self.item(*id).kind > ItemKind::Word).collect();
        let rarest = ids.iter().map(|id| self.item(*id).segments.len()).min().unwrap_or(1);
        [
            self.share(&ids, |id, _| self.in_last[id as usize]),
            self.share(&ids, |id, _| self.in_recent[id as usize]),
            self.share(&ids, |_, item| item.last_agent_turn > turn as i32),
            self.share(&ids, |_, item| self.said_after(item, turn)),
        ]
        .map(|share| share / (rarest as f32).sqrt())
    }

    /// Whether the talk is still about what this turn is about. A tool result is about what its call asked for, so:
    /// codes of the request in the last message and in the recent turns, turns since one was mentioned, and the
    /// shares of the turn's own codes in the last message, in the recent turns, and said again later.
    fn topic(&self, turn: usize) -> [f32; 6] {
        let history = self.context.history;
        let codes = |turn: usize| -> Vec<ItemId> {
            let ids = history.range(turn).flat_map(|at| history.items_of(at)).copied();
            let mut codes: Vec<ItemId> = ids.filter(|id| self.item(*id).kind == ItemKind::Code).collect();
            codes.sort_unstable();
            codes.dedup();
            codes
        };
        let is_result = history.turns()[turn].role == Role::Tool && turn > 0;
        let request = if is_result { codes(turn - 1) } else { Vec::new() };
        let own = codes(turn);
        let any = |flags: &[bool]| f32::from(u8::from(request.iter().any(|id| flags[*id as usize])));
        let now = self.context.now.max(turn);
        let mention =
            |id: &ItemId| self.item(*id).segments.last().map(|at| history.place(*at as usize).turn as usize);
        let mentioned = request.iter().filter_map(mention).max().unwrap_or(turn);
        [
            any(&self.in_last),
            any(&self.in_recent),
            log(now - mentioned.min(now), 4.0),
            self.share(&own, |id, _| self.in_last[id as usize]),
            self.share(&own, |id, _| self.in_recent[id as usize]),
            self.share(&own, |_, item| self.said_after(item, turn)),
        ]
    }

    fn features(&self, candidate: usize, at: usize) -> [f32; FEATURE_NAMES.len()] {
        let mut features = [0.0; FEATURE_NAMES.len()];
        let (form, bearing) = features.split_at_mut(FORM_FEATURES);
        form.copy_from_slice(&self.form(at));
        bearing.copy_from_slice(&self.bearing(candidate, at));
        features
    }

    /// What the segment is and where it stands.
    fn form(&self, at: usize) -> [f32; FORM_FEATURES] {
        let history = self.context.history;
        let place = history.place(at);
        let turn_at = place.turn as usize;
        let turn = &history.turns()[turn_at];
        let segment = history.segment(at);
        let ids = history.items_of(at);
        let now = self.context.now.max(turn_at);
        let has = |kind| flag(ids.iter().any(|id| self.item(*id).kind == kind));
        let has_atom = |kind| flag(segment.atoms.iter().any(|atom| atom.kind == kind));
        [
            log(now - turn_at, 4.0),
            turn_at as f32 / (now + 1) as f32,
            place.within as f32 / turn.segments().len().max(1) as f32,
            log(segment.cost as usize, 4.0),
            log(turn.source_tokens as usize, 8.0),
            flag(segment.kind == SegmentKind::Field),
            flag(segment.kind == SegmentKind::Call),
            flag(segment.kind == SegmentKind::Phrase),
            flag(segment.kind == SegmentKind::Glue),
            flag(matches!(segment.kind, SegmentKind::Sentence | SegmentKind::Code)),
            flag(turn.role == Role::User),
            flag(turn.role == Role::Assistant),
            flag(turn.role == Role::Tool),
            flag(turn.role == Role::Speaker),
            flag(turn.agent == self.context.reader),
            log(ids.len(), 3.0),
            has(ItemKind::Code),
            has(ItemKind::Quantity),
            has(ItemKind::Name),
            has_atom(Kind::Date),
            has_atom(Kind::Time),
            digit_share(segment),
        ]
    }

    /// How the segment bears on the rest of the history and on the newest message.
    fn bearing(&self, candidate: usize, at: usize) -> [f32; FEATURE_NAMES.len() - FORM_FEATURES] {
        let history = self.context.history;
        let turn_at = history.place(at).turn as usize;
        let turn = &history.turns()[turn_at];
        let segment = history.segment(at);
        let ids = history.items_of(at);
        let now = self.context.now.max(turn_at);
        let mentions = ids.iter().map(|id| self.item(*id).segments.len() as f32);
        let last_mention = ids.iter().filter_map(|id| self.item(*id).segments.last());
        let last_mention =
            last_mention.map(|at| history.place(*at as usize).turn as usize).max().unwrap_or(turn_at);
        let terms = history.terms_of(at);
        let idf: f32 = terms.iter().map(|term| self.bm25.idf(*term)).sum::<f32>() / terms.len().max(1) as f32;
        let topic = self.topics[turn_at - self.first_turn];
        [
            self.share(ids, |id, _| self.in_last[id as usize]),
            self.share(ids, |id, _| self.in_recent[id as usize]),
            self.share(ids, |id, _| self.in_first[id as usize]),
            self.share(ids, |_, item| self.said_after(item, turn_at)),
            self.share(ids, |_, item| self.said_before(item, turn_at)),
            self.share(ids, |_, item| item.agent_turns > u32::from(turn.role == Role::Assistant)),
            self.share(ids, |_, item| item.last_agent_turn + 6 >= now as i32),
            log(mentions.clone().fold(1.0, f32::max) as usize, 4.0),
            log(mentions.reduce(f32::min).unwrap_or(0.0) as usize, 4.0),
            self.share(ids, |_, item| item.in_system),
            idf / 8.0,
            self.segment_scores[0][candidate],
            self.segment_scores[1][candidate],
            self.turn_scores[0][turn_at - self.first_turn],
            self.turn_scores[1][turn_at - self.first_turn],
            self.turn_scores[2][turn_at - self.first_turn],
            self.turn_scores[3][turn_at - self.first_turn],
            self.records[candidate][0],
            self.records[candidate][1],
            self.records[candidate][2],
            self.records[candidate][3],
            flag(self.speaker_asked.get(turn.agent).copied().unwrap_or(false)),
            log(now - last_mention.min(now), 4.0),
            flag(self.key_was_called(segment, turn)),
            self.turn_ranks[turn_at - self.first_turn],
            flag(ids.iter().any(|id| !self.said_before(self.item(*id), turn_at))),
            topic[0],
            topic[1],
            topic[2],
            topic[3],
            topic[4],
            topic[5],
        ]
    }

    fn key_was_called(&self, segment: &Segment, turn: &SegmentedTurn) -> bool {
        turn.role != Role::Assistant
            && segment.last_key().is_some_and(|key| self.context.history.was_called_with(key))
    }
}

fn flag(on: bool) -> f32 {
    f32::from(u8::from(on))
}

/// Relative weight of an item kind in shares and in hand-weighted coverage.
pub(crate) fn item_weight(kind: ItemKind) -> f32 {
    match kind {
        ItemKind::Code => 3.0,
        ItemKind::Quantity => 2.0,
        ItemKind::Name => 1.5,
        ItemKind::Word => 0.5,
    }
}

/// ln(1 + n), scaled so that usual values stay near one.
fn log(n: usize, scale: f32) -> f32 {
    (1.0 + n as f32).ln() / scale
}

fn digit_share(segment: &Segment) -> f32 {
    let digits = segment.text.chars().filter(char::is_ascii_digit).count();
    digits as f32 / segment.text.chars().count().max(1) as f32
}

fn flags(history: &History, ids: impl Iterator<Item = ItemId>) -> Vec<bool> {
    let mut flags = vec![false; history.items().len()];
    for id in ids {
        flags[id as usize] = true;
    }
    flags
}

/// Relevance of the turns that the segments stand in and of those around them: plain, then smoothed.
fn turn_scores(
    bm25: &Bm25<'_>,
    history: &History,
    query: &Query,
    segments: &[usize],
) -> (usize, [Vec<f32>; 4]) {
    let turn = |at: Option<&usize>| at.map_or(0, |at| history.place(*at).turn as usize);
    let from = turn(segments.first()).saturating_sub(SMOOTH_REACH);
    let to = (turn(segments.last()) + SMOOTH_REACH + 1).min(history.turns().len());
    let raw: Vec<f32> = (from..to).map(|turn| bm25.turn(query, turn)).collect();
    let [narrow, middle, wide] = SMOOTH_TURNS.map(|width| normalised(bm25::smooth(&raw, width)));
    (from, [normalised(raw), narrow, middle, wide])
}

/// Whether a text names a speaker by any word of the name.
fn names(name: &str, text: &str) -> bool {
    let wanted: Vec<String> = canon::atoms(name).map(|atom| atom.text).collect();
    canon::atoms(text).any(|atom| matches!(atom.kind, Kind::Name | Kind::Code) && wanted.contains(&atom.text))
}

fn normalised(mut scores: Vec<f32>) -> Vec<f32> {
    let most = scores.iter().copied().fold(0.0, f32::max);
    if most > 0.0 {
        scores.iter_mut().for_each(|score| *score /= most);
    }
    scores
}

/// Position of each score among all, 1 for the best and 0 for the worst.
fn ranks(scores: &[f32]) -> Vec<f32> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let mut ranks = vec![0.0; scores.len()];
    for (rank, at) in order.into_iter().enumerate() {
        ranks[at] = rank as f32 / scores.len().max(2).saturating_sub(1) as f32;
    }
    ranks
}
