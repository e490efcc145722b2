#!/usr/bin/env bash
# Times this crate beside the Python package agent-coherence, in one run on one machine:
#   crates/sim/benches/peer/run.sh
# Needs cargo, python3 >= 3.11 and the package index. Exits with 1 if a ratio falls below 100.
set -euo pipefail
cd "$(dirname "$0")/../../../.."
target="${CARGO_TARGET_DIR:-target}"
venv="$target/peer-venv"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check agent-coherence==0.15.0 pyyaml==6.0.3
cargo bench --quiet -p lrrc-sim --bench peer_times > "$target/peer-rust.json"
"$venv/bin/python" -W ignore crates/sim/benches/peer/python.py "$target/peer-rust.json"
