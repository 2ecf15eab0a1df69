//! The disk under running builds: caches go before the reserve does, then the build that eats most; and what one step may
//! write.
//!
//! Steps can take space by writing only (the executor sees to that), so between two looks they take what a processor copies in
//! that time. While room is made, which may take seconds, they stand still.
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::build::{Build, blocking};
use crate::cache_dirs::{burden, usage};
use crate::cache_records::Selection;
use crate::error::{BuildError, ErrorCode, Result};
use crate::exec::short;
use crate::plan::Vertex;
use crate::select::MAX_DEPTH;

/// Asking a file system for its free space costs a microsecond.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// While less than twice the reserve is free.
const LOOK_OFTEN: Duration = Duration::from_millis(20);
/// A step's files are counted for its limit at most once in this time, and in at most a twentieth of the time.
const MEASURE_EVERY: Duration = Duration::from_secs(1);
/// After caches were looked through for room in vain.
const SEARCH_EVERY: Duration = Duration::from_secs(2);
/// How long the files of a build that was ended take to go before another has to.
const PATIENCE: Duration = Duration::from_secs(3);
/// A build that wrote less did not fill the disk.
const LEAST: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Bytes of a file system that builds leave alone when nobody set a number: a twentieth, at least 2 GiB, at most 20 GiB, and
/// of a small one no more than a fifth.
fn default_reserve(total: u64) -> u64 {
    (total / 20).clamp(2 * GIB, 20 * GIB).min(total / 5)
}

/// Bytes of the file system that holds the data root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DiskSpace {
    pub total: u64,
    /// What may still be written.
    pub free: u64,
    /// Builds leave at least this free.
    pub reserve: u64,
}

/// # Errors
/// When the file system does not say.
pub fn space(root: &Path, reserve: Option<u64>) -> std::io::Result<DiskSpace> {
    let stat = rustix::fs::statvfs(root)?;
    let total = stat.f_blocks.saturating_mul(stat.f_frsize);
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    Ok(DiskSpace { total, free, reserve: reserve.unwrap_or_else(|| default_reserve(total)) })
}

/// What the running steps of a build write to.
#[derive(Debug, Default)]
pub struct StepUses(Mutex<HashMap<String, StepUse>>);

#[derive(Debug, Clone)]
struct StepUse {
    vertex: Vertex,
    /// The step began with them empty.
    fresh: Vec<PathBuf>,
    /// Others had them before, and left so many bytes there.
    kept: Vec<(PathBuf, u64)>,
}

impl StepUse {
    /// Bytes written. Blocks.
    fn bytes(&self) -> u64 {
        let fresh = self.fresh.iter().map(|path| burden(path));
        let kept = self.kept.iter().map(|(path, before)| usage(path).saturating_sub(*before));
        fresh.chain(kept).fold(0, u64::saturating_add)
    }
}

/// A step is counted as long as this lives.
#[derive(Debug)]
pub struct Counted {
    uses: Arc<StepUses>,
    id: String,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.uses.lock().remove(&self.id);
    }
}

impl StepUses {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, StepUse>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `fresh`: directories that the step begins with empty; `kept`: those that it finds as others left them, with their bytes.
    pub fn count(self: &Arc<Self>, vertex: &Vertex, fresh: Vec<PathBuf>, kept: Vec<(PathBuf, u64)>) -> Counted {
        self.lock().insert(vertex.id.clone(), StepUse { vertex: vertex.clone(), fresh, kept });
        Counted { uses: self.clone(), id: vertex.id.clone() }
    }

    fn all(&self) -> Vec<StepUse> {
        self.lock().values().cloned().collect()
    }

    /// The step that wrote most. Blocks.
    fn largest(&self) -> Option<(StepUse, u64)> {
        self.all().into_iter().map(|step| (step.bytes(), step)).max_by_key(|(bytes, _)| *bytes).map(|(bytes, step)| (step, bytes))
    }
}

