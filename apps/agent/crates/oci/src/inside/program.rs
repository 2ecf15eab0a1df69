//! Becoming the program: shared by a container's first process and by `exec`.
use std::convert::Infallible;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::termios::Winsize;
use slipway_runtime::inside::{EXIT_ENGINE, Stage, Step, StepError, enter_directory, execute, home};
use slipway_runtime::seccomp::custom::Compiled;
use slipway_sys as sys;

use super::identity;
use crate::config::Process;

/// In the container's root, as its root: a session, the streams, no other descriptors, limits, the working directory.
/// Whether the directory could be entered; a user may be able to where root is not.
pub fn prepare(process: &Process, terminal: Option<OwnedFd>, preserve: i32, keep: &[BorrowedFd<'_>]) -> Step<bool> {
    match nix::unistd::setsid() {
        Ok(_) | Err(nix::errno::Errno::EPERM) => {}
        Err(error) => return Err(error).stage("make a session"),
    }
    if let Some(terminal) = terminal {
        if let Some(size) = process.console_size {
            let size = Winsize { ws_row: size.height, ws_col: size.width, ws_xpixel: 0, ws_ypixel: 0 };
            rustix::termios::tcsetwinsize(&terminal, size).stage("set the terminal's size")?;
        }
        rustix::process::ioctl_tiocsctty(&terminal).stage("take the terminal")?;
        for target in 0..3 {
            sys::process::install_fd(&terminal, target).stage("connect the standard streams")?;
        }
        std::mem::forget(terminal); // closed just below, in one call
    }
    identity::own_streams(process.user.uid)?;
    sys::process::close_from_but(3 + preserve, keep).stage("close inherited descriptors")?;
    identity::set_limits(&process.rlimits)?;
    match std::env::set_current_dir(&process.cwd) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(false),
        _ => enter_directory(&process.cwd).map(|()| true),
    }
}

/// Fails early, while the caller of `create` listens, when the program is not there.
pub fn find(process: &Process) -> Step<()> {
    let Some(program) = process.args.first() else { return Err("args must not be empty").stage("start the program") };
    let missing = |reason: &str| {
        let message = format!("exec: {program:?}: {reason}");
        Err(StepError { stage: "exec".into(), message, exit_code: EXIT_ENGINE })
    };
    if program.contains('/') {
        return match std::fs::metadata(program) {
            Ok(meta) if meta.is_dir() => missing("is a directory"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => missing(&format!("stat {program}: no such file or directory")),
            // Other errors may be the user's to see, with other rights.
            _ => Ok(()),
        };
    }
    let path = process.env.iter().rev().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or("");
    let found = path.split(':').any(|dir| {
        let dir = if dir.is_empty() { "." } else { dir };
        std::fs::metadata(format!("{dir}/{program}")).is_ok_and(|meta| !meta.is_dir())
    });
    if found { Ok(()) } else { missing("executable file not found in $PATH") }
}

/// Gives up rights, runs `between`, becomes the program. Only returns when that fails.
pub fn become_it(process: &Process, entered: bool, seccomp: Option<&Compiled>, between: impl FnOnce() -> Step<()>) -> Step<Infallible> {
    let mut env = process.env.clone();
    if !env.iter().any(|entry| entry.starts_with("HOME=")) {
        env.push(format!("HOME={}", home(process.user.uid)));
    }
    identity::confine(process, seccomp)?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(process.user.umask.unwrap_or(0o022)));
    if !entered {
        enter_directory(&process.cwd)?;
    }
    between()?;
    sys::signal::default(libc::SIGPIPE);
    if let (Some(seccomp), true) = (seccomp, process.no_new_privileges) {
        identity::load(seccomp)?;
    }
    let (program, args) = process.args.split_first().ok_or("no command is given").stage("start the program")?;
    Err(execute(program, args, &env))
}
