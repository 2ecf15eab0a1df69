//! The networks of one agent instance: bridges, an address for each container, NAT and published ports.
//!
//! [`Network::attach`] hands out a network namespace that is ready to use: interface, address, route and all. Threads
//! keep a few of them made ahead, so that a container's start does not wait for the kernel. Nothing needs to be taken
//! down for a single container: when the last process and descriptor of a namespace are gone, the kernel removes it and
//! both ends of its veth pairs.
mod addresses;
mod bridge;
pub mod dns;
mod endpoint;
mod error;
pub mod files;
mod info;
mod maker;
mod netlink;
mod nft;
mod pool;
mod proxy;
mod publish;
mod subnet;
mod watch;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

pub use endpoint::{Endpoint, Wanted, parse_mac};
pub use error::Error;
pub use info::{BridgeInfo, Settings};
pub use publish::{Protocol, PublishedPort, Target};
pub use subnet::Subnet;

use bridge::Bridge;
use error::Result;
use maker::{Maker, Spare};
use pool::Pool;
use publish::Publication;
use watch::{Marks, Watch};

/// A container that ran when the daemon started.
#[derive(Debug, Clone)]
pub struct Found {
    pub container: String,
    pub endpoints: Vec<Endpoint>,
    pub target: Option<Target>,
    pub ports: Vec<PublishedPort>,
}

/// A namespace with a place in a network.
pub struct Place {
    pub netns: OwnedFd,
    pub endpoint: Endpoint,
    /// Where a name server can answer; absent in the default network.
    pub dns: Option<dns::Sockets>,
}

/// Begins the alias of every bridge but the default one.
fn mark(instance: &str) -> String {
    format!("slipway-{instance} ")
}

/// Removes the bridges and the rules of an instance whose agent is not there to do it. Blocking.
pub fn remove(instance: &str) -> Result<()> {
    let rules = nft::apply_blocking(&nft::removal(instance));
    bridge::with_alias(&mark(instance))
        .into_iter()
        .chain([bridge::default_name(instance), bridge::steps_name(instance)])
        .map(|name| bridge::remove(&name))
        .fold(rules, Result::and)
}

/// The id of the network of steps, which no list shows.
const STEPS: &str = "builds";
/// Between damage and repair.
const SETTLE: Duration = Duration::from_millis(300);

/// All networks of an instance, the default one among them.
pub struct Network {
    settings: Settings,
    default: Arc<Bridge>,
    bridges: RwLock<BTreeMap<String, Arc<Bridge>>>,
    places: Pool<(OwnedFd, Endpoint)>,
    /// Of steps of builds, apart from every container and from each other. These and the next start when first needed.
    steps: tokio::sync::OnceCell<Pool<(OwnedFd, Endpoint)>>,
    spares: tokio::sync::OnceCell<Pool<Spare>>,
    /// `None` once the network is closed: a container that is just starting must not bring the rules back.
    published: tokio::sync::Mutex<Option<BTreeMap<String, Publication>>>,
    marks: Marks,
    names: Arc<dns::Names>,
    /// By container.
    name_servers: Mutex<BTreeMap<String, dns::Server>>,
}

impl Network {
    /// Makes the default bridge and the rules, or takes over what an earlier daemon left running. Other networks are
    /// added with [`Network::add`]; `found` are containers that still run, in whichever. Blocking.
    pub fn open(settings: Settings, others: &[(BridgeInfo, String)], found: Vec<Found>) -> Result<Self> {
        let endpoints: Vec<Endpoint> = found.iter().flat_map(|found| found.endpoints.clone()).collect();
        let default = Arc::new(Bridge::new(bridge::ensure_default(&settings)?, &endpoints));
        let mut bridges = BTreeMap::from([(settings.network.clone(), default.clone())]);
        for (info, name) in others {
            let info = &info.clone().with_mtu(default.info.mtu);
            match bridge::ensure(info, &(mark(&settings.instance) + name)) {
                Ok(()) => {
                    bridge::unplug_strays(&settings.instance, &info.name, &endpoints);
                    bridges.insert(info.id.clone(), Arc::new(Bridge::new(info.clone(), &endpoints)));
                }
                // One that cannot be there is no reason for the others not to be.
                Err(error) => tracing::error!(%error, network = name, "this network is not usable"),
            }
        }
        let ports = |found: Found| Some((found.container, Publication::unheld(found.target?, found.ports)));
        let published: BTreeMap<String, Publication> = found.into_iter().filter_map(ports).collect();
        let infos: Vec<&BridgeInfo> = bridges.values().map(|bridge| &bridge.info).collect();
        let marks = Marks::new();
        nft::apply_blocking(&nft::script(&settings.instance, &infos, &published.values().collect::<Vec<_>>(), &marks.next()))?;
        let places = pool::places(&settings.instance, &default)?;
        Ok(Self {
            settings,
            default,
            bridges: RwLock::new(bridges),
            places,
            steps: tokio::sync::OnceCell::new(),
            spares: tokio::sync::OnceCell::new(),
            published: tokio::sync::Mutex::new(Some(published)),
            marks,
            names: Arc::default(),
            name_servers: Mutex::default(),
        })
    }

