use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::{Encoding, Role, TokenCounter, Turn};

fn history(turns: &[(Role, &str)]) -> History {
    let turns: Vec<Turn> = turns.iter().map(|(role, text)| Turn::text(0, *role, *text)).collect();
    History::of(&turns, &TokenCounter::new(Encoding::Cl100kBase))
}

fn offers(history: &History) -> Vec<Offer> {
    (0..history.len()).map(|segment| Offer { segment, own: 0.0 }).collect()
}

/// Picks with one value for every item.
fn pick(history: &History, limit: Limit) -> Vec<usize> {
    select(history, &offers(history), &vec![1.0; history.items().len()], &mut Shown::new(), limit)
}

fn texts(history: &History, picked: &[usize]) -> Vec<String> {
    picked.iter().map(|at| history.segment(*at).text.clone()).collect()
}

/// What the picked segments cost together, the line breaks before their sentences included.
fn cost(history: &History, picked: &[usize]) -> f32 {
    let tokens: f32 = picked.iter().map(|at| history.segment(*at).cost.max(1) as f32).sum();
    let prose = picked.iter().filter(|at| history.segment(**at).kind != SegmentKind::Field);
    let sentences: BTreeSet<_> =
        prose.map(|at| (history.place(*at).turn, history.segment(*at).record)).collect();
    tokens + LINE_BREAK * sentences.len() as f32
}

const ROWS: &str = r#"[{"no":"HAT1","from":"JFK","price":152},{"no":"HAT2","from":"SFO","price":103}]"#;

#[test]
fn each_fact_is_paid_for_once_and_the_newest_place_is_taken() {
    let history = history(&[(Role::User, "HAT1"), (Role::User, "HAT2"), (Role::User, "HAT1")]);
    assert_eq!(pick(&history, Limit::Tokens(cost(&history, &[1, 2]))), [1, 2]);
    assert_eq!(pick(&history, Limit::Density(0.1)), [1, 2]);
}

#[test]
fn what_budget_is_left_buys_repetitions() {
    let history = history(&[(Role::User, "HAT1"), (Role::User, "HAT2"), (Role::User, "HAT1")]);
    assert_eq!(pick(&history, Limit::Tokens(1e6)), [0, 1, 2]);
}

#[test]
fn a_field_is_picked_and_paid_with_the_name_of_its_record() {
    let history = history(&[(Role::Tool, ROWS)]);
    let mut value = vec![0.0; history.items().len()];
    value[history.id("103").unwrap() as usize] = 1.0;
    let pick = |tokens| select(&history, &offers(&history), &value, &mut Shown::new(), Limit::Tokens(tokens));
    let both = cost(&history, &[3, 5]);
    assert_eq!(texts(&history, &pick(both)), ["no HAT2", "price 103"]);
    assert!(!pick(both - 1.0).contains(&5), "too dear with its head");
}

#[test]
fn a_named_record_makes_its_other_fields_cheaper() {
    let history = history(&[(Role::Tool, ROWS)]);
    let mut value = vec![0.0; history.items().len()];
    value[history.id("103").unwrap() as usize] = 100.0;
    value[history.id("sfo").unwrap() as usize] = 1.0;
    value[history.id("jfk").unwrap() as usize] = 1.0;
    let alone = 1.0 / cost(&history, &[4]);
    let with_head = 1.0 / cost(&history, &[3, 4]);
    let limit = Limit::Density((alone + with_head) / 2.0);
    let picked = select(&history, &offers(&history), &value, &mut Shown::new(), limit);
    assert_eq!(texts(&history, &picked), ["no HAT2", "from SFO", "price 103"]);
}

#[test]
fn phrases_of_a_sentence_share_its_line_break() {
    let history = history(&[(Role::User, "HAT1 of the HAT2")]);
    assert_eq!(pick(&history, Limit::Tokens(cost(&history, &[0, 2]))), [0, 2]);
}

#[test]
fn what_is_shown_elsewhere_is_not_bought() {
    let history = history(&[(Role::User, "HAT1"), (Role::User, "HAT2")]);
    let mut shown = Shown::new();
    shown.show(&history, 0);
    let value = vec![1.0; history.items().len()];
    assert_eq!(select(&history, &offers(&history), &value, &mut shown, Limit::Density(0.1)), [1]);
    assert!(shown.has(history.id("hat2").unwrap()));
    assert!(!shown.has(ItemId::MAX));
}

#[test]
fn among_equals_the_own_value_decides() {
    let history = history(&[(Role::User, "HAT1"), (Role::User, "HAT2")]);
    let mut offers = offers(&history);
    offers[0].own = 0.5;
    let value = vec![1.0; history.items().len()];
    let limit = Limit::Tokens(cost(&history, &[0]));
    assert_eq!(select(&history, &offers, &value, &mut Shown::new(), limit), [0]);
}

fn histories() -> impl Strategy<Value = History> {
    let row = |n: u32| format!(r#"{{"no":"HAT{}","price":{n},"to":"city{}"}}"#, n % 5, n % 3);
    let turn = prop_oneof![
        prop::collection::vec(0u32..40, 1..5)
            .prop_map(move |rows| format!("[{}]", rows.into_iter().map(row).collect::<Vec<_>>().join(","))),
        "(HAT[0-9]|city[0-3]|the|[1-4][0-9]| ){1,12}",
    ];
    prop::collection::vec(turn, 1..6)
        .prop_map(|turns| history(&turns.iter().map(|text| (Role::Tool, text.as_str())).collect::<Vec<_>>()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_token_limit_holds_and_heads_are_there(history in histories(), tokens in 0.0f32..120.0) {
        let picked = pick(&history, Limit::Tokens(tokens));
        prop_assert!(cost(&history, &picked) <= tokens);
        prop_assert!(picked.is_sorted_by(|a, b| a < b));
        for at in &picked {
            let place = history.place(*at);
            if let Some(head) = history.turns()[place.turn as usize].head(place.within as usize) {
                prop_assert!(picked.contains(&(history.range(place.turn as usize).start + head)));
            }
        }
    }

    #[test]
    fn a_lower_density_keeps_all_of_a_higher_one(history in histories(), a in 0.0f32..0.6, b in 0.0f32..0.6) {
        let (low, high) = (a.min(b), a.max(b));
        let (more, fewer) = (pick(&history, Limit::Density(low)), pick(&history, Limit::Density(high)));
        prop_assert!(fewer.iter().all(|at| more.contains(at)), "{fewer:?} of {more:?}");
    }

    #[test]
    fn a_density_limit_leaves_nothing_behind_that_earns_it(history in histories(), least in 0.02f32..0.6) {
        let mut shown = Shown::new();
        let value = vec![1.0; history.items().len()];
        let picked = select(&history, &offers(&history), &value, &mut shown, Limit::Density(least));
        let kept = vec![false; history.len()];
        let mut choice = Choice { history: &history, value: &value, shown: &mut shown, kept, opened: FxHashSet::default() };
        picked.iter().for_each(|at| drop(choice.keep(*at, &mut Vec::new())));
        for offer in offers(&history).into_iter().filter(|offer| !choice.kept[offer.segment]) {
            prop_assert!(choice.density(offer) < least);
        }
    }
}
