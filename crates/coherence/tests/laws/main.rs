//! The protocol from outside: its table as scripts, its laws over random histories and over every small world.

mod checked;
mod checker;
mod copies;
mod random;
mod script;
mod table;
mod traced;
mod world;
