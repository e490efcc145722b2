//! Replays of recorded episodes: metrics, baselines, statistics and figures.

pub mod bench;
mod calibration;
mod calls;
mod error;
mod evaluate;
mod failures;
pub mod html;
mod knob;
mod method;
mod metric;
pub mod plot;
pub mod price;
mod replay;
mod replays;
mod report;
mod rule;
pub mod stats;
pub mod study;
mod trees;
mod view;
mod winner;

pub use calibration::{Calibration, Kind};
pub use calls::{
    CallEvaluation, CallReport, CallRow, PAPER_CLAIM, TOLERANCE, calibrate_calls, evaluate_calls,
    threshold_of,
};
pub use error::EvalError;
pub use evaluate::{BUDGETS, Evaluation, evaluate, observe_all};
pub use failures::failures;
pub use knob::{Looks, calibrate};
pub use method::{Method, Scorer, learned_scores};
pub use metric::{Counts, Share, Whole, measure};
pub use replay::kept_share;
pub use replays::{BudgetReplays, MethodReplays, Played, Replays};
pub use report::{BudgetRow, MethodRow, Report};
pub use rule::surprisal::Background;
pub use trees::{Growth, Trees};
pub use view::{DIGEST_MARK_TOKENS, Kept, Rendered, Viewer};
pub use winner::{
    Predictor, Verdict, View, WinnerReport, WinnerRequest, WinnerRow, digest_answers, verdicts,
};
