//! Every backend held to one suite, then to a reference model, to failing disks and to `SIGKILL`.

mod conformance;
#[cfg(feature = "etcd")]
mod cut;
#[cfg(feature = "etcd")]
mod etcd;
#[cfg(feature = "etcd")]
mod etcd_homes;
#[cfg(feature = "etcd")]
mod etcd_server;
#[cfg(feature = "etcd")]
mod etcd_tls;
mod faulty;
mod gc;
mod kill;
mod killed;
#[cfg(feature = "etcd")]
mod machines;
#[cfg(feature = "etcd")]
mod machines_apart;
mod memory;
mod model;
mod redb;
