use std::time::Duration;

/// Bytes per second that a server must send in any window of this many stalls: one that trickles never stalls.
const SLOWEST: u64 = 1_000;
pub(crate) const STALLS: u32 = 4;

/// How fast a body comes, over all attempts. Only the waits for the server count, not those for this host's disk.
#[derive(Default)]
pub(crate) struct Pace {
    waited: Duration,
    brought: u64,
}

impl Pace {
    /// Takes note of one wait; false when the window is over and brought too little.
    pub fn keeps_up(&mut self, waited: Duration, brought: u64, window: Duration) -> bool {
        self.waited += waited;
        self.brought += brought;
        if self.waited < window {
            return true;
        }
        let enough = self.brought >= wanted(window);
        *self = Pace::default();
        enough
    }
}

/// Bytes that a window must bring.
pub(crate) fn wanted(window: Duration) -> u64 {
    window.as_millis() as u64 * SLOWEST / 1_000
}
