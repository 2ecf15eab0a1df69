use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::Uri;

/// How far inside a place is, from the outermost to the innermost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    Outside,
    Private,
    Machine,
    /// Where clouds keep their secrets, and addresses that are no single host's: never to be reached.
    Never,
}

/// In small letters, without brackets and the dot at the end.
pub(crate) fn plain_host(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// Of a host as [`plain_host`] gives it. Names are not looked up: but for `localhost` they count as outside.
pub(crate) fn of_host(name: &str) -> Depth {
    if name == "localhost" || name.ends_with(".localhost") {
        return Depth::Machine;
    }
    match name.parse() {
        Ok(address) => of_address(address),
        Err(_) if is_disguised(name) => Depth::Never,
        Err(_) => Depth::Outside,
    }
}

pub(crate) fn of_address(address: IpAddr) -> Depth {
    match address {
        IpAddr::V4(v4) => of_v4(v4),
        IpAddr::V6(v6) => of_v6(v6),
    }
}

/// `127.1`, `2130706433` and `0x7f.1` are addresses to the resolver, and names to everybody who reads them.
fn is_disguised(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    last.starts_with("0x") || (!last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()))
}

fn of_v4(v4: Ipv4Addr) -> Depth {
    let [a, b, c, _] = v4.octets();
    match (a, b, c) {
        (169, 254, _) | (224.., ..) => Depth::Never,
        (127, ..) | (0, ..) => Depth::Machine,
        // Behind a carrier's NAT (RFC 6598), of protocols (RFC 6890) and of benchmarks (RFC 2544): no address of the Internet.
        (100, 64..=127, _) | (192, 0, 0) | (198, 18 | 19, _) => Depth::Private,
        _ if v4.is_private() => Depth::Private,
        _ => Depth::Outside,
    }
}

fn of_v6(v6: Ipv6Addr) -> Depth {
    let parts = v6.segments();
    let embedded = |high: u16, low: u16| of_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match parts {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => Depth::Machine,
        // Mapped and compatible IPv4 (RFC 4291), NAT64 (RFC 6052) and 6to4 (RFC 3056) lead to the IPv4 address in them.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => embedded(high, low),
        _ if v6.is_unicast_link_local() || v6.is_multicast() => Depth::Never,
        _ if v6.is_unique_local() => Depth::Private,
        _ => Depth::Outside,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_where_an_address_lies_however_it_is_written() {
        for (host, depth) in [
            ("93.184.216.34", Depth::Outside),
            ("2606:2800:220:1::1", Depth::Outside),
            ("example.com", Depth::Outside),
            ("10.1.2.3", Depth::Private),
            ("172.31.0.1", Depth::Private),
            ("172.32.0.1", Depth::Outside),
            ("100.64.0.1", Depth::Private),
            ("100.128.0.1", Depth::Outside),
            ("198.18.0.1", Depth::Private),
            ("fd12::1", Depth::Private),
            ("::ffff:192.168.1.1", Depth::Private),
            ("64:ff9b::10.0.0.1", Depth::Private),
            ("2002:7f00:1::", Depth::Machine),
            ("0.1.2.3", Depth::Machine),
            ("127.8.0.1", Depth::Machine),
            ("::1", Depth::Machine),
            ("::", Depth::Machine),
            ("::127.0.0.1", Depth::Machine),
            ("a.localhost", Depth::Machine),
            ("169.254.169.254", Depth::Never),
            ("::ffff:169.254.169.254", Depth::Never),
            ("fe80::1", Depth::Never),
            ("224.0.0.1", Depth::Never),
            ("255.255.255.255", Depth::Never),
            ("ff02::1", Depth::Never),
            ("127.1", Depth::Never),
            ("0x7f000001", Depth::Never),
        ] {
            assert_eq!(of_host(host), depth, "{host}");
        }
    }
}
