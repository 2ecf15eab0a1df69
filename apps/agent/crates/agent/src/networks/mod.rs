//! The networks of this host, by name and id: the three that are always there, and those that users make.
//!
//! What a network is on the host (bridge, addresses, rules) is `slipway_net`'s; who is in it, the containers' states say.
//! `changes` keeps a network from being removed while a container joins it.
pub mod record;
mod request;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use slipway_net::BridgeInfo;
use slipway_runtime::clock;
use tokio::sync::RwLockReadGuard;

pub use record::{Driver, Network};
use record::{OPTION_BINDING, OPTION_ICC, OPTION_MASQUERADE, OPTION_MTU, OPTION_NAME, Pool};
pub use request::CreateNetwork;

use crate::containers::new_id;
use crate::error::{ApiError, ApiResult};
use crate::events::Events;

/// Bridges are made of the kernel's memory, and each has rules that packets pass.
const MOST_NETWORKS: usize = 1_000;

pub struct Networks {
    root: PathBuf,
    instance: String,
    net: Arc<slipway_net::Network>,
    events: Arc<Events>,
    all: RwLock<BTreeMap<String, Arc<Network>>>,
    changes: tokio::sync::RwLock<()>,
}

/// An id for a network that has only a name: stable and of the right form.
pub fn predefined_id(instance: &str, name: &str) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(format!("{instance}/{name}")))
}

/// Networks read from disk, before they are on the host.
pub struct Found(Vec<Network>);

impl Found {
    /// Blocking.
    pub fn read(data_root: &Path) -> std::io::Result<Self> {
        record::load(&data_root.join("networks")).map(Self)
    }

    pub fn subnets(&self) -> Vec<slipway_net::Subnet> {
        self.0.iter().filter_map(|network| Some(network.ipv4.as_ref()?.subnet)).collect()
    }

    /// How they are to be on the host, with their names.
    pub fn bridges(&self, instance: &str) -> Vec<(BridgeInfo, String)> {
        self.0.iter().filter_map(|network| Some((network.bridge(instance)?, network.name.clone()))).collect()
    }
}

impl Networks {
    pub fn open(data_root: &Path, instance: &str, net: Arc<slipway_net::Network>, events: Arc<Events>, found: Found) -> Self {
        let predefined = |name: &str, driver| Network {
            id: predefined_id(instance, name),
            name: name.to_owned(),
            created: clock::now(),
            driver,
            internal: false,
            attachable: false,
            labels: BTreeMap::new(),
            options: BTreeMap::new(),
            ipam_options: BTreeMap::new(),
            ipv4: None,
            ipv6: None,
        };
        let mut bridge = predefined("bridge", Driver::Bridge);
        let info = net.bridge();
        bridge.ipv4 = Some(Pool { subnet: info.subnet, gateway: info.gateway, range: None, auxiliary: BTreeMap::new(), configured: false });
        bridge.options = BTreeMap::from([
            ("com.docker.network.bridge.default_bridge".to_owned(), "true".to_owned()),
            (OPTION_BINDING.to_owned(), "0.0.0.0".to_owned()),
            (OPTION_ICC.to_owned(), "true".to_owned()),
            (OPTION_MASQUERADE.to_owned(), "true".to_owned()),
            (OPTION_NAME.to_owned(), info.name.clone()),
            (OPTION_MTU.to_owned(), info.mtu.to_string()),
        ]);
        let always = [bridge, predefined("host", Driver::Host), predefined("none", Driver::Null)];
        let all = always.into_iter().chain(found.0).map(|network| (network.id.clone(), Arc::new(network))).collect();
        Self {
            root: data_root.join("networks"),
            instance: instance.to_owned(),
            net,
            events,
            all: RwLock::new(all),
            changes: tokio::sync::RwLock::default(),
        }
    }

    /// In the order they were made.
    pub fn list(&self) -> Vec<Arc<Network>> {
        let mut all: Vec<_> = self.all.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        all.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
        all
    }

