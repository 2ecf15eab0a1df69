use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::network::place::Place;
use crate::{Error, Result};

/// Where registries are reached: names that this installation maps (`slipway.local` → `http://127.0.0.1:5000`), plain HTTP
/// for this machine's own addresses, HTTPS for all others.
#[derive(Debug, Clone, Default)]
pub struct Registries {
    mapped: BTreeMap<String, String>,
    inside: BTreeMap<String, Vec<Place>>,
}

impl Registries {
    /// `mapped`: registry name to `http://` or `https://` address without a path.
    pub fn new(mapped: BTreeMap<String, String>) -> Result<Registries> {
        let mut clean = BTreeMap::new();
        for (name, address) in mapped {
            let uri: http::Uri = address.parse().map_err(|e| bad(&name, format!("{address:?} is no address: {e}")))?;
            let scheme = uri.scheme_str().filter(|s| matches!(*s, "http" | "https"));
            let (Some(scheme), Some(authority)) = (scheme, uri.authority()) else {
                return Err(bad(&name, format!("{address:?} must be http://host:port or https://host:port")));
            };
            if !matches!(uri.path(), "" | "/") || uri.query().is_some() || authority.as_str().contains('@') {
                return Err(bad(&name, format!("{address:?} must have no path, query or user")));
            }
            clean.insert(name, format!("{scheme}://{authority}"));
        }
        Ok(Registries { mapped: clean, inside: BTreeMap::new() })
    }

    /// `inside`: registry name to addresses (`10.1.2.3`), networks (`10.0.0.0/8`) and host names inside this network that its
    /// storage and its token service may be at. Nothing is by default.
    pub fn allow_inside(mut self, inside: BTreeMap<String, Vec<String>>) -> Result<Registries> {
        for (name, texts) in inside {
            let parse = |text: &String| {
                let reason = || format!("{text:?} must be an address, a network like 10.0.0.0/8, or a host name");
                Place::parse(text).ok_or_else(|| bad(&name, reason()))
            };
            let places = texts.iter().map(parse).collect::<Result<_>>()?;
            self.inside.insert(name, places);
        }
        Ok(self)
    }

    pub(crate) fn allowed_inside(&self, host: &str) -> &[Place] {
        self.inside.get(host).map_or(&[], Vec::as_slice)
    }

    /// The address of a registry, without a slash at the end.
    pub(crate) fn base(&self, host: &str) -> String {
        if let Some(mapped) = self.mapped.get(host) {
            return mapped.clone();
        }
        match host {
            "docker.io" => "https://registry-1.docker.io".to_string(),
            local if is_this_machine(local) => format!("http://{local}"),
            other => format!("https://{other}"),
        }
    }
}

fn bad(host: &str, reason: String) -> Error {
    Error::Protocol { host: host.to_string(), reason }
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_and_mapped_names_go_without_tls() {
        let registries = Registries::new(BTreeMap::from([("slipway.local".to_string(), "http://127.0.0.1:5000/".to_string())])).unwrap();
        for (host, base) in [
            ("slipway.local", "http://127.0.0.1:5000"),
            ("localhost:5000", "http://localhost:5000"),
            ("127.1.2.3:80", "http://127.1.2.3:80"),
            ("[::1]:5000", "http://[::1]:5000"),
            ("docker.io", "https://registry-1.docker.io"),
            ("10.0.0.1:5000", "https://10.0.0.1:5000"),
            ("localhost.evil.com", "https://localhost.evil.com"),
            ("ghcr.io", "https://ghcr.io"),
        ] {
            assert_eq!(registries.base(host), base);
        }
        for address in ["", "127.0.0.1:5000", "ftp://x", "http://x/path", "http://u:p@x"] {
            assert!(Registries::new(BTreeMap::from([("a".to_string(), address.to_string())])).is_err(), "{address}");
        }
    }
}
