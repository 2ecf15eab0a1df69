//! Compiled seccomp filters, one for each set of capabilities and profile in use.
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use slipway_runtime::{filter_fd, seccomp};

use crate::containers::spec::Seccomp;
use crate::error::{ApiError, ApiResult};

/// Filters of users' profiles that are kept compiled; each is a descriptor.
const MOST_PROFILES: usize = 64;

#[derive(Default)]
pub struct Filters {
    builds: Mutex<HashMap<u64, Arc<OwnedFd>>>,
    default: Mutex<HashMap<u64, Arc<OwnedFd>>>,
    profiles: Mutex<HashMap<(u64, String), Arc<OwnedFd>>>,
}

fn open(program: &[u8]) -> ApiResult<Arc<OwnedFd>> {
    let fd = filter_fd(program).map_err(|error| ApiError::internal("cannot prepare the seccomp filter", error))?;
    Ok(Arc::new(fd))
}

impl Filters {
    /// The default filter for a process with these capabilities, as a descriptor to hand to the runtime.
    pub fn get(&self, capabilities: u64) -> ApiResult<Arc<OwnedFd>> {
        let mut cache = self.default.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fd) = cache.get(&capabilities) {
            return Ok(fd.clone());
        }
        let fd = open(&seccomp::default_filter(capabilities))?;
        Ok(cache.entry(capabilities).or_insert(fd).clone())
    }

    /// The filter of a build step with these capabilities.
    pub fn build(&self, capabilities: u64) -> ApiResult<Arc<OwnedFd>> {
        let mut cache = self.builds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fd) = cache.get(&capabilities) {
            return Ok(fd.clone());
        }
        let fd = open(&seccomp::build_filter(capabilities))?;
        Ok(cache.entry(capabilities).or_insert(fd).clone())
    }

    /// The filter that was asked for; `None` is none at all.
    pub fn select(&self, capabilities: u64, wanted: &Seccomp) -> ApiResult<Option<Arc<OwnedFd>>> {
        match wanted {
            Seccomp::Default => self.get(capabilities).map(Some),
            Seccomp::Unconfined => Ok(None),
            Seccomp::Profile(json) => self.profile(capabilities, json).map(Some),
        }
    }

    fn profile(&self, capabilities: u64, json: &str) -> ApiResult<Arc<OwnedFd>> {
        let key = (capabilities, json.to_owned());
        if let Some(fd) = self.profiles.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(fd.clone());
        }
        let uname = rustix::system::uname();
        let program = seccomp::docker_filter(json, capabilities, &uname.release().to_string_lossy());
        let fd = open(&program.map_err(|why| ApiError::bad_request(format!("Decoding seccomp profile failed: {why}")))?)?;
        let mut cache = self.profiles.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= MOST_PROFILES {
            cache.clear(); // what is still in use is compiled again
        }
        Ok(cache.entry(key).or_insert(fd).clone())
    }
}
