//! What every handler can reach. One per process, behind an `Arc`.
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Weak};

use anyhow::Context;
use slipway_cgroups::Groups;
use slipway_net::{Network, Settings};
use slipway_runtime::Runtime;
use tokio::sync::Notify;

use crate::build_executor::BuildExecutor;
use crate::builds::Builds;
use crate::config::Config;
use crate::containers::{Containers, Deps, Found};
use crate::events::Events;
use crate::execs::Execs;
use crate::images::{ImageUser, Images};
use crate::instance::instance_of;
use crate::networks::{self, Networks};
use crate::seccomp::Filters;
use crate::volumes::Volumes;

pub type App = Arc<AppState>;

pub struct AppState {
    pub config: Config,
    /// 8 hex digits; see `instance.rs`.
    pub instance: String,
    pub images: Arc<Images>,
    pub builds: Arc<Builds>,
    pub containers: Arc<Containers>,
    pub volumes: Arc<Volumes>,
    pub events: Arc<Events>,
    pub network: Arc<Network>,
    pub networks: Arc<Networks>,
    pub execs: Execs,
    /// Told to take everything down and end.
    pub shutdown: Notify,
    groups: Groups,
    /// Held as long as the process lives: one agent for one data root.
    _lock: File,
}

impl AppState {
    /// Opens everything, in an order that gives each part what it stands on. Containers that run are found again last.
    pub async fn open(config: Config, runtime: Runtime) -> anyhow::Result<App> {
        let lock = lock(&config.data_root)?;
        let instance = instance_of(&config.data_root);
        let images = Arc::new(Images::open(&config).await?);
        let (settings, data_root, name) = (network_settings(&config, &instance)?, config.data_root.clone(), instance.clone());
        let events = Arc::new(Events::default());
        let shared = events.clone();
        let (favor_moves, policy) = (config.file.cgroups.favor_dynmods, config.file.policy.clone());
        let opened = tokio::task::spawn_blocking(move || -> anyhow::Result<_> {
            let found = Found::read(&data_root).context("cannot read the containers")?;
            let groups = Groups::open(&name, favor_moves).context("cannot prepare control groups")?;
            let networks = networks::Found::read(&data_root).context("cannot read the networks")?;
            let settings = Settings { subnets: networks.subnets(), ..settings };
            let bridges = networks.bridges(&name);
            let network = Arc::new(Network::open(settings, &bridges, found.places()).context("cannot prepare the network")?);
            let networks = Networks::open(&data_root, &name, network.clone(), shared, networks);
            let volumes = Volumes::open(&data_root, policy).context("cannot read the volumes")?;
            Ok((found, groups, network, Arc::new(networks), Arc::new(volumes)))
        });
        let (found, groups, network, networks, volumes) = opened.await??;
        let (runtime, filters) = (Arc::new(runtime), Arc::new(Filters::default()));
        let executor = {
            let (config, runtime, groups, network, filters) =
                (config.clone(), runtime.clone(), groups.clone(), network.clone(), filters.clone());
            tokio::task::spawn_blocking(move || BuildExecutor::open(&config, runtime, groups, network, filters)).await?
        };
        let executor = Arc::new(executor.context("cannot prepare builds")?);
        let builds = Arc::new(Builds::open(&config.file.build, &config.data_root, images.clone(), executor).await?);
        let deps = Deps {
            config: config.clone(),
            images: images.clone(),
            volumes: volumes.clone(),
            events: events.clone(),
            runtime,
            groups: groups.clone(),
            network: network.clone(),
            networks: networks.clone(),
            filters,
        };
        let containers = Containers::open(deps, found).await;
        connect_images(&images, &containers, &events);
        let watched = network.clone();
        tokio::spawn(async move {
            if let Err(error) = watched.keep_rules().await {
                tracing::error!(%error, "rules that another program flushes will not be put back");
            }
        });
        Ok(Arc::new(Self {
            config,
            instance,
            images,
            builds,
            containers,
            volumes,
            events,
            network,
            networks,
            execs: Execs::default(),
            shutdown: Notify::new(),
            groups,
            _lock: lock,
        }))
    }

    /// Stops every container and takes away all that the agent made on this host outside of its data root.
    pub async fn take_down(&self) -> anyhow::Result<()> {
        self.containers.shut_down().await;
        // All of it, whatever becomes of a part.
        let network = self.network.close().await.context("cannot remove the network");
        let groups = self.groups.clone();
        let groups = tokio::task::spawn_blocking(move || groups.remove_all()).await?.context("cannot remove the control groups");
        let data_root = self.config.data_root.clone();
        let volumes = tokio::task::spawn_blocking(move || crate::volumes::unmount_all(&data_root)).await?;
        network.and(groups).and(volumes.context("cannot unmount the volumes"))
    }
}

/// Held by the agent of a data root as long as it lives.
pub fn lock(data_root: &Path) -> anyhow::Result<File> {
    let path = data_root.join("agent.lock");
    let file = File::create(&path).with_context(|| format!("cannot open {}", path.display()))?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::AGAIN) => anyhow::bail!("another agent already uses {}", data_root.display()),
        Err(error) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

fn network_settings(config: &Config, instance: &str) -> anyhow::Result<Settings> {
    let own = &config.file.network;
    let subnet = own.subnet.as_deref().map(str::parse).transpose().context("network.subnet in the settings file")?;
    Ok(Settings {
        instance: instance.to_owned(),
        network: networks::predefined_id(instance, "bridge"),
        state_file: config.data_root.join("network.json"),
        subnet,
        mtu: own.mtu,
        subnets: Vec::new(),
    })
}

/// Images must know which containers stand on them, and their events go where all events go.
fn connect_images(images: &Images, containers: &Arc<Containers>, events: &Arc<Events>) {
    let containers: Weak<Containers> = Arc::downgrade(containers);
    images.set_users(Arc::new(move |digest| {
        let Some(containers) = containers.upgrade() else { return Vec::new() };
        let image = digest.to_string();
        let users = containers.list().into_iter().filter(|container| container.record().image_id == image);
        users.map(|container| ImageUser { container: container.id.clone(), running: container.state().is_running() }).collect()
    }));
    let events = events.clone();
    images.set_on_event(Arc::new(move |action, id, name| {
        events.publish("image", action, id, BTreeMap::from([("name".to_owned(), name.to_owned())]));
    }));
}
