//! Containers in their networks: joined at a start, left at the end, and both while one runs.
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use slipway_net::{Endpoint, dns};

use super::endpoints::{self, Endpoints};
use super::model::EndpointSettings;
use super::record::{self, Record, State};
use super::spec::{self, NetworkMode};
use super::{Container, Containers};
use crate::error::{ApiError, ApiResult};
use crate::networks::{Driver, Network, explain};

/// What a run gets of its networks.
#[derive(Default)]
pub(super) struct Joined {
    /// None: the host's, or one of its own without anything.
    pub netns: Option<OwnedFd>,
    pub endpoints: Vec<Endpoint>,
    pub gateway: Option<String>,
    /// Of its name server, in a network of the user's.
    pub dns: Option<dns::Sockets>,
}

/// Differs for each container and network, and has the right form.
fn endpoint_id(container: &str, network: &str) -> String {
    hex::encode(Sha256::digest(format!("{container}/{network}")))
}

impl Containers {
    /// As the record says; one of before there were several is in the one it was made for.
    fn planned(&self, record: &Record) -> ApiResult<Endpoints> {
        match &record.networks {
            Some(networks) => Ok(networks.clone()),
            None => Ok(Endpoints::from([(endpoints::primary(&self.deps.networks, &record.host_config)?, EndpointSettings::default())])),
        }
    }

    /// Makes a namespace with a place in each of the container's networks; all or none. `own`: a new one, to be used.
    pub(super) async fn join_networks(&self, record: &Record, own: Option<OwnedFd>) -> ApiResult<Joined> {
        let mode = spec::network_mode(&record.host_config)?;
        let own = match own {
            Some(netns) => Some(self.deps.network.furnish(netns).await.map_err(explain)?),
            None => None,
        };
        if matches!(mode, NetworkMode::None | NetworkMode::Host) {
            return Ok(Joined { netns: own, ..Joined::default() });
        }
        if let NetworkMode::Container(other) = mode {
            return Ok(Joined { netns: Some(self.shared_network(&record.id, &other)?), ..Joined::default() });
        }
        let planned = self.planned(record)?;
        let primary = endpoints::primary(&self.deps.networks, &record.host_config).ok();
        let mut networks = Vec::new();
        for (name, settings) in planned {
            networks.push((self.deps.networks.get(&name)?, settings));
        }
        // `eth0` is the network it was made for.
        networks.sort_by_key(|(network, _)| (Some(&network.name) != primary.as_ref(), network.name.clone()));
        let gateway = endpoints::gateway(networks.iter().map(|(network, settings)| (&**network, settings)));
        let mut joined = Joined { gateway, netns: own, ..Joined::default() };
        for (network, settings) in &networks {
            if let Err(error) = self.join(&mut joined, network, settings).await {
                joined.endpoints.iter().for_each(|endpoint| self.deps.network.release(endpoint));
                return Err(error);
            }
        }
        let prepared = async {
            if joined.netns.is_none() {
                joined.netns = Some(self.deps.network.detached().await.map_err(explain)?);
            }
            if !networks.iter().any(|(network, _)| !network.is_predefined()) {
                joined.dns = None;
            } else if let (None, Some(netns)) = (&joined.dns, &joined.netns) {
                joined.dns = Some(self.open_dns(netns, false).await?);
            }
            Ok(())
        };
        if let Err(error) = prepared.await {
            joined.endpoints.iter().for_each(|endpoint| self.deps.network.release(endpoint));
            return Err(error);
        }
        Ok(joined)
    }

    async fn join(&self, joined: &mut Joined, network: &Network, settings: &EndpointSettings) -> ApiResult<()> {
        let wanted = endpoints::wanted(settings, joined.gateway.as_ref() == Some(&network.id));
        let endpoint = match &joined.netns {
            None => {
                let place = self.deps.network.attach(&network.id, wanted).await.map_err(explain)?;
                (joined.netns, joined.dns) = (Some(place.netns), place.dns);
                place.endpoint
            }
            Some(netns) => {
                let netns = netns.try_clone().map_err(|error| ApiError::internal("cannot connect the container to the network", error))?;
                self.deps.network.connect(&network.id, netns, wanted).await.map_err(explain)?
            }
        };
        joined.endpoints.push(endpoint);
        Ok(())
    }

