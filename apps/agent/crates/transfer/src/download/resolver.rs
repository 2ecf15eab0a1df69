use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;

use crate::network::depth::{Depth, of_address};
use crate::network::place::Place;

/// Which addresses may be connected to: those of the Internet, and what the settings allow.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guard(pub Arc<[Place]>);

impl Guard {
    /// `name`: the host as [`crate::network::depth::plain_host`] gives it.
    pub fn allows(&self, name: &str, address: IpAddr) -> bool {
        let (depth, text) = (of_address(address), address.to_string());
        depth == Depth::Outside || (depth < Depth::Never && self.0.iter().any(|place| place.holds(name) || place.holds(&text)))
    }
}

/// Looks names up and leaves out the addresses that may not be connected to. The connection is made to what comes out of here, so
/// that a name which answers differently the next time (DNS rebinding) gains nothing.
#[derive(Clone)]
pub(crate) struct GuardedResolver {
    pub inner: GaiResolver,
    pub guard: Guard,
}

/// All addresses of a name lie inside this network.
#[derive(Debug, thiserror::Error)]
#[error("its address {0} lies inside this network")]
pub(crate) struct LiesInside(pub IpAddr);

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Failure>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let host = name.as_str().trim_end_matches('.').to_ascii_lowercase();
        let (lookup, guard) = (self.inner.call(name), self.guard.clone());
        Box::pin(async move {
            let found: Vec<SocketAddr> = lookup.await?.collect();
            let refused = found.iter().map(SocketAddr::ip).find(|address| !guard.allows(&host, *address));
            let allowed: Vec<SocketAddr> = found.into_iter().filter(|address| guard.allows(&host, address.ip())).collect();
            match refused {
                Some(address) if allowed.is_empty() => Err(LiesInside(address).into()),
                _ => Ok(allowed.into_iter()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_internet_is_reached_and_what_the_settings_name() {
        let guard = |places: &[&str]| Guard(places.iter().map(|place| Place::parse(place).unwrap()).collect());
        for (places, name, address, allowed) in [
            (&[][..], "a.example", "93.184.216.34", true),
            (&[], "a.example", "10.0.0.1", false),
            (&["10.0.0.0/8"], "a.example", "10.0.0.1", true),
            (&["10.0.0.0/8"], "a.example", "127.0.0.1", false),
            (&["files.lan"], "files.lan", "192.168.0.4", true),
            (&["files.lan"], "files.lan", "127.0.0.1", true),
            (&["files.lan"], "other.lan", "192.168.0.4", false),
            (&["0.0.0.0/0", "files.lan"], "files.lan", "169.254.169.254", false),
        ] {
            assert_eq!(guard(places).allows(name, address.parse().unwrap()), allowed, "{places:?} {name} {address}");
        }
    }
}
