//! Which addresses of a subnet are free.
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Range;

use crate::Subnet;
use crate::error::{Error, Result};

/// Handed out in turn, so that an address rests before it is used again.
pub(crate) struct Addresses {
    subnet: Subnet,
    /// Host numbers that are handed out; others are taken only when asked for.
    range: Range<u128>,
    taken: BTreeSet<u128>,
    next: u128,
}

impl Addresses {
    /// `reserved`: the gateway, and others never given to a container. `in_use`: of containers that run.
    pub fn new(
        subnet: Subnet,
        range: Option<Subnet>,
        reserved: impl IntoIterator<Item = IpAddr>,
        in_use: impl IntoIterator<Item = IpAddr>,
    ) -> Self {
        let hosts = subnet.hosts();
        let range = match range.and_then(|range| Some((subnet.index_of(range.address(0))?, range.size()))) {
            Some((start, size)) => start.max(hosts.start)..(start + size).min(hosts.end),
            None => hosts,
        };
        let mut taken: BTreeSet<u128> = in_use.into_iter().filter_map(|address| subnet.index_of(address)).collect();
        let next = taken.last().map_or(range.start, |last| last + 1);
        taken.extend(reserved.into_iter().filter_map(|address| subnet.index_of(address)));
        Self { subnet, range, taken, next }
    }

    pub fn take(&mut self) -> Result<IpAddr> {
        let Range { start: first, end } = self.range;
        let start = if self.range.contains(&self.next) { self.next } else { first };
        let free = (start..end).chain(first..start).find(|index| !self.taken.contains(index));
        let index = free.ok_or_else(|| Error::Exhausted(self.subnet.to_string()))?;
        self.taken.insert(index);
        self.next = index + 1;
        Ok(self.subnet.address(index))
    }

    /// Takes exactly this one.
    pub fn reserve(&mut self, address: IpAddr) -> Result<()> {
        let index = self.subnet.index_of(address).filter(|index| self.subnet.hosts().contains(index));
        match index {
            None => Err(Error::Outside { address, subnet: self.subnet.to_string() }),
            Some(index) if self.taken.insert(index) => Ok(()),
            Some(_) => Err(Error::AddressTaken),
        }
    }

    pub fn release(&mut self, address: IpAddr) {
        if let Some(index) = self.subnet.index_of(address) {
            self.taken.remove(&index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_rest_before_reuse() {
        let subnet: Subnet = "10.9.0.0/28".parse().unwrap();
        let mut addresses = Addresses::new(subnet, None, [subnet.gateway()], [ip("10.9.0.3")]);
        let first = addresses.take().unwrap();
        assert_eq!(first, ip("10.9.0.4"));
        addresses.release(first);
        assert_eq!(addresses.take().unwrap(), ip("10.9.0.5"));
        let mut all: Vec<IpAddr> = std::iter::from_fn(|| addresses.take().ok()).collect();
        all.sort();
        assert_eq!(all.len(), 11);
        assert!(!all.contains(&ip("10.9.0.1")) && !all.contains(&ip("10.9.0.15")));
        assert!(matches!(addresses.take(), Err(Error::Exhausted(_))));
    }

    #[test]
    fn a_range_bounds_what_is_handed_out_but_not_what_is_asked_for() {
        let subnet: Subnet = "10.9.0.0/24".parse().unwrap();
        let mut addresses = Addresses::new(subnet, Some("10.9.0.128/30".parse().unwrap()), [subnet.gateway(), ip("10.9.0.129")], []);
        let handed: Vec<IpAddr> = std::iter::from_fn(|| addresses.take().ok()).collect();
        assert_eq!(handed, [ip("10.9.0.128"), ip("10.9.0.130"), ip("10.9.0.131")]);
        addresses.reserve(ip("10.9.0.7")).unwrap();
        for (address, taken) in [("10.9.0.7", true), ("10.9.0.1", true), ("10.9.0.255", false), ("10.9.0.0", false), ("10.8.0.1", false)] {
            let error = addresses.reserve(ip(address)).unwrap_err();
            assert_eq!(matches!(error, Error::AddressTaken), taken, "{address}: {error}");
        }
    }

    #[test]
    fn ipv6_is_as_large_as_it_is() {
        let mut addresses = Addresses::new("fd00::/64".parse().unwrap(), None, [ip("fd00::1")], [ip("fd00::ffff:ffff:ffff:ffff")]);
        assert_eq!(addresses.take().unwrap(), ip("fd00::2"));
    }
}