    async fn open_dns(&self, netns: &OwnedFd, prepared: bool) -> ApiResult<dns::Sockets> {
        let netns = netns.try_clone().map_err(|error| ApiError::internal("cannot make the container's name server", error))?;
        self.deps.network.open_dns(netns, prepared).await.map_err(explain)
    }

    /// Says by which names others find the container, as its record and state are now.
    pub(super) fn set_names(&self, container: &Container) {
        let (record, state) = (container.record(), container.state());
        let planned = self.planned(&record).unwrap_or_default();
        let place = |endpoint: &Endpoint| {
            let network = self.deps.networks.by_id(&endpoint.network)?;
            let settings = planned.get(&network.name).cloned().unwrap_or_default();
            Some(dns::Named {
                network: network.id.clone(),
                network_name: network.name.clone(),
                internal: network.internal,
                // The default network knows no names, and leads outside all the same.
                names: if network.is_predefined() { Vec::new() } else { endpoints::names(&record, &settings) },
                links: endpoints::links(&settings),
                addresses: [Some(endpoint.address), endpoint.address6].into_iter().flatten().collect(),
            })
        };
        self.deps.network.set_names(&container.id, state.endpoints.iter().filter_map(place).collect());
    }

    /// Answers the questions of a container that runs.
    pub(super) fn serve_dns(&self, container: &Container, sockets: dns::Sockets) -> ApiResult<()> {
        let servers = container.record().host_config.dns.iter().filter_map(|server| server.parse().ok()).collect();
        self.deps.network.serve_dns(&container.id, sockets, servers).map_err(explain)
    }

    /// After a restart of the daemon. The program in the container may have taken the port meanwhile, or be about to end.
    pub(super) async fn serve_dns_again(&self, container: &Container, state: &State) {
        if !state.dns {
            return;
        }
        let opened = match netns_of(state) {
            Ok(netns) => self.open_dns(&netns, true).await.and_then(|sockets| self.serve_dns(container, sockets)),
            Err(error) => Err(error),
        };
        if let Err(error) = opened {
            tracing::error!(%error, container = %container.id, "the container finds no names");
        }
    }

    /// Tells that a run is in its networks.
    pub(super) fn tell_joined(&self, container: &Container, action: &str) {
        for endpoint in container.state().endpoints {
            if let Some(network) = self.deps.networks.by_id(&endpoint.network) {
                self.deps.networks.event(&network, action, Some(&container.id));
            }
        }
    }

    /// After a run, whose interfaces went with its namespace.
    pub(super) fn leave_networks(&self, container: &Container) {
        self.tell_joined(container, "disconnect");
        self.deps.network.end_dns(&container.id);
        let endpoints = container.state().endpoints;
        container.state.send_modify(|state| {
            state.endpoints.clear();
            state.gateway = None;
            state.dns = false;
            state.ports.clear();
        });
        endpoints.iter().for_each(|endpoint| self.deps.network.release(endpoint));
    }

    /// Ids of running containers in a network.
    pub fn members(&self, network: &Network) -> Vec<Arc<Container>> {
        let is_in = |container: &Arc<Container>| {
            let state = container.state();
            match network.driver {
                Driver::Bridge => state.endpoints.iter().any(|endpoint| endpoint.network == network.id),
                _ => state.is_running() && self.is_in(&container.record(), &network.name),
            }
        };
        self.list().into_iter().filter(is_in).collect()
    }

    /// True when a container belongs to the network, running or not.
    pub fn is_in(&self, record: &Record, wanted: &str) -> bool {
        let Ok(planned) = self.planned(record) else { return false };
        let name = self.deps.networks.get(wanted).map_or_else(|_| wanted.to_owned(), |network| network.name.clone());
        planned.contains_key(&name)
    }

