//! The low-rank recurrent coordinator.
//!
//! An observed episode goes in, a score for every candidate segment of every decision comes out. Tokens become
//! segments and segments turns ([`Encoder`]); a gate opens a few channels of a low-rank state ([`Gate`]), which takes
//! up the turn ([`Cell`]); a copy decoder scores what may be kept ([`Decoder`]).
//!
//! Training runs whole batches through [`Coordinator::forward`]. Serving and evaluation see a [`Policy`], which
//! processes each turn once and gives the same scores.

mod batch;
mod call;
mod cell;
mod config;
mod coordinator;
mod decoder;
mod device;
mod diagnose;
mod encoder;
mod error;
mod gate;
mod init;
mod loss;
mod pack;
mod policy;
mod record;
mod rivals;
mod weights;

pub use batch::Batch;
pub use call::CallGate;
pub use cell::{Cell, Factors};
pub use config::{CoordinatorConfig, GateMode, Memory};
pub use coordinator::{Coordinator, Output};
pub use decoder::Decoder;
pub use device::{DeviceError, device, devices, floats};
pub use diagnose::TurnReport;
pub use encoder::Encoder;
pub use error::{ConfigError, PolicyError, RecordError};
pub use gate::{Gate, Gates};
pub use loss::{Loss, LossConfig, LossValues, Objective};
pub use policy::{CallInput, DecisionInput, Policy, State, TurnInput};
pub use record::{Checkpoint, FORMAT, Meta, write_atomic};
