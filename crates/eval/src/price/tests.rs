use lrrc_episode::{
    Agent, Encoding, Outcome, Query, Role, ToolCall, Turn,
    check::{Limits, check},
};
use proptest::{prop_assert, prop_assert_eq, proptest};

use super::{epochs::Rent, *};
use crate::{
    metric::{Whole, history_tokens},
    view::Kept,
};

const FLAGSHIP: CacheModel = CacheModel::ALL[0];
const NO_CACHE: CacheModel = CacheModel::ALL[2];

/// A session of this many tool calls, each answered by a table of which the next call takes one value.
fn episode(group: &str, trial: usize, tool_calls: usize) -> Episode {
    let agents = ["system", "user", "agent", "tool"].map(|name| Agent { name: name.into(), model: None });
    let policy = "Ask before you change a booking. Refunds go to the card that paid. ".repeat(80);
    let mut turns = vec![
        Turn::text(0, Role::System, policy),
        Turn::text(1, Role::User, format!("Cheapest flight for {group}?")),
    ];
    for step in 0..tool_calls {
        let id = Some(format!("call-{step}"));
        let arguments = format!("{{\"flight\": \"HAT{group}{:04}\"}}", 20 * step);
        let call = ToolCall { id: id.clone(), name: "search".into(), arguments };
        turns.push(Turn { tool_calls: vec![call], ..Turn::text(2, Role::Assistant, "") });
        let row = |at: usize| {
            let (flight, price) = (20 * (step + 1) + at, 100 + 37 * step + 7 * at);
            format!(
                "{{\"flight\": \"HAT{group}{flight:04}\", \"price\": {price}, \"status\": \"available\"}}"
            )
        };
        let rows: Vec<String> = (0..12).map(row).collect();
        turns.push(Turn { tool_call_id: id, ..Turn::text(3, Role::Tool, format!("[{}]", rows.join(", "))) });
    }
    turns.push(Turn::text(2, Role::Assistant, format!("It is HAT{group}000.")));
    let evidence = vec![(1, 2)];
    let queries = vec![Query { text: "Which flight?".into(), answer: "HAT".into(), evidence }];
    Episode {
        id: format!("{group}-{trial}"),
        group: group.to_owned(),
        source: "made up".into(),
        license: "MIT".into(),
        task: None,
        agents: agents.to_vec(),
        turns,
        queries,
        outcome: Outcome { success: Some(true), ..Outcome::default() },
    }
}

fn without_queries(tool_calls: usize) -> Episode {
    Episode { queries: Vec::new(), ..episode("A", 0, tool_calls) }
}

fn strategy(name: &str) -> Strategy {
    *Strategy::ALL.iter().find(|strategy| strategy.name == name).expect("the name is one of the strategies")
}

/// The requests of an episode under a strategy, scored by the rule of coverage.
fn requests(episode: &Episode, strategy: Strategy, knob: f64) -> Vec<Request> {
    let counter = TokenCounter::new(Encoding::Cl100kBase);
    let observed = observe_all(std::slice::from_ref(episode), &counter).remove(0);
    let scores = Method::Coverage.rule_scores(&observed, None);
    let (plan, _) = strategy.plan(&observed, &scores, knob, Some(&FLAGSHIP));
    let mut viewer = Viewer::new(&observed.history, &counter);
    let whole = strategy.method.whole();
    let requests = prompt::requests(&observed, &mut viewer, &plan, whole, strategy.breakpoint);
    for ((request, call), kept) in requests.iter().zip(&observed.calls).zip(&plan) {
        let (_, sent) = history_tokens(&observed, call, &mut viewer, kept, whole);
        let asked = call.query.map_or(0, |_| request.blocks.last().expect("the query").tokens);
        let blocks: u32 = request.blocks.iter().map(|block| block.tokens).sum();
        assert_eq!(blocks, observed.history.turns()[0].source_tokens + sent + asked, "{}", strategy.name);
    }
    requests
}