    /// The default network's.
    pub fn bridge(&self) -> &BridgeInfo {
        &self.default.info
    }

    pub fn info(&self, network: &str) -> Option<BridgeInfo> {
        self.find(network).ok().map(|bridge| bridge.info.clone())
    }

    fn find(&self, network: &str) -> Result<Arc<Bridge>> {
        let bridges = self.bridges.read().unwrap_or_else(PoisonError::into_inner);
        bridges.get(network).cloned().ok_or_else(|| Error::NoNetwork(network.to_owned()))
    }

    /// A subnet that neither the host nor another network uses. Blocking.
    pub fn choose_subnet(&self) -> Result<Subnet> {
        let own = self.subnets(false);
        subnet::choose(&self.settings.instance, &[subnet::taken(""), own].concat())
    }

    /// The same for IPv6.
    pub fn choose_subnet6(&self, network: &str) -> Result<Subnet> {
        subnet::choose_ipv6(&self.settings.instance, network, &self.subnets(true))
    }

    fn subnets(&self, ipv6: bool) -> Vec<Subnet> {
        let bridges = self.bridges.read().unwrap_or_else(PoisonError::into_inner);
        let subnets = bridges.values().map(|bridge| &bridge.info);
        match ipv6 {
            true => subnets.filter_map(|info| info.ipv6.map(|(subnet, _)| subnet)).collect(),
            false => subnets.map(|info| info.subnet).collect(),
        }
    }

    /// True when a network of this agent has some of these addresses.
    pub fn overlaps(&self, subnet: Subnet) -> bool {
        self.subnets(subnet.is_ipv6()).iter().any(|own| own.overlaps(subnet))
    }

    /// Adds a network; its name is what `ip link` shows beside the bridge.
    pub async fn add(&self, info: BridgeInfo, name: &str) -> Result<()> {
        let alias = mark(&self.settings.instance) + name;
        let info = info.with_mtu(self.default.info.mtu);
        let bridge = Arc::new(Bridge::new(info.clone(), &[]));
        let id = info.id.clone();
        let published = self.published.lock().await;
        let Some(published) = published.as_ref() else { return Err(Error::Stopped) };
        blocking(move || {
            let _lock = bridge::choosing()?;
            bridge::ensure(&info, &alias)
        })
        .await?;
        self.bridges.write().unwrap_or_else(PoisonError::into_inner).insert(id, bridge);
        self.apply(published).await
    }

    /// Removes a network that nothing is in.
    pub async fn remove(&self, network: &str) -> Result<()> {
        let published = self.published.lock().await;
        let bridge = self.bridges.write().unwrap_or_else(PoisonError::into_inner).remove(network);
        let (Some(published), Some(bridge)) = (published.as_ref(), bridge) else { return Ok(()) };
        let removed = blocking(move || bridge::remove(&bridge.info.name)).await;
        self.apply(published).await.and(removed)
    }

    /// A namespace of its own in the default network, as it comes.
    pub async fn attach_default(&self) -> Result<(OwnedFd, Endpoint)> {
        self.places.take().await
    }

    /// A namespace for one step of a build: it reaches the outside, and neither containers nor other steps.
    pub async fn attach_step(&self) -> Result<(OwnedFd, Endpoint)> {
        self.steps.get_or_try_init(|| self.open_steps()).await?.take().await
    }