    /// `docker network connect`, of a container that runs or not.
    pub async fn connect(self: &Arc<Self>, container: &Arc<Container>, network: &str, settings: EndpointSettings) -> ApiResult<()> {
        let _operation = container.operations.lock().await;
        let _held = self.deps.networks.hold().await;
        let network = self.deps.networks.get(network)?;
        let mut record = container.record();
        if spec::container(&record.host_config.network_mode).is_some() {
            return Err(ApiError::bad_request(endpoints::SHARES));
        }
        let mut planned = self.planned(&record)?;
        if planned.contains_key(&network.name) {
            return Err(ApiError::forbidden(format!("endpoint with name {} already exists in network {}", record.name, network.name)));
        }
        if network.driver == Driver::Host {
            return Err(ApiError::bad_request("container cannot be disconnected from host network or connected to host network"));
        }
        endpoints::check_together(&network.name, planned.keys())?;
        endpoints::check(&network, &settings)?;
        planned.insert(network.name.clone(), settings.clone());
        let state = container.state();
        if state.is_running() {
            let netns = netns_of(&state)?;
            let copy = netns.try_clone().map_err(|error| ApiError::internal("cannot connect the container to the network", error))?;
            let gateway = self.gateway(&planned);
            let wanted = endpoints::wanted(&settings, gateway.as_ref() == Some(&network.id));
            let endpoint = self.deps.network.connect(&network.id, copy, wanted).await.map_err(explain)?;
            let hosts = HostsChange::Add(&endpoint);
            if let Err(error) = hosts.apply(container, &record) {
                tracing::warn!(%error, container = %container.id, "cannot name the new address in its hosts file");
            }
            container.update(|state| state.endpoints.push(endpoint));
            if !state.dns && !network.is_predefined() {
                let sockets = self.open_dns(&netns, false).await?;
                container.update(|state| state.dns = true);
                self.write_resolv_conf(container, &record)
                    .map_err(|error| ApiError::internal("cannot write the container's files", error))?;
                self.serve_dns(container, sockets)?;
            }
            self.reroute(container, gateway, netns).await?;
        }
        record.networks = Some(planned);
        self.save(container, record)?;
        self.set_names(container);
        self.deps.networks.event(&network, "connect", Some(&container.id));
        Ok(())
    }

    /// `docker network disconnect`.
    pub async fn disconnect(self: &Arc<Self>, container: &Arc<Container>, network: &str) -> ApiResult<()> {
        let _operation = container.operations.lock().await;
        let _held = self.deps.networks.hold().await;
        let network = self.deps.networks.get(network)?;
        let mut record = container.record();
        let mut planned = self.planned(&record)?;
        if planned.contains_key("host") {
            return Err(ApiError::bad_request("container cannot be disconnected from host network or connected to host network"));
        }
        if planned.remove(&network.name).is_none() {
            return Err(ApiError::forbidden(format!("container {} is not connected to network {}", container.id, network.name)));
        }
        let state = container.state();
        if let Some(endpoint) = state.endpoints.iter().find(|endpoint| endpoint.network == network.id) {
            self.deps.network.disconnect(endpoint).await.map_err(explain)?;
            let hosts = HostsChange::Remove(endpoint);
            if let Err(error) = hosts.apply(container, &record) {
                tracing::warn!(%error, container = %container.id, "cannot take the address out of its hosts file");
            }
            container.update(|state| state.endpoints.retain(|endpoint| endpoint.network != network.id));
            self.reroute(container, self.gateway(&planned), netns_of(&state)?).await?;
        }
        record.networks = Some(planned);
        self.save(container, record)?;
        self.set_names(container);
        self.deps.networks.event(&network, "disconnect", Some(&container.id));
        Ok(())
    }

    /// Where ports are published when the container does not say: an option of the network they are published in.
    pub(super) fn host_binding(&self, container: &Container) -> Option<IpAddr> {
        self.deps.networks.by_id(container.state().gateway.as_ref()?)?.host_binding()
    }

