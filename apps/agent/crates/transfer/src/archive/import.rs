use std::io::Read;
use std::time::SystemTime;

use slipway_snapshot::{Compression, Layers};
use slipway_store::{ContainerConfig, HistoryEntry, Image, ImageConfig, Platform, Reference, RootFs, rfc3339};

use crate::Result;
use crate::archive::changes;

/// How an imported root file system becomes an image.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// Dockerfile instructions, like `CMD ["/bin/sh"]`.
    pub changes: Vec<String>,
    /// For the image's history; "Imported from -" when there is none.
    pub message: Option<String>,
    pub platform: Option<Platform>,
    pub reference: Option<Reference>,
}

/// Makes an image of one layer from a tar of a root file system (plain, gzip or zstd). Blocks.
pub fn import(layers: &Layers, reader: impl Read + Send, options: &ImportOptions) -> Result<Image> {
    // Changes first: a typo must not cost an upload.
    let mut config = ContainerConfig::default();
    for change in &options.changes {
        changes::apply(&mut config, change)?;
    }
    let store = layers.store();
    let lease = store.lease("import");
    let layer = layers.ingest(&lease, reader, Compression::Gzip)?;
    let platform = options.platform.clone().unwrap_or_else(Platform::host);
    let created = rfc3339(SystemTime::now());
    let comment = options.message.clone().unwrap_or_else(|| "Imported from -".to_string());
    let image_config = ImageConfig {
        created: Some(created.clone()),
        architecture: platform.architecture,
        os: platform.os,
        variant: platform.variant,
        config: Some(config),
        rootfs: RootFs { kind: "layers".into(), diff_ids: vec![layer.diff_id] },
        history: vec![HistoryEntry { created: Some(created), comment: Some(comment), ..HistoryEntry::default() }],
        ..ImageConfig::default()
    };
    let image = store.make_image(&lease, &image_config, vec![layer.descriptor], layer.unpacked_size)?;
    if let Some(reference) = &options.reference {
        store.tag(reference, &image.record.id)?;
    }
    Ok(store.image(&image.record.id)?)
}
