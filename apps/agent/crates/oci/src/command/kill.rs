//! `kill`: a signal for the first process, or for all.
use slipway_cgroups::Group;

use crate::args::Global;
use crate::error::{Error, Result};
use crate::process::Process;
use crate::state::{Status, Store};

pub fn run(global: &Global, id: &str, signal: &str, all: bool) -> Result<()> {
    let signal = parse(signal)?;
    let store = Store::of(&global.root, id)?;
    let record = store.load()?;
    let status = store.status(&record);
    if all {
        // What the first process has left behind counts, too.
        let pids = Group::at(&record.cgroup)?.pids();
        if pids.is_empty() && status == Status::Stopped {
            return Err(Error::NotRunning);
        }
        for process in pids.into_iter().filter_map(Process::of) {
            match process.signal(signal) {
                Ok(()) | Err(Error::NotRunning) => {} // ended meanwhile
                Err(error) => return Err(error),
            }
        }
        return Ok(());
    }
    match (status, &record.init) {
        (Status::Created | Status::Running, Some(init)) => init.signal(signal),
        _ => Err(Error::NotRunning),
    }
}

/// `9`, `KILL`, `SIGKILL`, `sigkill`, `RTMIN+3`.
pub fn parse(text: &str) -> Result<i32> {
    let unknown = || Error::Told(format!("unknown signal {text:?}"));
    if let Ok(number) = text.parse::<i32>() {
        return if (0..=64).contains(&number) { Ok(number) } else { Err(unknown()) };
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let real_time = |rest: &str, base: i32| rest.parse::<i32>().ok().map(|offset| base + offset).filter(|n| (34..=64).contains(n));
    match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(""), _) => Ok(34),
        (_, Some("")) => Ok(64),
        (Some(rest), _) => real_time(rest, 34).ok_or_else(unknown),
        (_, Some(rest)) => real_time(rest, 64).ok_or_else(unknown),
        _ => format!("SIG{name}").parse::<nix::sys::signal::Signal>().map(|signal| signal as i32).map_err(|_| unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn every_form() {
        for (text, number) in [("9", 9), ("KILL", 9), ("SIGTERM", 15), ("sigusr1", 10), ("RTMIN+3", 37), ("RTMAX-1", 63), ("0", 0)] {
            assert_eq!(parse(text).unwrap(), number, "{text}");
        }
        for text in ["", "SIG", "NOPE", "65", "-1", "RTMIN+40"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
