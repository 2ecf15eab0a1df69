use std::net::IpAddr;

/// A place inside this network that may be reached all the same, because the administrator said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A network, or one address with all of its bits.
    Network { base: IpAddr, prefix: u32 },
    /// A host name, in small letters.
    Name(String),
}

impl Place {
    /// `10.1.2.3`, `10.0.0.0/8`, `fd00::/8`, `storage.localhost`; `None` when it is none of these.
    pub fn parse(text: &str) -> Option<Place> {
        let (base, prefix) = text.split_once('/').map_or((text, None), |(base, prefix)| (base, Some(prefix)));
        if let Ok(base) = base.parse::<IpAddr>() {
            let bits = if base.is_ipv4() { 32 } else { 128 };
            let prefix = prefix.map_or(Some(bits), |prefix| prefix.parse().ok().filter(|prefix| *prefix <= bits))?;
            return Some(Place::Network { base, prefix });
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        let name = prefix.is_none() && !text.is_empty() && text.bytes().all(plain);
        name.then(|| Place::Name(text.trim_end_matches('.').to_ascii_lowercase()))
    }

    /// `host` as [`crate::network::depth::plain_host`] gives it.
    pub fn holds(&self, host: &str) -> bool {
        match (self, host.parse::<IpAddr>().map(|address| address.to_canonical())) {
            (Place::Name(name), _) => name == host,
            (Place::Network { base, prefix }, Ok(address)) => same(*base, address, *prefix),
            (Place::Network { .. }, Err(_)) => false,
        }
    }
}

/// Whether the first `prefix` bits are the same.
fn same(one: IpAddr, other: IpAddr, prefix: u32) -> bool {
    let (one, other, bits) = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (u128::from(one.to_bits()), u128::from(other.to_bits()), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits(), 128),
        _ => return false,
    };
    (one ^ other).checked_shr(bits - prefix).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_it_names_and_nothing_else() {
        for (place, host, held) in [
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("0.0.0.0/0", "127.0.0.1", true),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true),
            ("fd00::/8", "fd12::1", true),
            ("::/0", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("fd00::/8", "10.0.0.1", false),
            ("Storage.localhost.", "storage.localhost", true),
            ("localhost", "storage.localhost", false),
        ] {
            assert_eq!(Place::parse(place).unwrap().holds(host), held, "{place} {host}");
        }
        for bad in ["", "10.0.0.0/33", "10.0.0.0/x", "http://10.0.0.1", "10.0.0.1:443", "a b", "storage/8"] {
            assert_eq!(Place::parse(bad), None, "{bad}");
        }
    }
}
