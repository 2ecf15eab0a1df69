use std::net::{IpAddr, Ipv6Addr};

use http::Uri;

use crate::registry::inside::Place;

/// Whether a redirect leads from further out to further in: from the Internet into a private network, from there to this
/// machine, from anywhere to the link-local addresses where clouds keep their secrets. Names
/// count as outside and are not looked up: what is fetched is held to its digest anyway. Registries without TLS are this
/// machine's own or mapped by its administrator, and may lead anywhere but there; so may others to where he allows it.
pub(crate) fn leads_inside(from: &Uri, to: &Uri, allowed: &[Place]) -> bool {
    let trusted = from.scheme_str() == Some("http");
    let from = if trusted { depth(from).max(Depth::Machine) } else { depth(from) };
    let allowed = depth(to) < Depth::LinkLocal && allowed.iter().any(|place| place.holds(&plain_host(to)));
    depth(to) > from && !allowed
}

/// In small letters, without brackets and the dot at the end.
pub(crate) fn plain_host(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// `127.1`, `2130706433` and `0x7f.1` are addresses to the resolver, and names to everybody who reads them.
fn is_disguised(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    last.starts_with("0x") || (!last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()))
}

/// From the outermost to the innermost.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    Outside,
    Private,
    Machine,
    LinkLocal,
}

fn depth(uri: &Uri) -> Depth {
    let name = plain_host(uri);
    if name == "localhost" || name.ends_with(".localhost") {
        return Depth::Machine;
    }
    let Ok(address) = name.parse::<IpAddr>() else {
        return if is_disguised(&name) { Depth::LinkLocal } else { Depth::Outside };
    };
    match address {
        IpAddr::V4(v4) if v4.is_link_local() => Depth::LinkLocal,
        IpAddr::V4(v4) if v4.is_loopback() || v4.is_unspecified() => Depth::Machine,
        IpAddr::V4(v4) if v4.is_private() => Depth::Private,
        IpAddr::V4(_) => Depth::Outside,
        IpAddr::V6(v6) => depth_v6(v6),
    }
}

fn depth_v6(v6: Ipv6Addr) -> Depth {
    if let Some(v4) = v6.to_ipv4_mapped() {
        return Uri::try_from(format!("http://{v4}")).map_or(Depth::LinkLocal, |uri| depth(&uri));
    }
    if v6.is_unicast_link_local() {
        Depth::LinkLocal
    } else if v6.is_loopback() || v6.is_unspecified() {
        Depth::Machine
    } else if v6.is_unique_local() {
        Depth::Private
    } else {
        Depth::Outside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_outwards_or_stay_where_they_are() {
        for (from, to, refused) in [
            ("https://registry.example/v2/", "https://cdn.example/blob", false),
            ("https://registry.example/v2/", "https://93.184.216.34/blob", false),
            ("https://registry.example/v2/", "https://10.1.2.3/blob", true),
            ("https://registry.example/v2/", "https://127.0.0.1:2375/x", true),
            ("https://registry.example/v2/", "https://LOCALHOST./x", true),
            ("https://registry.example/v2/", "https://[::1]/x", true),
            ("https://registry.example/v2/", "https://[fd00::1]/x", true),
            ("https://registry.example/v2/", "https://[::ffff:169.254.169.254]/x", true),
            ("http://127.0.0.1:5000/v2/", "http://169.254.169.254/latest/meta-data", true),
            ("http://127.0.0.1:5000/v2/", "http://127.0.0.1:9000/blob", false),
            ("http://127.0.0.1:5000/v2/", "http://10.0.0.7:9000/blob", false),
            ("http://registry:5000/v2/", "http://10.0.0.7:9000/blob", false),
            ("https://10.0.0.1/v2/", "https://10.0.0.7/blob", false),
            ("https://10.0.0.1/v2/", "https://localhost/blob", true),
        ] {
            assert_eq!(leads_inside(&from.parse().unwrap(), &to.parse().unwrap(), &[]), refused, "{from} {to}");
        }
    }

    #[test]
    fn addresses_in_disguise_are_not_taken_for_names() {
        for to in ["https://127.1/x", "https://2130706433/x", "https://0x7f000001/x", "https://0177.0.0.1/x", "https://10.0x1/x"] {
            assert!(leads_inside(&"https://registry.example/".parse().unwrap(), &to.parse().unwrap(), &[]), "{to}");
        }
        let name = "https://1and1.example/x".parse().unwrap();
        assert!(!leads_inside(&"https://registry.example/".parse().unwrap(), &name, &[]));
    }

    #[test]
    fn what_is_allowed_is_allowed_but_never_where_clouds_keep_their_secrets() {
        let allowed = ["10.1.0.0/16", "0.0.0.0/0", "minio.localhost"].map(|place| Place::parse(place).unwrap());
        let from = "https://registry.example/".parse().unwrap();
        for (to, places, refused) in [
            ("https://10.1.2.3/x", &allowed[..1], false),
            ("https://10.2.2.3/x", &allowed[..1], true),
            ("https://127.0.0.1/x", &allowed[..1], true),
            ("https://127.0.0.1/x", &allowed[..], false),
            ("https://169.254.169.254/x", &allowed[..], true),
            ("https://MINIO.localhost./x", &allowed[2..], false),
            ("https://localhost/x", &allowed[2..], true),
        ] {
            assert_eq!(leads_inside(&from, &to.parse().unwrap(), places), refused, "{to}");
        }
    }
}
