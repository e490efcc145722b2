//! What coherence costs, and whether it holds under faults.
//!
//! **Cost.** [`cost()`] runs the published workloads seed by seed, token for token: agents share artifacts, a write
//! invalidates the copies of the others, the next use fetches. Savings stand beside every baseline that it is honest
//! to compare with, because most of what is saved against broadcast is saved by not broadcasting.
//!
//! ```
//! use lrrc_sim::{Scenario, Strategy, cost};
//!
//! let churn = cost(&Scenario::open("churn")?, Strategy::Lazy)?;
//! assert_eq!(format!("{:.1}", 100.0 * churn.against_broadcast.mean), "84.2");
//! assert_eq!(format!("{:.1}", 100.0 * churn.against_always_read.mean), "21.0");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Faults.** [`world`] runs the real home and the real agents of `lrrc-store` under a virtual clock, in a network and
//! on a storage that fail as a seed says, and checks every law of the protocol after every step.

mod cost;
mod mt19937;
mod protocol;
mod run;
mod scenario;
mod strategy;
mod verdict;
mod workload;
pub mod world;

pub use cost::{Cost, Savings, ceiling_tokens, cost, theorem_bound};
pub use mt19937::PythonRandom;
pub use protocol::run_protocol;
pub use run::{Run, Tokens, run};
pub use scenario::{Bounds, Published, Scenario, ScenarioError, Seeds};
pub use strategy::{Strategy, StrategyName, UnknownStrategy};
pub use verdict::{Broken, Tally, Verdict};
pub use workload::{Action, Workload};
pub use world::{Mutant, WorldConfig};
