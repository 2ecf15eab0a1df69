//! A container's place in one network.
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::error::Result;

/// What connects one container to one network, while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The network's id.
    pub network: String,
    /// In the container: `eth0`.
    pub interface: String,
    /// The other end, on the host.
    pub host_interface: String,
    pub address: IpAddr,
    pub prefix: u8,
    /// Absent in a network without a way out.
    pub gateway: Option<IpAddr>,
    pub address6: Option<IpAddr>,
    pub prefix6: u8,
    pub gateway6: Option<IpAddr>,
    /// `02:42:0a:00:00:02`
    pub mac: String,
}

/// What a container may ask of its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    pub address: Option<IpAddr>,
    pub address6: Option<IpAddr>,
    pub mac: Option<[u8; 6]>,
    /// What is for elsewhere goes through this network.
    pub route: bool,
}

/// `02:42:0a:00:00:02`, also with hyphens. Only addresses of one interface: no group addresses, and not all zeros.
pub fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let parts: Vec<&str> = text.split([':', '-']).collect();
    let bytes: Vec<u8> = parts.iter().filter(|part| part.len() == 2).filter_map(|part| u8::from_str_radix(part, 16).ok()).collect();
    let mac: [u8; 6] = bytes.try_into().ok().filter(|_| parts.len() == 6)?;
    (mac[0] & 1 == 0 && mac != [0; 6]).then_some(mac)
}

pub(crate) fn format_mac(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// Docker's scheme: stable for an address, so that a neighbour's cache is never wrong.
pub(crate) fn mac_of(address: IpAddr) -> [u8; 6] {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [0x02, 0x42, a, b, c, d]
        }
        IpAddr::V6(address) => {
            let [.., a, b, c, d] = address.octets();
            [0x02, 0x42, a, b, c, d]
        }
    }
}

impl Endpoint {
    pub(crate) fn take(bridge: &crate::bridge::Bridge, wanted: &Wanted) -> Result<(Self, [u8; 6])> {
        let (address, address6) = bridge.take(wanted)?;
        let mac = wanted.mac.unwrap_or_else(|| mac_of(address));
        let info = &bridge.info;
        let endpoint = Self {
            network: info.id.clone(),
            interface: "eth0".into(),
            host_interface: String::new(),
            address,
            prefix: info.subnet.prefix(),
            gateway: (!info.internal).then_some(info.gateway),
            address6,
            prefix6: info.ipv6.map_or(0, |(subnet, _)| subnet.prefix()),
            gateway6: info.ipv6.filter(|_| !info.internal).map(|(_, gateway)| gateway),
            mac: format_mac(mac),
        };
        Ok((endpoint, mac))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardware_addresses() {
        assert_eq!(parse_mac("02:42:0A:00-00-02").map(format_mac).as_deref(), Some("02:42:0a:00:00:02"));
        for bad in ["", "02:42", "02:42:0a:00:00:0g", "03:00:00:00:00:01", "00:00:00:00:00:00", "02:42:0a:00:00:02:03", "02420a000002"] {
            assert_eq!(parse_mac(bad), None, "{bad}");
        }
    }
}
