//! Addresses, and network namespaces made ahead.
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::error::{Context, Error, Result};
use crate::maker::Maker;
use crate::{BridgeInfo, Subnet};

/// How many namespaces wait ready (one more is in the maker's hands). Each costs some 30 kB of kernel memory.
const READY: usize = 3;

/// A container's place in the network.
#[derive(Debug)]
pub struct Endpoint {
    /// The namespace, complete: `eth0` with address and default route, loopback up.
    pub netns: OwnedFd,
    pub address: Ipv4Addr,
    pub prefix: u8,
    pub gateway: Ipv4Addr,
    pub mac: String,
}

/// Which addresses are free. Handed out in turn, so that an address rests before it is used again.
pub(crate) struct Addresses {
    subnet: Subnet,
    taken: BTreeSet<u32>,
    next: u32,
}

impl Addresses {
    pub fn new(subnet: Subnet, in_use: impl IntoIterator<Item = Ipv4Addr>) -> Self {
        let taken: BTreeSet<u32> = in_use.into_iter().filter_map(|address| subnet.index_of(address)).collect();
        let next = taken.last().map_or(2, |last| last + 1);
        Self { subnet, taken, next }
    }

    pub fn take(&mut self) -> Result<Ipv4Addr> {
        // 0 is the network, 1 the gateway, the last the broadcast.
        let (first, end) = (2, self.subnet.size() - 1);
        let start = if (first..end).contains(&self.next) { self.next } else { first };
        let free = (start..end).chain(first..start).find(|index| !self.taken.contains(index));
        let index = free.ok_or_else(|| Error::Exhausted(self.subnet.to_string()))?;
        self.taken.insert(index);
        self.next = index + 1;
        Ok(self.subnet.address(index))
    }

    pub fn release(&mut self, address: Ipv4Addr) {
        if let Some(index) = self.subnet.index_of(address) {
            self.taken.remove(&index);
        }
    }
}

pub(crate) struct Pool {
    ready: tokio::sync::Mutex<mpsc::Receiver<Result<Endpoint>>>,
}

impl Pool {
    pub fn start(instance: &str, bridge: &BridgeInfo, addresses: Arc<Mutex<Addresses>>) -> Result<Self> {
        let (sender, receiver) = mpsc::channel(READY);
        let mut maker = Maker::open(instance, bridge)?;
        let thread = std::thread::Builder::new().name("netns-maker".into());
        let spawned = thread.spawn(move || {
            loop {
                let taken = addresses.lock().unwrap_or_else(PoisonError::into_inner).take();
                let made = taken.and_then(|address| {
                    maker.make(address).inspect_err(|_| addresses.lock().unwrap_or_else(PoisonError::into_inner).release(address))
                });
                // Blocks while enough are ready; fails when the network is shut down.
                if sender.blocking_send(made).is_err() {
                    return;
                }
            }
        });
        spawned.context("start the namespace maker")?;
        Ok(Self { ready: tokio::sync::Mutex::new(receiver) })
    }

    pub async fn take(&self) -> Result<Endpoint> {
        self.ready.lock().await.recv().await.ok_or(Error::Stopped)?
    }

    pub async fn stop(&self) {
        let mut ready = self.ready.lock().await;
        ready.close();
        while ready.recv().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_rest_before_reuse() {
        let subnet: Subnet = "10.9.0.0/28".parse().unwrap();
        let mut addresses = Addresses::new(subnet, [Ipv4Addr::new(10, 9, 0, 3)]);
        let first = addresses.take().unwrap();
        assert_eq!(first, Ipv4Addr::new(10, 9, 0, 4));
        addresses.release(first);
        assert_eq!(addresses.take().unwrap(), Ipv4Addr::new(10, 9, 0, 5));
        let mut all: Vec<Ipv4Addr> = std::iter::from_fn(|| addresses.take().ok()).collect();
        all.sort();
        assert_eq!(all.len(), 11);
        assert!(!all.contains(&Ipv4Addr::new(10, 9, 0, 1)) && !all.contains(&Ipv4Addr::new(10, 9, 0, 15)));
        assert!(matches!(addresses.take(), Err(Error::Exhausted(_))));
    }
}
