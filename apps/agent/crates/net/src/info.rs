//! What is asked of a network: the instance's settings, and each bridge's.
use std::net::IpAddr;
use std::path::PathBuf;

use crate::subnet::Subnet;

#[derive(Debug, Clone)]
pub struct Settings {
    /// 8 hex digits.
    pub instance: String,
    /// Id of the default network.
    pub network: String,
    /// Remembers the subnet, so that it survives restarts.
    pub state_file: PathBuf,
    /// Fixed by the administrator; otherwise chosen free of routes.
    pub subnet: Option<Subnet>,
    pub mtu: Option<u32>,
    /// Of the other networks.
    pub subnets: Vec<Subnet>,
}

/// A bridge network as it is on the host.
#[derive(Debug, Clone)]
pub struct BridgeInfo {
    /// The network's id.
    pub id: String,
    /// The bridge's, at most 15 bytes.
    pub name: String,
    /// The user chose the name.
    pub named: bool,
    pub subnet: Subnet,
    pub gateway: IpAddr,
    pub ipv6: Option<(Subnet, IpAddr)>,
    /// Where addresses are given out from.
    pub range: Option<Subnet>,
    pub range6: Option<Subnet>,
    /// Never given out.
    pub reserved: Vec<IpAddr>,
    /// 0: as the default network.
    pub mtu: u32,
    /// Nothing goes out of it or comes in.
    pub internal: bool,
    /// Containers reach each other.
    pub icc: bool,
    pub masquerade: bool,
}

impl BridgeInfo {
    /// A network without any options.
    pub fn plain(id: &str, name: &str, subnet: Subnet, mtu: u32) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            named: false,
            subnet,
            gateway: subnet.gateway(),
            ipv6: None,
            range: None,
            range6: None,
            reserved: Vec::new(),
            mtu,
            internal: false,
            icc: true,
            masquerade: true,
        }
    }

    pub(crate) fn with_mtu(self, default: u32) -> Self {
        Self { mtu: if self.mtu == 0 { default } else { self.mtu }, ..self }
    }
}
