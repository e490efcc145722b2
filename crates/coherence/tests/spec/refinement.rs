//! The program against the specification, on random runs: in every state that a run comes to, the steps that `step`
//! and `Cache` can take and those of the TLA+ relation are the same, action by action.

use std::collections::BTreeSet;
use std::sync::Arc;

use tla_checker::ast::{Env, State, Value};
use tla_checker::checker::{format_value, prepare_spec};
use tla_checker::eval::{Definitions, init_states, make_primed_names, next_states};
use tla_checker::load::Prepared;

use crate::search::prepare;
use crate::twin::{Moves, Twin};

/// The variables that the program has too. The others are ghosts, and the clock that these runs leave out.
const COMMON: [&str; 8] = ["mark", "claim", "directory", "up", "sent", "valid", "seen", "content"];
const RUNS: u64 = 24;
const STEPS: usize = 60;

/// An action and the state after it, as the common variables.
type Step = (String, Vec<Value>);

struct Relation {
    prepared: Prepared,
    env: Env,
    definitions: Definitions,
    primed: Vec<Arc<str>>,
}

impl Relation {
    fn new() -> Self {
        let prepared = prepare("Steps", &[]).expect("the specification is read");
        let path = Some(&prepared.spec_path);
        let ready = prepare_spec(&prepared.spec, &prepared.domains, path, true);
        let (env, definitions) = ready.unwrap_or_else(|fault| panic!("{fault:?}"));
        let primed = make_primed_names(&prepared.spec.vars);
        Self { prepared, env, definitions, primed }
    }

    fn start(&self) -> State {
        let spec = &self.prepared.spec;
        let init = spec.init.as_ref().expect("the model has an Init");
        let states = init_states(init, &spec.vars, &self.env, &self.definitions);
        states.expect("Init is evaluated").pop().expect("Init has a state")
    }

    /// The steps from a state: the name of the action and the whole state after it.
    fn steps(&self, from: &State) -> Vec<(String, State)> {
        let spec = &self.prepared.spec;
        let next = spec.next.as_ref().expect("the model has a Next");
        let mut env = self.env.clone();
        let steps = next_states(next, from, &spec.vars, &self.primed, &mut env, &self.definitions);
        let steps = steps.expect("Next is evaluated").into_iter();
        steps.map(|step| (step.action.as_deref().unwrap_or("?").to_owned(), step.state)).collect()
    }

    fn common(&self, state: &State) -> Vec<Value> {
        let at = |name: &&str| self.prepared.spec.vars.iter().position(|known| known.as_ref() == *name);
        COMMON.iter().map(|name| state.values[at(name).expect("a variable")].clone()).collect()
    }
}

/// The step of a small generator of random numbers (`SplitMix64`).
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*seed ^ (*seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Any action, and any move of it: by moves alone the rare actions would hardly ever come.
fn chosen<'a>(moves: &'a Moves, seed: &mut u64) -> &'a (&'static str, Twin) {
    let actions: BTreeSet<&str> = moves.iter().map(|(action, _)| *action).collect();
    let action = actions.iter().nth(random(seed) as usize % actions.len()).expect("there is a move");
    let of_it: Vec<_> = moves.iter().filter(|(name, _)| name == action).collect();
    of_it[random(seed) as usize % of_it.len()]
}

fn shown((action, values): &Step) -> String {
    let texts = COMMON.iter().zip(values).map(|(name, value)| format!("{name} = {}", format_value(value)));
    format!("{action}: {}", texts.collect::<Vec<_>>().join(", "))
}

fn same(run: u64, theirs: &BTreeSet<Step>, ours: &BTreeSet<Step>, history: &[String]) {
    let lists = [("only the program takes", ours, theirs), ("only the specification takes", theirs, ours)];
    for (who, these, those) in lists {
        if let Some(step) = these.difference(those).next() {
            panic!("run {run}, after {history:?}, {who} {}", shown(step));
        }
    }
}

#[test]
fn program_and_specification_take_the_same_steps() {
    let relation = Relation::new();
    let mut taken = BTreeSet::new();
    for run in 0..RUNS {
        let (mut seed, mut history) = (run, Vec::new());
        let (mut twin, mut state) = (Twin::new(), relation.start());
        for _ in 0..STEPS {
            let theirs = relation.steps(&state);
            // A cache that was dropped forgets what it held, so a claim alone makes nothing readable there; the
            // specification remembers it. Of the hits the program may therefore take fewer.
            let hits: BTreeSet<&str> = twin.hits().then_some("ReadHit").into_iter().collect();
            let known = |action: &str| action != "ReadHit" || hits.contains(action);
            let spec: BTreeSet<Step> = theirs
                .iter()
                .filter(|(action, _)| known(action))
                .map(|(action, state)| (action.clone(), relation.common(state)))
                .collect();
            let moves = twin.moves();
            let program: BTreeSet<Step> =
                moves.iter().map(|(action, twin)| ((*action).to_owned(), twin.values())).collect();
            same(run, &spec, &program, &history);

            let (action, next) = chosen(&moves, &mut seed);
            let values = next.values();
            let after =
                theirs.iter().find(|(name, state)| name == action && relation.common(state) == values);
            state = after.expect("the step is in both sets").1.clone();
            taken.insert(*action);
            history.push((*action).to_owned());
            twin = next.clone();
        }
    }
    assert_eq!(taken.len(), 13, "{taken:?}");
}
