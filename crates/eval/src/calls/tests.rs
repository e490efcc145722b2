use lrrc_episode::{Agent, Encoding, Outcome, Role, ToolCall, Turn};
use serde_json::{Value, json};

use super::{report::auc, *};

fn called(name: &str, arguments: &Value) -> Turn {
    let mut turn = Turn::text(1, Role::Assistant, "");
    turn.tool_calls = vec![ToolCall { id: None, name: name.into(), arguments: arguments.to_string() }];
    turn
}

fn result(text: &str) -> Turn {
    Turn::text(2, Role::Tool, text)
}

/// Two searches of which the first is used, a read said again, a booking, a farewell.
fn booking(group: &str) -> Episode {
    let turns = vec![
        Turn::text(0, Role::User, "Fly me to Boston."),
        called("search", &json!({"to": "Boston"})),
        result(r#"[{"no":"HAT77","price":152},{"no":"HAT88","price":103}]"#),
        called("search", &json!({"to": "Denver"})),
        result(r#"[{"no":"HAT55","price":981}]"#),
        called("search", &json!({"to": "Boston"})),
        result(r#"[{"no":"HAT77","price":152},{"no":"HAT88","price":103}]"#),
        called("book", &json!({"no": "HAT88"})),
        result("ok"),
        Turn::text(1, Role::Assistant, "Booked."),
    ];
    Episode {
        id: format!("e-{group}"),
        group: group.into(),
        source: "test".into(),
        license: "MIT".into(),
        task: None,
        agents: ["Mia", "agent", "tool"].map(|name| Agent { name: name.into(), model: None }).into(),
        turns,
        queries: Vec::new(),
        outcome: Outcome::default(),
    }
}

fn report(episodes: &[Episode]) -> Result<CallReport, EvalError> {
    let counter = TokenCounter::new(Encoding::Cl100kBase);
    let request =
        CallEvaluation { dataset: "test", episodes, counter: &counter, policy: None, control: None, seed: 0 };
    evaluate_calls(&request)
}

#[test]
fn rules_and_oracle_skip_what_nothing_depends_on() {
    let report = report(&[booking("a"), booking("b")]).unwrap();
    let row = |name: &str| report.rows.iter().find(|row| row.name == name).unwrap();
    assert_eq!((report.calls, report.bound, report.groups), (10, 4, 2));
    assert_eq!(row("repeated reads").removed.value, 0.2, "the second search for Boston");
    assert_eq!(row("oracle").removed.value, 0.4, "that and the search for Denver");
    assert_eq!(row("oracle").lost.unwrap().value, 0.0);
    assert_eq!((row("oracle").bound_removed, row("oracle").changed.value), (0.0, 0.0));
    assert!(row("oracle").tokens_saved.value > 0.3);
    assert!(report.verdict().contains("no call gate"));
    assert!(report.table().contains("40.0 % [40.0, 40.0]"));
}

#[test]
fn what_has_no_call_to_skip_is_refused() {
    let mut rival = booking("a");
    rival.outcome.winner = Some(lrrc_episode::Winner::Tie);
    let error = report(&[rival]).unwrap_err();
    assert!(matches!(error, EvalError::NoGatedCalls { episodes: 1, .. }), "{error}");
}

#[test]
fn the_threshold_stops_before_the_first_intolerable_loss() {
    let counter = TokenCounter::new(Encoding::Cl100kBase);
    let options = ObserveOptions { modes: Vec::new() };
    let observed = vec![observe_episode(&booking("a"), &counter, &options)];
    let check = |scores: [f64; 5], expect: f64| {
        let found = threshold(&observed, &vec![scores.to_vec()]);
        assert!((found - expect).abs() < 1e-9, "{scores:?}: {found} instead of {expect}");
    };
    check([0.9, 0.1, 0.2, 0.8, 0.7], 0.45); // both useless searches; then the farewell, bound to stay
    check([0.2, 0.1, 0.6, 0.8, 0.7], 0.4); // the first search may go, since the third says the same; not both
    check([0.2, 0.6, 0.2, 0.8, 0.7], 0.0); // both searches at once are lost
    check([0.9, 0.3, 0.4, 0.1, 0.7], 0.0); // the booking first
}

#[test]
fn the_area_counts_pairs_and_ties() {
    let area = |calls: &[(f64, bool)]| auc(calls.iter().copied());
    assert_eq!(area(&[(0.1, false), (0.2, true)]), Some(1.0));
    assert_eq!(area(&[(0.2, false), (0.1, true), (0.1, false)]), Some(0.25));
    assert_eq!(area(&[(0.2, true)]), None);
}

/// An untrained coordinator: its figures are poor, their form is that of any other.
fn untrained(use_state: bool) -> Policy {
    let config = lrrc_model::CoordinatorConfig { width: 32, rank: 2, use_state, ..Default::default() };
    let model = config.init(3, &lrrc_model::device("cpu").unwrap()).unwrap();
    Policy::from_parts(&model, lrrc_model::Meta::default())
}

#[test]
fn the_gate_stands_with_and_without_state_beside_the_rules() {
    let (policy, control) = (untrained(true), untrained(false));
    let counter = TokenCounter::new(Encoding::Cl100kBase);
    let episodes = [booking("a"), booking("b")];
    let request = CallEvaluation {
        dataset: "test",
        episodes: &episodes,
        counter: &counter,
        policy: Some(&policy),
        control: Some(&control),
        seed: 0,
    };
    let report = evaluate_calls(&request).unwrap();
    let names: Vec<&str> = report.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["call gate", "no-state gate", "repeated reads", "oracle", "items alone"]);
    for row in &report.rows[..2] {
        // Without a threshold in the papers of the checkpoint it is set on these episodes.
        assert_eq!(Some(row.removed.value), row.removed_in_hindsight);
        assert!(row.auc.is_some() && row.threshold.is_some() && row.bound_removed == 0.0, "{row:?}");
    }
    assert_eq!(report, evaluate_calls(&request).unwrap(), "a function of episodes, weights and seed");
}

#[test]
fn a_threshold_is_found_in_the_papers_it_was_written_to() {
    let policy = untrained(true);
    let counter = TokenCounter::new(Encoding::Cl100kBase);
    let observed = crate::observe_all(&[booking("a")], &counter);
    let mut meta = lrrc_model::Meta::default();
    calibrate_calls(&policy, &[], &mut meta.calibration).unwrap();
    assert!(meta.calibration.is_empty(), "no call, no threshold");
    calibrate_calls(&policy, &observed, &mut meta.calibration).unwrap();
    let scores = learned(&policy, &observed).unwrap().unwrap();
    let model = lrrc_model::CoordinatorConfig { width: 32, rank: 2, ..Default::default() };
    let model = model.init(3, &lrrc_model::device("cpu").unwrap()).unwrap();
    let calibrated = Policy::from_parts(&model, meta);
    assert_eq!(threshold_of(&calibrated), Some(threshold(&observed, &scores)));
    assert_eq!(threshold_of(&policy), None);
}
