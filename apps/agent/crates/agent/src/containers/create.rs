//! `POST /containers/create`: image, defaults, mounts, a writable layer, and the record on disk.
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use slipway_cgroups::Join;
use slipway_runtime::spec::{LaunchSpec, Rootfs};
use slipway_runtime::{clock, fault};
use slipway_store::ContainerConfig;

use super::model::{Config, CreateRequest};
use super::record::{self, MountKind, Record, State};
use super::{Container, Containers, endpoints, mounts, names, shared, spec};
use crate::error::{ApiError, ApiResult};
use crate::policy::Asked;

/// Variables, arguments and labels together; far above any use, far below what would hurt.
const LARGEST_CONFIG: usize = 4 << 20;
/// Seconds that an image may ask for between the stop signal and SIGKILL. Users may ask for more.
const LONGEST_IMAGE_STOP: i64 = 300;
/// Most clients start what they create within this time.
const START_EXPECTED: Duration = Duration::from_millis(60);

impl Containers {
    /// Makes a container; gives it and warnings for the user.
    pub async fn create(self: &Arc<Self>, name: Option<&str>, request: CreateRequest) -> ApiResult<(Arc<Container>, Vec<String>)> {
        self.expect_start();
        let image = self.deps.images.for_container(&request.config.image).await?;
        let (mut config, mut host_config) = (request.config, request.host_config);
        shared::check(&config, &host_config)?;
        self.pin_shared(&mut host_config)?;
        merge(&mut config, image.config.config.clone().unwrap_or_default());
        let networks = endpoints::plan(&self.deps.networks, &config, &host_config, request.networking_config)?;
        let id = names::new_id()?;
        let name = self.reserve_name(name, &id)?;
        let this = self.clone();
        let record = Record {
            id,
            name: name.clone(),
            created: clock::now(),
            image_id: image.id.to_string(),
            config,
            host_config,
            mounts: Vec::new(),
            networks: Some(networks),
        };
        // Directories, volumes and the snapshot are disk work.
        let made = tokio::task::spawn_blocking(move || this.make(record, &image.diff_ids));
        match made.await.map_err(|error| ApiError::internal("the creation was cut off", error)).and_then(|made| made) {
            Ok((container, warnings)) => {
                self.event(&container, "create", &[]);
                Ok((container, warnings))
            }
            Err(error) => {
                self.index_mut().by_name.remove(&name);
                Err(error)
            }
        }
    }

    /// Whoever creates a container starts it within moments.
    pub(super) fn expect_start(&self) {
        let groups = self.deps.groups.clone();
        if !groups.joins_wait() {
            return;
        }
        drop(tokio::task::spawn_blocking(move || groups.expect_join(START_EXPECTED)));
    }

    fn reserve_name(&self, wanted: Option<&str>, id: &str) -> ApiResult<String> {
        let mut index = self.index_mut();
        let name = match wanted.map(|name| name.trim_start_matches('/')).filter(|name| !name.is_empty()) {
            Some(name) => {
                names::check(name)?;
                if let Some(owner) = index.by_name.get(name) {
                    return Err(names::taken(name, owner));
                }
                name.to_owned()
            }
            None => names::generate(|name| index.by_name.contains_key(name))?,
        };
        index.by_name.insert(name.clone(), id.to_owned());
        Ok(name)
    }

