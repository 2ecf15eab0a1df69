//! Images move in and out of the store here: pulled from and pushed to registries (OCI distribution-spec 1.1), loaded from
//! and saved to archives, imported from a root file system.

mod archive;
mod channel;
mod download;
mod error;
mod network;
mod progress;
mod registry;
mod unpacked;

pub use archive::changes::apply as apply_change;
pub use archive::import::{ImportOptions, import};
pub use archive::load::{Loaded, load};
pub use archive::save::{ArchiveForm, ToSave, save};
pub use channel::{ChunkReader, ChunkSender, ChunkWriter, chunks};
pub use download::{Answer, Download, DownloadError, DownloadLimits, Downloader, Saved, Validators, redacted};
pub use error::{Error, Result};
pub use progress::{Progress, Reporter, silent};
pub use registry::{
    Artifact, Client, Credentials, Distribution, LayerSource, Pull, Pulled, Push, Pushed, PushedArtifact, Registries, Timeouts,
};
