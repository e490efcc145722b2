use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{Agent, Encoding, Episode, Outcome, Query, Role, TokenCounter, ToolCall, Turn, history::History};

fn counter() -> TokenCounter {
    TokenCounter::new(Encoding::Cl100kBase)
}

fn said(agent: usize, role: Role, text: &str) -> Turn {
    Turn::text(agent, role, text)
}

fn called(name: &str, arguments: &serde_json::Value) -> Turn {
    let mut turn = Turn::text(1, Role::Assistant, "");
    turn.tool_calls = vec![ToolCall { id: None, name: name.into(), arguments: arguments.to_string() }];
    turn
}

fn episode(turns: Vec<Turn>) -> Episode {
    Episode {
        id: "e".into(),
        group: "g".into(),
        source: "test".into(),
        license: "MIT".into(),
        task: None,
        agents: ["Mia", "agent", "tool"].map(|name| Agent { name: name.into(), model: None }).into(),
        turns,
        queries: Vec::new(),
        outcome: Outcome::default(),
    }
}

/// A request, a search, its two flights, and the booking of the second.
fn booking() -> Episode {
    episode(vec![
        said(0, Role::System, "You are the agent of HAT airlines. A bag costs 50 dollars."),
        said(0, Role::User, "I am mia_li_3668. Fly me to Boston on May 20th."),
        called("search", &json!({"to": "Boston", "date": "2024-05-20"})),
        said(2, Role::Tool, r#"[{"no":"HAT1","price":152,"bag":50},{"no":"HAT2","price":103,"bag":50}]"#),
        said(1, Role::Assistant, "HAT2 costs 103 dollars. Shall I book?"),
        said(0, Role::User, "Yes, with a bag."),
        called("add", &json!({"expression": "103 + 50", "bag": true})),
        said(2, Role::Tool, "153"),
        called("book", &json!({"user": "mia_li_3668", "no": "HAT2", "sum": 153})),
    ])
}

fn observe(episode: &Episode, modes: &[Mode]) -> Observed {
    observe_episode(episode, &counter(), &ObserveOptions { modes: modes.to_vec() })
}

/// Turns whose segments are on offer in a decision.
fn offered(observed: &Observed, decision: &Decision) -> Vec<u32> {
    let turns = decision.candidates.iter().map(|candidate| observed.history.place(candidate.segment).turn);
    turns.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Mode, turns seen and offered turns of every decision.
fn schedule(observed: &Observed) -> Vec<(Mode, usize, Vec<u32>)> {
    let decisions = observed.observation.decisions.iter();
    decisions.map(|decision| (decision.mode, decision.turns_seen, offered(observed, decision))).collect()
}

fn label(observed: &Observed, mode: Mode, turns_seen: usize, text: &str) -> f32 {
    let decision =
        observed.observation.decisions.iter().find(|d| d.mode == mode && d.turns_seen == turns_seen).unwrap();
    let named = |c: &&Candidate| observed.history.segment(c.segment).text == text;
    decision.candidates.iter().find(named).unwrap_or_else(|| panic!("no candidate {text:?}")).label
}

#[test]
fn features_have_distinct_names_and_usual_values() {
    assert_eq!(FEATURE_NAMES.iter().collect::<BTreeSet<_>>().len(), FEATURES);
    let observed = observe(&booking(), &Mode::ALL);
    let mut seen = [false; FEATURES];
    for candidate in observed.observation.decisions.iter().flat_map(|decision| &decision.candidates) {
        for (at, value) in candidate.features.iter().enumerate() {
            assert!((-2.0..=2.0).contains(value), "{} is {value}", FEATURE_NAMES[at]);
            seen[at] |= *value != 0.0;
        }
    }
    let idle = FEATURE_NAMES.into_iter().zip(seen).filter(|(_, seen)| !seen).map(|(name, _)| name);
    let elsewhere = ["is_sentence", "from_speaker", "has_time", "speaker_in_query", "request_in_last"];
    assert_eq!(idle.collect::<Vec<_>>(), elsewhere, "zero throughout");
}

#[test]
fn every_turn_with_text_is_ingested_once() {
    let observed = observe(&booking(), &[Mode::Ingest]);
    let expect: Vec<_> = (1..9).map(|turn| (Mode::Ingest, turn as usize + 1, vec![turn])).collect();
    assert_eq!(schedule(&observed), expect);
}

#[test]
fn a_turn_is_decided_once_when_it_leaves_the_tail() {
    let observed = observe(&booking(), &[Mode::Once]);
    assert_eq!(
        schedule(&observed),
        [(Mode::Once, 4, vec![1]), (Mode::Once, 6, vec![2, 3]), (Mode::Once, 8, vec![4, 5]),]
    );
}

#[test]
fn all_old_turns_are_reranked_at_every_call() {
    let observed = observe(&booking(), &[Mode::Rerank]);
    assert_eq!(
        schedule(&observed),
        [
            (Mode::Rerank, 4, vec![1]),
            (Mode::Rerank, 6, vec![1, 2, 3]),
            (Mode::Rerank, 8, vec![1, 2, 3, 4, 5]),
        ]
    );
    let calls: Vec<_> =
        observed.calls.iter().map(|call| (call.turn, call.tail_from, call.decisions.len())).collect();
    assert_eq!(calls, [(2, 1, 0), (4, 2, 1), (6, 4, 1), (8, 6, 1)]);
    assert_eq!(observed.newest[2], "Yes, with a bag.");
}

#[test]
fn decisions_stand_in_the_order_of_their_moments() {
    let observed = observe(&booking(), &Mode::ALL);
    assert!(observed.observation.decisions.is_sorted_by_key(|decision| decision.turns_seen));
    for decision in &observed.observation.decisions {
        let told = observed.observation.turns[decision.turns_seen - 1].segments.end;
        assert!(decision.candidates.iter().all(|candidate| candidate.segment < told));
        assert!(decision.query.iter().all(|segment| *segment < told));
        assert!(!decision.candidates.is_empty());
    }
}

#[test]
fn labels_are_what_later_outputs_reuse() {
    let observed = observe(&booking(), &Mode::ALL);
    let ingest = |turn: usize, text: &str| label(&observed, Mode::Ingest, turn + 1, text);
    assert_eq!(ingest(1, "mia_li_3668"), 1.0, "an argument of the booking");
    assert_eq!(ingest(1, "May 20th"), 1.0, "an argument of the search, spelled differently");
    assert_eq!(ingest(3, "no HAT2"), 1.0);
    assert_eq!(ingest(3, "price 103"), 1.0, "a term of the expression");
    assert_eq!(ingest(3, "no HAT1"), 0.0, "nobody comes back to it");
    assert_eq!(ingest(3, "price 152"), 0.0);
    assert_eq!(ingest(7, "153"), 1.0);
    assert_eq!(label(&observed, Mode::Once, 4, "May 20th"), 0.0, "the search is over");
    assert_eq!(label(&observed, Mode::Once, 4, "mia_li_3668"), 1.0);
}

#[test]
fn a_reranking_is_taught_by_its_own_call_before_later_ones() {
    let observed = observe(&booking(), &[Mode::Rerank]);
    assert_eq!(label(&observed, Mode::Rerank, 6, "price 103"), 1.0, "asked for by this call");
    assert_eq!(label(&observed, Mode::Rerank, 6, "no HAT2"), 0.5, "asked for by the next");
    assert_eq!(label(&observed, Mode::Rerank, 8, "price 103"), 0.0, "no longer asked for");
}

#[test]
fn essential_buckets_are_those_of_needed_items() {
    let observed = observe(&booking(), &Mode::ALL);
    for decision in &observed.observation.decisions {
        let needed = decision.candidates.iter().any(|candidate| candidate.label > 0.0);
        assert_eq!(needed, !decision.essential.is_empty());
        assert!(decision.essential.is_sorted_by(|a, b| a < b));
        assert!(decision.essential.iter().all(|bucket| usize::from(*bucket) < ITEM_BUCKETS));
    }
}

#[test]
fn a_query_is_taught_by_its_evidence() {
    let mut meeting = episode(vec![
        said(0, Role::Speaker, "The remote is yellow. It costs 25 euros."),
        said(1, Role::Speaker, "Lunch was good."),
    ]);
    meeting.queries = vec![
        Query { text: "What colour?".into(), answer: "Yellow".into(), evidence: vec![(0, 0)] },
        Query { text: "Unknown?".into(), answer: "?".into(), evidence: Vec::new() },
    ];
    let observed = observe(&meeting, &Mode::ALL);
    let rerank: Vec<_> = observed.observation.decisions.iter().filter(|d| d.mode == Mode::Rerank).collect();
    let [decision] = rerank[..] else { panic!("one query has evidence") };
    let labels: Vec<f32> = decision.candidates.iter().map(|candidate| candidate.label).collect();
    assert_eq!(labels, [1.0, 1.0, 0.0]);
    assert_eq!(observed.calls[0].evidence, [0, 1]);
    let asked = &observed.observation.segments[decision.query[0]];
    assert_eq!(
        *asked,
        segment_observation("What colour?", &counter()),
        "the query is a segment behind the turns"
    );
    assert_eq!(label(&observed, Mode::Ingest, 2, "Lunch was good."), 0.0);
    assert_eq!(label(&observed, Mode::Ingest, 1, "The remote is yellow."), 1.0);
    assert!(!observed.observation.decisions.iter().any(|d| d.mode == Mode::Once));
}

/// A decision without what only the future tells.
fn unlabelled(decision: &Decision) -> Decision {
    let mut decision = decision.clone();
    decision.essential.clear();
    decision.candidates.iter_mut().for_each(|candidate| (candidate.label, candidate.weight) = (0.0, 0.0));
    decision
}

/// Every decision whose reader has spoken in both is the same in a longer record.
#[track_caller]
fn check_no_leak(whole: &Episode, turns: usize) {
    let start = Episode { turns: whole.turns[..turns].to_vec(), ..whole.clone() };
    let spoken = start.turns.iter().rposition(|turn| turn.role == Role::Assistant).unwrap_or(0);
    let decisions = |episode: &Episode| -> Vec<Decision> {
        let observed = observe(episode, &Mode::ALL).observation;
        observed.decisions.iter().filter(|decision| decision.turns_seen <= spoken).map(unlabelled).collect()
    };
    assert_eq!(decisions(&start), decisions(whole));
    let calls = |episode: &Episode| -> Vec<_> {
        let calls = observe(episode, &[]).observation.calls.into_iter();
        let seen = calls.filter(|call| call.turns_seen <= spoken);
        seen.map(|call| CallObservation { label: 0.0, weight: 0.0, ..call }).collect()
    };
    assert_eq!(calls(&start), calls(whole));
}

#[test]
fn a_decision_does_not_know_what_follows() {
    let booking = booking();
    (1..booking.turns.len()).for_each(|turns| check_no_leak(&booking, turns));
}

#[test]
fn features_of_a_history_are_those_of_its_replay() {
    let booking = booking();
    let counter = counter();
    let observed = observe(&booking, &[Mode::Rerank]);
    let decision = observed.observation.decisions.last().unwrap();
    let history = History::of(&booking.turns[..decision.turns_seen], &counter);
    let agents: Vec<String> = booking.agents.iter().map(|agent| agent.name.clone()).collect();
    let segments: Vec<usize> = decision.candidates.iter().map(|candidate| candidate.segment).collect();
    let context = Context { history: &history, last: "153", now: 7, reader: 1, agents: &agents };
    assert_eq!(candidates(&context, &segments), unlabelled(decision).candidates);
}

#[test]
fn features_tell_what_was_said_where() {
    let counter = counter();
    let booking = booking();
    let history = History::of(&booking.turns[..6], &counter);
    let agents: Vec<String> = booking.agents.iter().map(|agent| agent.name.clone()).collect();
    let context = Context { history: &history, last: "Is HAT2 for Mia?", now: 5, reader: 1, agents: &agents };
    let segments: Vec<usize> = (0..history.len()).collect();
    let offered = candidates(&context, &segments);
    let value = |text: &str, turn: u32, name: &str| {
        let at =
            segments.iter().find(|at| history.segment(**at).text == text && history.place(**at).turn == turn);
        let feature = FEATURE_NAMES.iter().position(|other| *other == name).unwrap();
        offered[*at.unwrap_or_else(|| panic!("no segment {text:?} in turn {turn}"))].features[feature]
    };
    assert_eq!(value("no HAT2", 3, "share_in_last"), 1.0);
    assert_eq!(value("no HAT1", 3, "share_in_last"), 0.0);
    assert!(value("price 103", 3, "record_in_last") > 0.0, "its row is asked for");
    assert_eq!(value("price 152", 3, "record_in_last"), 0.0);
    assert_eq!(value("price 103", 3, "share_said_again"), 1.0);
    assert_eq!(value("price 152", 3, "share_said_again"), 0.0);
    assert_eq!(value("bag 50", 3, "share_in_system"), 1.0);
    assert_eq!(value("mia_li_3668", 1, "speaker_in_query"), 1.0);
    assert_eq!(value("no HAT2", 3, "speaker_in_query"), 0.0);
    assert_eq!(value("no HAT2", 3, "is_first_mention"), 1.0);
    assert_eq!(value("HAT2 costs 103 dollars", 4, "is_first_mention"), 1.0, "dollars and costs are new");
    assert_eq!(value("date 2024-05-20", 2, "share_said_before"), 1.0);
    assert_eq!(value("date 2024-05-20", 2, "has_date"), 1.0);
    assert_eq!(value("to Boston", 2, "from_reader"), 1.0);
    assert!(value("no HAT2", 3, "bm25_last") > value("price 103", 3, "bm25_last"));
}

#[test]
fn a_turn_of_many_segments_keeps_its_positions() {
    let numbers: Vec<u32> = (0..70_000).collect();
    let history = History::of(&[said(2, Role::Tool, &json!(numbers).to_string())], &counter());
    let context = Context { history: &history, last: "", now: 0, reader: 1, agents: &[] };
    let at = FEATURE_NAMES.iter().position(|name| *name == "position_in_turn").unwrap();
    let position = |segment: usize| candidates(&context, &[segment])[0].features[at];
    assert!(position(69_999) > position(60_000));
}

#[test]
fn smoothing_keeps_the_sum_of_weights() {
    assert_eq!(bm25::smooth(&[1.0; 9], 2.0), [1.0; 9]);
    let smooth = bm25::smooth(&[0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], 1.0);
    assert!(smooth[3] > smooth[2] && smooth[2] > smooth[1] && (smooth[2] - smooth[4]).abs() < 1e-6);
}

#[test]
fn bm25_prefers_rare_words_and_short_segments() {
    let turns = ["red bag", "blue bag", "green bag, heavy lamp and some other things of no use"];
    let turns: Vec<Turn> = turns.into_iter().map(|text| said(0, Role::Speaker, text)).collect();
    let history = History::of(&turns, &counter());
    let bm25 = bm25::Bm25::new(&history);
    let score = |query: &str, at| bm25.segment(&bm25::Query::new(&history.known_terms(query)), at);
    assert!(score("red bag", 0) > score("red bag", 1));
    assert!(score("bag", 0) > score("bag", 2));
    assert_eq!(score("lamp", 0), 0.0);
    assert_eq!(score("bag", 0), bm25.turn(&bm25::Query::new(&history.known_terms("bag")), 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_segment_has_between_one_and_the_most_tokens(text in "\\PC{0,400}") {
        let observed = segment_observation(&text, &counter());
        prop_assert!((1..=SEGMENT_TOKENS).contains(&observed.tokens.len()));
        for token in &observed.tokens {
            prop_assert!(token.rows.iter().all(|row| usize::from(*row) < TOKEN_ROWS));
            prop_assert!(usize::from(token.surface) < 1 << SURFACE_BITS);
        }
        let digits = text.chars().any(|c| c.is_ascii_digit());
        let marked = observed.tokens.iter().any(|token| token.surface & 1 == 1);
        prop_assert!(digits || !marked);
    }

    #[test]
    fn no_record_leaks_its_future(
        lines in prop::collection::vec((0usize..3, "(HAT[0-3]|Boston|May 5|[0-9]{2}|cheap|the|, ){1,9}"), 2..9),
        cut in 1usize..8,
    ) {
        let role = |agent| [Role::User, Role::Assistant, Role::Tool][agent];
        let turns: Vec<Turn> = lines.iter().map(|(agent, text)| said(*agent, role(*agent), text)).collect();
        check_no_leak(&episode(turns.clone()), cut.min(turns.len()));
    }
}

#[test]
fn equal_texts_are_equal_observations() {
    let counter = counter();
    assert_eq!(segment_observation("HAT069", &counter), segment_observation("HAT069", &counter));
    assert_ne!(segment_observation("HAT069", &counter), segment_observation("HAT070", &counter));
    assert_eq!(segment_observation("", &counter).tokens.len(), 1);
    assert_eq!(segment_observation(&"word ".repeat(500), &counter).tokens.len(), SEGMENT_TOKENS);
}
