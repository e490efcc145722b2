//! The real client, daemon and home together.

mod cancel;
mod claims;
mod clockless;
mod conflicts;
mod gather;
mod house;
mod limits;
mod linear;
mod lost_homes;
mod reads;
mod restart;
mod trace;
mod two_homes;