    pub fn by_id(&self, id: &str) -> Option<Arc<Network>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// By name, id, or unambiguous beginning of an id.
    pub fn get(&self, wanted: &str) -> ApiResult<Arc<Network>> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        let exact = all.get(wanted).or_else(|| all.values().find(|network| network.name == wanted));
        if let Some(network) = exact {
            return Ok(network.clone());
        }
        let mut matches = all.range(wanted.to_owned()..).take_while(|(id, _)| !wanted.is_empty() && id.starts_with(wanted));
        match (matches.next(), matches.next()) {
            (Some((_, network)), None) => Ok(network.clone()),
            (Some(_), Some(_)) => {
                Err(ApiError::bad_request(format!("network {wanted} is ambiguous (several matches found based on ID prefix)")))
            }
            _ => Err(ApiError::not_found(format!("network {wanted} not found"))),
        }
    }

    /// While it is held no network comes or goes.
    pub async fn hold(&self) -> RwLockReadGuard<'_, ()> {
        self.changes.read().await
    }

    pub fn event(&self, network: &Network, action: &str, container: Option<&str>) {
        let mut attributes =
            BTreeMap::from([("name".to_owned(), network.name.clone()), ("type".to_owned(), network.driver.name().to_owned())]);
        attributes.extend(container.map(|id| ("container".to_owned(), id.to_owned())));
        self.events.publish("network", action, &network.id, attributes);
    }

    pub async fn create(&self, request: CreateNetwork) -> ApiResult<Arc<Network>> {
        request.check()?;
        let name = request.name.clone().unwrap_or_default();
        let _changes = self.changes.write().await;
        let all = self.list();
        if all.iter().any(|network| network.name == name) {
            return Err(ApiError::conflict(format!("network with name {name} already exists")));
        }
        if all.len() >= MOST_NETWORKS {
            return Err(ApiError::forbidden(format!("there are {MOST_NETWORKS} networks already; remove some that nothing uses")));
        }
        let id = new_id()?;
        let (ipv4, ipv6) = self.pools(&request, &id).await?;
        let network = Network {
            id,
            name,
            created: clock::now(),
            driver: request.driver(),
            internal: request.internal == Some(true),
            attachable: request.attachable == Some(true),
            labels: request.labels.unwrap_or_default(),
            options: request.options.unwrap_or_default(),
            ipam_options: request.ipam.and_then(|ipam| ipam.options).unwrap_or_default(),
            ipv4: Some(ipv4),
            ipv6,
        };
        let info = network.bridge(&self.instance);
        let info = info.ok_or_else(|| ApiError::internal("cannot make the network", "it has no addresses"))?;
        if let Some(other) = all.iter().find(|other| other.bridge(&self.instance).is_some_and(|bridge| bridge.name == info.name)) {
            return Err(ApiError::conflict(format!(
                "cannot create network {} ({}): conflicts with network {} ({}): networks have same bridge name",
                network.id, info.name, other.id, info.name
            )));
        }
        // Written first: a daemon that dies meanwhile makes the bridge when it is back.
        let failed = |error: std::io::Error| ApiError::internal("cannot write the network down", error);
        let (root, written) = (self.root.clone(), network.clone());
        blocking(move || record::save(&root, &written).map_err(failed)).await?;
        if let Err(error) = self.net.add(info, &network.name).await {
            let (root, id) = (self.root.clone(), network.id.clone());
            blocking(move || record::delete(&root, &id).map_err(failed)).await?;
            let _ = self.net.remove(&network.id).await; // what there is of it; the first error is the one to tell
            return Err(explain(error));
        }
        let network = Arc::new(network);
        self.all.write().unwrap_or_else(PoisonError::into_inner).insert(network.id.clone(), network.clone());
        self.event(&network, "create", None);
        Ok(network)
    }

    /// The addresses it asks for, or free ones.
    async fn pools(&self, request: &CreateNetwork, id: &str) -> ApiResult<(Pool, Option<Pool>)> {
        let automatic = |subnet: slipway_net::Subnet| Pool {
            subnet,
            gateway: subnet.gateway(),
            range: None,
            auxiliary: BTreeMap::new(),
            configured: false,
        };
        let (ipv4, ipv6) = (request.pool(false)?, request.pool(true)?);
        for pool in ipv4.iter().chain(&ipv6) {
            if self.net.overlaps(pool.subnet) {
                return Err(ApiError::forbidden(format!(
                    "invalid pool request: Pool overlaps with other one on this address space: {}",
                    pool.subnet
                )));
            }
        }
        let ipv4 = match ipv4 {
            Some(pool) => pool,
            None => {
                let net = self.net.clone();
                automatic(blocking(move || net.choose_subnet().map_err(explain)).await?)
            }
        };
        let ipv6 = match (request.enable_ipv6 == Some(true), ipv6) {
            (false, _) => None,
            (true, Some(pool)) => Some(pool),
            (true, None) => Some(automatic(self.net.choose_subnet6(id).map_err(explain)?)),
        };
        Ok((ipv4, ipv6))
    }

    /// Removes a network that no running container is in: `active` tells who is.
    pub async fn remove(&self, wanted: &str, active: impl Fn(&Network) -> Vec<String>) -> ApiResult<Arc<Network>> {
        let _changes = self.changes.write().await;
        let network = self.get(wanted)?;
        if network.is_predefined() {
            return Err(ApiError::forbidden(format!("{} is a pre-defined network and cannot be removed", network.name)));
        }
        if !active(&network).is_empty() {
            return Err(ApiError::forbidden(format!(
                "error while removing network: network {} id {} has active endpoints",
                network.name, network.id
            )));
        }
        let (root, id) = (self.root.clone(), network.id.clone());
        let failed = |error: std::io::Error| ApiError::internal("cannot remove what is written of the network", error);
        blocking(move || record::delete(&root, &id).map_err(failed)).await?;
        self.all.write().unwrap_or_else(PoisonError::into_inner).remove(&network.id);
        if let Err(error) = self.net.remove(&network.id).await {
            tracing::error!(%error, network = network.name, "a network left something behind"); // nothing finds it any more
        }
        self.event(&network, "destroy", None);
        Ok(network)
    }
}

/// In Docker's words and with its status codes.
pub fn explain(error: slipway_net::Error) -> ApiError {
    use slipway_net::Error;
    match &error {
        Error::AddressTaken | Error::BridgeTaken(_) => ApiError::forbidden(error.to_string()),
        Error::Outside { .. } | Error::BadSubnet(_) => ApiError::bad_request(error.to_string()),
        Error::NoNetwork(_) => ApiError::not_found(error.to_string()),
        // The sentence is the user's to read: they can mend it.
        Error::Exhausted(_) | Error::NoSubnet => ApiError::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        _ => ApiError::internal("cannot set up the network", error),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> ApiResult<T> + Send + 'static) -> ApiResult<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::internal("the work was cut off", error))?
}