    async fn open_steps(&self) -> Result<Pool<(OwnedFd, Endpoint)>> {
        let name = bridge::steps_name(&self.settings.instance);
        // Steps do not outlive their daemon, so nothing of an earlier one's network is worth keeping.
        let stale = name.clone();
        blocking(move || bridge::remove(&stale)).await?;
        let info = BridgeInfo { icc: false, ..BridgeInfo::plain(STEPS, &name, self.choose_subnet()?, 0) };
        self.add(info, STEPS).await?;
        pool::places(&self.settings.instance, &self.find(STEPS)?)
    }

    /// A new namespace with a place in a network. Dropping the descriptor before a process is in it removes it; the
    /// address is free again after [`Network::release`].
    pub async fn attach(&self, network: &str, wanted: Wanted) -> Result<Place> {
        if network == self.settings.network && wanted == (Wanted { route: true, ..Wanted::default() }) {
            return self.attach_default().await.map(|(netns, endpoint)| Place { netns, endpoint, dns: None });
        }
        let bridge = self.find(network)?;
        let spare = self.spare().await?;
        let instance = self.settings.instance.clone();
        blocking(move || {
            let (mut endpoint, mac) = Endpoint::take(&bridge, &wanted)?;
            endpoint.host_interface = spare.host_interface;
            let place = || {
                maker::inside(&spare.netns, || maker::dress(&endpoint, mac, bridge.info.mtu, wanted.route))?;
                Maker::open(&instance)?.plug(&bridge, &endpoint.host_interface)
            };
            match place() {
                Ok(()) => Ok(Place { netns: spare.netns, endpoint, dns: spare.dns }),
                Err(error) => {
                    bridge.release(&endpoint);
                    Err(error)
                }
            }
        })
        .await
    }

    /// A new namespace that is in no network.
    pub async fn detached(&self) -> Result<OwnedFd> {
        let spare = self.spare().await?;
        let instance = self.settings.instance.clone();
        blocking(move || Maker::open(&instance)?.remove(&spare.host_interface).map(|()| spare.netns)).await
    }

    /// Makes a new namespace that came from elsewhere as those are that are made here; it is in no network.
    pub async fn furnish(&self, netns: OwnedFd) -> Result<OwnedFd> {
        blocking(move || maker::inside(&netns, maker::furnish).map(|()| netns)).await
    }

    async fn spare(&self) -> Result<Spare> {
        let instance = &self.settings.instance;
        self.spares.get_or_try_init(|| async { pool::spares(instance) }).await?.take().await
    }

    /// Adds an interface to a namespace.
    pub async fn connect(&self, network: &str, netns: OwnedFd, wanted: Wanted) -> Result<Endpoint> {
        let bridge = self.find(network)?;
        let instance = self.settings.instance.clone();
        blocking(move || {
            let (mut endpoint, mac) = Endpoint::take(&bridge, &wanted)?;
            let mut maker = Maker::open(&instance)?;
            let mut place = || {
                (endpoint.interface, endpoint.host_interface) = maker.extend(&netns)?;
                maker::inside(&netns, || maker::dress(&endpoint, mac, bridge.info.mtu, wanted.route))?;
                maker.plug(&bridge, &endpoint.host_interface)
            };
            let placed = place();
            if placed.is_err() {
                let _ = maker.remove(&endpoint.host_interface); // the first error is the one to tell
                bridge.release(&endpoint);
            }
            placed.map(|()| endpoint)
        })
        .await
    }

    /// Takes an interface out of a namespace, and gives its addresses back.
    pub async fn disconnect(&self, endpoint: &Endpoint) -> Result<()> {
        let (instance, interface) = (self.settings.instance.clone(), endpoint.host_interface.clone());
        let removed = blocking(move || Maker::open(&instance)?.remove(&interface)).await;
        self.release(endpoint);
        removed
    }

    /// What a namespace sends elsewhere goes through this endpoint of it from now on.
    pub async fn route(&self, netns: OwnedFd, endpoint: Endpoint) -> Result<()> {
        blocking(move || maker::inside(&netns, || maker::route_through(&endpoint))).await
    }

    /// Gives addresses back.
    pub fn release(&self, endpoint: &Endpoint) {
        if let Ok(bridge) = self.find(&endpoint.network) {
            bridge.release(endpoint);
        }
    }

