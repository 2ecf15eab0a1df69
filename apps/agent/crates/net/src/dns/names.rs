//! Which container has which names in which network.
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

/// A container's place in one network, by its names there.
#[derive(Debug, Clone)]
pub struct Named {
    /// The network's id.
    pub network: String,
    pub network_name: String,
    /// Nothing is asked of the outside for its sake.
    pub internal: bool,
    /// The first is what its addresses are called.
    pub names: Vec<String>,
    /// What this container alone calls others: its word, and one of the other's names.
    pub links: Vec<(String, String)>,
    pub addresses: Vec<IpAddr>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Addresses(Vec<IpAddr>),
    /// The name is there, and has nothing of this kind.
    Nothing,
    Unknown,
}

#[derive(Default)]
pub(crate) struct Names {
    table: RwLock<HashMap<String, Vec<Named>>>,
    /// Turns the order of answers, so that clients spread.
    turn: AtomicUsize,
}

impl Names {
    /// In place of what the container had; nothing takes it out.
    pub fn set(&self, container: &str, mut places: Vec<Named>) {
        for place in &mut places {
            let links = place.links.iter_mut().flat_map(|(word, name)| [word, name]);
            place.names.iter_mut().chain(links).for_each(|name| name.make_ascii_lowercase());
            place.network_name.make_ascii_lowercase();
        }
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        match places.is_empty() {
            true => drop(table.remove(container)),
            false => drop(table.insert(container.to_owned(), places)),
        }
    }

    /// What `container` finds under a name, in the first of its networks that knows it. `name.network` works as well.
    pub fn find(&self, container: &str, name: &str, ipv6: bool) -> Found {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        for own in table.get(container).into_iter().flatten() {
            let bare = name.strip_suffix(own.network_name.as_str()).and_then(|name| name.strip_suffix('.'));
            let linked = own.links.iter().find(|(word, _)| word == name).map(|(_, name)| name.as_str());
            for name in [linked, Some(name), bare].into_iter().flatten() {
                let places = table.values().flatten().filter(|place| place.network == own.network);
                let mut known = places.filter(|place| place.names.iter().any(|own| own == name)).peekable();
                if known.peek().is_none() {
                    continue;
                }
                let mut addresses: Vec<IpAddr> =
                    known.flat_map(|place| &place.addresses).filter(|address| address.is_ipv6() == ipv6).copied().collect();
                if addresses.is_empty() {
                    return Found::Nothing;
                }
                addresses.sort();
                let turn = self.turn.fetch_add(1, Ordering::Relaxed) % addresses.len();
                addresses.rotate_left(turn);
                return Found::Addresses(addresses);
            }
        }
        Found::Unknown
    }

    /// The name of an address in one of the container's networks.
    pub fn name_of(&self, container: &str, address: IpAddr) -> Option<String> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let own = table.get(container)?;
        let is_near = |place: &&Named| own.iter().any(|own| own.network == place.network);
        let place = table.values().flatten().filter(is_near).find(|place| place.addresses.contains(&address))?;
        Some(format!("{}.{}", place.names.first()?, place.network_name))
    }

    /// A container that is in internal networks alone asks nobody outside.
    pub fn may_ask(&self, container: &str) -> bool {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.get(container).is_some_and(|places| places.iter().any(|place| !place.internal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(network: &str, names: &[&str], addresses: &[&str]) -> Named {
        Named {
            network: network.to_owned(),
            network_name: format!("Net-{network}"),
            internal: network == "b",
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            links: vec![("Store".to_owned(), "Web2".to_owned())],
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn names_are_those_of_ones_own_networks() {
        let names = Names::default();
        names.set("1", vec![place("a", &["Web", "www"], &["10.0.0.2", "fd00::2"])]);
        names.set("2", vec![place("a", &["web2", "www"], &["10.0.0.3"]), place("b", &["other"], &["10.1.0.3"])]);
        names.set("3", vec![place("b", &["db"], &["10.1.0.4"])]);
        let find = |who: &str, name: &str, ipv6| names.find(who, name, ipv6);
        let at = |address: &str| Found::Addresses(vec![address.parse().unwrap()]);
        assert_eq!(find("2", "web", false), at("10.0.0.2"));
        assert_eq!(find("2", "web", true), at("fd00::2"));
        assert_eq!(find("2", "web.net-a", false), at("10.0.0.2"));
        assert_eq!(find("1", "store", false), at("10.0.0.3"));
        assert_eq!(find("1", "web2", true), Found::Nothing);
        assert_eq!(
            (find("1", "db", false), find("3", "web", false), find("4", "web", false)),
            (Found::Unknown, Found::Unknown, Found::Unknown)
        );
        let firsts: Vec<_> = (0..4).map(|_| find("1", "www", false)).collect();
        assert!(firsts.contains(&Found::Addresses(vec!["10.0.0.2".parse().unwrap(), "10.0.0.3".parse().unwrap()])), "{firsts:?}");
        assert!(firsts.contains(&Found::Addresses(vec!["10.0.0.3".parse().unwrap(), "10.0.0.2".parse().unwrap()])), "{firsts:?}");
        assert_eq!(names.name_of("1", "10.0.0.3".parse().unwrap()).as_deref(), Some("web2.net-a"));
        assert_eq!(names.name_of("1", "10.1.0.4".parse().unwrap()), None);
        assert!(names.may_ask("2") && !names.may_ask("3") && !names.may_ask("4"));
        names.set("1", Vec::new());
        assert_eq!(find("2", "web", false), Found::Unknown);
    }
}
