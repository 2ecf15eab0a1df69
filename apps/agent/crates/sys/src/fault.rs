//! Sudden death at a named step, for tests: a process that reaches the step `SLIPWAY_FAULT` names kills itself, as a
//! machine under pressure would; `step@3` is the third time it gets there. Builds without debug assertions have no such switch.
use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};

/// Its variable; the daemon hands it on to the spawner, and containers never get it.
pub const VARIABLE: &str = "SLIPWAY_FAULT";

static REACHED: AtomicU32 = AtomicU32::new(0);

/// The step that is to be the last one.
pub fn wanted() -> Option<std::ffi::OsString> {
    if cfg!(debug_assertions) { std::env::var_os(VARIABLE) } else { None }
}

/// Does not return when this step is the one.
pub fn point(step: &str) {
    let Some(wanted) = wanted().and_then(|wanted| wanted.into_string().ok()) else { return };
    let (name, time) = wanted.split_once('@').unwrap_or((&wanted, "1"));
    if name == step && (REACHED.fetch_add(1, Ordering::Relaxed) + 1).to_string() == time {
        let _ = writeln!(std::io::stderr().lock(), "fault injected at {step}"); // there is nobody else to tell
        let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
        // The kernel keeps signals of its own namespace from a first process.
        crate::process::exit_now(137);
    }
}
