//! The cache of a scope as it travels through a registry: an artifact of a document that says what was built from what, and of
//! the layers that the document names.
//!
//! ```text
//! manifest   artifactType application/vnd.slipway.build-cache.v1
//!   config   application/vnd.slipway.build-cache.document.v1+json: a `Document`
//!   layers   those of the records, each once, as they are in images
//! ```
//!
//! A document comes from whoever may push to the repository. It is read into the scope of the build that asked and no other, a
//! record at a time, when a build wants just its key; its layers are fetched when something needs their files, and must then be
//! what the record says.
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use slipway_store::{Descriptor, Digest, media_type};

use crate::cache::{About, CachedLayer, Entry};
use crate::files::FileList;
use crate::plan::Platform;

pub const ARTIFACT_TYPE: &str = "application/vnd.slipway.build-cache.v1";
pub const DOCUMENT_TYPE: &str = "application/vnd.slipway.build-cache.document.v1+json";
/// Bytes of a document.
pub const MAX_DOCUMENT: u64 = 4 << 20;
/// Of each: a plan has at most a thousand vertices.
const MAX_RECORDS: usize = 4096;
/// A layer that says of itself to be larger is not believed.
const MAX_LAYER: u64 = 1 << 40;
const MAX_FORM: usize = 200;
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    version: u32,
    /// Folder of the scope that it was written for: keys of another mean nothing here, and are not taken.
    scope: String,
    /// `linux/amd64`.
    platform: String,
    records: Vec<Record>,
    /// Checksums of files in outputs, so that a COPY --from is found without its stage's layers.
    selections: BTreeMap<String, FileList>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Record {
    key: String,
    output: String,
    created: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    about: Option<About>,
    /// `None`: the vertex changed nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    layer: Option<RecordLayer>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RecordLayer {
    digest: Digest,
    diff_id: Digest,
    unpacked_size: u64,
    /// As in the cache's own entries: how the blob was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    form: Option<String>,
}

/// What a document offers.
#[derive(Debug, Default)]
pub struct Offered {
    pub entries: HashMap<String, Entry>,
    pub selections: HashMap<String, FileList>,
}

fn platform_text(platform: &Platform) -> String {
    format!("{}/{}/{}", platform.os, platform.architecture, platform.variant.as_deref().unwrap_or(""))
}

/// Writes a document, and the layers that go with it. Names of files are left out when it would grow too large for its readers.
///
/// # Errors
/// When even that is too large.
pub fn write(
    scope: &str,
    platform: &Platform,
    entries: &[Entry],
    selections: BTreeMap<String, FileList>,
) -> Result<(Vec<u8>, Vec<Descriptor>), String> {
    let (mut known, mut layers, mut keys) = (HashSet::new(), Vec::new(), HashSet::new());
    let mut records = Vec::with_capacity(entries.len());
    for entry in entries.iter().filter(|entry| keys.insert(entry.key.as_str())) {
        if let Some(layer) = &entry.layer
            && known.insert(layer.descriptor.digest)
        {
            layers.push(layer.descriptor.clone());
        }
        records.push(Record {
            key: entry.key.clone(),
            output: entry.output.clone(),
            created: entry.created.clone(),
            about: entry.about.clone(),
            layer: entry.layer.as_ref().map(|layer| RecordLayer {
                digest: layer.descriptor.digest,
                diff_id: layer.diff_id,
                unpacked_size: layer.unpacked_size,
                form: layer.form.clone(),
            }),
        });
    }
    let mut document = Document { version: VERSION, scope: scope.to_owned(), platform: platform_text(platform), records, selections };
    let mut bytes = serde_json::to_vec(&document).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_DOCUMENT {
        document.selections.values_mut().for_each(FileList::forget_names);
        bytes = serde_json::to_vec(&document).map_err(|error| error.to_string())?;
    }
    if bytes.len() as u64 > MAX_DOCUMENT {
        return Err(format!("it would have {} bytes, more than the {MAX_DOCUMENT} that are read", bytes.len()));
    }
    Ok((bytes, layers))
}

