//! Flows across crates, in one binary; each module is one flow.

mod tidy;
