//! The bridges themselves: made, taken over, removed.
use std::fs::{self, File};
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::addresses::Addresses;
use crate::endpoint::{Endpoint, Wanted, mac_of};
use crate::error::{Context, Error, Result};
use crate::netlink::Netlink;
use crate::subnet::{self, Subnet};
use crate::{BridgeInfo, Settings};

/// Agents on one host choose subnets one after the other, or two could choose the same.
const LOCK: &str = "/run/slipway-network.lock";

#[derive(Serialize, Deserialize)]
struct Saved {
    subnet: Subnet,
}

/// A bridge that is there, and who has which of its addresses.
pub(crate) struct Bridge {
    pub info: BridgeInfo,
    ipv4: Mutex<Addresses>,
    ipv6: Option<Mutex<Addresses>>,
}

fn lock(addresses: &Mutex<Addresses>) -> MutexGuard<'_, Addresses> {
    addresses.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bridge {
    pub fn new(info: BridgeInfo, in_use: &[Endpoint]) -> Self {
        let own = || in_use.iter().filter(|endpoint| endpoint.network == info.id);
        let reserved = || info.reserved.iter().copied();
        let ipv4 = Addresses::new(info.subnet, info.range, reserved().chain([info.gateway]), own().map(|endpoint| endpoint.address));
        let ipv6 = info.ipv6.map(|(subnet, gateway)| {
            let used = own().filter_map(|endpoint| endpoint.address6);
            Mutex::new(Addresses::new(subnet, info.range6, reserved().chain([gateway]), used))
        });
        Self { ipv4: Mutex::new(ipv4), ipv6, info }
    }

    /// Addresses of both families, or none.
    pub fn take(&self, wanted: &Wanted) -> Result<(IpAddr, Option<IpAddr>)> {
        let get = |addresses: &Mutex<Addresses>, wanted: Option<IpAddr>| match wanted {
            Some(address) => lock(addresses).reserve(address).map(|()| address),
            None => lock(addresses).take(),
        };
        let address = get(&self.ipv4, wanted.address)?;
        let address6 = match &self.ipv6 {
            Some(addresses) => get(addresses, wanted.address6).map(Some),
            None => Ok(None),
        };
        match address6 {
            Ok(address6) => Ok((address, address6)),
            Err(error) => {
                lock(&self.ipv4).release(address);
                Err(error)
            }
        }
    }

    pub fn release(&self, endpoint: &Endpoint) {
        lock(&self.ipv4).release(endpoint.address);
        if let (Some(addresses), Some(address)) = (&self.ipv6, endpoint.address6) {
            lock(addresses).release(address);
        }
    }
}

pub(crate) fn default_name(instance: &str) -> String {
    format!("sw-{instance}")
}

/// Of the bridge of builds.
pub(crate) fn steps_name(instance: &str) -> String {
    format!("sb-{instance}")
}

/// One at a time on this host, until the file is closed.
pub(crate) fn choosing() -> Result<File> {
    let lock = File::create(LOCK).context(format!("open {LOCK}"))?;
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).context(format!("lock {LOCK}"))?;
    Ok(lock)
}

/// Makes the default bridge, in a subnet that is remembered.
pub(crate) fn ensure_default(settings: &Settings) -> Result<BridgeInfo> {
    let name = default_name(&settings.instance);
    let _lock = choosing()?;
    let saved = fs::read(&settings.state_file).ok().and_then(|bytes| serde_json::from_slice::<Saved>(&bytes).ok()).map(|s| s.subnet);
    let exists = Netlink::open().context("open a netlink socket")?.index(&name).is_ok();
    let taken = subnet::taken(&name);
    let is_free = |subnet: &Subnet| !taken.iter().chain(&settings.subnets).any(|other| other.overlaps(*subnet));
    let subnet = match (settings.subnet, saved) {
        (Some(fixed), _) => fixed,
        // Containers may still be running in it.
        (None, Some(saved)) if exists || is_free(&saved) => saved,
        _ => subnet::choose(&settings.instance, &[&taken[..], &settings.subnets].concat())?,
    };
    let mtu = settings.mtu.or_else(default_mtu).unwrap_or(1_500);
    let info = BridgeInfo::plain(&settings.network, &name, subnet, mtu);
    // For whoever finds it with `ip link` and wonders whose it is.
    ensure(&info, settings.state_file.parent().and_then(Path::to_str).unwrap_or_default())?;
    if saved != Some(subnet) {
        save(settings, subnet).context(format!("write {}", settings.state_file.display()))?;
    }
    Ok(info)
}

