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
    let [a, b, c, d] = v4.octets();
    // Of clouds whose hosts keep secrets at an address that is not link-local: Azure, Alibaba, Oracle.
    if matches!([a, b, c, d], [168, 63, 129, 16] | [100, 100, 100, 200] | [192, 0, 0, 192]) {
        return Depth::Never;
    }
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
        // The same of AWS and Google.
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => Depth::Never,
        // Mapped and compatible IPv4 (RFC 4291), NAT64 (RFC 6052) and 6to4 (RFC 3056) lead to the IPv4 address in them.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => embedded(high, low),
        _ if v6.is_unicast_link_local() || v6.is_multicast() => Depth::Never,
        _ if v6.is_unique_local() => Depth::Private,
        _ => Depth::Outside,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn tells_where_an_address_lies_however_it_is_written() {
        for (host, depth) in
            [("example.com", Depth::Outside), ("a.localhost", Depth::Machine), ("127.1", Depth::Never), ("0x7f000001", Depth::Never)]
        {
            assert_eq!(of_host(host), depth, "{host}");
        }
        // The worker's rules for Git (`apps/worker/src/pipeline/places.ts`) are held to the same table.
        let table = include_str!("../../../../../../packages/contracts/fixtures/addresses/depth.json");
        for (host, depth) in serde_json::from_str::<BTreeMap<&str, &str>>(table).unwrap() {
            assert_eq!(format!("{:?}", of_host(host)).to_lowercase(), depth, "{host}");
        }
    }
}
