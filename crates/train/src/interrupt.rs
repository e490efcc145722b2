//! Ctrl-C as a flag: the first one asks to stop after the current step, the second one ends the process.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

static STOP: AtomicBool = AtomicBool::new(false);
static INSTALLED: OnceLock<bool> = OnceLock::new();

/// Exit code of a process ended by Ctrl-C.
const INTERRUPTED: i32 = 130;

/// The flag that Ctrl-C sets. Where the system offers no signal handler, it stays unset.
#[must_use]
pub fn stop_flag() -> &'static AtomicBool {
    INSTALLED.get_or_init(|| {
        let handler = || {
            if STOP.swap(true, Ordering::Relaxed) {
                std::process::exit(INTERRUPTED);
            }
        };
        ctrlc::set_handler(handler).is_ok()
    });
    &STOP
}