#[test]
fn pass_through_without_a_cache_costs_every_token() {
    let counter = TokenCounter::new(Encoding::Cl100kBase);
    let episode = without_queries(6);
    let before =
        |at: usize| episode.turns[..at].iter().map(|turn| u64::from(counter.count_turn(turn))).sum::<u64>();
    let called = (0..episode.turns.len()).filter(|at| episode.turns[*at].role == Role::Assistant);
    let expected: u64 = called.map(before).sum();
    let charge = NO_CACHE.charge(&requests(&episode, Strategy::FULL, 1.0));
    assert_eq!(charge.input(), expected);
    assert_eq!(NO_CACHE.input_price(&charge), expected as f64);
}

#[test]
fn prompts_hold_what_the_evaluation_counts() {
    for strategy in Strategy::ALL {
        for knob in [0.3, 30.0] {
            assert!(!requests(&episode("A", 0, 5), strategy, knob).is_empty());
        }
    }
}

#[test]
fn what_is_pruned_on_arrival_is_read_from_the_cache_from_then_on() {
    let requests = requests(&without_queries(8), strategy("coverage-ingest"), 3.0);
    for pair in requests.windows(2) {
        // The mark of a compressed conversation may still come in, after the first tool result.
        let is_marked = pair[0].blocks.len() > 3;
        assert!(!is_marked || pair[1].blocks.starts_with(&pair[0].blocks), "{pair:?}");
    }
}

#[test]
fn a_tail_that_is_left_out_of_the_cache_costs_a_fresh_token_each() {
    let uncached = Strategy { breakpoint: Breakpoint::Tail, ..strategy("coverage-once") };
    let charge = |strategy| FLAGSHIP.charge(&requests(&without_queries(8), strategy, 3.0));
    let (all, but_tail) = (charge(strategy("coverage-once")), charge(uncached));
    assert_eq!(all.fresh, 0);
    assert_eq!(but_tail.input(), all.input());
    assert!(but_tail.fresh > 0 && but_tail.written < all.written);
    assert!(FLAGSHIP.input_price(&but_tail) < FLAGSHIP.input_price(&all));
}

#[test]
fn a_message_of_other_bytes_is_another_block() {
    let counter = TokenCounter::new(Encoding::Cl100kBase);
    let observed = observe_all(&[without_queries(1)], &counter).remove(0);
    let (history, result) = (&observed.history, 3);
    let mut viewer = Viewer::new(history, &counter);
    let mut block = |segment: usize| {
        let mut kept = Kept::none(history.len());
        kept.keep(history.range(result).start + segment);
        let plan = vec![kept; observed.calls.len()];
        let requests = prompt::requests(&observed, &mut viewer, &plan, Whole::Encoded, Breakpoint::End);
        *requests[1].blocks.last().expect("the result of the tool")
    };
    let first = block(0);
    let others: Vec<Block> = (1..history.range(result).len()).map(&mut block).collect();
    assert!(
        others.iter().any(|other| other.tokens == first.tokens),
        "{first:?} is as long as none of {others:?}"
    );
    assert!(others.iter().all(|other| other.hash != first.hash));
    assert_eq!(block(0), first);
}

fn blocks(tokens: &[u32], salt: u64) -> Vec<Block> {
    tokens.iter().zip(salt..).map(|(tokens, hash)| Block { tokens: *tokens, hash }).collect()
}

fn request(blocks: Vec<Block>) -> Request {
    Request { marked: blocks.len(), blocks, output_tokens: 10 }
}

#[test]
fn a_prompt_below_the_minimum_is_not_cached_and_not_written() {
    let short = request(blocks(&[1_000], 0));
    let charge = FLAGSHIP.charge(&[short.clone(), short]);
    assert_eq!(charge, Charge { fresh: 2_000, output: 20, ..Charge::default() });
    let long = request(blocks(&[1_000, 24], 0));
    let charge = FLAGSHIP.charge(&[long.clone(), long]);
    assert_eq!(charge, Charge { read: 1_024, written: 1_024, output: 20, ..Charge::default() });
}

