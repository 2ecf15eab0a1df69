//! Compiled seccomp filters, one for each set of capabilities in use.
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use slipway_runtime::{filter_fd, seccomp};

use crate::error::{ApiError, ApiResult};

#[derive(Default)]
pub struct Filters(Mutex<HashMap<u64, Arc<OwnedFd>>>);

impl Filters {
    /// The default filter for a process with these capabilities, as a descriptor to hand to the runtime.
    pub fn get(&self, capabilities: u64) -> ApiResult<Arc<OwnedFd>> {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fd) = cache.get(&capabilities) {
            return Ok(fd.clone());
        }
        let fd = filter_fd(&seccomp::default_filter(capabilities))
            .map_err(|error| ApiError::internal("cannot prepare the seccomp filter", error))?;
        Ok(cache.entry(capabilities).or_insert(Arc::new(fd)).clone())
    }
}
