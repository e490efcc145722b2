//! Training of the coordinator.
//!
//! A [`Request`] names a configuration; [`Run::prepare`] checks it and reads the data, [`Run::execute`] trains and
//! leaves a folder with everything that is needed to repeat the run, to go on with it, and to use its model. The
//! loop itself is [`fit`], one page.
//!
//! ```
//! use lrrc_train::Config;
//!
//! let config = Config::resolve("example", "[model]\nrank = 4\n", &["optim.batch=4".to_owned()])?;
//! assert_eq!((config.model.rank, config.optim.batch), (4, 4));
//! let error = Config::resolve("example", "[model]\nrnak = 4\n", &[]).unwrap_err();
//! assert_eq!(error.to_string(), "example:2: unknown key `model.rnak`; did you mean `model.rank`?");
//! # Ok::<(), lrrc_train::ConfigError>(())
//! ```

mod adamw;
mod calibrate;
mod card;
mod checkpoint;
mod config;
mod curves;
mod data;
mod environment;
mod error;
mod fit;
mod interrupt;
mod learner;
mod log;
mod parallel;
mod run;
pub mod schedule;
mod sweep;
mod teacher;
mod tensorboard;

pub use adamw::{AdamW, Gradients};
pub use checkpoint::Progress;
pub use config::{Config, DataConfig, Monitor, OptimConfig, RunConfig, Schedule};
pub use data::{Data, Sides, Source, sides};
pub use error::{ConfigError, TrainError};
pub use fit::{Effects, Ending, Outcome, fit, steps_per_epoch};
pub use interrupt::stop_flag;
pub use learner::{Learner, Measured, RECALL_BUDGETS, Scores};
pub use log::{EpochRecord, LogMark, StepRecord};
pub use run::{PRESETS, Request, Run};
pub use sweep::{
    Arm, ArmKind, Design, Gathered, Status, SweepOptions, SweepOutcome, SweepSpec, Trial, TrialRecord,
    gather, sweep, sweep_one,
};
