//! What is kept of a network, in `<data root>/networks/<id>.json`; replaced whole and synced.
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};
use slipway_net::{BridgeInfo, Subnet};

pub const OPTION_NAME: &str = "com.docker.network.bridge.name";
pub const OPTION_BINDING: &str = "com.docker.network.bridge.host_binding_ipv4";
pub const OPTION_ICC: &str = "com.docker.network.bridge.enable_icc";
pub const OPTION_MASQUERADE: &str = "com.docker.network.bridge.enable_ip_masquerade";
pub const OPTION_MTU: &str = "com.docker.network.driver.mtu";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    Bridge,
    Host,
    Null,
}

impl Driver {
    pub fn name(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Host => "host",
            Self::Null => "null",
        }
    }
}

/// One family's addresses of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    pub subnet: Subnet,
    pub gateway: IpAddr,
    pub range: Option<Subnet>,
    /// Names of addresses that no container gets.
    pub auxiliary: BTreeMap<String, IpAddr>,
    /// The user chose it, so containers may ask for their addresses in it.
    pub configured: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    pub id: String,
    pub name: String,
    /// Nanoseconds since the epoch.
    pub created: i64,
    pub driver: Driver,
    pub internal: bool,
    pub attachable: bool,
    pub labels: BTreeMap<String, String>,
    pub options: BTreeMap<String, String>,
    pub ipam_options: BTreeMap<String, String>,
    /// Of a bridge network, which always has one.
    pub ipv4: Option<Pool>,
    pub ipv6: Option<Pool>,
}

impl Network {
    /// `bridge`, `host` and `none`, which are always there.
    pub fn is_predefined(&self) -> bool {
        matches!(self.name.as_str(), "bridge" | "host" | "none")
    }

    fn flag(&self, option: &str) -> bool {
        self.options.get(option).is_none_or(|value| parse_flag(value) != Some(false))
    }

    /// Where its ports are published when a container does not say.
    pub fn host_binding(&self) -> Option<IpAddr> {
        self.options.get(OPTION_BINDING).and_then(|text| text.parse().ok()).filter(|ip: &IpAddr| !ip.is_unspecified())
    }

    /// How it is to be on the host; none for a network that is not a bridge.
    pub fn bridge(&self, instance: &str) -> Option<BridgeInfo> {
        let ipv4 = self.ipv4.as_ref().filter(|_| self.driver == Driver::Bridge)?;
        let chosen = self.options.get(OPTION_NAME).filter(|name| !name.is_empty());
        let own = || format!("s{instance}-{}", self.id.get(..5).unwrap_or_default());
        let mtu = self.options.get(OPTION_MTU).and_then(|text| text.parse().ok());
        let pools = || self.ipv4.iter().chain(&self.ipv6);
        Some(BridgeInfo {
            id: self.id.clone(),
            name: chosen.cloned().unwrap_or_else(own),
            named: chosen.is_some(),
            subnet: ipv4.subnet,
            gateway: ipv4.gateway,
            ipv6: self.ipv6.as_ref().map(|pool| (pool.subnet, pool.gateway)),
            range: ipv4.range,
            range6: self.ipv6.as_ref().and_then(|pool| pool.range),
            reserved: pools().flat_map(|pool| pool.auxiliary.values().copied()).collect(),
            mtu: mtu.unwrap_or(0),
            internal: self.internal,
            icc: self.flag(OPTION_ICC),
            masquerade: self.flag(OPTION_MASQUERADE),
        })
    }
}

/// As Go reads truth.
pub fn parse_flag(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

pub fn save(root: &Path, network: &Network) -> io::Result<()> {
    let path = root.join(format!("{}.json", network.id));
    let temporary = root.join(format!("{}.new", network.id));
    let mut file = File::create(&temporary)?;
    file.write_all(&serde_json::to_vec(network)?)?;
    file.sync_all()?;
    fs::rename(temporary, path)?;
    File::open(root)?.sync_all()
}

pub fn delete(root: &Path, id: &str) -> io::Result<()> {
    match fs::remove_file(root.join(format!("{id}.json"))) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => File::open(root)?.sync_all(),
    }
}

/// All that are readable; a damaged one is told and left alone.
pub fn load(root: &Path) -> io::Result<Vec<Network>> {
    fs::create_dir_all(root)?;
    let mut found = Vec::new();
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => {}
            Some("new") => {
                fs::remove_file(&path)?; // a write that was cut off
                continue;
            }
            _ => continue,
        }
        match fs::read(&path).and_then(|bytes| serde_json::from_slice(&bytes).map_err(io::Error::other)) {
            Ok(network) => found.push(network),
            Err(error) => tracing::error!(%error, path = %path.display(), "this network is not readable and is left alone"),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_reopening_and_a_write_that_was_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let pool = |subnet: &str| Pool {
            subnet: subnet.parse().unwrap(),
            gateway: subnet.parse::<Subnet>().unwrap().gateway(),
            range: None,
            auxiliary: BTreeMap::new(),
            configured: true,
        };
        let network = Network {
            id: "abcdef".into(),
            name: "mine".into(),
            created: 1,
            driver: Driver::Bridge,
            internal: false,
            attachable: true,
            labels: BTreeMap::new(),
            options: BTreeMap::from([(OPTION_ICC.to_owned(), "false".to_owned()), (OPTION_MTU.to_owned(), "1400".to_owned())]),
            ipam_options: BTreeMap::new(),
            ipv4: Some(pool("10.7.0.0/24")),
            ipv6: Some(pool("fd00:7::/64")),
        };
        save(dir.path(), &network).unwrap();
        fs::write(dir.path().join("ff.new"), "{").unwrap();
        fs::write(dir.path().join("ff.json"), "{").unwrap();
        assert_eq!(load(dir.path()).unwrap().as_slice(), std::slice::from_ref(&network));
        assert!(!dir.path().join("ff.new").exists() && dir.path().join("ff.json").exists());
        let bridge = network.bridge("01234567").unwrap();
        assert_eq!((bridge.name.as_str(), bridge.mtu, bridge.icc, bridge.masquerade), ("s01234567-abcde", 1_400, false, true));
        delete(dir.path(), "abcdef").unwrap();
        delete(dir.path(), "abcdef").unwrap();
        assert!(load(dir.path()).unwrap().is_empty());
    }
}
