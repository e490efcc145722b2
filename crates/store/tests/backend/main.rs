//! Every backend held to one suite, then to a reference model, to failing disks and to `SIGKILL`.

mod conformance;
mod faulty;
mod gc;
mod memory;
mod model;
mod redb;