proptest! {
    #[test]
    fn appending_never_costs_more_than_writing_everything(
        tokens in proptest::collection::vec(0u32..3_000, 1..40),
        read in 0.0f64..1.0,
    ) {
        let model = CacheModel { read, ..FLAGSHIP };
        let session: Vec<Request> = (1..=tokens.len()).map(|n| request(blocks(&tokens[..n], 0))).collect();
        let charge = model.charge(&session);
        let uncached = NO_CACHE.input_price(&NO_CACHE.charge(&session));
        prop_assert_eq!(charge.input() as f64, uncached);
        prop_assert!(model.input_price(&charge) <= 1.25 * uncached);
    }

    #[test]
    fn a_first_message_that_always_changes_leaves_only_the_system_text_cached(
        system in 1_024u32..5_000,
        tokens in proptest::collection::vec(1u32..3_000, 1..20),
    ) {
        let prompt = |call: usize| {
            let system = Block { tokens: system, hash: 1 };
            let changed = blocks(&tokens[..=call], 100 * (call as u64 + 1));
            request([vec![system], changed].concat())
        };
        let session: Vec<Request> = (0..tokens.len()).map(prompt).collect();
        let charge = FLAGSHIP.charge(&session);
        prop_assert_eq!(charge.read, u64::from(system) * (tokens.len() as u64 - 1));
    }

    #[test]
    fn an_epoch_costs_at_most_the_rent_that_was_paid(
        sizes in proptest::collection::vec((1.0f64..10_000.0, 0.0f64..1.0), 1..60),
    ) {
        let rule = EpochRule { model: FLAGSHIP, patience: 1.0 };
        let (mut rent, mut paid) = (Rent::default(), 0.0);
        for (old, share) in sizes {
            let new = share * old;
            paid += FLAGSHIP.read * (old - new);
            if rent.opens(&rule, old, new) {
                prop_assert!(FLAGSHIP.write * new - FLAGSHIP.read * old <= paid + 1e-6);
                paid = 0.0;
            }
        }
    }
}

#[test]
fn an_epoch_opens_when_its_rent_is_due() {
    let rule = EpochRule { model: FLAGSHIP, patience: 1.0 };
    let calls_until = |rule: &EpochRule, new: f64| {
        let mut rent = Rent::default();
        (1..100).find(|_| rent.opens(rule, 1_000.0, new))
    };
    // Writing 300 for 1.25 each, where 1,000 would be read for 100, costs 275; keeping them costs 70 a call.
    assert_eq!(calls_until(&rule, 300.0), Some(4));
    assert_eq!(calls_until(&EpochRule { patience: 3.0, ..rule }, 300.0), Some(12));
    assert_eq!(calls_until(&EpochRule { model: NO_CACHE, ..rule }, 300.0), Some(1));
    assert_eq!(calls_until(&rule, 1_000.0), None);
}

/// Input price of a session whose old turns are packed to their first halves by epochs, its price without epochs,
/// and the number of epochs.
fn packed_to_halves(tool_calls: usize) -> (f64, f64, usize) {
    let counter = TokenCounter::new(Encoding::Cl100kBase);
    let observed = observe_all(&[without_queries(tool_calls)], &counter).remove(0);
    let history = &observed.history;
    let whole = Method::Table.plan(&observed, &Vec::new(), 1.0);
    let mut halves = whole.clone();
    for (call, kept) in observed.calls.iter().zip(&mut halves) {
        let second_half = |turn| history.range(turn).skip(history.range(turn).len() / 2);
        (0..call.tail_from).flat_map(second_half).for_each(|at| kept.set(at, false));
    }
    let rule = EpochRule { model: FLAGSHIP, patience: 1.0 };
    let (plan, opened) = epochs::epochs(&observed, &whole, &halves, rule);
    let mut viewer = Viewer::new(history, &counter);
    let mut price = |plan| {
        let whole = Method::Table.whole();
        let requests = prompt::requests(&observed, &mut viewer, plan, whole, Breakpoint::End);
        FLAGSHIP.input_price(&FLAGSHIP.charge(&requests))
    };
    (price(&plan), price(&whole), opened)
}

