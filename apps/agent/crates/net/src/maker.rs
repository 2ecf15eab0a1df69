//! Makes network namespaces, on a thread of its own: a thread may change its network namespace without the others.
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sched::{CloneFlags, setns, unshare};

use crate::BridgeInfo;
use crate::bridge::mac;
use crate::error::{Context, Result};
use crate::netlink::{Netlink, Veth};
use crate::pool::Endpoint;

pub(crate) struct Maker {
    host: Netlink,
    host_netns: OwnedFd,
    instance: String,
    bridge: BridgeInfo,
    bridge_index: u32,
    counter: u32,
}

impl Maker {
    pub fn open(instance: &str, bridge: &BridgeInfo) -> Result<Self> {
        let mut host = Netlink::open().context("open a netlink socket")?;
        let bridge_index = host.index(&bridge.name).context(format!("find {}", bridge.name))?;
        let host_netns = File::open("/proc/self/ns/net").context("open the host's network namespace")?.into();
        Ok(Self { host, host_netns, instance: instance.to_owned(), bridge: bridge.clone(), bridge_index, counter: 0 })
    }

    pub fn make(&mut self, address: Ipv4Addr) -> Result<Endpoint> {
        unshare(CloneFlags::CLONE_NEWNET).context("make a network namespace")?;
        let made = self.fill(address);
        // Staying in it would keep it alive after its container.
        setns(&self.host_netns, CloneFlags::CLONE_NEWNET).context("return to the host's network")?;
        made
    }

    fn fill(&mut self, address: Ipv4Addr) -> Result<Endpoint> {
        let netns: OwnedFd = File::open("/proc/thread-self/ns/net").context("open the network namespace")?.into();
        let peer_mac = mac(address);
        self.add_veth(peer_mac, netns.as_raw_fd()).context("make a veth pair")?;
        let mut inside = Netlink::open().context("open a netlink socket")?;
        inside.set_up(1).context("start the loopback")?;
        let subnet = self.bridge.subnet;
        let index = inside.index("eth0").context("find eth0")?;
        inside.set_up(index).context("start eth0")?;
        inside.add_address(index, address, subnet.prefix(), subnet.address(subnet.size() - 1)).context("set the address")?;
        inside.add_default_route(self.bridge.gateway).context("set the default route")?;
        let text = peer_mac.map(|byte| format!("{byte:02x}")).join(":");
        Ok(Endpoint { netns, address, prefix: subnet.prefix(), gateway: self.bridge.gateway, mac: text })
    }

    /// Names of running containers' interfaces are still there after a restart of the daemon, so taken ones are skipped.
    fn add_veth(&mut self, peer_mac: [u8; 6], peer_netns: i32) -> io::Result<()> {
        for _ in 0..100_000 {
            self.counter = (self.counter + 1) % 0x10_0000;
            let name = format!("v{}{:05x}", self.instance, self.counter);
            let veth = Veth { name: &name, bridge: self.bridge_index, mtu: self.bridge.mtu, peer_name: "eth0", peer_mac, peer_netns };
            match self.host.add_veth(&veth) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                other => return other,
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}
