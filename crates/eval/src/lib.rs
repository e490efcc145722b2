//! Replays of recorded episodes: metrics, baselines, statistics and figures.

pub mod bench;
mod calibration;
mod error;
mod evaluate;
mod method;
mod metric;
pub mod plot;
mod replay;
mod report;
pub mod stats;
mod view;
mod winner;

pub use calibration::{Calibration, Kind};
pub use error::EvalError;
pub use evaluate::{BUDGETS, Evaluation, evaluate, observe_all};
pub use method::{Method, learned_scores};
pub use metric::{Counts, Share, Whole, measure};
pub use report::{BudgetRow, MethodRow, Report};
pub use view::{DIGEST_MARK_TOKENS, Kept, Rendered, Viewer};
pub use winner::{
    Predictor, Verdict, View, WinnerReport, WinnerRequest, WinnerRow, digest_answers, verdicts,
};
