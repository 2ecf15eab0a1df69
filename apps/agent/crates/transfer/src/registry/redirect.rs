use http::Uri;

use crate::network::depth::{self, Depth, plain_host};
use crate::network::place::Place;

/// Whether a redirect leads from further out to further in: from the Internet into a private network, from there to this
/// machine, from anywhere to the link-local addresses where clouds keep their secrets. Names
/// count as outside and are not looked up: what is fetched is held to its digest anyway. Registries without TLS are this
/// machine's own or mapped by its administrator, and may lead anywhere but there; so may others to where he allows it.
pub(crate) fn leads_inside(from: &Uri, to: &Uri, allowed: &[Place]) -> bool {
    let trusted = from.scheme_str() == Some("http");
    let (from, target) = (depth::of_host(&plain_host(from)), plain_host(to));
    let (from, to) = (if trusted { from.max(Depth::Machine) } else { from }, depth::of_host(&target));
    let allowed = to < Depth::Never && allowed.iter().any(|place| place.holds(&target));
    to > from && !allowed
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
