//! Which networks a container is to be in, and what it may ask of them.
use std::collections::BTreeMap;
use std::net::IpAddr;

use slipway_net::{Wanted, parse_mac};

use super::model::{Config, EndpointAddresses, EndpointSettings, HostConfig, NetworkingConfig};
use super::record::Record;
use super::spec::{self, NetworkMode};
use crate::error::{ApiError, ApiResult};
use crate::networks::{Driver, Network, Networks};

/// Each takes an interface.
const MOST_NETWORKS: usize = 64;
const MOST_ALIASES: usize = 256;
/// Of a name in DNS.
const LONGEST_NAME: usize = 253;

pub(super) type Endpoints = BTreeMap<String, EndpointSettings>;

pub(super) const SHARES: &str =
    "container sharing network namespace with another container or host cannot be connected to any other network";

fn bad(message: impl Into<String>) -> ApiError {
    ApiError::bad_request(message)
}

/// The name of the network that a container is made for.
pub(super) fn primary(networks: &Networks, host: &HostConfig) -> ApiResult<String> {
    Ok(match spec::network_mode(host)? {
        NetworkMode::Bridge => "bridge".to_owned(),
        NetworkMode::None => "none".to_owned(),
        NetworkMode::Host => "host".to_owned(),
        // Of no network by itself.
        NetworkMode::Container(id) => format!("container:{id}"),
        NetworkMode::Named(name) => networks.get(&name)?.name.clone(),
    })
}

/// The networks that a request asks for, by name.
pub(super) fn plan(networks: &Networks, config: &Config, host: &HostConfig, request: NetworkingConfig) -> ApiResult<Endpoints> {
    // Not 404: at a creation that stands for the image, and clients begin to pull it.
    let known = |name: &str| networks.get(name).map_err(|error| bad(error.message));
    let primary = primary(networks, host).map_err(|error| bad(error.message))?;
    let mut endpoints = Endpoints::new();
    if spec::container(&host.network_mode).is_some() {
        // Clients name the mode itself as a network.
        return match request.endpoints_config.keys().all(|name| name.starts_with("container:")) {
            true => Ok(endpoints),
            false => Err(bad(SHARES)),
        };
    }
    let links: Vec<String> =
        host.rest.get("Links").and_then(|links| serde_json::from_value(links.clone()).ok()).flatten().unwrap_or_default();
    for (name, settings) in request.endpoints_config {
        let name = match name.as_str() {
            "default" => "bridge".to_owned(),
            name => known(name)?.name.clone(),
        };
        if endpoints.insert(name.clone(), settings.unwrap_or_default()).is_some() {
            return Err(bad(format!("the network {name} is given twice")));
        }
    }
    let own = endpoints.entry(primary.clone()).or_default();
    // The field of clients before 1.44.
    if let Some(mac) = config.rest.get("MacAddress").and_then(|mac| mac.as_str()).filter(|mac| !mac.is_empty()) {
        if !own.mac_address.is_empty() && own.mac_address != mac {
            return Err(bad(format!(
                "the container-wide MAC address must match the endpoint-specific MAC address for the main network ({primary}), or be left empty"
            )));
        }
        mac.clone_into(&mut own.mac_address);
    }
    // The field of the days of one network: links of the network it is made for.
    let own = endpoints.entry(primary).or_default();
    own.links = (!links.is_empty()).then_some(links).or(own.links.take());
    if endpoints.len() > MOST_NETWORKS {
        return Err(bad(format!("more than {MOST_NETWORKS} networks")));
    }
    for (name, settings) in &endpoints {
        check_together(name, endpoints.keys().filter(|other| *other != name))?;
        check(&*known(name)?, settings)?;
    }
    Ok(endpoints)
}

/// Some networks are for containers that are in no other.
pub(super) fn check_together<'a>(name: &'a str, mut others: impl Iterator<Item = &'a String>) -> ApiResult<()> {
    let Some(other) = others.next() else { return Ok(()) };
    let mut both = [name, other.as_str()].into_iter().chain(others.map(String::as_str));
    match both.find(|name| matches!(*name, "host" | "none")) {
        Some("host") => Err(bad("container cannot be disconnected from host network or connected to host network")),
        Some(_) => Err(bad("container cannot be connected to multiple networks with one of the networks in private (none) mode")),
        None => Ok(()),
    }
}

