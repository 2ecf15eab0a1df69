//! What the build cache holds, and which of it goes: one list and one rule for the policy, for a preview, for a clean-up that
//! somebody asked for, and for a disk that runs full.
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use slipway_snapshot::Layers;
use slipway_store::{Digest, parse_rfc3339};

use crate::cache::{About, Cache, CachedLayer, Entry, scope_dir};
use crate::cache_files::{files, read, remove, uses};

/// Records of slots, selections and downloads go after this long without a use; they are small, and nothing is built from them.
const NOTES_KEPT: Duration = Duration::from_secs(30 * 86_400);
/// Names of images that are told for a record.
const MAX_KEPT_BY: usize = 5;

/// One thing that the cache holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CacheRecord {
    /// A vertex's key, or a cache mount's folder; unique within its scope.
    pub id: String,
    /// Folder of the scope.
    pub scope: String,
    pub kind: RecordKind,
    #[serde(flatten)]
    pub about: Option<About>,
    /// Bytes of disk that are there for it: the compressed and the unpacked layer, or a mount's files. Of records with equal layers each has
    /// them all; [`CacheUsage::bytes`] counts them once.
    pub bytes: u64,
    /// Unix time in milliseconds.
    pub created_at: u64,
    pub last_used_at: u64,
    /// Builds that took it from the cache; for a mount, steps that had it.
    pub uses: u64,
    /// A step or a build has it right now: it stays.
    pub in_use: bool,
    /// Images that have the layer, at most five: the record may go, its bytes stay with them.
    pub kept_by: Vec<String>,
    #[serde(skip)]
    pub layer: Option<CachedLayer>,
    #[serde(skip)]
    path: PathBuf,
    #[serde(skip)]
    used: Option<SystemTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordKind {
    /// The result of a step.
    Layer,
    /// What RUN --mount=type=cache keeps.
    Mount,
}

/// What is to go. The default is everything that is not in use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Folder; `None`: all.
    pub scope: Option<String>,
    /// See [`Cache::records`].
    pub images: Option<String>,
    /// `None`: any; beginnings of ids will do.
    pub ids: Option<Vec<String>>,
    pub kind: Option<RecordKind>,
    /// Text that the instruction contains.
    pub text: Option<String>,
    /// Only what was not used for so long.
    pub unused_for: Duration,
    /// So many bytes of the most recently used stay. What images keep costs nothing and does not count.
    pub keep_bytes: u64,
    /// Ends as soon as so many bytes come free, the longest unused first; nothing goes that frees none.
    pub enough: Option<u64>,
}

/// What a selection came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pruned {
    pub records: Vec<CacheRecord>,
    /// Bytes of disk that only they keep.
    pub bytes: u64,
}

/// What a scope takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CacheUsage {
    pub scope: String,
    pub layers: usize,
    pub mounts: usize,
    /// Of disk, equal layers once, what images keep not counted.
    pub bytes: u64,
}

impl CacheRecord {
    /// What removing it would free, as far as no other record has the same layer.
    fn own_bytes(&self) -> u64 {
        if self.kept_by.is_empty() { self.bytes } else { 0 }
    }
}

/// Counts each layer once.
#[derive(Default)]
struct Once(HashSet<Digest>);

impl Once {
    fn bytes(&mut self, record: &CacheRecord) -> u64 {
        match &record.layer {
            Some(layer) if !self.0.insert(layer.descriptor.digest) => 0,
            _ => record.own_bytes(),
        }
    }
}

