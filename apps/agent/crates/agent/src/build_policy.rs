//! What the build cache keeps and what builds leave of the disk, as somebody set it while the agent runs. It stands over the settings
//! file, and lies in `<data root>/build-policy.json` so that a restart begins with it: with an older one, the first build after a
//! restart could throw away what the new one keeps.
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use slipway_build::{BuilderOptions, DiskSpace};

pub const DAY: Duration = Duration::from_secs(86_400);
const MAX_DAYS: u32 = 3650;
/// A step that may write less can hardly do anything.
const MIN_STEP_BYTES: u64 = 64 << 20;

/// `None`: as the settings file says, or its default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct BuildPolicy {
    /// Of disk that only the cache keeps.
    pub max_bytes: Option<u64>,
    /// What was used within so many days stays, even above `max_bytes`.
    pub keep_days: Option<u32>,
    /// What was not used for so many days goes, even below it; 0: nothing goes for its age.
    pub unused_days: Option<u32>,
    /// Of the disk that builds leave free.
    pub reserve_bytes: Option<u64>,
    /// What one step of any build may write; a build may ask for less.
    pub step_disk_bytes: Option<u64>,
}

impl BuildPolicy {
    /// Whether these options make sense on this disk, as a sentence when not.
    fn check(self, options: &BuilderOptions, disk: &DiskSpace) -> Result<(), String> {
        if self.keep_days.max(self.unused_days).is_some_and(|days| days > MAX_DAYS) {
            return Err(format!("at most {MAX_DAYS} days can be set"));
        }
        if !options.cache_unused.is_zero() && options.cache_keep > options.cache_unused {
            return Err("what stays for its use must not be older than what goes for its age: keepDays is more than unusedDays".to_owned());
        }
        if self.reserve_bytes.is_some_and(|reserve| reserve > disk.total / 2) {
            return Err(format!("builds cannot leave more than half of this disk free, which is {} bytes", disk.total / 2));
        }
        if self.step_disk_bytes.is_some_and(|bytes| bytes < MIN_STEP_BYTES) {
            return Err(format!("a step needs at least {MIN_STEP_BYTES} bytes of disk"));
        }
        Ok(())
    }
}

pub struct Policies {
    file: PathBuf,
    defaults: BuilderOptions,
    current: Mutex<BuildPolicy>,
}

impl Policies {
    /// `defaults`: what the settings file says. A file that cannot be read is told and done without: the panel sets it again.
    pub fn open(data_root: &Path, defaults: BuilderOptions) -> Self {
        let file = data_root.join("build-policy.json");
        let current = match std::fs::read(&file).and_then(|bytes| serde_json::from_slice(&bytes).map_err(io::Error::other)) {
            Ok(policy) => policy,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BuildPolicy::default(),
            Err(error) => {
                tracing::error!(%error, path = %file.display(), "the build policy is not readable; the settings file applies until it is set again");
                BuildPolicy::default()
            }
        };
        Self { file, defaults, current: Mutex::new(current) }
    }

    pub fn get(&self) -> BuildPolicy {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a policy without a word means.
    pub fn defaults(&self) -> BuilderOptions {
        self.defaults
    }

    pub fn options(&self, policy: BuildPolicy) -> BuilderOptions {
        let defaults = self.defaults;
        BuilderOptions {
            cache_bytes: policy.max_bytes.unwrap_or(defaults.cache_bytes),
            cache_keep: policy.keep_days.map_or(defaults.cache_keep, |days| DAY * days),
            cache_unused: policy.unused_days.map_or(defaults.cache_unused, |days| DAY * days),
            reserve_bytes: policy.reserve_bytes.or(defaults.reserve_bytes),
            step_disk_bytes: policy.step_disk_bytes.or(defaults.step_disk_bytes),
            ..defaults
        }
    }

    /// The options of a policy that can be set on this disk.
    ///
    /// # Errors
    /// Why it cannot, as a sentence.
    pub fn checked(&self, policy: BuildPolicy, disk: &DiskSpace) -> Result<BuilderOptions, String> {
        let options = self.options(policy);
        policy.check(&options, disk)?;
        Ok(options)
    }

    /// Keeps it over restarts. Blocks.
    ///
    /// # Errors
    /// When the data root cannot be written; then the one before stays.
    pub fn set(&self, policy: BuildPolicy) -> io::Result<()> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let aside = self.file.with_extension("json.new");
        let mut file = std::fs::File::create(&aside)?;
        file.write_all(&serde_json::to_vec(&policy)?)?;
        file.sync_data()?;
        std::fs::rename(&aside, &self.file)?;
        *current = policy;
        Ok(())
    }
}
