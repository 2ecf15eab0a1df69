//! Makes network namespaces and what connects them, on threads of their own: a thread may change its network namespace
//! without the others.
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::sched::{CloneFlags, setns, unshare};

use crate::bridge::Bridge;
use crate::dns;
use crate::endpoint::Endpoint;
use crate::error::{Context, Error, Result};
use crate::netlink::{Netlink, Veth};

/// A namespace with `eth0`, whose other end is plugged in nowhere. Dropped, it vanishes with its veth pair.
pub(crate) struct Spare {
    pub netns: OwnedFd,
    pub host_interface: String,
    /// When it was prepared for one.
    pub dns: Option<dns::Sockets>,
}

/// Interfaces that one container may have.
const MOST_INTERFACES: u32 = 128;

/// Runs `work` in a network namespace, on a thread that ends with it. Blocking.
pub(crate) fn inside<T: Send>(netns: impl AsFd + Send, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            setns(netns, CloneFlags::CLONE_NEWNET).context("join a network namespace")?;
            work()
        });
        thread.join().unwrap_or(Err(Error::Stopped))
    })
}

pub(crate) struct Maker {
    host: Netlink,
    host_netns: OwnedFd,
    instance: String,
    counter: u32,
}

impl Maker {
    pub fn open(instance: &str) -> Result<Self> {
        let host = Netlink::open().context("open a netlink socket")?;
        let host_netns = File::open("/proc/self/ns/net").context("open the host's network namespace")?.into();
        // Where makers begin differs, so that they seldom meet.
        Ok(Self { host, host_netns, instance: instance.to_owned(), counter: rustix::thread::gettid().as_raw_pid().unsigned_abs() })
    }

    /// A new namespace; `prepare` runs inside of it.
    pub fn make(&mut self, prepare: impl FnOnce() -> Result<Option<dns::Sockets>>) -> Result<Spare> {
        unshare(CloneFlags::CLONE_NEWNET).context("make a network namespace")?;
        let made = self.fill().and_then(|spare| Ok(Spare { dns: prepare()?, ..spare }));
        // Staying in it would keep it alive after its container.
        setns(&self.host_netns, CloneFlags::CLONE_NEWNET).context("return to the host's network")?;
        made
    }

    fn fill(&mut self) -> Result<Spare> {
        let netns: OwnedFd = File::open("/proc/thread-self/ns/net").context("open the network namespace")?.into();
        furnish()?;
        let host_interface = self.add_veth("eth0", netns.as_raw_fd()).context("make a veth pair")?;
        Ok(Spare { netns, host_interface, dns: None })
    }

    /// Names of running containers' interfaces are still there after a restart of the daemon, so taken ones are skipped.
    fn add_veth(&mut self, peer_name: &str, peer_netns: i32) -> io::Result<String> {
        for _ in 0..100_000 {
            self.counter = (self.counter + 1) % 0x10_0000;
            let name = format!("v{}{:05x}", self.instance, self.counter);
            match self.host.add_veth(&Veth { name: &name, peer_name, peer_netns }) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && self.host.index(&name).is_ok() => {}
                other => return other.map(|()| name),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Plugs the host's end of an endpoint into its bridge.
    pub fn plug(&mut self, bridge: &Bridge, host_interface: &str) -> Result<()> {
        let index = self.host.index(host_interface).context(format!("find {host_interface}"))?;
        let to = self.host.index(&bridge.info.name).context(format!("find {}", bridge.info.name))?;
        self.host.plug(index, to, bridge.info.mtu).context(format!("plug {host_interface} into {}", bridge.info.name))?;
        if !bridge.info.icc {
            // The bridge itself then keeps its ports apart, whatever rules there are.
            let path = format!("/sys/class/net/{host_interface}/brport/isolated");
            fs::write(&path, "1").context(format!("set {path}"))?;
        }
        Ok(())
    }

    /// Adds an interface to a namespace that is in use, and gives the names of its ends.
    pub fn extend(&mut self, netns: &OwnedFd) -> Result<(String, String)> {
        let free = inside(netns, || {
            let mut own = Netlink::open().context("open a netlink socket")?;
            Ok((0..MOST_INTERFACES).map(|number| format!("eth{number}")).find(|name| own.index(name).is_err()))
        })?;
        let name = free.ok_or(Error::Kernel { what: "add an interface".into(), source: io::ErrorKind::QuotaExceeded.into() })?;
        let host_interface = self.add_veth(&name, netns.as_raw_fd()).context("make a veth pair")?;
        Ok((name, host_interface))
    }

    /// Takes a veth pair away; one that is gone is no error.
    pub fn remove(&mut self, host_interface: &str) -> Result<()> {
        let Ok(index) = self.host.index(host_interface) else { return Ok(()) };
        match self.host.delete(index) {
            Err(error) if error.raw_os_error() != Some(19) => Err(error).context(format!("remove {host_interface}")),
            _ => Ok(()),
        }
    }
}

/// What every namespace has before it is in any network. Runs inside the new namespace.
pub(crate) fn furnish() -> Result<()> {
    // Interfaces made from now on. A network that has IPv6 turns it on; routers are believed in none (CVE-2020-13401).
    for (name, value) in [("accept_ra", "0"), ("accept_dad", "0"), ("disable_ipv6", "1")] {
        set_ipv6("default", name, value)?;
    }
    let mut own = Netlink::open().context("open a netlink socket")?;
    own.set_up(1).context("start the loopback")
}

/// Gives the container's end what the endpoint says. Runs inside the namespace.
pub(crate) fn dress(endpoint: &Endpoint, mac: [u8; 6], mtu: u32, route: bool) -> Result<()> {
    let mut own = Netlink::open().context("open a netlink socket")?;
    let name = &endpoint.interface;
    let index = own.index(name).context(format!("find {name}"))?;
    own.dress(index, mac, mtu).context(format!("start {name}"))?;
    if endpoint.address6.is_some() {
        set_ipv6(name, "disable_ipv6", "0")?;
    }
    let subnet = crate::Subnet::new(endpoint.address, endpoint.prefix);
    own.add_address(index, endpoint.address, endpoint.prefix, subnet.broadcast()).context("set the address")?;
    if let Some(address) = endpoint.address6 {
        own.add_address(index, address, endpoint.prefix6, None).context("set the IPv6 address")?;
    }
    if route { set_routes(&mut own, endpoint) } else { Ok(()) }
}

/// Sends what is for elsewhere through this endpoint. Runs inside the namespace.
pub(crate) fn route_through(endpoint: &Endpoint) -> Result<()> {
    set_routes(&mut Netlink::open().context("open a netlink socket")?, endpoint)
}

fn set_routes(own: &mut Netlink, endpoint: &Endpoint) -> Result<()> {
    for gateway in endpoint.gateway.into_iter().chain(endpoint.gateway6) {
        own.set_default_route(gateway).context(format!("set the default route to {gateway}"))?;
    }
    Ok(())
}

/// Of the namespace that this thread is in. A kernel without IPv6 has nothing to set.
fn set_ipv6(interface: &str, name: &str, value: &str) -> Result<()> {
    let path = format!("/proc/sys/net/ipv6/conf/{interface}/{name}");
    match fs::write(&path, value) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).context(format!("set {path}")),
        _ => Ok(()),
    }
}