/// Of one data root: one at a time makes room.
#[derive(Debug, Default)]
pub struct Room {
    builds: Mutex<Vec<Weak<Build>>>,
    searching: tokio::sync::Mutex<Search>,
}

#[derive(Debug, Default)]
struct Search {
    in_vain: Option<Instant>,
    ended: Option<(Weak<Build>, Instant)>,
}

/// Builds whose steps stand still as long as this lives.
struct Paused(Vec<Arc<Build>>);

impl Paused {
    /// Blocks.
    fn new(builds: Vec<Arc<Build>>) -> Self {
        for build in &builds {
            build.executor.pause(&build.request.id);
        }
        Self(builds)
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        for build in &self.0 {
            build.executor.resume(&build.request.id);
        }
    }
}

impl Room {
    pub fn enter(&self, build: &Arc<Build>) {
        let mut builds = self.builds.lock().unwrap_or_else(PoisonError::into_inner);
        builds.retain(|build| build.strong_count() > 0);
        builds.push(Arc::downgrade(build));
    }

    fn running(&self) -> Vec<Arc<Build>> {
        let builds = self.builds.lock().unwrap_or_else(PoisonError::into_inner);
        builds.iter().filter_map(Weak::upgrade).filter(|build| !build.stopped()).collect()
    }

    /// Watches the disk on behalf of a build, for as long as it is polled.
    pub async fn watch(&self, build: &Arc<Build>, reserve: Option<u64>) {
        let mut measured = (Instant::now(), Duration::ZERO);
        loop {
            let space = space(build.layers.store().root(), reserve).ok();
            if let Some(space) = space.filter(|space| space.free < space.reserve)
                && let Ok(mut search) = self.searching.try_lock()
            {
                self.make_room(build, space, &mut search).await;
            }
            if build.request.limits.disk_bytes.is_some() && measured.0.elapsed() >= MEASURE_EVERY.max(measured.1 * 20) {
                let began = Instant::now();
                if let Err(error) = check_all(build).await {
                    build.give_up(error);
                }
                measured = (Instant::now(), began.elapsed());
            }
            let near = space.is_some_and(|space| space.free < space.reserve.saturating_mul(2));
            tokio::time::sleep(if near { LOOK_OFTEN } else { LOOK_EVERY }).await;
        }
    }

    async fn make_room(&self, asker: &Arc<Build>, space: DiskSpace, search: &mut Search) {
        let running = self.running();
        let Ok(_paused) = blocking(move || Ok(Paused::new(running))).await else { return };
        if search.in_vain.is_none_or(|last| last.elapsed() >= SEARCH_EVERY) {
            let (build, missing) = (asker.clone(), space.reserve - space.free);
            let found = blocking(move || evict(&build, missing)).await;
            match found {
                Ok(freed) if freed >= missing => return,
                Ok(freed) => tracing::warn!(freed, missing, "the disk runs full, and the build cache has too little to give"),
                Err(error) => tracing::warn!(%error, "the build cache could not be searched for room"),
            }
            search.in_vain = Some(Instant::now());
            return;
        }
        if let Some((build, since)) = &search.ended
            && build.strong_count() > 0
            && since.elapsed() < PATIENCE
        {
            tokio::time::sleep(LOOK_EVERY).await;
            return;
        }
        let running = self.running();
        // Files that were deleted and are still open are not to be seen: when half of the reserve is gone, some step has to end.
        let least = if space.free < space.reserve / 2 { 0 } else { LEAST };
        let largest = blocking(move || {
            let steps = running.into_iter().filter_map(|build| build.uses.largest().map(|(step, bytes)| (build, step, bytes)));
            Ok(steps.max_by_key(|(.., bytes)| *bytes).filter(|(.., bytes)| *bytes >= least))
        });
        let Ok(Some((build, step, bytes))) = largest.await else { return };
        tracing::warn!(build = build.request.id, vertex = step.vertex.id, bytes, reserve = space.reserve, "ended for the disk's sake");
        let message = format!(
            "`{}` (line {}) was ended because the disk of the build host runs full: the step wrote {}{}, and {} must stay free; write \
             less, or free space on the host and build again.",
            short(&step.vertex),
            step.vertex.line,
            words(bytes),
            if bytes < LEAST { " (and maybe more in files that it deleted and keeps open)" } else { "" },
            words(space.reserve)
        );
        build.give_up(BuildError::new(ErrorCode::DiskFull, message).at(&step.vertex.id));
        search.ended = Some((Arc::downgrade(&build), Instant::now()));
    }
}

