//! Images of this host: what the Engine API, container creation and builds ask of the store.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::http::StatusCode;
use slipway_snapshot::Layers;
use slipway_store::{Digest, Image, ImageConfig, ImageIndex, Lease, Platform, Reference, Resource, Store};
use slipway_transfer::{Client, DownloadLimits, Downloader, Registries, Timeouts};

use crate::config::Config;
use crate::error::{ApiError, ApiResult};

/// A container that stands on an image.
#[derive(Debug, Clone)]
pub struct ImageUser {
    pub container: String,
    pub running: bool,
}

/// Tells which containers stand on an image (by id).
pub type UsersOf = Arc<dyn Fn(&Digest) -> Vec<ImageUser> + Send + Sync>;
/// Takes what happens to images: action (`pull`, `tag`, …), image id, name.
pub type OnEvent = Arc<dyn Fn(&str, &str, &str) + Send + Sync>;

pub struct Images {
    pub store: Store,
    pub layers: Layers,
    /// Talks to registries.
    pub client: Client,
    /// Fetches URLs that users name.
    pub downloader: Downloader,
    /// Images that containers are being made of, and how many each; held while an image is removed.
    in_making: Arc<Mutex<HashMap<Digest, usize>>>,
    users: OnceLock<UsersOf>,
    on_event: OnceLock<OnEvent>,
}

/// All that a container needs of its image. The layers are unpacked when this is given out; a snapshot prepared on
/// `diff_ids` keeps them.
#[derive(Debug, Clone)]
pub struct RunImage {
    pub id: Digest,
    pub manifest: Digest,
    pub config: ImageConfig,
    /// Lowest first.
    pub diff_ids: Vec<Digest>,
    /// Keeps the image and its layers until the container's own snapshot does.
    pub _making: Arc<Making>,
}

/// A container is being made of an image.
#[derive(Debug)]
pub struct Making {
    image: Digest,
    all: Arc<Mutex<HashMap<Digest, usize>>>,
    lease: Lease,
}

impl Drop for Making {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.image) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.image);
            }
        }
    }
}

/// While it lives nobody begins to use an image.
pub struct Exclusive<'a> {
    images: &'a Images,
    in_making: MutexGuard<'a, HashMap<Digest, usize>>,
}

impl Exclusive<'_> {
    /// The containers that stand on an image, or are about to.
    pub fn users_of(&self, id: &Digest) -> Vec<ImageUser> {
        let mut users = self.images.users_of(id);
        if self.in_making.contains_key(id) {
            users.push(ImageUser { container: "(new)".into(), running: false });
        }
        users
    }
}