/// Reads a document of the scope and the platform. Records that cannot be true are left out.
///
/// # Errors
/// Why nothing of it is of use.
pub fn read(bytes: &[u8], layers: &[Descriptor], scope: &str, platform: &Platform) -> Result<Offered, String> {
    if bytes.len() as u64 > MAX_DOCUMENT {
        return Err("it is too large".into());
    }
    let document: Document = serde_json::from_slice(bytes).map_err(|error| format!("it is not valid: {error}"))?;
    if document.version != VERSION {
        return Err(format!("it has the version {}, which this agent does not read", document.version));
    }
    if document.scope != scope {
        return Err("it was written for another organization".into());
    }
    if document.platform != platform_text(platform) {
        return Err(format!("it is for {}", document.platform.chars().take(50).collect::<String>()));
    }
    if document.records.len() > MAX_RECORDS || document.selections.len() > MAX_RECORDS {
        return Err("it has too many records".into());
    }
    let usable = |layer: &&Descriptor| {
        // What is to be had elsewhere (`urls`) is not: those media types are not among them.
        [media_type::OCI_LAYER, media_type::OCI_LAYER_GZIP, media_type::OCI_LAYER_ZSTD].contains(&layer.media_type.as_str())
            && layer.size <= MAX_LAYER
    };
    let layers: HashMap<Digest, &Descriptor> = layers.iter().filter(usable).map(|layer| (layer.digest, layer)).collect();
    let mut offered = Offered::default();
    for record in document.records {
        let plain =
            [&record.key, &record.output].into_iter().all(|id| is_id(id)) && slipway_store::parse_rfc3339(&record.created).is_some();
        if !plain || record.created.len() > 40 {
            continue;
        }
        let layer = match record.layer {
            None => None,
            Some(layer) if layer.unpacked_size > MAX_LAYER || layer.form.as_ref().is_some_and(|form| form.len() > MAX_FORM) => continue,
            Some(layer) => match layers.get(&layer.digest) {
                None => continue,
                Some(descriptor) => Some(CachedLayer {
                    descriptor: Descriptor::new(&descriptor.media_type, descriptor.digest, descriptor.size),
                    diff_id: layer.diff_id,
                    unpacked_size: layer.unpacked_size,
                    form: layer.form,
                }),
            },
        };
        let about = record.about.map(|about| About::new(&about.text, &about.app));
        let entry = Entry { key: record.key.clone(), output: record.output, layer, created: record.created, about };
        offered.entries.insert(record.key, entry);
    }
    offered.selections = document.selections.into_iter().filter(|(name, files)| is_id(name) && is_id(files.digest())).collect();
    Ok(offered)
}

/// SHA-256 in hex, as `key.rs` makes them; they become names of files.
fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A document with the repository that has its layers.
#[derive(Debug)]
pub struct Source {
    pub offered: Offered,
    pub layers: Arc<slipway_transfer::LayerSource>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform() -> Platform {
        Platform { os: "linux".into(), architecture: "amd64".into(), variant: None }
    }

    fn id(of: &str) -> String {
        crate::key::KeyHash::new("t").field(of).finish()
    }

    fn entry(key: &str, media_type: &str, size: u64) -> Entry {
        let digest = Digest::of(key.as_bytes());
        let layer = CachedLayer { descriptor: Descriptor::new(media_type, digest, size), diff_id: digest, unpacked_size: 7, form: None };
        let about = Some(About::new("RUN x", "slipway.local/acme/app"));
        Entry { key: id(key), output: id("o"), layer: Some(layer), created: "2026-01-01T00:00:00Z".into(), about }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let entries = [entry("a", media_type::OCI_LAYER_GZIP, 10), Entry { layer: None, ..entry("b", "", 0) }];
        let selections = BTreeMap::from([(id("s"), FileList::join(Vec::new()))]);
        let (bytes, layers) = write("scope", &platform(), &entries, selections).unwrap();
        assert_eq!(layers.len(), 1);
        let offered = read(&bytes, &layers, "scope", &platform()).unwrap();
        assert_eq!(offered.entries.len(), 2);
        assert_eq!(offered.entries[&id("a")], entries[0]);
        assert_eq!(offered.selections.len(), 1);
    }

    #[test]
    fn hostile_documents_offer_nothing() {
        let good = entry("a", media_type::OCI_LAYER_GZIP, 10);
        let document = |entries: &[Entry]| write("scope", &platform(), entries, BTreeMap::new()).unwrap();
        let (bytes, layers) = document(std::slice::from_ref(&good));
        assert!(read(&bytes, &layers, "other", &platform()).unwrap_err().contains("another organization"));
        let arm = Platform { architecture: "arm64".into(), ..platform() };
        assert!(read(&bytes, &layers, "scope", &arm).is_err());
        assert!(read(b"{", &layers, "scope", &platform()).is_err());
        assert!(read(&vec![b' '; MAX_DOCUMENT as usize + 1], &layers, "scope", &platform()).is_err());
        let nothing = |entries: &[Entry], listed: &[Descriptor]| {
            let (bytes, _) = document(entries);
            assert_eq!(read(&bytes, listed, "scope", &platform()).unwrap().entries.len(), 0, "{entries:?}");
        };
        nothing(std::slice::from_ref(&good), &[]);
        for bad in ["../../../etc/passwd", "", "A", &"a".repeat(63), &"G".repeat(64)] {
            nothing(&[Entry { key: bad.into(), ..good.clone() }], &layers);
            nothing(&[Entry { output: bad.into(), ..good.clone() }], &layers);
        }
        nothing(&[Entry { created: "yesterday".into(), ..good.clone() }], &layers);
        let foreign = entry("a", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", 10);
        nothing(std::slice::from_ref(&foreign), &document(std::slice::from_ref(&foreign)).1);
        let giant = entry("a", media_type::OCI_LAYER_GZIP, u64::MAX);
        nothing(std::slice::from_ref(&giant), &document(std::slice::from_ref(&giant)).1);
    }
}