    /// Makes what a container has on disk, or nothing. `record` has no mounts yet.
    fn make(&self, mut record: Record, diff_ids: &[slipway_store::Digest]) -> ApiResult<(Arc<Container>, Vec<String>)> {
        if serde_json::to_vec(&record).map_or(usize::MAX, |bytes| bytes.len()) > LARGEST_CONFIG {
            return Err(ApiError::bad_request("the container's configuration is larger than 4 MiB"));
        }
        let dir = self.root.join(&record.id);
        let failed = |error: std::io::Error| ApiError::internal("cannot write the container's files", error);
        std::fs::create_dir(&dir).map_err(failed)?;
        let anonymous = RefCell::new(Vec::new());
        let volume_name = || {
            let name = names::new_id()?;
            anonymous.borrow_mut().push(name.clone());
            // Before it is made: a daemon that dies meanwhile leaves no volume that nobody knows.
            record::save_making(&dir, &anonymous.borrow()).map_err(failed)?;
            Ok(name)
        };
        let mounts = self.volumes_from(&record.host_config);
        let mounts =
            mounts.and_then(|others| mounts::resolve(&self.deps.volumes, &record.config, &record.host_config, others, volume_name));
        let made = mounts.and_then(|mounts| {
            fault::point("create.volumes");
            record.mounts = mounts;
            let warnings = self.check(&record)?;
            Ok((self.write(record, diff_ids)?, warnings))
        });
        let anonymous = anonymous.take();
        match &made {
            Ok(_) if anonymous.is_empty() => {}
            Ok(_) => record::end_making(&dir).map_err(failed)?,
            Err(_) => {
                for name in anonymous {
                    let _ = self.deps.volumes.remove(&name); // the first error is the one to tell
                }
                let _ = slipway_sys::remove::remove_tree(&dir);
            }
        }
        made
    }

    fn write(&self, record: Record, diff_ids: &[slipway_store::Digest]) -> ApiResult<Arc<Container>> {
        let (id, dir) = (record.id.clone(), self.root.join(&record.id));
        let failed = |error: std::io::Error| ApiError::internal("cannot write the container's files", error);
        let prepared = self.deps.images.layers.snapshots().prepare(&id, diff_ids).map_err(ApiError::from);
        fault::point("create.snapshot");
        if let Err(error) = prepared.and_then(|_| record::save_record(&dir, &record).map_err(failed)) {
            let _ = self.deps.images.layers.snapshots().remove(&id); // the first error is the one to tell
            return Err(error);
        }
        fault::point("create.recorded");
        let container = Arc::new(Container::new(dir, record, State::default()));
        self.index_mut().by_id.insert(id, container.clone());
        Ok(container)
    }

    /// Builds the spec as a start would, to refuse now what could not start, and asks the policy.
    fn check(&self, record: &Record) -> ApiResult<Vec<String>> {
        let nowhere = Path::new("/");
        let rootfs = Rootfs::Directory(nowhere.into());
        let mut built = spec::build(record, 0, nowhere, rootfs, Join::default())?;
        self.set_users(&mut built, self.ids(&record.host_config)?);
        let filter = spec::security(&record.host_config)?.seccomp;
        self.allow(record, &built, filter.is_default())?;
        // What is wrong with a profile is told now.
        self.deps.filters.select(built.process.capabilities, &filter)?;
        let mut limits = spec::limits(&record.host_config)?;
        let mut warnings = spec::discard(&mut limits, &self.deps.groups);
        record.config.healthcheck.as_ref().map_or(Ok(()), super::health::check)?;
        spec::check_refused(record)?;
        let policy = &record.host_config.restart_policy;
        super::update::check_policy(policy)?;
        if record.host_config.auto_remove && !matches!(policy.name.as_str(), "" | "no") {
            return Err(ApiError::bad_request("can't create 'AutoRemove' container with restart policy"));
        }
        spec::ports(record, None)?;
        if let Some(name) = record.config.stop_signal.as_deref() {
            super::lifecycle::signal_number(name)?;
        }
        let published = !record.host_config.port_bindings.is_empty();
        let host = spec::network_mode(&record.host_config)? == spec::NetworkMode::Host;
        if published && host {
            warnings.push("Published ports are discarded when using host network mode".to_owned());
        }
        if record.host_config.kernel_memory != 0 {
            warnings.push("Specifying a kernel memory limit is deprecated and will be removed in a future release.".to_owned());
        }
        Ok(warnings)
    }

