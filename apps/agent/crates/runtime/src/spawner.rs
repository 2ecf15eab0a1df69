//! The spawner: a small process with one thread that clones shims for the daemon, which has many threads and so must
//! never fork. It holds nothing: when it dies the daemon starts another, and no container notices.
use std::os::fd::{AsFd, OwnedFd};

use slipway_sys as sys;
use slipway_sys::process::Forked;

use crate::say::say;
use crate::users::{self, Wanted};
use crate::wire::{MAX_MESSAGE, ToSpawner};

/// The program behind the `spawner` argument. Standard input is the socket to the daemon; its end is ours.
pub fn main() -> i32 {
    match serve() {
        Ok(()) => 0,
        Err(error) => {
            say!("slipway spawner: {error}");
            1
        }
    }
}

fn serve() -> Result<(), String> {
    let text = |error: sys::Errno| error.desc().to_string();
    sys::process::assert_single_threaded().map_err(|_| "it must have one thread")?;
    sys::process::set_name(c"slipway-spawner");
    // Ctrl-C in the daemon's terminal is the daemon's business.
    nix::unistd::setsid().map(drop).or_else(|e| if e == sys::Errno::EPERM { Ok(()) } else { Err(e) }).map_err(text)?;
    std::env::set_current_dir("/").map_err(|e| e.to_string())?;
    sys::process::cloexec_from(3).map_err(text)?;
    let mut socket = sys::process::take_inherited_fd(0).map_err(text)?;
    let null = std::fs::File::open("/dev/null").map_err(|e| e.to_string())?;
    sys::process::install_fd(&null, 0).map_err(text)?;
    drop(null);
    // Shims are reaped by the kernel; they report to the daemon themselves.
    sys::signal::ignore(libc::SIGCHLD);
    let mut buffer = vec![0; MAX_MESSAGE];
    loop {
        let (length, fds) = match sys::fdpass::receive(socket.as_fd(), &mut buffer) {
            Ok((0, _)) => return Ok(()),
            Ok(received) => received,
            Err(sys::Errno::EINTR) => continue,
            Err(error) => return Err(text(error)),
        };
        if let Err(error) = launch(&buffer[..length], fds, &mut socket) {
            // The control socket is closed by now, which is the daemon's answer.
            say!("slipway spawner: {error}");
        }
    }
}

fn launch(message: &[u8], fds: Vec<OwnedFd>, socket: &mut OwnedFd) -> Result<(), String> {
    crate::fault::point("spawner.received");
    let wanted: ToSpawner = serde_json::from_slice(message).map_err(|e| e.to_string())?;
    match sys::process::clone3(0, None).map_err(|e| e.desc().to_string())? {
        Forked::Parent { .. } => {
            crate::fault::point("spawner.cloned");
            Ok(())
        }
        Forked::Child => {
            // The shim must not hold the daemon's socket, or its end would not be seen while a container lives.
            if let Ok(null) = std::fs::File::open("/dev/null") {
                *socket = null.into();
            }
            if let ToSpawner::Launch(launch) = &wanted {
                crate::shim::main(launch, fds);
            }
            let mut fds = fds.into_iter();
            match (wanted, fds.next(), fds.next()) {
                (ToSpawner::MakeUsers(ids), Some(socket), None) => users::serve(Wanted::Both(ids), &socket),
                (ToSpawner::MakeNetwork, Some(socket), Some(namespace)) => users::serve(Wanted::Network(namespace), &socket),
                _ => sys::process::exit_now(1),
            }
        }
    }
}