/// Removes what was not used for longest until so many bytes came free; gives how many. Blocks.
fn evict(build: &Build, missing: u64) -> Result<u64> {
    let failed = |error: std::io::Error| BuildError::io("making room", &error);
    let selection = Selection { enough: Some(missing), ..Selection::default() };
    let pruned = build.cache.prune(&build.layers, &selection, false).map_err(failed)?;
    if pruned.records.is_empty() {
        return Ok(0);
    }
    let mounts: u64 = pruned.records.iter().filter(|record| record.layer.is_none()).map(|record| record.bytes).sum();
    let reclaimed = build.layers.collect().map_err(|error| BuildError::internal("making room", error))?;
    tracing::info!(records = pruned.records.len(), bytes = reclaimed.bytes + mounts, "removed from the build cache for the disk's sake");
    Ok(reclaimed.bytes + mounts)
}

async fn check_all(build: &Arc<Build>) -> Result<()> {
    let build = build.clone();
    blocking(move || build.uses.all().iter().try_for_each(|step| check(&build, step))).await
}

fn check(build: &Build, step: &StepUse) -> Result<()> {
    let Some(limit) = build.request.limits.disk_bytes else { return Ok(()) };
    let bytes = step.bytes();
    if bytes <= limit {
        return Ok(());
    }
    if bytes == u64::MAX {
        let message = format!(
            "`{}` (line {}) nests directories more than {MAX_DEPTH} deep, which nobody can count or copy; remove them.",
            short(&step.vertex),
            step.vertex.line
        );
        return Err(BuildError::new(ErrorCode::DiskLimit, message).at(&step.vertex.id));
    }
    let message = format!(
        "`{}` (line {}) wrote {}, more than the {} that one step of this build may write to the disk; remove what it leaves behind, or \
         raise the limit.",
        short(&step.vertex),
        step.vertex.line,
        words(bytes),
        words(limit)
    );
    Err(BuildError::new(ErrorCode::DiskLimit, message).at(&step.vertex.id))
}

impl Build {
    /// Whether a step that has ended kept to its limit: one may write much between two looks. Blocks.
    ///
    /// # Errors
    /// `DISK_LIMIT`.
    pub fn check_disk(&self, vertex: &Vertex) -> Result<()> {
        let step = self.uses.lock().get(&vertex.id).cloned();
        // What caches hold was counted while it ran; they may be large, and other steps write to them.
        step.map_or(Ok(()), |step| check(self, &StepUse { kept: Vec::new(), ..step }))
    }
}

/// As people say it.
fn words(bytes: u64) -> String {
    #[allow(clippy::cast_precision_loss)]
    if bytes == u64::MAX {
        return "more than can be counted".to_owned();
    }
    let (bytes, gib, mib) = (bytes as f64, GIB as f64, (1u64 << 20) as f64);
    if bytes >= gib { format!("{:.1} GiB", bytes / gib) } else { format!("{:.0} MiB", (bytes / mib).ceil()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserves_by_the_size_of_the_disk() {
        assert_eq!(default_reserve(1000 * GIB), 20 * GIB);
        assert_eq!(default_reserve(100 * GIB), 5 * GIB);
        assert_eq!(default_reserve(20 * GIB), 2 * GIB);
        assert_eq!(default_reserve(GIB), GIB / 5);
        assert_eq!((words(1 << 20), words(3 * GIB / 2)), ("1 MiB".into(), "1.5 GiB".into()));
    }
}
