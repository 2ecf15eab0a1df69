//! Sudden death at a named step, for tests: a process that reaches the step `SLIPWAY_FAULT` names kills itself, as a
//! machine under pressure would. Builds without debug assertions have no such switch.

/// Its variable; the daemon hands it on to the spawner, and containers never get it.
pub const VARIABLE: &str = "SLIPWAY_FAULT";

/// The step that is to be the last one.
pub fn wanted() -> Option<std::ffi::OsString> {
    if cfg!(debug_assertions) { std::env::var_os(VARIABLE) } else { None }
}

/// Does not return when this step is the one.
pub fn point(step: &str) {
    if wanted().is_some_and(|wanted| wanted == step) {
        crate::say::line(format_args!("fault injected at {step}"));
        let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
        // The kernel keeps signals of its own namespace from a first process.
        slipway_sys::process::exit_now(137);
    }
}
