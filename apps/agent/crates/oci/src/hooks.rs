//! Hooks: programs of the bundle's author, told the container's state on their standard input.
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::config::Hook;

const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Bytes of a failed hook's complaint that are told.
const COMPLAINT: u64 = 1_000;

/// Runs them one after the other until one fails; the error is a sentence.
pub fn run_all(kind: &str, hooks: &[Hook], state: &[u8]) -> Result<(), String> {
    for (index, hook) in hooks.iter().enumerate() {
        run(hook, state).map_err(|error| format!("error running {kind} hook #{index}: {error}"))?;
    }
    Ok(())
}

/// Runs every one, whatever becomes of the others; gives the failures.
pub fn run_each(kind: &str, hooks: &[Hook], state: &[u8]) -> Vec<String> {
    let outcome = |(index, hook)| run(hook, state).err().map(|error| format!("error running {kind} hook #{index}: {error}"));
    hooks.iter().enumerate().filter_map(outcome).collect()
}

fn run(hook: &Hook, state: &[u8]) -> Result<(), String> {
    let mut command = Command::new(&hook.path);
    let args = hook.args.split_first();
    if let Some((name, rest)) = args {
        command.arg0(name).args(rest);
    }
    let pairs = hook.env.iter().filter_map(|entry| entry.split_once('='));
    // Its output is nobody's: a pipe that somebody waits on must not be held open by what a hook leaves behind.
    command.env_clear().envs(pairs).stdin(Stdio::piped()).stdout(Stdio::null());
    let complaint = tempfile_like().map_err(|error| error.to_string())?;
    command.stderr(complaint.try_clone().map_err(|error| error.to_string())?);
    let mut child = command.spawn().map_err(|error| format!("{}: {error}", hook.path.display()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // Smaller than a pipe holds, unless the annotations are huge; a hook that does not read it is fine.
        let _ = stdin.write_all(state);
    }
    let timeout = hook.timeout.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
    let status = wait(&mut child, timeout)?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{status}, stderr: {}", read_back(complaint))),
    }
}

fn wait(child: &mut Child, timeout: Option<Duration>) -> Result<std::process::ExitStatus, String> {
    let Some(timeout) = timeout else { return child.wait().map_err(|error| error.to_string()) };
    let end = Instant::now() + timeout;
    loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => return Ok(status),
            None if Instant::now() < end => std::thread::sleep(LOOK_EVERY),
            None => {
                let _ = child.kill(); // it may have ended just now
                let _ = child.wait();
                return Err(format!("hook ran past specified timeout of {:.1}s", timeout.as_secs_f64()));
            }
        }
    }
}

/// A file in memory: unlike a pipe it never makes a hook wait, and needs nobody to read along.
fn tempfile_like() -> std::io::Result<std::fs::File> {
    Ok(rustix::fs::memfd_create("hook", rustix::fs::MemfdFlags::CLOEXEC)?.into())
}

fn read_back(mut file: std::fs::File) -> String {
    use std::io::Seek;
    let mut text = Vec::new();
    let read = file.rewind().and_then(|()| file.take(COMPLAINT).read_to_end(&mut text));
    match read {
        Ok(_) => String::from_utf8_lossy(&text).trim_end().to_owned(),
        Err(_) => String::new(),
    }
}