/// Makes a bridge, or takes over the one that is there. Its alias tells whose it is.
pub(crate) fn ensure(info: &BridgeInfo, alias: &str) -> Result<()> {
    let name = &info.name;
    let mut netlink = Netlink::open().context("open a netlink socket")?;
    match netlink.index(name) {
        Err(_) => netlink.add_bridge(name, info.mtu).context(format!("make the bridge {name}"))?,
        // A name of ours, or the mark of an earlier daemon.
        Ok(_) if !info.named || is_ours(name, alias) => {}
        Ok(_) => return Err(Error::BridgeTaken(name.clone())),
    }
    let index = netlink.index(name).context(format!("find the bridge {name}"))?;
    if !alias.is_empty() {
        netlink.set_alias(index, alias).context(format!("describe {name}"))?;
    }
    // No container tells the host where its routers are (CVE-2020-13401).
    set_ipv6(name, "accept_ra", "0")?;
    set_ipv6(name, "accept_redirects", "0")?;
    set_ipv6(name, "disable_ipv6", if info.ipv6.is_some() { "0" } else { "1" })?;
    for (address, subnet) in [(info.gateway, info.subnet)].into_iter().chain(info.ipv6.map(|(subnet, gateway)| (gateway, subnet))) {
        match netlink.add_address(index, address, subnet.prefix(), subnet.broadcast()) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.context(format!("give {address} to {name}"))?,
        }
    }
    // Left to itself, a bridge takes the lowest address of what is plugged in, and changes it when that is unplugged (as the
    // spare pairs of a killed daemon are): every container would go on answering to the old one until its cache expires.
    netlink.dress(index, mac_of(info.gateway), info.mtu).context(format!("start {name}"))?;
    sysctl("net/ipv4/ip_forward")?;
    if info.ipv6.is_some() && !info.internal {
        forward_ipv6()?;
    }
    // Published ports answer on 127.0.0.1 too, which the kernel otherwise never routes out of an interface.
    sysctl(&format!("net/ipv4/conf/{name}/route_localnet"))
}

fn is_ours(name: &str, alias: &str) -> bool {
    let found = read_alias(name); // the kernel cuts long ones
    !found.is_empty() && alias.starts_with(&found)
}

fn read_alias(name: &str) -> String {
    fs::read_to_string(format!("/sys/class/net/{name}/ifalias")).unwrap_or_default().trim_end_matches('\n').to_owned()
}

/// Every bridge of this host whose alias begins like that.
pub(crate) fn with_alias(beginning: &str) -> Vec<String> {
    let links = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let names = links.filter_map(|link| link.file_name().into_string().ok());
    names.filter(|name| Path::new(&format!("/sys/class/net/{name}/bridge")).is_dir() && read_alias(name).starts_with(beginning)).collect()
}

fn save(settings: &Settings, subnet: Subnet) -> io::Result<()> {
    let temporary = settings.state_file.with_extension("new");
    fs::write(&temporary, serde_json::to_vec(&Saved { subnet })?)?;
    fs::rename(temporary, &settings.state_file)
}

fn sysctl(name: &str) -> Result<()> {
    let path = format!("/proc/sys/{name}");
    if fs::read_to_string(&path).is_ok_and(|value| value.trim() == "1") {
        return Ok(());
    }
    fs::write(&path, "1").context(format!("set {path}"))
}

fn set_ipv6(interface: &str, name: &str, value: &str) -> Result<()> {
    let path = format!("/proc/sys/net/ipv6/conf/{interface}/{name}");
    match fs::write(&path, value) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).context(format!("set {path}")),
        _ => Ok(()),
    }
}

/// A host that forwards believes no router any more, unless told to (2): it would lose its own IPv6 route.
fn forward_ipv6() -> Result<()> {
    const ALL: &str = "/proc/sys/net/ipv6/conf/all/forwarding";
    if fs::read_to_string(ALL).is_ok_and(|value| value.trim() == "1") {
        return Ok(());
    }
    for entry in fs::read_dir("/proc/sys/net/ipv6/conf").into_iter().flatten().flatten() {
        let path = entry.path().join("accept_ra");
        let named = entry.file_name();
        if named != "all" && named != "default" && fs::read_to_string(&path).is_ok_and(|value| value.trim() == "1") {
            fs::write(&path, "2").context(format!("set {}", path.display()))?;
        }
    }
    match fs::write(ALL, "1") {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).context(format!("set {ALL}")),
        _ => Ok(()),
    }
}

/// MTU of the interface with the default route: a larger one on the bridge would lose packets.
pub(crate) fn default_mtu() -> Option<u32> {
    let routes = fs::read_to_string("/proc/net/route").ok()?;
    let name = routes
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find_map(|fields| (fields.get(1) == Some(&"00000000") && fields.get(7) == Some(&"00000000")).then(|| fields[0].to_owned()))?;
    fs::read_to_string(format!("/sys/class/net/{name}/mtu")).ok()?.trim().parse().ok()
}

/// Takes interfaces of ours out of a bridge that no container is known to have: a daemon that was killed while it
/// connected a running container did not write it down, and the address may be given to another.
pub(crate) fn unplug_strays(instance: &str, name: &str, known: &[Endpoint]) {
    let Ok(mut netlink) = Netlink::open() else { return };
    for port in fs::read_dir(format!("/sys/class/net/{name}/brif")).into_iter().flatten().flatten() {
        let port = port.file_name().into_string().unwrap_or_default();
        if !port.starts_with(&format!("v{instance}")) || known.iter().any(|endpoint| endpoint.host_interface == port) {
            continue;
        }
        if let Ok(index) = netlink.index(&port) {
            let _ = netlink.delete(index); // the kernel may be removing it at this very moment
        }
    }
}

pub(crate) fn remove(name: &str) -> Result<()> {
    let mut netlink = Netlink::open().context("open a netlink socket")?;
    // Veth pairs vanish a moment after their namespaces; whatever is still plugged in goes with the bridge.
    for port in fs::read_dir(format!("/sys/class/net/{name}/brif")).into_iter().flatten().flatten() {
        if let Some(port) = port.file_name().to_str()
            && let Ok(index) = netlink.index(port)
        {
            let _ = netlink.delete(index); // the kernel may be removing it at this very moment
        }
    }
    match netlink.index(name) {
        Ok(index) => match netlink.delete(index) {
            Err(error) if error.raw_os_error() != Some(19) => Err(error).context(format!("remove the bridge {name}")),
            _ => Ok(()),
        },
        Err(_) => Ok(()),
    }
}