    /// Asks the policy: at creation, and at each start, as it may have been tightened since.
    pub(super) fn allow(&self, record: &Record, spec: &LaunchSpec, confined: bool) -> ApiResult<()> {
        // Volumes and the files every container gets are the agent's own.
        let binds = |target: &str| record.mounts.iter().any(|own| own.kind == MountKind::Bind && own.destination == target);
        let host = &record.host_config;
        // Where links lead is what counts; a path that leads nowhere was refused before.
        let real = |path: &str| Path::new(path).canonicalize().unwrap_or_else(|_| path.into());
        let devices: Vec<_> = host.devices.iter().map(|device| real(&device.path_on_host)).collect();
        let asked = Asked { confined, devices: &devices, device_rules: !host.device_cgroup_rules.is_empty() };
        let allowed = self.deps.config.file.policy.check(spec, &asked, |mount| binds(&mount.target));
        allowed.map_err(|why| ApiError::new(axum::http::StatusCode::FORBIDDEN, why))
    }
}

/// The image's defaults for what the client left open. An own entrypoint also drops the image's command.
pub(super) fn merge(config: &mut Config, image: ContainerConfig) {
    if config.user.is_empty() {
        config.user = image.user;
    }
    if config.working_dir.is_empty() {
        config.working_dir = image.working_dir;
    }
    let empty = |list: &Option<Vec<String>>| list.as_ref().is_none_or(Vec::is_empty);
    if config.entrypoint.is_none() {
        if empty(&config.cmd) {
            config.cmd = image.cmd;
        }
        config.entrypoint = image.entrypoint;
    }
    // `--entrypoint ""` arrives as one empty string and means "none".
    if config.entrypoint.as_ref().is_some_and(|list| list.len() == 1 && list[0].is_empty()) {
        config.entrypoint = None;
    }
    let key = |entry: &str| entry.split_once('=').map_or(entry.to_owned(), |(key, _)| key.to_owned());
    let own: Vec<String> = config.env.iter().map(|entry| key(entry)).collect();
    let mut env: Vec<String> = image.env.into_iter().filter(|entry| !own.contains(&key(entry))).collect();
    env.append(&mut config.env);
    config.env = env;
    for (name, value) in image.labels {
        config.labels.entry(name).or_insert(value);
    }
    config.exposed_ports.extend(image.exposed_ports);
    config.volumes.extend(image.volumes);
    config.stop_signal = config.stop_signal.take().filter(|signal| !signal.is_empty()).or(image.stop_signal);
    config.stop_timeout = config.stop_timeout.or(image.stop_timeout.filter(|seconds| (0..=LONGEST_IMAGE_STOP).contains(seconds)));
    config.shell = config.shell.take().or(image.shell);
    config.healthcheck = match (config.healthcheck.take(), image.healthcheck) {
        (Some(mut own), Some(image)) => {
            // Fields left out are inherited one by one.
            if own.test.is_empty() {
                own.test = image.test;
            }
            for (own, image) in [
                (&mut own.interval, image.interval),
                (&mut own.timeout, image.timeout),
                (&mut own.start_period, image.start_period),
                (&mut own.start_interval, image.start_interval),
                (&mut own.retries, image.retries),
            ] {
                if *own == 0 {
                    *own = image;
                }
            }
            Some(own)
        }
        (own, image) => own.or(image),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: &[&str]) -> Option<Vec<String>> {
        Some(items.iter().map(|item| (*item).to_owned()).collect())
    }

    #[test]
    fn entrypoint_and_command() {
        let image = ContainerConfig { entrypoint: list(&["/entry"]), cmd: list(&["serve"]), ..ContainerConfig::default() };
        let merged = |entrypoint, cmd| {
            let mut config = Config { entrypoint, cmd, ..Config::default() };
            merge(&mut config, image.clone());
            (config.entrypoint, config.cmd)
        };
        assert_eq!(merged(None, None), (list(&["/entry"]), list(&["serve"])));
        assert_eq!(merged(None, list(&["x"])), (list(&["/entry"]), list(&["x"])));
        assert_eq!(merged(list(&["sh"]), None), (list(&["sh"]), None));
        assert_eq!(merged(list(&[""]), list(&["x"])), (None, list(&["x"])));
    }

    #[test]
    fn own_variables_win() {
        let image = ContainerConfig { env: vec!["A=1".into(), "B=2".into()], ..ContainerConfig::default() };
        let mut config = Config { env: vec!["B=3".into()], ..Config::default() };
        merge(&mut config, image);
        assert_eq!(config.env, ["A=1", "B=3"]);
    }
}
