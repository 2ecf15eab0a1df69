//! What goes, and what stays: contexts in use stay, then those used last, as many as fit.
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::{Duration, SystemTime};

use slipway_store::Digest;

use super::object::Kind;
use super::walk::walk;
use super::{ContextStore, Scope, lock};

/// What a collection removed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Collected {
    pub contexts: u64,
    pub bytes: u64,
}

struct Root {
    digest: Digest,
    path: PathBuf,
    used: SystemTime,
    held: bool,
}

#[derive(Default)]
struct Marked {
    trees: HashSet<Digest>,
    blobs: HashSet<Digest>,
    bytes: u64,
}

impl ContextStore {
    /// Removes what is old, and of each organization what is over its share.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn collect(&self) -> io::Result<Collected> {
        let scopes = self.scopes()?;
        let count = scopes.len().max(1) as u64;
        // Whoever has more than a fair part of a full store gives.
        let fair = if self.bytes()? > self.inner.limits.bytes { self.inner.limits.bytes / count } else { self.inner.limits.bytes / 2 };
        let mut all = Collected::default();
        for scope in scopes {
            let one = self.collect_scope(&scope, fair)?;
            all = Collected { contexts: all.contexts + one.contexts, bytes: all.bytes + one.bytes };
        }
        Ok(all)
    }

    /// Removes everything that no build uses.
    ///
    /// # Errors
    /// As [`ContextStore::collect`].
    pub fn prune(&self) -> io::Result<Collected> {
        let mut all = Collected::default();
        for scope in self.scopes()? {
            let one = self.collect_scope(&scope, 0)?;
            all = Collected { contexts: all.contexts + one.contexts, bytes: all.bytes + one.bytes };
        }
        Ok(all)
    }

    /// Keeps what is held, and of the rest what was used last, up to `limit` bytes.
    pub(super) fn collect_scope(&self, scope: &Scope, limit: u64) -> io::Result<Collected> {
        let _alone = self.inner.sweeping.write().unwrap_or_else(PoisonError::into_inner);
        let now = SystemTime::now();
        let mut collected = Collected::default();
        let mut marked = Marked::default();
        for root in self.roots(scope)? {
            let old = now.duration_since(root.used).unwrap_or(Duration::ZERO) > self.inner.limits.age;
            if root.held || (!old && mark(scope, &root.digest, limit, &mut marked)) {
                if root.held {
                    mark(scope, &root.digest, u64::MAX, &mut marked);
                }
                continue;
            }
            fs::remove_file(&root.path)?;
            collected.contexts += 1;
        }
        let grace = self.inner.limits.grace;
        let mut left = 0;
        for (kind, known) in [("trees", &marked.trees), ("blobs", &marked.blobs)] {
            each(&scope.dir.join(kind), |path, digest, meta| {
                let young = age(now, meta) < grace;
                if known.contains(&digest) || (young && limit > 0) {
                    left += meta.len();
                    return Ok(());
                }
                collected.bytes += meta.len();
                fs::remove_file(path)
            })?;
        }
        let busy = lock(&self.inner.parts).clone();
        for entry in fs::read_dir(scope.incoming()).into_iter().flatten().flatten() {
            let (path, meta) = (entry.path(), entry.metadata());
            let Ok(meta) = meta else { continue };
            let old = age(now, &meta) > grace.saturating_mul(24) || limit == 0;
            if path.extension().is_some() && old && !busy.contains(&path) {
                collected.bytes += meta.len();
                fs::remove_file(&path)?;
            } else {
                left += meta.len();
            }
        }
        lock(&self.inner.complete).remove(&scope.dir);
        lock(&self.inner.used).insert(scope.dir.clone(), left);
        Ok(collected)
    }

    /// Those in use first, then by their last use.
    fn roots(&self, scope: &Scope) -> io::Result<Vec<Root>> {
        let held = lock(&self.inner.held).clone();
        let mut roots = Vec::new();
        for entry in fs::read_dir(scope.dir.join("roots")).into_iter().flatten() {
            let entry = entry?;
            let Ok(digest) = Digest::from_hex(&entry.file_name().to_string_lossy()) else { continue };
            let held = held.contains_key(&(scope.dir.clone(), digest));
            roots.push(Root { digest, path: entry.path(), used: entry.metadata()?.modified()?, held });
        }
        roots.sort_by_key(|root| (!root.held, std::cmp::Reverse(root.used)));
        Ok(roots)
    }
}

/// Adds what a context has; false, and nothing added, when that is more than `limit` or not all there.
fn mark(scope: &Scope, root: &Digest, limit: u64, marked: &mut Marked) -> bool {
    let (mut trees, mut blobs, mut bytes) = (vec![*root], Vec::new(), marked.bytes);
    let mut fresh = HashSet::new();
    let whole = walk(scope, root, &mut |_, kind, _| {
        match kind {
            Kind::File { digest, size, .. } if !marked.blobs.contains(digest) && fresh.insert(*digest) => {
                bytes = bytes.saturating_add(*size);
                blobs.push(*digest);
            }
            Kind::Dir { digest, .. } => trees.push(*digest),
            _ => {}
        }
        Ok(())
    });
    if whole.is_err() || bytes > limit {
        return false;
    }
    marked.trees.extend(trees);
    marked.blobs.extend(blobs);
    marked.bytes = bytes;
    true
}

fn age(now: SystemTime, meta: &fs::Metadata) -> Duration {
    let modified = meta.modified().unwrap_or(now);
    now.duration_since(modified).unwrap_or(Duration::ZERO)
}

/// Everything beneath a directory of two levels.
fn each(dir: &Path, mut visit: impl FnMut(&Path, Digest, &fs::Metadata) -> io::Result<()>) -> io::Result<()> {
    for shard in fs::read_dir(dir).into_iter().flatten() {
        let shard = shard?;
        let prefix = shard.file_name().to_string_lossy().into_owned();
        for entry in fs::read_dir(shard.path())? {
            let entry = entry?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let Ok(digest) = Digest::from_hex(&name) else { continue };
            visit(&entry.path(), digest, &entry.metadata()?)?;
        }
    }
    Ok(())
}

/// Bytes of an organization's things.
///
/// # Errors
/// When they cannot be listed.
pub fn measure(scope: &Scope) -> io::Result<u64> {
    let mut bytes = 0;
    for kind in ["blobs", "trees"] {
        each(&scope.dir.join(kind), |_, _, meta| {
            bytes += meta.len();
            Ok(())
        })?;
    }
    for entry in fs::read_dir(scope.incoming()).into_iter().flatten().flatten() {
        bytes += entry.metadata().map_or(0, |meta| meta.len());
    }
    Ok(bytes)
}
