//! The TLA+ specification in `proofs/tla`: states and seconds of each model, and what catches each mutant.
//! `cargo run --release -p lrrc-coherence --example check_spec` for the small ones, `-- --large` for the first 500,000 states
//! of the large one, `-- --large STATES` for as many.
//!
//! It ends with an error if a law does not hold, or if a mutant is not caught.

#[path = "../tests/spec/search.rs"]
mod search;

use std::process::ExitCode;

use search::{MUTANTS, SMALL, Verdict, search, search_first, search_mutant};

/// How many states of the large model are looked at: what follows `--large`.
#[expect(clippy::disallowed_methods, reason = "an example is a program: its arguments come from outside")]
fn large() -> Option<usize> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--large");
    arguments.next()?;
    Some(arguments.next().map_or(500_000, |states| states.parse().expect("a number of states")))
}

/// Prints a line and whether it is what was expected: no law broken, or this one.
fn tell(name: &str, verdict: &Verdict, expected: Option<&str>) -> bool {
    let (states, seconds, broken, trace) = match verdict {
        Verdict::Holds(stats) => (stats.states_explored, stats.elapsed_secs, None, ""),
        Verdict::Unfinished(stats) => {
            println!("{name}: there are more states, deeper than {} steps", stats.max_depth_reached);
            (stats.states_explored, stats.elapsed_secs, None, "")
        }
        Verdict::Broken { law, trace, states, seconds } => {
            (*states, *seconds, Some(law.as_str()), trace.as_str())
        }
        Verdict::None(fault) => {
            println!("{name:32} no verdict: {fault}");
            return false;
        }
    };
    let law = broken.map_or_else(|| "no law broken".to_owned(), |law| format!("breaks {law}"));
    println!("{name:32} {states:>9} states {seconds:>8.1} s  {law}");
    if expected.is_none() && broken.is_some() {
        println!("{trace}");
    }
    broken == expected
}

fn main() -> ExitCode {
    let fine = if let Some(states) = large() {
        tell("Large", &search_first("Large", states), None)
    } else {
        let models = SMALL.map(|model| tell(model, &search(model), None));
        let mutants = MUTANTS.map(|mutant| tell(mutant.name, &search_mutant(mutant), Some(mutant.law)));
        models.iter().chain(&mutants).all(|fine| *fine)
    };
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
