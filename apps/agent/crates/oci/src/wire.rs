//! Everything the processes of one call say to each other, over a pair of sequenced-packet sockets.
//!
//! ```text
//! create          helper           init
//!   |-- clone ------>|-- clone ----->|       the init is a child of create (CLONE_PARENT)
//!   |<-- Born -------|               |
//!   | ids, control group             |
//!   |-- Go ------------------------->|       mounts, devices, terminal
//!   |<-- Mounted --------------------|
//!   | prestart, createRuntime hooks  |
//!   |-- Go ------------------------->|       createContainer hooks, root, identity
//!   |<-- Ready ----------------------|       (an exec becomes its program instead, which closes the socket)
//!   |                                |  listens on start.sock
//! start -- connect, Go ------------->|       startContainer hooks, program; the connection closes with exec
//! ```
//! Instead of any of its messages the init may say `Failed`. The end of `create` before `Ready` ends the init.
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use slipway_runtime::inside::{Stage, Step, StepError};

use crate::error::{During, Error, Result};
use crate::process::Process;

#[derive(Debug, Serialize, Deserialize)]
pub enum Message {
    Born {
        pid: i32,
    },
    /// With the process as its parent sees it.
    Go(Option<Process>),
    Mounted,
    /// The terminal's master is attached.
    Terminal,
    Ready,
    Failed(StepError),
}

/// Most bytes of a message: an error may quote a path.
const LARGEST: usize = 64 << 10;
/// How long a step without hooks may take; a network file system may be slow.
pub const PATIENCE: Duration = Duration::from_secs(300);

pub fn send(socket: &OwnedFd, message: &Message, fds: &[BorrowedFd<'_>]) -> Result<()> {
    let text = serde_json::to_vec(message).map_err(std::io::Error::from).during("write a message")?;
    slipway_sys::fdpass::send(socket.as_fd(), &text, fds).during("send a message")
}

/// None when the other end is closed. Waits for `patience`, or for ever.
pub fn receive(socket: &OwnedFd, patience: Option<Duration>) -> Result<Option<(Message, Vec<OwnedFd>)>> {
    if let Some(patience) = patience
        && !crate::socket::readable(socket, patience).during("wait for an answer")?
    {
        return Err(Error::Told(format!("no answer from the container's init within {} s", patience.as_secs())));
    }
    let mut buffer = vec![0; LARGEST];
    let (length, fds) = loop {
        match slipway_sys::fdpass::receive(socket.as_fd(), &mut buffer) {
            Err(slipway_sys::Errno::EINTR) => {}
            // It died with our message unread.
            Err(slipway_sys::Errno::ECONNRESET) => return Ok(None),
            other => break other.during("receive a message")?,
        }
    };
    if length == 0 {
        return Ok(None);
    }
    let message = serde_json::from_slice(&buffer[..length]).map_err(std::io::Error::from).during("read a message")?;
    Ok(Some((message, fds)))
}

/// In the init: waits for `Go`. The end of the other side is the end of this one.
pub fn await_go(socket: &OwnedFd) -> Step<Option<Process>> {
    match receive(socket, None).stage("wait for the word to go on")? {
        Some((Message::Go(own), _)) => Ok(own),
        _ => slipway_sys::process::exit_now(slipway_runtime::inside::EXIT_ENGINE),
    }
}

/// In the init: tells the failure and ends.
pub fn fail(socket: &OwnedFd, error: &StepError) -> ! {
    let mut error = error.clone();
    error.message = error.message.chars().take(4_000).collect();
    error.stage = error.stage.chars().take(500).collect();
    let _ = send(socket, &Message::Failed(error.clone()), &[]); // nobody else to tell
    slipway_sys::process::exit_now(error.exit_code)
}
