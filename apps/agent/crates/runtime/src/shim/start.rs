//! From a launch request to a running shim.
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::pipe::PipeFlags;
use slipway_sys as sys;
use slipway_sys::process::Forked;

use super::Shim;
use super::control::Connection;
use super::log::Log;
use super::streams::Streams;
use crate::init::{self, EXIT_ENGINE, FromInit, Inherited, Stage, StepError};
use crate::spec::{LaunchSpec, Network, Stdin};
use crate::wire::{EXIT_FILE, Event, ExitRecord, Launch, MAX_MESSAGE, SHIM_SOCKET};

/// Reads a memfd from its start.
pub(super) fn read_all(fd: &OwnedFd) -> io::Result<Vec<u8>> {
    let file = File::from(fd.try_clone()?);
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX).min(16 << 20);
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// Whether the other end of a connected socket is closed.
pub fn peer_is_gone(socket: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(socket, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now)).is_ok() && fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

pub(super) fn sync_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((ours, theirs))
}

/// `Ok(None)`: the container did not start and the daemon was told why.
pub(super) fn start(launch: &Launch, fds: Vec<OwnedFd>) -> Result<Option<Shim>, String> {
    let mut fds = fds.into_iter();
    let spec = fds.next().ok_or("the spec is missing")?;
    let control = fds.next().ok_or("the control socket is missing")?;
    rustix::io::ioctl_fionbio(&control, true).map_err(|e| e.to_string())?;
    let spec: LaunchSpec = serde_json::from_slice(&read_all(&spec).map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
    let mut connection = Connection { id: 0, socket: control, closed: false, leash: spec.ephemeral };
    match prepare(launch, fds, spec, &connection) {
        Ok(mut shim) => {
            shim.connections.push(connection);
            Ok(Some(shim))
        }
        Err(error) => {
            connection.send(&Event::Failed { stage: error.stage, message: error.message, exit_code: error.exit_code });
            Ok(None)
        }
    }
}

fn prepare(launch: &Launch, mut fds: std::vec::IntoIter<OwnedFd>, spec: LaunchSpec, control: &Connection) -> Result<Shim, StepError> {
    let seccomp = match launch.seccomp {
        true => Some(read_all(&fds.next().ok_or("it is missing").stage("read the seccomp filter")?).stage("read the seccomp filter")?),
        false => None,
    };
    let netns = match launch.netns {
        true => Some(fds.next().ok_or("it is missing").stage("take the network namespace")?),
        false => None,
    };
    let mut take = |wanted: bool, what: &str| match wanted {
        true => fds.next().ok_or("it is missing").stage(what).map(Some),
        false => Ok(None),
    };
    let pidns = take(launch.pidns, "take the pid namespace")?;
    let ipc = take(launch.ipc, "take the IPC namespace")?.zip(take(launch.ipc, "take the shared memory's namespace")?);
    let users = take(launch.users, "take the user namespace")?;
    let given = match launch.stdio {
        true => Some([0, 1, 2].map(|_| fds.next())),
        false => None,
    };
    nix::unistd::setsid().stage("make a session")?;
    // Whatever a container with the host's pid namespace leaves behind comes to us.
    nix::sys::prctl::set_child_subreaper(true).stage("become a subreaper")?;
    let children = children_fd().stage("watch for exits")?;
    let log = spec.log.as_ref().map(Log::open).transpose().stage("open the log")?;
    let listener = match spec.ephemeral {
        true => None,
        false => Some(listen(&spec).stage("open the control socket")?),
    };
    let pipes = Pipes::new(&spec, given).stage("make the standard streams")?;
    let (sync, their_sync) = sync_pair().stage("make a socket")?;
    let mut streams = Streams::new(log, spec.process.tty, spec.stdin, pipes.stdin, pipes.outputs);
    fds.take(launch.attach).for_each(|socket| streams.attach(socket, true, false));
    let born_into = spec.cgroup.born_into.as_ref().map(|dir| {
        rustix::fs::open(
            dir,
            rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        )
    });
    let born_into = born_into.transpose().stage("open the control group")?;
    crate::fault::point("shim.prepared");
    // The daemon that asked has died or given up, and counts this run as ended.
    if peer_is_gone(control.socket.as_fd()) {
        return Err("the daemon is gone").stage("start the container");
    }
    let own = pidns.as_ref().map(children_in).transpose().stage("join the pid namespace")?;
    let forked =
        sys::process::clone3(namespace_flags(&spec), born_into.as_ref().map(|fd| fd.as_fd())).stage("make the container's namespaces")?;
    // Helpers that are cloned later tell their pids, which must be those that the shim knows.
    if let (Some(own), Forked::Parent { .. }) = (&own, &forked) {
        sys::process::setns(own.as_fd(), libc::CLONE_NEWPID).stage("go back to the own pid namespace")?;
    }
    match forked {
        Forked::Child => init::run(&spec, Inherited { sync: their_sync, netns, ipc, users, stdio: pipes.theirs, seccomp }),
        Forked::Parent { pid, pidfd } => Ok(Shim {
            spec,
            init: pid,
            init_pidfd: pidfd,
            sync: Some(sync),
            root: None,
            started_at: 0,
            started: None,
            failure: None,
            children,
            listener,
            connections: Vec::new(),
            next_connection: 1,
            execs: Vec::new(),
            unclaimed: Vec::new(),
            streams,
            ended: None,
            farewell: None,
        }),
    }
}

/// Whoever is cloned next is born in `pidns`. Gives this process' own.
fn children_in(pidns: &OwnedFd) -> io::Result<OwnedFd> {
    let own = File::open("/proc/self/ns/pid")?;
    sys::process::setns(pidns.as_fd(), libc::CLONE_NEWPID)?;
    Ok(own.into())
}

fn namespace_flags(spec: &LaunchSpec) -> u64 {
    let names = &spec.namespaces;
    let mut flags = libc::CLONE_NEWNS;
    for (wanted, flag) in [
        (!names.pid_host && !names.pid_given, libc::CLONE_NEWPID),
        (!names.ipc_host && !names.ipc_given, libc::CLONE_NEWIPC),
        (!names.uts_host, libc::CLONE_NEWUTS),
        (names.network == Network::Loopback, libc::CLONE_NEWNET),
    ] {
        if wanted {
            flags |= flag;
        }
    }
    flags as u64
}

fn children_fd() -> nix::Result<OwnedFd> {
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    mask.thread_block()?;
    // SignalFd owns its descriptor and gives it up only by duplication.
    let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    signals.as_fd().try_clone_to_owned().map_err(|_| nix::Error::EMFILE)
}

pub(super) fn drain_signals(children: &OwnedFd) {
    let mut buffer = [0u8; 128 * 8];
    while rustix::io::read(children, &mut buffer).is_ok_and(|count| count > 0) {}
}

/// Bound through the directory's descriptor, because a socket's path may have only 107 bytes.
fn listen(spec: &LaunchSpec) -> io::Result<OwnedFd> {
    let path = spec.dir.join(SHIM_SOCKET);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let dir = File::open(&spec.dir)?;
    let short = format!("/proc/self/fd/{}/{SHIM_SOCKET}", std::os::fd::AsRawFd::as_raw_fd(&dir));
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    rustix::net::bind(&socket, &rustix::net::SocketAddrUnix::new(short.as_str())?)?;
    rustix::net::listen(&socket, 64)?;
    Ok(socket)
}

struct Pipes {
    theirs: [OwnedFd; 3],
    stdin: Option<OwnedFd>,
    outputs: [Option<OwnedFd>; 2],
}

impl Pipes {
    fn new(spec: &LaunchSpec, given: Option<[Option<OwnedFd>; 3]>) -> io::Result<Self> {
        match given {
            Some([Some(stdin), Some(stdout), Some(stderr)]) => {
                return Ok(Self { theirs: [stdin, stdout, stderr], stdin: None, outputs: [None, None] });
            }
            Some(_) => return Err(io::Error::other("a standard stream is missing")),
            None => {}
        }
        let null = || File::options().read(true).write(true).open("/dev/null").map(OwnedFd::from);
        if spec.process.tty {
            return Ok(Self { theirs: [null()?, null()?, null()?], stdin: None, outputs: [None, None] });
        }
        let pipe = || rustix::pipe::pipe_with(PipeFlags::CLOEXEC);
        let (their_in, stdin) = match spec.stdin {
            Stdin::Null => (null()?, None),
            Stdin::Open | Stdin::Once => {
                let (read, write) = pipe()?;
                rustix::io::ioctl_fionbio(&write, true)?;
                (read, Some(write))
            }
        };
        let (out, their_out) = pipe()?;
        let (err, their_err) = pipe()?;
        rustix::io::ioctl_fionbio(&out, true)?;
        rustix::io::ioctl_fionbio(&err, true)?;
        Ok(Self { theirs: [their_in, their_out, their_err], stdin, outputs: [Some(out), Some(err)] })
    }
}

pub(super) enum InitSays {
    Running,
    Root(OwnedFd),
    Terminal(OwnedFd),
    Failed(StepError),
    Nothing,
}

pub(super) fn read_init(sync: &OwnedFd) -> InitSays {
    let (message, fds) = match sys::fdpass::receive_sized(sync.as_fd(), MAX_MESSAGE) {
        Ok(received) => received,
        Err(_) => return InitSays::Nothing,
    };
    if message.is_empty() {
        return InitSays::Running;
    }
    match (serde_json::from_slice(&message), fds.into_iter().next()) {
        (Ok(FromInit::Root), Some(root)) => InitSays::Root(root),
        (Ok(FromInit::Terminal), Some(master)) => InitSays::Terminal(master),
        (Ok(FromInit::Failed(error)), _) => InitSays::Failed(error),
        _ => InitSays::Failed(StepError { stage: "init".into(), message: "the init sent nonsense".into(), exit_code: EXIT_ENGINE }),
    }
}

pub(super) fn oom_kills(spec: &LaunchSpec) -> u64 {
    let Some(path) = &spec.cgroup.oom_file else { return 0 };
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
}

/// Bytes that all processes which were waited for, here and below, read from disks and wrote to files there (proc(5)). Writing counts when
/// a page of the file changes, unless that is undone before it is written out: a control group would count little of a step that ends
/// before its pages are, and the first version of control groups none of it.
pub(super) fn disk() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/self/io").ok()?;
    let bytes = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    Some((bytes("read_bytes:")?, bytes("write_bytes:")?.saturating_sub(bytes("cancelled_write_bytes:")?)))
}

/// Written whole or not at all: readers see the old record, none, or the new one.
pub(super) fn write_record(spec: &LaunchSpec, record: &ExitRecord) -> io::Result<()> {
    let temporary = spec.dir.join(format!("{EXIT_FILE}.new"));
    let mut file = File::create(&temporary)?;
    file.write_all(&serde_json::to_vec(record)?)?;
    std::fs::rename(&temporary, spec.dir.join(EXIT_FILE))
}