    /// Why ports could not be published, as dockerd tells it.
    pub(super) fn unpublished(&self, container: &Container, error: slipway_net::Error) -> ApiError {
        let id = container.state().gateway.map(|network| endpoint_id(&container.id, &network)).unwrap_or_default();
        ApiError::internal(format!("driver failed programming external connectivity on endpoint {} ({id})", container.name()), error)
    }

    fn gateway(&self, planned: &Endpoints) -> Option<String> {
        let networks: Vec<_> = planned.iter().filter_map(|(name, settings)| Some((self.deps.networks.get(name).ok()?, settings))).collect();
        endpoints::gateway(networks.iter().map(|(network, settings)| (&**network, *settings)))
    }

    /// Sends what is for elsewhere through another network, and has the published ports lead there.
    async fn reroute(&self, container: &Arc<Container>, gateway: Option<String>, netns: OwnedFd) -> ApiResult<()> {
        let before = container.state();
        if before.gateway == gateway {
            return Ok(());
        }
        container.update(|state| state.gateway = gateway);
        let state = container.state();
        let endpoint = state.endpoints.iter().find(|endpoint| Some(&endpoint.network) == state.gateway.as_ref());
        if let Some(endpoint) = endpoint {
            self.deps.network.route(netns, endpoint.clone()).await.map_err(explain)?;
        }
        if !before.ports.is_empty() {
            self.deps.network.unpublish(&container.id).await.map_err(explain)?;
            if let Some(target) = state.target() {
                self.deps.network.publish(&container.id, target, &before.ports).await.map_err(explain)?;
            }
        }
        Ok(())
    }

    fn save(&self, container: &Container, record: Record) -> ApiResult<()> {
        record::save_record(&container.dir, &record).map_err(|error| ApiError::internal("cannot write the container's files", error))?;
        *container.record.write().unwrap_or_else(std::sync::PoisonError::into_inner) = record;
        Ok(())
    }

    /// `NetworkSettings` of `inspect`.
    pub(super) fn network_settings(&self, record: &Record, state: &State, ports: Value) -> Value {
        let default = state.endpoints.iter().find(|endpoint| endpoint.network == self.deps.network.bridge().id);
        let running = state.is_running();
        let mut value = json!({
            "Bridge": "",
            "SandboxID": if running { endpoint_id(&record.id, "") } else { String::new() },
            "SandboxKey": if running && state.pid > 0 { format!("/proc/{}/ns/net", state.pid) } else { String::new() },
            "Ports": if running { ports } else { json!({}) },
            "HairpinMode": false,
            "LinkLocalIPv6Address": "",
            "LinkLocalIPv6PrefixLen": 0,
            "SecondaryIPAddresses": null,
            "SecondaryIPv6Addresses": null,
            "Networks": self.endpoints(record, state),
        });
        // Fields of the days when there was one network alone.
        if let (Some(own), Value::Object(fields)) = (value.as_object_mut(), addresses(default)) {
            let id = default.map(|endpoint| endpoint_id(&record.id, &endpoint.network)).unwrap_or_default();
            own.insert("EndpointID".into(), json!(id));
            own.extend(fields);
        }
        value
    }

    /// The container's place in each of its networks.
    pub(super) fn endpoints(&self, record: &Record, state: &State) -> Value {
        let mut map = Map::new();
        for (name, settings) in self.planned(record).unwrap_or_default() {
            let network = self.deps.networks.get(&name).ok();
            let id = network.as_ref().map(|network| network.id.clone()).unwrap_or_default();
            let endpoint = state.endpoints.iter().find(|endpoint| endpoint.network == id);
            let connected = endpoint.is_some() || (state.is_running() && matches!(name.as_str(), "host" | "none"));
            let user = network.as_ref().is_some_and(|network| !network.is_predefined());
            let mut value = json!({
                "IPAMConfig": settings.ipam_config,
                "Links": settings.links,
                "Aliases": settings.aliases,
                "DriverOpts": settings.driver_opts,
                "GwPriority": settings.gw_priority,
                "NetworkID": id,
                "EndpointID": if connected { endpoint_id(&record.id, &id) } else { String::new() },
                "DNSNames": user.then(|| endpoints::names(record, &settings)),
            });
            if let (Some(own), Value::Object(fields)) = (value.as_object_mut(), addresses(endpoint)) {
                own.extend(fields);
                if endpoint.is_none() && !settings.mac_address.is_empty() {
                    own.insert("MacAddress".into(), json!(settings.mac_address));
                }
            }
            map.insert(name, value);
        }
        Value::Object(map)
    }

