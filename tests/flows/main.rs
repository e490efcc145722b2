//! Flows across crates, in one binary; each module is one flow.

mod bridge;
mod eval_json;
mod price;
mod sweep;
mod tidy;
mod tour;

use std::path::{Path, PathBuf};

/// The root of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