#[test]
fn epochs_leave_a_short_session_alone_and_pack_a_long_one() {
    let (packed, whole, opened) = packed_to_halves(5);
    assert_eq!((packed, opened), (whole, 0));
    let (packed, whole, opened) = packed_to_halves(60);
    assert!(packed < 0.95 * whole, "{packed} against {whole}");
    assert!((2..15).contains(&opened), "{opened} epochs");
}

#[test]
fn joining_keeps_every_turn_and_every_law() {
    let episodes = [episode("A", 0, 2), episode("B", 0, 3), episode("C", 0, 1)];
    let session = join(&episodes).expect("there are three");
    assert_eq!(check(&session, Limits::default()), Ok(()));
    let said = |episode: &Episode| {
        let turns = episode.turns.iter().filter(|turn| turn.role != Role::System);
        turns.map(Turn::shown).collect::<Vec<_>>()
    };
    assert_eq!(said(&session), episodes.iter().flat_map(said).collect::<Vec<_>>());
    assert_eq!(session.turns.iter().filter(|turn| turn.role == Role::System).count(), 1);
    assert_eq!(session.agents, episodes[0].agents);
    assert_eq!(session.group, "A+B+C");
    for (query, episode) in session.queries.iter().zip(&episodes) {
        let (first, last) = query.evidence[0];
        let shown = session.turns[first as usize..=last as usize].iter().map(Turn::shown);
        assert!(shown.eq(episode.turns[1..=2].iter().map(Turn::shown)), "{query:?}");
    }
    assert_eq!(join(&[]), None);
}

#[test]
fn sessions_take_turns_from_every_group() {
    let groups = ["A", "A", "A", "B", "B", "C"];
    let episodes: Vec<Episode> =
        groups.iter().enumerate().map(|(trial, group)| episode(group, trial, 1)).collect();
    let ids = |size| sessions(&episodes, size).into_iter().map(|session| session.id).collect::<Vec<_>>();
    assert_eq!(ids(3), ["A-0+B-3+C-5", "A-1+B-4+A-2"]);
    assert_eq!(ids(4), ["A-0+B-3+C-5+A-1"]);
    assert_eq!(ids(99).len(), 1);
    assert_eq!(sessions(&episodes, 3)[1].group, "A+B");
    assert_eq!(ids(3), ids(3));
}

#[test]
fn prices_are_ratios_to_pass_through() {
    let counter = TokenCounter::new(Encoding::Cl100kBase);
    let episodes: Vec<Episode> = ["A", "B", "C"].map(|group| episode(group, 0, 12)).to_vec();
    let request = Pricing {
        dataset: "made up",
        sessions: &episodes,
        counter: &counter,
        policy: None,
        budgets: vec![0.3],
        strategies: Strategy::ALL.to_vec(),
        models: CacheModel::ALL.to_vec(),
        output_price: OUTPUT_PRICE,
        seed: 1,
    };
    let report = price(&request, |_| ()).expect("there are calls");
    assert_eq!((report.sessions, report.groups, report.budgets()), (3, 3, vec![0.3]));
    let names: Vec<&str> = report.rows.iter().map(|row| row.strategy.as_str()).collect();
    assert!(names.iter().all(|name| !name.starts_with("lrrc")), "no coordinator was given: {names:?}");
    let full = report.row("full", 0.3).expect("pass-through is priced");
    assert!(full.prices.iter().all(|cell| (cell.input, cell.with_output) == (1.0, 1.0)));
    let input = |name, at: usize| report.row(name, 0.3).expect("it is priced").prices[at].input;
    assert!(input("coverage-ingest", 0) < input("coverage-once", 0));
    assert!(input("coverage", 2) < 1.0 && input("coverage", 0) > input("coverage-once", 0));
    let json = serde_json::to_string(&report).expect("a report is JSON");
    assert_eq!(serde_json::from_str::<PriceReport>(&json).expect("it is read again"), report);
    let bad = Pricing { budgets: vec![1.5], ..request };
    assert!(matches!(price(&bad, |_| ()), Err(EvalError::Budget(_))));
}
