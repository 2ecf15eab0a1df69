//! Ports to publish.
use std::collections::HashSet;
use std::net::IpAddr;
use std::str::FromStr;

use slipway_net::{Protocol, PublishedPort};

use super::bad;
use crate::containers::model::PortBinding;
use crate::containers::record::Record;
use crate::error::ApiResult;

const MOST_PORTS: usize = 4_096;

/// The ports to publish, with host port 0 for "any"; on `binding` where no address is given.
pub fn ports(record: &Record, binding_ip: Option<IpAddr>) -> ApiResult<Vec<PublishedPort>> {
    let mut ports = Vec::new();
    let mut seen = HashSet::new();
    for (key, bindings) in &record.host_config.port_bindings {
        let (container_port, protocol) = parse_port(key)?;
        let any = [PortBinding::default()];
        let bindings = bindings.as_deref().filter(|bindings| !bindings.is_empty()).unwrap_or(&any);
        for binding in bindings {
            let host_ip = match binding.host_ip.trim_matches(['[', ']']) {
                "" => binding_ip,
                ip => Some(ip.parse().map_err(|_| bad(format!("invalid IP address {ip:?} to publish a port on")))?),
            };
            let (host_port, last_host_port) = host_ports(&binding.host_port)?;
            let port = PublishedPort { host_ip, host_port, last_host_port, container_port, protocol };
            if seen.insert(port.clone()) || host_port == 0 {
                ports.push(port);
            }
        }
    }
    if record.host_config.publish_all_ports {
        let mut bound: HashSet<(u16, Protocol)> = ports.iter().map(|port| (port.container_port, port.protocol)).collect();
        for key in record.config.exposed_ports.keys() {
            let (container_port, protocol) = parse_port(key)?;
            if bound.insert((container_port, protocol)) {
                ports.push(PublishedPort { host_ip: binding_ip, host_port: 0, last_host_port: 0, container_port, protocol });
            }
        }
    }
    // Each takes a socket of this host; an image may expose all ports there are.
    match ports.len() > MOST_PORTS {
        true => Err(bad(format!("more than {MOST_PORTS} published ports"))),
        false => Ok(ports),
    }
}

/// `8080`, `8000-8010` (any of these), or nothing for any at all.
fn host_ports(text: &str) -> ApiResult<(u16, u16)> {
    let invalid = || bad(format!("invalid host port {text:?}"));
    let number = |text: &str| text.parse::<u16>().map_err(|_| invalid());
    match text.split_once('-') {
        None if text.is_empty() => Ok((0, 0)),
        None => Ok((number(text)?, 0)),
        Some((first, last)) => match (number(first)?, number(last)?) {
            (first, last) if first > 0 && first <= last => Ok((first, last)),
            _ => Err(invalid()),
        },
    }
}

/// `80`, `80/tcp`, `53/udp`.
pub fn parse_port(text: &str) -> ApiResult<(u16, Protocol)> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        other => return Err(bad(format!("ports of {other} cannot be published, only tcp and udp"))),
    };
    match u16::from_str(port) {
        Ok(port) if port > 0 => Ok((port, protocol)),
        _ => Err(bad(format!("invalid port {text:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_parsed() {
        assert_eq!(parse_port("53/udp").unwrap(), (53, Protocol::Udp));
        assert!(parse_port("0").is_err() && parse_port("80/sctp").is_err() && parse_port("99999").is_err());
    }
}