impl Cache {
    /// Everything the cache holds, most recently used first; of one organization's folder, or of all. Only images whose names begin with
    /// `images` count as keeping a layer: what others have must not show. Blocks.
    ///
    /// # Errors
    /// When the cache cannot be listed.
    pub fn records(&self, layers: &Layers, scope: Option<&str>, images: Option<&str>) -> std::io::Result<Vec<CacheRecord>> {
        let images = images_of(layers, images);
        let mut records = Vec::new();
        for folder in std::fs::read_dir(&self.root)?.flatten() {
            let name = folder.file_name().to_string_lossy().into_owned();
            if scope.is_some_and(|wanted| wanted != name) {
                continue;
            }
            for (path, used) in files(&folder.path().join("entries")) {
                let Ok(json) = std::fs::read(&path) else { continue };
                let Ok(entry) = serde_json::from_slice::<Entry>(&json) else { continue };
                records.push(record_of(layers, &images, &name, entry, uses(&json), path, used));
            }
        }
        for dir in self.dirs.list() {
            let folder = dir.path.ancestors().nth(2).and_then(|path| path.file_name()).unwrap_or_default().to_string_lossy().into_owned();
            if scope.is_some_and(|wanted| wanted != folder) {
                continue;
            }
            records.push(CacheRecord {
                id: dir.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                scope: folder,
                kind: RecordKind::Mount,
                about: dir.about,
                bytes: dir.bytes,
                created_at: millis(dir.made),
                last_used_at: millis(dir.used),
                uses: dir.uses,
                in_use: self.dirs.in_use(&dir.path),
                kept_by: Vec::new(),
                layer: None,
                path: dir.path,
                used: Some(dir.used),
            });
        }
        records.sort_by(|one, two| two.used.cmp(&one.used).then_with(|| one.id.cmp(&two.id)));
        Ok(records)
    }

    /// What these selections would take one after the other. Blocks.
    ///
    /// # Errors
    /// When the cache cannot be listed.
    pub fn outside(&self, layers: &Layers, selections: &[Selection]) -> std::io::Result<Pruned> {
        let (mut left, now) = (self.records(layers, None, None)?, SystemTime::now());
        let mut gone = Pruned::default();
        for selection in selections {
            let part = select(left.clone(), selection, now);
            let paths: HashSet<&PathBuf> = part.records.iter().map(|record| &record.path).collect();
            left.retain(|record| !paths.contains(&record.path));
            gone.bytes += part.bytes;
            gone.records.extend(part.records);
        }
        Ok(gone)
    }

    /// Removes what `selection` takes, or only tells it (`dry_run`). The bytes come free with the store's gc. Blocks.
    ///
    /// # Errors
    /// When the cache cannot be listed.
    pub fn prune(&self, layers: &Layers, selection: &Selection, dry_run: bool) -> std::io::Result<Pruned> {
        let records = self.records(layers, selection.scope.as_deref(), selection.images.as_deref())?;
        let mut pruned = select(records, selection, SystemTime::now());
        if dry_run {
            return Ok(pruned);
        }
        pruned.records.retain(|record| match record.kind {
            RecordKind::Mount => self.dirs.remove(&record.path),
            RecordKind::Layer => {
                remove(&record.path);
                self.release(&record.scope, &record.id);
                true
            }
        });
        Ok(pruned)
    }

    /// Removes notes that were not used for long, and entries that cannot be read. Blocks.
    pub fn sweep_notes(&self) {
        let before = SystemTime::now().checked_sub(NOTES_KEPT).unwrap_or(SystemTime::UNIX_EPOCH);
        for scope in std::fs::read_dir(&self.root).into_iter().flatten().flatten() {
            for kind in ["slots", "selections", "downloads", "repacked"] {
                files(&scope.path().join(kind)).into_iter().filter(|(_, used)| *used < before).for_each(|(path, _)| remove(&path));
            }
            for (path, _) in files(&scope.path().join("entries")) {
                if path.extension().is_some_and(|end| end == "json") && path.exists() && read::<Entry>(&path).is_none() {
                    remove(&path);
                }
            }
        }
    }
}

/// What each scope takes, the largest first.
pub fn usage(records: &[CacheRecord]) -> Vec<CacheUsage> {
    let mut scopes: HashMap<&str, (CacheUsage, Once)> = HashMap::new();
    for record in records {
        let (usage, once) = scopes.entry(&record.scope).or_default();
        usage.scope.clone_from(&record.scope);
        usage.bytes += once.bytes(record);
        match record.kind {
            RecordKind::Layer => usage.layers += 1,
            RecordKind::Mount => usage.mounts += 1,
        }
    }
    let mut all: Vec<CacheUsage> = scopes.into_values().map(|(usage, _)| usage).collect();
    all.sort_by(|one, two| two.bytes.cmp(&one.bytes).then_with(|| one.scope.cmp(&two.scope)));
    all
}