impl Images {
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let root = config.data_root.clone();
        let (store, layers) = tokio::task::spawn_blocking(move || -> anyhow::Result<_> {
            let store = Store::open(&root)?;
            let layers = Layers::open(&store)?;
            Ok((store, layers))
        })
        .await??;
        let registries = Registries::new(config.file.registries.clone())?.allow_inside(config.file.registry_inside.clone())?;
        let client = Client::new(registries, Timeouts::default());
        let downloader = Downloader::new(&config.file.download_inside, DownloadLimits::default())?;
        Ok(Self { store, layers, client, downloader, in_making: Arc::default(), users: OnceLock::new(), on_event: OnceLock::new() })
    }

    /// To be set once by whoever runs containers; until then no image counts as used.
    pub fn set_users(&self, users: UsersOf) {
        let _ = self.users.set(users);
    }

    /// To be set once by whoever publishes events.
    pub fn set_on_event(&self, on_event: OnEvent) {
        let _ = self.on_event.set(on_event);
    }

    pub fn users_of(&self, id: &Digest) -> Vec<ImageUser> {
        self.users.get().map(|users| users(id)).unwrap_or_default()
    }

    /// To look whether an image is used, and remove it, as one step.
    pub fn exclusively(&self) -> Exclusive<'_> {
        Exclusive { images: self, in_making: self.in_making.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    fn begin_making(&self, find: impl FnOnce() -> ApiResult<Image>) -> ApiResult<(Image, Arc<Making>)> {
        let mut all = self.in_making.lock().unwrap_or_else(PoisonError::into_inner);
        let image = find()?;
        *all.entry(image.record.id).or_default() += 1;
        drop(all);
        let making = Making { image: image.record.id, all: self.in_making.clone(), lease: self.store.lease("create") };
        for (blob, diff_id) in image.record.layers.iter().zip(&image.record.diff_ids) {
            making.lease.hold(Resource::Blob(blob.digest))?;
            making.lease.hold(Resource::Layer(*diff_id))?;
        }
        Ok((image, Arc::new(making)))
    }

    pub fn event(&self, action: &str, id: &str, name: &str) {
        if let Some(on_event) = self.on_event.get() {
            on_event(action, id, name);
        }
    }

    /// Finds an image by name, id or id prefix, as Docker does. Fast: no disk.
    pub fn resolve(&self, name: &str) -> ApiResult<Image> {
        self.store.resolve(name).map_err(ApiError::from)
    }

    /// As [`Images::resolve`]; `name@digest` also finds the image of another platform in an index of that name.
    pub fn resolve_any(&self, name: &str) -> ApiResult<Image> {
        self.resolve(name).or_else(|missing| {
            let member = Reference::parse(name).ok().and_then(|reference| self.store.member(&reference));
            member.ok_or(missing)
        })
    }

    /// The index that a name stands for.
    pub fn index(&self, name: &str) -> Option<ImageIndex> {
        self.store.index(&Reference::parse(name).ok()?)
    }

    /// A name for the image of one platform, which a name that stands for an index, or the image itself, has.
    pub fn platform(&self, name: &str, wanted: &Platform) -> ApiResult<String> {
        if let Some(index) = self.index(name)
            && let Some(image) = index.images.iter().find(|image| image.platform().satisfies(wanted))
        {
            return Ok(Reference::parse(name)?.with_digest(image.manifest.digest).canonical());
        }
        if self.resolve_any(name)?.record.platform().satisfies(wanted) {
            return Ok(name.to_owned());
        }
        Err(ApiError::not_found(format!("the image {name} is not there for {}/{}", wanted.os, wanted.architecture)))
    }

    /// The image of a new container. A layer that is not unpacked (after a crash of the machine, say) is unpacked from its
    /// blob first.
    pub async fn for_container(&self, name: &str) -> ApiResult<RunImage> {
        self.unpacked(self.begin_making(|| self.resolve(name))?).await
    }

    /// To read its files: as [`Images::for_container`], of what [`Images::resolve_any`] finds.
    pub async fn for_reading(&self, name: &str) -> ApiResult<RunImage> {
        self.unpacked(self.begin_making(|| self.resolve_any(name))?).await
    }

    async fn unpacked(&self, (image, making): (Image, Arc<Making>)) -> ApiResult<RunImage> {
        let (store, layers) = (self.store.clone(), self.layers.clone());
        blocking(move || {
            let config = store.image_config(&image.record)?;
            for (blob, diff_id) in image.record.layers.iter().zip(&image.record.diff_ids) {
                if layers.get(diff_id).is_none() {
                    layers.unpack_blob(&making.lease, blob, diff_id)?;
                }
            }
            Ok(RunImage {
                id: image.record.id,
                manifest: image.record.manifest.digest,
                config,
                diff_ids: image.record.diff_ids,
                _making: making,
            })
        })
        .await
    }

    /// Deletes content that nothing reaches, and says in the log what it was.
    pub async fn collect(&self) -> ApiResult<slipway_store::Reclaimed> {
        let layers = self.layers.clone();
        let reclaimed = blocking(move || Ok(layers.collect()?)).await?;
        if reclaimed.bytes > 0 {
            tracing::info!(
                blobs = reclaimed.blobs.len(),
                layers = reclaimed.layers.len(),
                bytes = reclaimed.bytes,
                "content that nothing reaches was deleted"
            );
        }
        Ok(reclaimed)
    }
}

/// Runs work of the store on a blocking thread.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> slipway_transfer::Result<T> + Send + 'static) -> ApiResult<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(ApiError::from),
        Err(error) => Err(ApiError::internal("the work on the image store was cut off", error)),
    }
}

impl From<slipway_transfer::Error> for ApiError {
    fn from(error: slipway_transfer::Error) -> Self {
        let status = match error.code() {
            "IMAGE_NOT_FOUND" | "REGISTRY_DENIED" | "PLATFORM_NOT_FOUND" | "URL_NOT_FOUND" => StatusCode::NOT_FOUND,
            "URL_INSIDE" => StatusCode::FORBIDDEN,
            "REFERENCE_INVALID"
            | "DIGEST_INVALID"
            | "IMAGE_AMBIGUOUS"
            | "CHANGE_INVALID"
            | "ARCHIVE_INVALID"
            | "LAYER_INVALID"
            | "LAYER_REFUSED"
            | "TOO_LARGE"
            | "CONTENT_INVALID"
            | "CREDENTIALS_INVALID"
            | "URL_INVALID"
            | "URL_REFUSED"
            | "URL_TOO_LARGE" => StatusCode::BAD_REQUEST,
            "DISK_FULL" => {
                tracing::error!(cause = ?error, "{error}");
                return ApiError::disk_full("the image's content could not be stored");
            }
            // The registry's disk, not this host's; it says so itself.
            _ if matches!(error, slipway_transfer::Error::Refused { status: 507, .. }) => StatusCode::INSUFFICIENT_STORAGE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(code = error.code(), cause = ?error, "{error}");
        }
        ApiError::new(status, error.to_string())
    }
}

impl From<slipway_store::Error> for ApiError {
    fn from(error: slipway_store::Error) -> Self {
        slipway_transfer::Error::from(error).into()
    }
}

impl From<slipway_snapshot::Error> for ApiError {
    fn from(error: slipway_snapshot::Error) -> Self {
        slipway_transfer::Error::from(error).into()
    }
}
