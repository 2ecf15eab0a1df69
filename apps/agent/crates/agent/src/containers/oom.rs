//! Kills for lack of memory, told while the container goes on running.
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Container, Containers};

/// How late it may be told. The kernel's own notices differ between v1 (an event descriptor that also tells of mere
/// pressure) and v2 (a file that changes); one short file read now and then is the same for both.
const PAUSE: Duration = Duration::from_millis(500);

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
            loop {
                tokio::time::sleep(PAUSE).await;
                let state = container.state();
                if !state.is_running() || state.run != run {
                    return;
                }
                let kills = group.oom_kills();
                if kills > container.oom_told.fetch_max(kills, Ordering::Relaxed) {
                    this.event(&container, "oom", &[]);
                }
            }
        });
    }
}