/// `records`: most recently used first.
fn select(records: Vec<CacheRecord>, selection: &Selection, now: SystemTime) -> Pruned {
    let (mut kept, mut kept_layers) = (0u64, Once::default());
    let mut going = Vec::new();
    for record in records {
        let idle = record.used.and_then(|used| now.duration_since(used).ok()).unwrap_or_default();
        let named = selection.ids.as_ref().is_none_or(|ids| ids.iter().any(|id| !id.is_empty() && record.id.starts_with(id.as_str())));
        let text = selection.text.as_ref().is_none_or(|text| record.about.as_ref().is_some_and(|about| about.text.contains(text.as_str())));
        let asked = named && text && selection.kind.is_none_or(|kind| kind == record.kind) && idle >= selection.unused_for;
        if !asked || record.in_use {
            kept += kept_layers.bytes(&record);
            continue;
        }
        let bytes = record.own_bytes();
        let known = record.layer.as_ref().is_some_and(|layer| kept_layers.0.contains(&layer.descriptor.digest));
        if selection.keep_bytes > 0 && (known || kept + bytes <= selection.keep_bytes) {
            kept += kept_layers.bytes(&record);
            continue;
        }
        going.push(record);
    }
    if let Some(enough) = selection.enough {
        let mut freed = 0;
        going.reverse();
        going.retain(|record| {
            let takes = freed < enough && record.own_bytes() > 0;
            freed += if takes { record.own_bytes() } else { 0 };
            takes
        });
    }
    let mut once = kept_layers;
    let bytes = going.iter().map(|record| once.bytes(record)).sum();
    Pruned { records: going, bytes }
}

fn record_of(
    layers: &Layers,
    images: &HashMap<Digest, Vec<String>>,
    scope: &str,
    entry: Entry,
    uses: u64,
    path: PathBuf,
    used: SystemTime,
) -> CacheRecord {
    let layer = entry.layer;
    let unpacked = layer.as_ref().and_then(|layer| layers.get(&layer.diff_id)).map_or(0, |layer| layer.size);
    let created = parse_rfc3339(&entry.created).and_then(|nanos| u64::try_from(nanos / 1_000_000).ok());
    CacheRecord {
        id: entry.key,
        scope: scope.to_owned(),
        kind: RecordKind::Layer,
        about: entry.about,
        bytes: layer.as_ref().map_or(0, |layer| layer.descriptor.size) + unpacked,
        created_at: created.unwrap_or_else(|| millis(used)),
        last_used_at: millis(used),
        uses,
        in_use: false,
        kept_by: layer.as_ref().and_then(|layer| images.get(&layer.descriptor.digest)).cloned().unwrap_or_default(),
        layer,
        path,
        used: Some(used),
    }
}

/// Names of the images that have each blob.
fn images_of(layers: &Layers, prefix: Option<&str>) -> HashMap<Digest, Vec<String>> {
    let mut names: HashMap<Digest, Vec<String>> = HashMap::new();
    for image in layers.store().images() {
        let mut tags = image.tags.iter().map(slipway_store::Reference::familiar);
        let Some(name) = (match prefix {
            Some(prefix) => tags.find(|tag| tag.starts_with(prefix)),
            None => tags.next().or_else(|| Some(image.record.id.to_string())),
        }) else {
            continue;
        };
        for layer in &image.record.layers {
            let known = names.entry(layer.digest).or_default();
            if known.len() < MAX_KEPT_BY && known.last() != Some(&name) {
                known.push(name.clone());
            }
        }
    }
    names
}

