//! Every backend held to one suite, then to a reference model, to failing disks and to `SIGKILL`.

mod conformance;
#[cfg(feature = "etcd")]
mod etcd;
#[cfg(feature = "etcd")]
mod etcd_server;
mod faulty;
mod gc;
mod kill;
mod killed;
mod memory;
mod model;
mod redb;