/// Refuses what the network cannot give.
pub(super) fn check(network: &Network, settings: &EndpointSettings) -> ApiResult<()> {
    let invalid = |what: String| bad(format!("invalid config for network {}: invalid endpoint settings:\n{what}", network.name));
    let links = settings.links.as_deref().unwrap_or_default();
    if network.is_predefined() && !links.is_empty() {
        return Err(bad("links are supported in user-defined networks alone, where containers also find each other by their names"));
    }
    if links.len() > MOST_ALIASES || links.iter().any(|link| !is_name(link)) {
        return Err(bad("invalid links: write them as container:alias"));
    }
    let aliases = settings.aliases.as_deref().unwrap_or_default();
    if network.is_predefined() && !aliases.is_empty() {
        return Err(invalid("network-scoped aliases are only supported for user-defined networks".into()));
    }
    if aliases.len() > MOST_ALIASES || aliases.iter().any(|alias| !is_name(alias)) {
        return Err(invalid(format!("invalid alias: names have at most {LONGEST_NAME} visible characters")));
    }
    if !settings.mac_address.is_empty() && parse_mac(&settings.mac_address).is_none() {
        return Err(bad(format!("invalid MAC address: {}", settings.mac_address)));
    }
    let Some(EndpointAddresses { ipv4, ipv6, link_local }) = &settings.ipam_config else { return Ok(()) };
    if link_local.as_ref().is_some_and(|list| !list.is_empty()) {
        return Err(bad("link-local addresses of one's own are not supported"));
    }
    for (text, pool, is_ipv6) in [(ipv4, &network.ipv4, false), (ipv6, &network.ipv6, true)] {
        if text.is_empty() {
            continue;
        }
        let version = if is_ipv6 { "IPv6" } else { "IPv4" };
        let address = text.parse::<IpAddr>().ok().filter(|address| address.is_ipv6() == is_ipv6);
        let Some(address) = address else { return Err(invalid(format!("invalid {version} address: {text}"))) };
        if network.is_predefined() {
            return Err(bad("user specified IP address is supported on user defined networks only"));
        }
        match pool {
            Some(pool) if pool.configured && pool.subnet.contains(address) => {}
            Some(pool) if pool.configured => return Err(invalid(format!("no configured subnet contains IP address {text}"))),
            _ => {
                return Err(invalid(
                    "user specified IP address is supported only when connecting to networks with user configured subnets".into(),
                ));
            }
        }
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(|c| !c.is_whitespace() && !c.is_control())
}

/// What was checked before, in the terms of the network.
pub(super) fn wanted(settings: &EndpointSettings, route: bool) -> Wanted {
    let address = |text: fn(&EndpointAddresses) -> &String| settings.ipam_config.as_ref().and_then(|ipam| text(ipam).parse().ok());
    Wanted { address: address(|ipam| &ipam.ipv4), address6: address(|ipam| &ipam.ipv6), mac: parse_mac(&settings.mac_address), route }
}

/// The network that leads elsewhere: of the highest priority, then the first by name. Internal ones lead nowhere.
pub(super) fn gateway<'a>(networks: impl Iterator<Item = (&'a Network, &'a EndpointSettings)>) -> Option<String> {
    let leading = networks.filter(|(network, _)| network.driver == Driver::Bridge && !network.internal);
    leading
        .min_by_key(|(network, settings)| (std::cmp::Reverse(settings.gw_priority), network.name.clone()))
        .map(|(network, _)| network.id.clone())
}

/// What a container alone calls others: `container:alias`, or the container's own name.
pub(super) fn links(settings: &EndpointSettings) -> Vec<(String, String)> {
    let split = |link: &String| {
        let (name, alias) = link.split_once(':').unwrap_or((link, link));
        let bare = |name: &str| name.trim_start_matches('/').to_owned();
        (bare(alias.rsplit('/').next().unwrap_or(alias)), bare(name))
    };
    settings.links.iter().flatten().map(split).collect()
}

/// What others call a container in a network: its name, its aliases, its short id, its host name.
pub(super) fn names(record: &Record, settings: &EndpointSettings) -> Vec<String> {
    let short: String = record.id.chars().take(12).collect();
    let aliases = settings.aliases.iter().flatten().cloned();
    let host = Some(record.config.hostname.clone()).filter(|name| !name.is_empty());
    let mut names: Vec<String> = Vec::new();
    for name in [record.name.clone()].into_iter().chain(aliases).chain([short]).chain(host) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
