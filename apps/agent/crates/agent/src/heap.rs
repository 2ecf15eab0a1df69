//! Memory that a burst of work took (a build's context, an archive's names, layers on their way) goes back to the kernel when it is
//! over: the allocator keeps what was freed, and the daemon lives for months.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

static ENDED: Notify = Notify::const_new();

/// After this long without the end of another burst the heap is trimmed,
const QUIET: Duration = Duration::from_secs(2);
/// and after this long in any case.
const LATEST: Duration = Duration::from_secs(30);

/// Work that may take much memory, as long as it lives.
pub struct Burst;

impl Drop for Burst {
    fn drop(&mut self) {
        ENDED.notify_one();
    }
}

/// So many containers that go are a burst, too: what each took is little.
const CROWD: usize = 64;
static GONE: AtomicUsize = AtomicUsize::new(0);

pub fn container_gone() {
    if GONE.fetch_add(1, Ordering::Relaxed) % CROWD == CROWD - 1 {
        ENDED.notify_one();
    }
}

/// Runs as long as the daemon does.
pub async fn keep_small() {
    loop {
        ENDED.notified().await;
        let latest = Instant::now() + LATEST;
        while timeout_at((Instant::now() + QUIET).min(latest), ENDED.notified()).await.is_ok() {}
        // Other threads wait for the allocator meanwhile, some milliseconds at most.
        if let Err(error) = tokio::task::spawn_blocking(slipway_sys::process::trim_heap).await {
            tracing::warn!(%error, "the heap could not be trimmed");
        }
    }
}