    /// The entries of a network's `Containers`.
    pub fn network_members(&self, network: &Network) -> Value {
        let entry = |container: Arc<Container>| {
            let state = container.state();
            let endpoint = state.endpoints.iter().find(|endpoint| endpoint.network == network.id);
            let with = |address: Option<IpAddr>, prefix: u8| address.map(|address| format!("{address}/{prefix}")).unwrap_or_default();
            let value = json!({
                "Name": container.name(),
                "EndpointID": endpoint_id(&container.id, &network.id),
                "MacAddress": endpoint.map(|endpoint| endpoint.mac.clone()).unwrap_or_default(),
                "IPv4Address": endpoint.map(|endpoint| with(Some(endpoint.address), endpoint.prefix)).unwrap_or_default(),
                "IPv6Address": endpoint.map(|endpoint| with(endpoint.address6, endpoint.prefix6)).unwrap_or_default(),
            });
            (container.id.clone(), value)
        };
        Value::Object(self.members(network).into_iter().map(entry).collect())
    }
}

fn addresses(endpoint: Option<&Endpoint>) -> Value {
    let text = |address: Option<IpAddr>| address.map(|address| address.to_string()).unwrap_or_default();
    json!({
        "MacAddress": endpoint.map(|endpoint| endpoint.mac.as_str()).unwrap_or_default(),
        "Gateway": text(endpoint.and_then(|endpoint| endpoint.gateway)),
        "IPAddress": text(endpoint.map(|endpoint| endpoint.address)),
        "IPPrefixLen": endpoint.map_or(0, |endpoint| endpoint.prefix),
        "IPv6Gateway": text(endpoint.and_then(|endpoint| endpoint.gateway6)),
        "GlobalIPv6Address": text(endpoint.and_then(|endpoint| endpoint.address6)),
        "GlobalIPv6PrefixLen": endpoint.map_or(0, |endpoint| endpoint.prefix6),
    })
}

/// The network namespace of a container that runs.
pub(super) fn netns_of(state: &State) -> ApiResult<OwnedFd> {
    let path = format!("/proc/{}/ns/net", state.pid);
    std::fs::File::open(&path)
        .map(OwnedFd::from)
        .map_err(|error| ApiError::internal("cannot find the container's network namespace", error))
}

/// What a change of networks does to `/etc/hosts`, whose file stays the same one: it is bound into the container.
enum HostsChange<'a> {
    Add(&'a Endpoint),
    Remove(&'a Endpoint),
}

impl HostsChange<'_> {
    fn apply(&self, container: &Container, record: &Record) -> std::io::Result<()> {
        let (Self::Add(endpoint) | Self::Remove(endpoint)) = self;
        let addresses: Vec<String> = [Some(endpoint.address), endpoint.address6].into_iter().flatten().map(|ip| ip.to_string()).collect();
        let path = container.dir.join("hosts");
        let text = std::fs::read_to_string(&path)?;
        let is_own = |line: &str| line.split_whitespace().next().is_some_and(|first| addresses.iter().any(|address| address == first));
        let mut lines: Vec<String> = text.lines().filter(|line| !is_own(line)).map(String::from).collect();
        if matches!(self, Self::Add(_)) {
            let name = spec::full_hostname(record);
            lines.extend(addresses.iter().map(|address| format!("{address}\t{name}")));
        }
        std::fs::write(path, lines.join("\n") + "\n")
    }
}
