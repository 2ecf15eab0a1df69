//! Images of this host: what the Engine API, container creation and builds ask of the store.
use anyhow::Context;
use slipway_snapshot::Layers;
use slipway_store::Store;

use crate::config::Config;

pub struct Images {
    store: Store,
    layers: Layers,
}

impl Images {
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let root = config.data_root.clone();
        tokio::task::spawn_blocking(move || {
            let store = Store::open(&root).context("cannot open the image store")?;
            let layers = Layers::open(&store).context("cannot open the image layers")?;
            Ok(Self { store, layers })
        })
        .await?
    }

    /// Blobs, image records, names. Blocking: call it from a blocking thread.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Unpacked layers and writable snapshots. Blocking, too.
    pub fn layers(&self) -> &Layers {
        &self.layers
    }
}
