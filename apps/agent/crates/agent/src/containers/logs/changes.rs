//! Tells when something in a container's directory is written or renamed.
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::inotify;
use tokio::io::unix::AsyncFd;

pub(super) enum Changes {
    Watched(AsyncFd<OwnedFd>),
    /// A user has 128 watches by default, all programs together: whoever comes later looks every so often.
    Polled,
}

const POLL_EVERY: Duration = Duration::from_millis(250);

impl Changes {
    pub fn new(dir: &Path) -> io::Result<Self> {
        let fd = match inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK) {
            Err(rustix::io::Errno::MFILE) => return Ok(Self::Polled),
            other => other?,
        };
        let flags = inotify::WatchFlags::MODIFY | inotify::WatchFlags::MOVED_FROM | inotify::WatchFlags::CREATE;
        match inotify::add_watch(&fd, dir, flags) {
            Err(rustix::io::Errno::NOSPC) => return Ok(Self::Polled), // as many as a user may have
            other => other?,
        };
        Ok(Self::Watched(slipway_sys::event::async_fd(fd)?))
    }

    pub async fn wait(&self) -> io::Result<()> {
        let Self::Watched(fd) = self else {
            tokio::time::sleep(POLL_EVERY).await;
            return Ok(());
        };
        let mut ready = fd.readable().await?;
        let mut buffer = [0; 4_096];
        // What exactly changed does not matter; the events only have to be taken off the queue.
        while rustix::io::read(fd.get_ref(), &mut buffer).is_ok_and(|count| count > 0) {}
        ready.clear_ready();
        Ok(())
    }
}
