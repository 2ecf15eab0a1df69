//! The last steps, in the container: limits, identity, capabilities, filter, program.
use std::convert::Infallible;
use std::ffi::{CString, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustix::fs::{Gid, Uid};
use slipway_sys::caps::Sets;
use slipway_sys::{self as sys, Errno};

use super::identity::{self, Identity};
use super::{Stage, Step, StepError, reaper};
use crate::spec::{Process, Rlimit};
use crate::users::Joining;

/// Becomes the user's program. Only returns when that fails.
///
/// Before the program starts, `sync` (close-on-exec) is the only descriptor left besides the standard streams: nothing of the host can be
/// reached through a leaked one, neither by the program nor by a working directory like `/proc/self/fd/7`.
pub(crate) fn become_program(
    process: &Process,
    stdio: [OwnedFd; 3],
    sync: &OwnedFd,
    seccomp: Option<Vec<u8>>,
    init: bool,
    users: Option<Joining>,
) -> Step<Infallible> {
    let (program, args) = process.args.split_first().ok_or("no command is given").stage("start the program")?;
    nix::unistd::setsid().map(drop).or_else(ignore(Errno::EPERM)).stage("make a session")?;
    if process.tty {
        rustix::process::ioctl_tiocsctty(&stdio[0]).stage("take the terminal")?;
        if let Some([rows, columns]) = process.size {
            let size = rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
            rustix::termios::tcsetwinsize(&stdio[0], size).stage("size the terminal")?;
        }
    }
    let identity = identity::resolve(&process.user, &process.groups)?;
    let owner = owner(&identity, users.as_ref(), process.tty)?;
    for (fd, target) in stdio.iter().zip(0..) {
        sys::process::install_fd(fd, target).stage("connect the standard streams")?;
        if let Some((uid, gid)) = owner {
            own(fd, uid, gid).stage("own the standard streams")?;
        }
    }
    std::mem::forget(stdio); // closed just below, in one call
    match &users {
        Some(users) => sys::process::close_from_but(3, &[sync.as_fd(), users.namespace.as_fd()]),
        None => sys::process::close_all_but(sync),
    }
    .stage("close inherited descriptors")?;
    let cwd = if process.cwd.is_empty() { "/" } else { &process.cwd };
    enter_directory(cwd)?;
    for limit in &process.rlimits {
        set_limit(limit)?;
    }
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let env = environment(process, &identity);
    if let Some(users) = users {
        users.join()?;
    }
    if init {
        fork_below_reaper(process, &identity, seccomp.as_deref())?;
    }
    confine(process, &identity, seccomp.as_deref())?;
    Err(execute(program, args, &env))
}

/// Who is to own the standard streams, as the host sees them; none: who does already. To other users of a user namespace,
/// its root too, a file is out of reach whose group is not theirs; a terminal has one of its own.
fn owner(identity: &Identity, users: Option<&Joining>, tty: bool) -> Step<Option<(Uid, Option<Gid>)>> {
    let Some(users) = users else {
        return Ok((identity.uid != 0).then(|| (Uid::from_raw(identity.uid), None)));
    };
    for group in &identity.groups {
        users.host_gid(*group)?;
    }
    let gid = Gid::from_raw(users.host_gid(identity.gid)?);
    Ok(Some((Uid::from_raw(users.host_uid(identity.uid)?), (!tty).then_some(gid))))
}

/// So that the program can open `/dev/stdout` again.
fn own(fd: &OwnedFd, uid: Uid, gid: Option<Gid>) -> Result<(), rustix::io::Errno> {
    // Input from nowhere is the host's own `/dev/null`.
    if rustix::fs::fstat(fd)?.st_rdev == rustix::fs::makedev(1, 3) {
        return Ok(());
    }
    match rustix::fs::fchown(fd, Some(uid), gid) {
        Err(rustix::io::Errno::PERM | rustix::io::Errno::INVAL | rustix::io::Errno::ROFS) => Ok(()),
        other => other,
    }
}

fn ignore<T: Default>(expected: Errno) -> impl Fn(Errno) -> Result<T, Errno> {
    move |error| if error == expected { Ok(T::default()) } else { Err(error) }
}

/// With `--init` the child goes on to become the program; the parent stays as pid 1, as confined as the program.
fn fork_below_reaper(process: &Process, identity: &Identity, seccomp: Option<&[u8]>) -> Step<()> {
    let blocked = reaper::block().stage("block signals")?;
    match sys::process::clone3(0, None).stage("fork below the init")? {
        sys::process::Forked::Child => {
            reaper::unblock().and_then(|()| nix::unistd::setsid()).map(drop).or_else(ignore(Errno::EPERM)).stage("make a session")
        }
        sys::process::Forked::Parent { pid, pidfd: _ } => {
            // The child alone holds the sync socket now, so that its exec is what the shim sees.
            let closed = sys::process::close_from(3).stage("close inherited descriptors");
            if closed.and_then(|()| confine(process, identity, seccomp)).is_err() {
                sys::process::exit_now(super::EXIT_ENGINE);
            }
            reaper::run(pid, &blocked)
        }
    }
}

/// Gives up everything the program shall not have.
fn confine(process: &Process, identity: &Identity, seccomp: Option<&[u8]>) -> Step<()> {
    if process.no_new_privileges {
        sys::process::set_no_new_privs().stage("set no_new_privs")?;
    }
    // Without no_new_privs loading a filter takes CAP_SYS_ADMIN, so it comes first; the calls that follow are all in
    // Docker's list. With it, the filter comes last and may be stricter.
    if let (Some(filter), false) = (seccomp, process.no_new_privileges) {
        sys::seccomp::install(filter).stage("load the seccomp filter")?;
    }
    let keep = process.capabilities & sys::caps::permitted().stage("read capabilities")?;
    sys::caps::limit_bounding(keep).stage("limit the bounding set")?;
    sys::process::set_keep_caps(true).stage("keep capabilities")?;
    sys::process::set_ids(identity.uid, identity.gid, &identity.groups).stage("change the user")?;
    sys::caps::clear_ambient().or_else(ignore(Errno::EINVAL)).stage("clear ambient capabilities")?;
    let effective = if identity.uid == 0 { keep } else { 0 };
    sys::caps::set(Sets { effective, permitted: effective, inheritable: 0 }).stage("set capabilities")?;
    sys::process::set_keep_caps(false).stage("drop kept capabilities")?;
    if let (Some(filter), true) = (seccomp, process.no_new_privileges) {
        sys::seccomp::install(filter).stage("load the seccomp filter")?;
    }
    Ok(())
}

pub fn enter_directory(cwd: &str) -> Step<()> {
    let stage = format!("enter the working directory {cwd}");
    std::env::set_current_dir(cwd).map_err(|error| {
        // In the words of runc, without the stage before them.
        let why = match error.kind() {
            std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
            std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => error.to_string(),
        };
        let message = format!("chdir to cwd ({cwd:?}) set in config.json failed: {why}");
        StepError { stage: stage.clone(), message, exit_code: super::EXIT_ENGINE }
    })?;
    // "(unreachable)/…" would be a directory of the host, reached through a descriptor.
    match rustix::process::getcwd(Vec::new()) {
        Ok(path) if path.to_bytes().starts_with(b"/") => Ok(()),
        Ok(_) => Err("it is outside of the container").stage(&stage),
        Err(error) => Err(error).stage(&stage),
    }
}

fn set_limit(limit: &Rlimit) -> Step<()> {
    let stage = format!("set the limit {}", limit.name);
    let resource = resource(&limit.name).ok_or("there is no such limit").stage(&stage)?;
    match setrlimit(resource, limit.soft, limit.hard) {
        // Raising the hard limit takes CAP_SYS_RESOURCE. Where the host lacks it, what can be had is better than nothing.
        Err(Errno::EPERM) => {
            let (_, most) = getrlimit(resource).stage(&stage)?;
            setrlimit(resource, limit.soft.min(most), limit.hard.min(most)).stage(&stage)
        }
        other => other.stage(&stage),
    }
}

/// Docker's names.
pub fn resource(name: &str) -> Option<Resource> {
    Some(match name {
        "as" => Resource::RLIMIT_AS,
        "core" => Resource::RLIMIT_CORE,
        "cpu" => Resource::RLIMIT_CPU,
        "data" => Resource::RLIMIT_DATA,
        "fsize" => Resource::RLIMIT_FSIZE,
        "locks" => Resource::RLIMIT_LOCKS,
        "memlock" => Resource::RLIMIT_MEMLOCK,
        "msgqueue" => Resource::RLIMIT_MSGQUEUE,
        "nice" => Resource::RLIMIT_NICE,
        "nofile" => Resource::RLIMIT_NOFILE,
        "nproc" => Resource::RLIMIT_NPROC,
        "rss" => Resource::RLIMIT_RSS,
        "rtprio" => Resource::RLIMIT_RTPRIO,
        "rttime" => Resource::RLIMIT_RTTIME,
        "sigpending" => Resource::RLIMIT_SIGPENDING,
        "stack" => Resource::RLIMIT_STACK,
        _ => return None,
    })
}

fn environment(process: &Process, identity: &Identity) -> Vec<String> {
    let mut env = process.env.clone();
    let has = |name: &str| process.env.iter().any(|entry| entry.split_once('=').is_some_and(|(key, _)| key == name));
    if !has("HOME") {
        env.push(format!("HOME={}", identity.home));
    }
    env
}

fn c_string(text: &str) -> Step<CString> {
    CString::new(text).stage("a command or variable holds a zero byte")
}

/// Looks for `program` in the container's PATH and becomes it. Returns only when that fails.
pub fn execute(program: &str, args: &[String], env: &[String]) -> StepError {
    let prepared = (|| {
        let mut argv = vec![c_string(program)?];
        for arg in args {
            argv.push(c_string(arg)?);
        }
        Ok((argv, env.iter().map(|entry| c_string(entry)).collect::<Step<Vec<_>>>()?))
    })();
    let (argv, envp) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return error,
    };
    let path = env.iter().rev().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or("");
    let candidates: Vec<String> = match program.contains('/') {
        true => vec![program.to_owned()],
        false => path.split(':').map(|dir| if dir.is_empty() { format!("./{program}") } else { format!("{dir}/{program}") }).collect(),
    };
    let mut worst = Errno::ENOENT;
    for candidate in candidates {
        let Ok(file) = CString::new(OsString::from(candidate).into_vec()) else { continue };
        let Err(error) = nix::unistd::execve(&file, &argv, &envp);
        if !matches!(error, Errno::ENOENT | Errno::ENOTDIR) {
            worst = error;
        }
    }
    let (exit_code, reason) = match worst {
        Errno::ENOENT if program.contains('/') => (127, format!("stat {program}: no such file or directory")),
        Errno::ENOENT => (127, "executable file not found in $PATH".to_owned()),
        Errno::EACCES => (126, "permission denied".to_owned()),
        Errno::ENOEXEC => (126, "exec format error".to_owned()),
        other => (126, other.desc().to_owned()),
    };
    StepError { stage: "exec".into(), message: format!("exec: \"{program}\": {reason}"), exit_code }
}
