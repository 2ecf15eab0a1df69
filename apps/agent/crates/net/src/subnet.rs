//! Choosing a subnet that nothing else on this host uses.
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// An IPv4 network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet {
    base: u32,
    prefix: u8,
}

impl Subnet {
    pub const fn new(base: Ipv4Addr, prefix: u8) -> Self {
        let bits = u32::from_be_bytes(base.octets());
        Self { base: bits & mask(prefix), prefix }
    }

    pub fn prefix(self) -> u8 {
        self.prefix
    }

    pub fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from(self.base + 1)
    }

    /// Host number `index`, counting from the network's own address.
    pub fn address(self, index: u32) -> Ipv4Addr {
        Ipv4Addr::from(self.base + index)
    }

    pub fn index_of(self, address: Ipv4Addr) -> Option<u32> {
        self.contains(address).then(|| u32::from(address) - self.base)
    }

    /// Addresses, the network's own and the broadcast included.
    pub fn size(self) -> u32 {
        1 << (32 - self.prefix)
    }

    pub fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.prefix) == self.base
    }

    pub fn overlaps(self, other: Self) -> bool {
        let prefix = self.prefix.min(other.prefix);
        self.base & mask(prefix) == other.base & mask(prefix)
    }
}

const fn mask(prefix: u8) -> u32 {
    match prefix {
        0 => 0,
        prefix => u32::MAX << (32 - prefix),
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.base), self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::BadSubnet(text.into());
        let (base, prefix) = text.split_once('/').ok_or_else(bad)?;
        let prefix: u8 = prefix.parse().map_err(|_| bad())?;
        if !(8..=28).contains(&prefix) {
            return Err(bad());
        }
        Ok(Self::new(base.parse().map_err(|_| bad())?, prefix))
    }
}

impl TryFrom<String> for Subnet {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> Self {
        subnet.to_string()
    }
}

/// What is taken: every route of the host but those of `own_bridge`, and its name servers, which containers must reach.
pub(crate) fn taken(own_bridge: &str) -> Vec<Subnet> {
    let routes = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
    let resolvers = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    parse_routes(&routes, own_bridge).into_iter().chain(parse_resolvers(&resolvers)).collect()
}

fn parse_routes(text: &str, own_bridge: &str) -> Vec<Subnet> {
    let number = |hex: &str| u32::from_str_radix(hex, 16).ok().map(u32::from_be);
    let route = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (name, base, mask) = (fields.first()?, number(fields.get(1)?)?, number(fields.get(7)?)?);
        (*name != own_bridge && mask != 0).then(|| Subnet::new(Ipv4Addr::from(base), mask.count_ones() as u8))
    };
    text.lines().skip(1).filter_map(route).collect()
}

fn parse_resolvers(text: &str) -> Vec<Subnet> {
    let server = |line: &str| line.strip_prefix("nameserver")?.trim().parse::<Ipv4Addr>().ok();
    text.lines().filter_map(server).map(|address| Subnet::new(address, 32)).collect()
}

/// The first free /20 of 10.0.0.0/8, starting at a place that differs between instances; then 172.16/12 in /20 steps.
pub(crate) fn choose(instance: &str, taken: &[Subnet]) -> Result<Subnet> {
    let start = u32::from_str_radix(instance, 16).unwrap_or(0) % 4_096;
    let ten = (0..4_096u32).map(|step| Subnet::new(Ipv4Addr::from(0x0a00_0000 + ((start + step) % 4_096) * 4_096), 20));
    let rfc1918 = (0..256u32).map(|step| Subnet::new(Ipv4Addr::from(0xac10_0000 + step * 4_096), 20));
    ten.chain(rfc1918).find(|candidate| !taken.iter().any(|other| other.overlaps(*candidate))).ok_or(Error::NoSubnet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn avoids_routes_and_resolvers() {
        let routes = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
                      eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0\n\
                      docker0 0000000A 00000000 0001 0 0 0 0000FFFF 0 0 0\n\
                      sw-own 0010010A 00000000 0001 0 0 0 00F0FFFF 0 0 0\n";
        let taken = [parse_routes(routes, "sw-own"), parse_resolvers("nameserver 10.1.0.53\nnameserver ::1\n")].concat();
        assert_eq!(taken.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.0/16", "10.1.0.53/32"]);
        assert_eq!(choose("00000000", &taken).unwrap().to_string(), "10.1.16.0/20");
        let all = [Subnet::new(Ipv4Addr::new(10, 0, 0, 0), 8)];
        assert_eq!(choose("00000000", &all).unwrap().to_string(), "172.16.0.0/20");
    }

    #[test]
    fn parses() {
        let subnet: Subnet = "10.88.7.9/20".parse().unwrap();
        assert_eq!((subnet.to_string(), subnet.gateway()), ("10.88.0.0/20".into(), Ipv4Addr::new(10, 88, 0, 1)));
        assert!("10.0.0.0/33".parse::<Subnet>().is_err() && "x/8".parse::<Subnet>().is_err() && "10.0.0.0".parse::<Subnet>().is_err());
    }
}