    /// Publishes ports of the container `id`; all or none. Host port 0 asks for any free one. The answer has the ports
    /// that were taken.
    pub async fn publish(&self, id: &str, target: Target, ports: &[PublishedPort]) -> Result<Vec<PublishedPort>> {
        if ports.is_empty() {
            return Ok(Vec::new());
        }
        let mut published = self.published.lock().await;
        let published = published.as_mut().ok_or(Error::Stopped)?;
        let publication = publish::reserve(target, ports, published.iter().filter(|(other, _)| *other != id).map(|(_, own)| own)).await?;
        let taken = publication.ports.clone();
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

    /// Says which names a container has from now on, in each of its networks.
    pub fn set_names(&self, container: &str, places: Vec<dns::Named>) {
        self.names.set(container, places);
    }

    /// Sockets for a name server in a namespace; `prepared`: an earlier daemon had some there.
    pub async fn open_dns(&self, netns: OwnedFd, prepared: bool) -> Result<dns::Sockets> {
        let open = move || if prepared { dns::open() } else { dns::prepare().and_then(|()| dns::open()) };
        blocking(move || maker::inside(&netns, open)).await
    }

    /// Answers a container's questions until [`Network::end_dns`]. `servers`: its own, or none for the host's.
    pub fn serve_dns(&self, container: &str, sockets: dns::Sockets, servers: Vec<IpAddr>) -> Result<()> {
        let server = dns::Server::start(container, sockets, self.names.clone(), servers);
        let server = server.map_err(|source| Error::Kernel { what: "serve names".into(), source })?;
        self.name_servers.lock().unwrap_or_else(PoisonError::into_inner).insert(container.to_owned(), server);
        Ok(())
    }

    pub fn end_dns(&self, container: &str) {
        self.names.set(container, Vec::new());
        self.name_servers.lock().unwrap_or_else(PoisonError::into_inner).remove(container);
    }

    /// Brings the rules back whenever another program takes them away. Never ends but with an error.
    pub async fn keep_rules(&self) -> Result<()> {
        let failed = |source| Error::Kernel { what: "watch nftables".into(), source };
        let mut watch = Watch::start(nft::table(&self.settings.instance), &self.marks).map_err(failed)?;
        loop {
            watch.damage().await.map_err(failed)?;
            // Whoever flushes may be at it still, and must not be fought without a pause.
            tokio::time::sleep(SETTLE).await;
            let published = self.published.lock().await;
            let Some(published) = published.as_ref() else { return Ok(()) };
            tracing::warn!("another program changed the agent's rules; they are put back");
            if let Err(error) = self.apply(published).await {
                tracing::error!(%error, "cannot put the rules back");
            }
        }
    }

    /// The whole table in one atomic batch: what others flushed comes back, what is gone leaves nothing behind.
    async fn apply(&self, published: &BTreeMap<String, Publication>) -> Result<()> {
        let all: Vec<&Publication> = published.values().collect();
        let script = {
            let bridges = self.bridges.read().unwrap_or_else(PoisonError::into_inner);
            let infos: Vec<&BridgeInfo> = bridges.values().map(|bridge| &bridge.info).collect();
            nft::script(&self.settings.instance, &infos, &all, &self.marks.next())
        };
        nft::apply(&script).await
    }

    /// Removes the bridges, what is plugged into them and the rules.
    pub async fn close(&self) -> Result<()> {
        self.places.stop().await;
        if let Some(steps) = self.steps.get() {
            steps.stop().await;
        }
        if let Some(spares) = self.spares.get() {
            spares.stop().await;
        }
        let mut published = self.published.lock().await;
        *published = None;
        let rules = nft::apply(&nft::removal(&self.settings.instance)).await;
        drop(published);
        let bridges = std::mem::take(&mut *self.bridges.write().unwrap_or_else(PoisonError::into_inner));
        // A killed daemon's bridge for steps may be there although this one has made none.
        let steps = bridge::steps_name(&self.settings.instance);
        let names: Vec<String> = bridges.values().map(|bridge| bridge.info.name.clone()).chain([steps]).collect();
        blocking(move || names.iter().map(|name| bridge::remove(name)).fold(Ok(()), Result::and)).await.and(rules)
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Stopped)?
}
