use std::net::{IpAddr, Ipv6Addr};

use http::Uri;

/// Whether a redirect leads from further out to further in: from the Internet into a private network, from there to this
/// machine, from anywhere to the link-local addresses where clouds keep their secrets. Names
/// count as outside and are not looked up: what is fetched is held to its digest anyway. Registries without TLS are this
/// machine's own or mapped by its administrator, and may lead anywhere but there.
pub(crate) fn leads_inside(from: &Uri, to: &Uri) -> bool {
    let trusted = from.scheme_str() == Some("http");
    let from = if trusted { depth(from).max(Depth::Machine) } else { depth(from) };
    depth(to) > from
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
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") {
        return Depth::Machine;
    }
    let Ok(address) = name.parse::<IpAddr>() else { return Depth::Outside };
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
            assert_eq!(leads_inside(&from.parse().unwrap(), &to.parse().unwrap()), refused, "{from} {to}");
        }
    }
}