fn millis(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

impl Selection {
    /// Of one organization only.
    #[must_use]
    pub fn of(mut self, scope: &str) -> Self {
        self.scope = Some(scope_dir(scope));
        self
    }
}

#[cfg(test)]
mod tests {
    use slipway_store::Store;

    use super::*;
    use crate::cache::Scopes;
    use crate::cache::tests::entry;

    struct Fixture {
        cache: Cache,
        layers: Layers,
        _dir: tempfile::TempDir,
    }

    /// `a` was used just now, each of the others a day longer ago than the one before it; 100 bytes each.
    fn fixture(keys: &[&str]) -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let cache = Cache::open(dir.path().join("cache"), store.clone()).unwrap();
        let layers = Layers::open(&store).unwrap();
        let (lease, org) = (store.lease("test"), Scopes::shared("org"));
        for (days, key) in (0..).zip(keys) {
            cache.insert(&org, &entry(&store, &lease, key, 100)).unwrap();
            let file = std::fs::File::options().write(true).open(cache.path(org.own(), "entries", key)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(days * 86_400)).unwrap();
        }
        Fixture { cache, layers, _dir: dir }
    }

    fn ids(pruned: &Pruned) -> Vec<&str> {
        pruned.records.iter().map(|record| record.id.as_str()).collect()
    }

    #[test]
    fn takes_by_size_age_and_name_and_a_preview_takes_nothing() {
        let Fixture { cache, layers, _dir } = fixture(&["a", "b", "c", "d"]);
        let dry = |selection: Selection| cache.prune(&layers, &selection, true).unwrap();
        let days = |days: u64| Duration::from_secs(days * 86_400 - 3600);
        assert_eq!(ids(&dry(Selection { keep_bytes: 250, ..Selection::default() })), ["c", "d"]);
        let kept = Selection { keep_bytes: 250, unused_for: days(3), ..Selection::default() };
        assert_eq!(ids(&dry(kept)), ["d"], "what was used lately stays, whatever the size");
        assert_eq!(ids(&dry(Selection { unused_for: days(2), ..Selection::default() })), ["c", "d"]);
        assert_eq!(ids(&dry(Selection { ids: Some(vec!["b".into()]), ..Selection::default() })), ["b"]);
        assert_eq!(ids(&dry(Selection { ids: Some(vec![String::new()]), ..Selection::default() })), [""; 0]);
        assert_eq!(ids(&dry(Selection { kind: Some(RecordKind::Mount), ..Selection::default() })), [""; 0]);
        assert_eq!(ids(&dry(Selection { text: Some("other".into()), ..Selection::default() })), [""; 0]);
        let enough = dry(Selection { enough: Some(150), ..Selection::default() });
        assert_eq!((ids(&enough), enough.bytes), (vec!["d", "c"], 200), "the longest unused, and no more than needed");
        assert_eq!(ids(&dry(Selection::default().of("other"))), [""; 0]);
        let all = dry(Selection::default().of("org"));
        assert_eq!((all.records.len(), all.bytes), (4, 400));
        let pruned = cache.prune(&layers, &Selection { keep_bytes: 250, ..Selection::default() }, false).unwrap();
        assert_eq!((ids(&pruned), pruned.bytes), (vec!["c", "d"], 200));
        let left = cache.records(&layers, None, None).unwrap();
        assert_eq!(left.iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(layers.store().holds().len(), 2, "what is gone holds nothing");
        assert_eq!(usage(&left)[0].bytes, 200);
    }

    #[test]
    fn equal_layers_count_once() {
        let Fixture { cache, layers, _dir } = fixture(&["a"]);
        let lease = layers.store().lease("test");
        let twin = Entry { key: "twin".into(), ..entry(layers.store(), &lease, "a", 100) };
        cache.insert(&Scopes::shared("org"), &twin).unwrap();
        let records = cache.records(&layers, None, None).unwrap();
        assert_eq!((usage(&records)[0].bytes, usage(&records)[0].layers), (100, 2));
        assert_eq!(cache.prune(&layers, &Selection::default(), true).unwrap().bytes, 100);
        let one = Selection { ids: Some(vec!["twin".into()]), ..Selection::default() };
        assert_eq!(cache.prune(&layers, &one, true).unwrap().bytes, 0, "the other still has the layer");
    }
}
