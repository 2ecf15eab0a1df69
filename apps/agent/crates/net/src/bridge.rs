//! The bridge itself: made, taken over, removed.
use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Context, Result};
use crate::netlink::Netlink;
use crate::subnet::{self, Subnet};
use crate::{BridgeInfo, Settings};

/// Agents on one host choose subnets one after the other, or two could choose the same.
const LOCK: &str = "/run/slipway-network.lock";

#[derive(Serialize, Deserialize)]
struct Saved {
    subnet: Subnet,
}

pub(crate) fn name(instance: &str) -> String {
    format!("sw-{instance}")
}

pub(crate) fn ensure(settings: &Settings) -> Result<BridgeInfo> {
    let name = name(&settings.instance);
    let lock = File::create(LOCK).context(format!("open {LOCK}"))?;
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).context(format!("lock {LOCK}"))?;
    let mut netlink = Netlink::open().context("open a netlink socket")?;
    let saved = fs::read(&settings.state_file).ok().and_then(|bytes| serde_json::from_slice::<Saved>(&bytes).ok()).map(|s| s.subnet);
    let existing = netlink.index(&name).ok();
    let taken = subnet::taken(&name);
    let is_free = |subnet: &Subnet| !taken.iter().any(|other| other.overlaps(*subnet));
    let subnet = match (settings.subnet, saved, existing) {
        (Some(fixed), ..) => fixed,
        // Containers may still be running in it.
        (None, Some(saved), Some(_)) => saved,
        (None, Some(saved), None) if is_free(&saved) => saved,
        _ => subnet::choose(&settings.instance, &taken)?,
    };
    let mtu = settings.mtu.or_else(default_mtu).unwrap_or(1_500);
    if existing.is_none() {
        netlink.add_bridge(&name, mtu).context(format!("make the bridge {name}"))?;
    }
    let index = netlink.index(&name).context(format!("find the bridge {name}"))?;
    match netlink.add_address(index, subnet.gateway(), subnet.prefix(), subnet.address(subnet.size() - 1)) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other.context(format!("give {} to {name}", subnet.gateway()))?,
    }
    netlink.set_up(index).context(format!("start {name}"))?;
    // For whoever finds it with `ip link` and wonders whose it is.
    if let Some(owner) = settings.state_file.parent().and_then(Path::to_str) {
        netlink.set_alias(index, owner).context(format!("describe {name}"))?;
    }
    // Left to itself, a bridge takes the lowest address of what is plugged in, and changes it when that is unplugged (as the
    // spare pairs of a killed daemon are): every container would go on answering to the old one until its cache expires.
    netlink.set_mac(index, mac(subnet.gateway())).context(format!("give {name} its hardware address"))?;
    if saved != Some(subnet) {
        save(settings, subnet).context(format!("write {}", settings.state_file.display()))?;
    }
    sysctl("net/ipv4/ip_forward")?;
    // Published ports answer on 127.0.0.1 too, which the kernel otherwise never routes out of an interface.
    sysctl(&format!("net/ipv4/conf/{name}/route_localnet"))?;
    Ok(BridgeInfo { name, subnet, gateway: subnet.gateway(), mtu })
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

/// MTU of the interface with the default route: a larger one on the bridge would lose packets.
fn default_mtu() -> Option<u32> {
    let routes = fs::read_to_string("/proc/net/route").ok()?;
    let name = routes
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find_map(|fields| (fields.get(1) == Some(&"00000000") && fields.get(7) == Some(&"00000000")).then(|| fields[0].to_owned()))?;
    fs::read_to_string(format!("/sys/class/net/{name}/mtu")).ok()?.trim().parse().ok()
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

/// Docker's scheme: stable for an address, so that a neighbour's cache is never wrong.
pub(crate) fn mac(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [0x02, 0x42, a, b, c, d]
}
