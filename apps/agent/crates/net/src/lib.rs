//! The network of one agent instance: a bridge, an address for each container, NAT and published ports.
//!
//! [`Network::attach`] hands out a network namespace that is ready to use: interface, address, route and all. A thread
//! keeps a few of them made ahead, so that a container's start does not wait for the kernel. Nothing needs to be taken
//! down for a single container: when the last process and descriptor of a namespace are gone, the kernel removes it and
//! both ends of its veth pair.
mod bridge;
mod error;
pub mod files;
mod maker;
mod netlink;
mod nft;
mod pool;
mod publish;
mod subnet;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

pub use error::Error;
pub use pool::Endpoint;
pub use publish::{Protocol, PublishedPort};
pub use subnet::Subnet;

use error::Result;
use pool::{Addresses, Pool};
use publish::Publication;

#[derive(Debug, Clone)]
pub struct Settings {
    /// 8 hex digits.
    pub instance: String,
    /// Remembers the subnet, so that it survives restarts.
    pub state_file: PathBuf,
    /// Fixed by the administrator; otherwise chosen free of routes.
    pub subnet: Option<Subnet>,
    pub mtu: Option<u32>,
}

#[derive(Debug, Clone)]
pub struct BridgeInfo {
    pub name: String,
    pub subnet: Subnet,
    pub gateway: Ipv4Addr,
    pub mtu: u32,
}

/// Removes the bridge and the rules of an instance whose agent is not there to do it. Blocking.
pub fn remove(instance: &str) -> Result<()> {
    let rules = nft::apply_blocking(&nft::removal(instance));
    bridge::remove(&bridge::name(instance)).and(rules)
}

/// The default bridge network.
pub struct Network {
    instance: String,
    bridge: BridgeInfo,
    addresses: Arc<Mutex<Addresses>>,
    pool: Pool,
    /// `None` once the network is closed: a container that is just starting must not bring the rules back.
    published: tokio::sync::Mutex<Option<BTreeMap<String, Publication>>>,
}

impl Network {
    /// Makes the bridge and the rules, or takes over what an earlier daemon left running. `in_use` are the addresses of
    /// containers that still run. Blocking.
    pub fn open(settings: &Settings, in_use: impl IntoIterator<Item = Ipv4Addr>) -> Result<Self> {
        let bridge = bridge::ensure(settings)?;
        nft::apply_blocking(&nft::script(&settings.instance, &bridge, &[]))?;
        let addresses = Arc::new(Mutex::new(Addresses::new(bridge.subnet, in_use)));
        let pool = Pool::start(&settings.instance, &bridge, addresses.clone())?;
        Ok(Self { instance: settings.instance.clone(), bridge, addresses, pool, published: tokio::sync::Mutex::new(Some(BTreeMap::new())) })
    }

    pub fn bridge(&self) -> &BridgeInfo {
        &self.bridge
    }

    /// A namespace with an address of its own. Dropping the endpoint's descriptor before a process is in it removes it;
    /// the address is free again after [`Network::release`].
    pub async fn attach(&self) -> Result<Endpoint> {
        self.pool.take().await
    }

    /// Gives an address back.
    pub fn release(&self, address: Ipv4Addr) {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).release(address);
    }

    /// Publishes ports of the container `id` at `address`; all or none. Host port 0 asks for any free one. The answer has
    /// the ports that were taken.
    pub async fn publish(&self, id: &str, address: Ipv4Addr, ports: &[PublishedPort]) -> Result<Vec<PublishedPort>> {
        if ports.is_empty() {
            return Ok(Vec::new());
        }
        let publication = publish::reserve(address, ports).await?;
        let taken = publication.ports.clone();
        let mut published = self.published.lock().await;
        let published = published.as_mut().ok_or(Error::Stopped)?;
        published.insert(id.to_owned(), publication);
        match self.apply(published).await {
            Ok(()) => Ok(taken),
            Err(error) => {
                published.remove(id);
                Err(error)
            }
        }
    }

    pub async fn unpublish(&self, id: &str) -> Result<()> {
        let mut published = self.published.lock().await;
        let Some(published) = published.as_mut() else { return Ok(()) };
        match published.remove(id) {
            Some(_) => self.apply(published).await,
            None => Ok(()),
        }
    }

    /// The whole table in one atomic batch: what others flushed comes back, what is gone leaves nothing behind.
    async fn apply(&self, published: &BTreeMap<String, Publication>) -> Result<()> {
        let all: Vec<&Publication> = published.values().collect();
        nft::apply(&nft::script(&self.instance, &self.bridge, &all)).await
    }

    /// Removes the bridge, what is plugged into it and the rules.
    pub async fn close(&self) -> Result<()> {
        self.pool.stop().await;
        let mut published = self.published.lock().await;
        *published = None;
        let rules = nft::apply(&nft::removal(&self.instance)).await;
        drop(published);
        let name = self.bridge.name.clone();
        tokio::task::spawn_blocking(move || bridge::remove(&name)).await.map_err(|_| Error::Stopped)?.and(rules)
    }
}
