//! Subnets of both families, and choosing one that nothing else on this host uses.
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A network of either family. IPv4 has prefixes up to 30, IPv6 up to 126: smaller ones hold no container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet {
    base: IpAddr,
    prefix: u8,
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

const fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

impl Subnet {
    /// The network that `address` is in; a prefix longer than the address is cut.
    pub fn new(address: impl Into<IpAddr>, prefix: u8) -> Self {
        let address = address.into();
        let prefix = prefix.min(width(address));
        let subnet = Self { base: address, prefix };
        Self { base: subnet.number(bits(address) & subnet.mask()), prefix }
    }

    fn mask(self) -> u128 {
        let host = width(self.base) - self.prefix;
        let all = if self.base.is_ipv4() { u128::from(u32::MAX) } else { u128::MAX };
        if host == 128 { 0 } else { all & (u128::MAX << host) }
    }

    fn number(self, bits: u128) -> IpAddr {
        match self.base {
            // The upper bits are those of the base, which fits.
            IpAddr::V4(_) => Ipv4Addr::from(bits as u32).into(),
            IpAddr::V6(_) => Ipv6Addr::from(bits).into(),
        }
    }

    pub fn prefix(self) -> u8 {
        self.prefix
    }

    pub fn is_ipv6(self) -> bool {
        self.base.is_ipv6()
    }

    /// The first address, where the bridge is unless told otherwise.
    pub fn gateway(self) -> IpAddr {
        self.address(1)
    }

    /// Host number `index`, counting from the network's own address.
    pub fn address(self, index: u128) -> IpAddr {
        self.number(bits(self.base).wrapping_add(index))
    }

    pub fn index_of(self, address: IpAddr) -> Option<u128> {
        self.contains(address).then(|| bits(address) - bits(self.base))
    }

    /// Addresses, the network's own and the broadcast included.
    pub fn size(self) -> u128 {
        1u128.checked_shl(u32::from(width(self.base) - self.prefix)).unwrap_or(u128::MAX)
    }

    /// Host numbers that may be given away; IPv6 has no broadcast.
    pub fn hosts(self) -> std::ops::Range<u128> {
        1..if self.is_ipv6() { self.size() } else { self.size() - 1 }
    }

    pub fn contains(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.base.is_ipv4() && bits(address) & self.mask() == bits(self.base)
    }

    pub fn overlaps(self, other: Self) -> bool {
        let wider = if self.prefix <= other.prefix { self } else { other };
        wider.contains(self.base) && wider.contains(other.base)
    }

    /// Of IPv4.
    pub fn broadcast(self) -> Option<Ipv4Addr> {
        match self.address(self.size() - 1) {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        }
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::BadSubnet(text.into());
        let (base, prefix) = text.split_once('/').ok_or_else(bad)?;
        let (base, prefix): (IpAddr, u8) = (base.parse().map_err(|_| bad())?, prefix.parse().map_err(|_| bad())?);
        let allowed = if base.is_ipv4() { 8..=30 } else { 16..=126 };
        if !allowed.contains(&prefix) {
            return Err(bad());
        }
        Ok(Self::new(base, prefix))
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

/// What is taken: every IPv4 route of the host but those of `own_bridge`, and its name servers, which containers must reach.
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

/// A /64 of the instance's own part of fd00::/8 (RFC 4193) that is not in `taken`, the same for the same network.
pub(crate) fn choose_ipv6(instance: &str, network: &str, taken: &[Subnet]) -> Result<Subnet> {
    let hex = |text: &str, digits: usize| u128::from_str_radix(text.get(..digits).unwrap_or_default(), 16).unwrap_or(0);
    // 40 bits of global id: the instance's 32 and eight that say whose they are.
    let base = 0xfd_u128 << 120 | 0x51_u128 << 112 | hex(instance, 8) << 80;
    let start = hex(network, 4);
    let all = (0..0x1_0000).map(|step| Subnet::new(Ipv6Addr::from(base | ((start + step) % 0x1_0000) << 64), 64));
    all.into_iter().find(|candidate| !taken.iter().any(|other| other.overlaps(*candidate))).ok_or(Error::NoSubnet)
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
        assert_eq!((subnet.to_string(), subnet.gateway().to_string()), ("10.88.0.0/20".into(), "10.88.0.1".into()));
        for bad in ["10.0.0.0/33", "x/8", "10.0.0.0", "fd00::/8", "fd00::/129", "10.0.0.0/-1", "/24"] {
            assert!(bad.parse::<Subnet>().is_err(), "{bad}");
        }
        let wide: Subnet = "fd00:1::5/64".parse().unwrap();
        assert_eq!((wide.to_string(), wide.gateway().to_string(), wide.size()), ("fd00:1::/64".into(), "fd00:1::1".into(), 1 << 64));
        assert!(wide.contains("fd00:1::ffff".parse().unwrap()) && !wide.contains("10.0.0.1".parse().unwrap()));
        assert!(wide.overlaps("fd00:1::/100".parse().unwrap()) && !wide.overlaps(subnet));
        assert_eq!(
            (subnet.index_of("10.88.1.0".parse().unwrap()), subnet.broadcast().unwrap()),
            (Some(256), Ipv4Addr::new(10, 88, 15, 255))
        );
    }

    #[test]
    fn ipv6_is_chosen_apart() {
        let first = choose_ipv6("0123abcd", "ffff", &[]).unwrap();
        assert_eq!(first.to_string(), "fd51:123:abcd:ffff::/64");
        assert_eq!(choose_ipv6("0123abcd", "ffff", &[first]).unwrap().to_string(), "fd51:123:abcd::/64");
    }
}
