//! Kills for lack of memory, told while the container goes on running.
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use slipway_cgroups::{Group, Told};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{sleep, timeout};

use super::{Container, Containers};

/// How long a run's end may stay unnoticed,
const LOOK: Duration = Duration::from_secs(5);
/// and a kill where the kernel gives no notice.
const POLL: Duration = Duration::from_millis(500);
/// v1 gives notice before it kills: the count follows.
const FOLLOWS: [Duration; 4] = [Duration::ZERO, Duration::from_millis(2), Duration::from_millis(10), Duration::from_millis(50)];

impl Containers {
    /// Only a container with a limit of its own can run out of memory alone.
    pub(super) fn watch_memory(self: &Arc<Self>, container: &Arc<Container>) {
        let host = container.record().host_config;
        if host.memory <= 0 || host.oom_kill_disable == Some(true) {
            return;
        }
        let (this, container, run) = (self.clone(), container.clone(), container.state().run);
        let group = self.group(&container);
        tokio::spawn(async move {
            let mut notice = Notice::of(&group);
            loop {
                for pause in FOLLOWS {
                    sleep(pause).await;
                    let state = container.state();
                    if !state.is_running() || state.run != run {
                        return;
                    }
                    let kills = group.oom_kills();
                    if kills > container.oom_told.fetch_max(kills, Ordering::Relaxed) {
                        this.event(&container, "oom", &[]);
                        break;
                    }
                    if !notice.given {
                        break;
                    }
                }
                notice.wait().await;
            }
        });
    }
}

/// The kernel's notice, or the time to look again.
struct Notice {
    fd: Option<(AsyncFd<OwnedFd>, Told)>,
    /// The kernel ended the last wait.
    given: bool,
}

impl Notice {
    fn of(group: &Group) -> Self {
        let fd = group.oom_notice().and_then(|notice| {
            let interest = if notice.told == Told::Readable { Interest::READABLE } else { Interest::PRIORITY };
            Ok((slipway_sys::event::async_fd_for(notice.fd, interest)?, notice.told))
        });
        if let Err(error) = &fd {
            tracing::debug!(%error, "the kernel gives no notice of kills for lack of memory; looking every so often");
        }
        Self { fd: fd.ok(), given: false }
    }

    async fn wait(&mut self) {
        self.given = false;
        let Some((fd, told)) = &self.fd else { return sleep(POLL).await };
        let interest = if *told == Told::Readable { Interest::READABLE } else { Interest::PRIORITY };
        let broken = match timeout(LOOK, fd.ready(interest)).await {
            Err(_) => return,
            Ok(Err(_)) => true,
            Ok(Ok(mut ready)) => {
                ready.clear_ready();
                told.rearm(fd.get_ref()).is_err()
            }
        };
        self.given = true;
        if broken {
            // As of v2 when the group is gone.
            self.fd = None;
        }
    }
}
