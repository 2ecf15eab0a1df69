//! Network namespaces made ahead, so that a container's start does not wait for the kernel.
use std::os::fd::OwnedFd;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::bridge::Bridge;
use crate::dns;
use crate::endpoint::{Endpoint, Wanted};
use crate::error::{Context, Error, Result};
use crate::maker::{Maker, Spare, dress};

/// How many wait ready (one more is in the maker's hands). Each costs some 30 kB of kernel memory.
const READY: usize = 3;

/// Things that a thread of its own makes ahead.
pub(crate) struct Pool<T> {
    ready: tokio::sync::Mutex<mpsc::Receiver<Result<T>>>,
}

impl<T: Send + 'static> Pool<T> {
    fn start(name: &str, mut make: impl FnMut() -> Result<T> + Send + 'static) -> Result<Self> {
        let (sender, receiver) = mpsc::channel(READY);
        let spawned = std::thread::Builder::new().name(name.into()).spawn(move || {
            // Blocks while enough are ready; fails when the network is shut down.
            while sender.blocking_send(make()).is_ok() {}
        });
        spawned.context("start a maker of network namespaces")?;
        Ok(Self { ready: tokio::sync::Mutex::new(receiver) })
    }

    pub async fn take(&self) -> Result<T> {
        let mut ready = self.ready.lock().await;
        // Failures that waited here say nothing of now.
        for _ in 0..=READY {
            match ready.recv().await {
                Some(Err(_)) => {}
                Some(made) => return made,
                None => return Err(Error::Stopped),
            }
        }
        ready.recv().await.ok_or(Error::Stopped)?
    }

    pub async fn stop(&self) {
        let mut ready = self.ready.lock().await;
        ready.close();
        while ready.recv().await.is_some() {}
    }
}

/// Complete places in one bridge: interface, address, route and all. For the default bridge, where nobody asks for a
/// certain address.
pub(crate) fn places(instance: &str, bridge: &Arc<Bridge>) -> Result<Pool<(OwnedFd, Endpoint)>> {
    let (mut maker, bridge) = (Maker::open(instance)?, bridge.clone());
    Pool::start("netns-maker", move || {
        let (mut endpoint, mac) = Endpoint::take(&bridge, &Wanted::default())?;
        let made = maker.make(|| dress(&endpoint, mac, bridge.info.mtu, true).map(|()| None)).and_then(|spare| {
            maker.plug(&bridge, &spare.host_interface)?;
            Ok(spare)
        });
        match made {
            Ok(spare) => {
                endpoint.host_interface = spare.host_interface;
                Ok((spare.netns, endpoint))
            }
            Err(error) => {
                bridge.release(&endpoint);
                Err(error)
            }
        }
    })
}

/// Namespaces that are in no network yet, for whichever is asked for, with sockets for a name server.
pub(crate) fn spares(instance: &str) -> Result<Pool<Spare>> {
    let mut maker = Maker::open(instance)?;
    Pool::start("netns-spares", move || maker.make(|| dns::prepare().and_then(|()| dns::open()).map(Some)))
}
