use std::net::IpAddr;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{what}: {source}")]
    Kernel { what: String, source: std::io::Error },
    #[error("every private subnet overlaps a route of this host; set network.subnet in the agent's settings")]
    NoSubnet,
    #[error("{0} is not a subnet; write it as 10.88.0.0/20, with a prefix from 8 to 30 (IPv6: 16 to 126)")]
    BadSubnet(String),
    #[error("no available addresses on this network's address pools: {0}")]
    Exhausted(String),
    #[error("Address already in use")]
    AddressTaken,
    #[error("no configured subnet or ip-range contain the IP address {address}: the subnet is {subnet}")]
    Outside { address: IpAddr, subnet: String },
    #[error("a link named {0} is there already, and is not this network's")]
    BridgeTaken(String),
    #[error("nft is not installed; install the package nftables")]
    NoNft,
    #[error("nft refused the rules: {0}")]
    Nft(String),
    #[error("Bind for {ip}:{port} failed: port is already allocated")]
    PortAllocated { ip: IpAddr, port: u16 },
    #[error("failed to bind host port for {ip}:{port}/{protocol}: address already in use")]
    PortTaken { ip: IpAddr, port: u16, protocol: &'static str },
    #[error("failed to bind host port for {ip}:{port}/{protocol}: {source}")]
    PortRefused { ip: IpAddr, port: u16, protocol: &'static str, source: std::io::Error },
    #[error("the network is shut down")]
    Stopped,
    #[error("network {0} not found")]
    NoNetwork(String),
}

pub type Result<T> = std::result::Result<T, Error>;

pub(crate) trait Context<T> {
    fn context(self, what: impl Into<String>) -> Result<T>;
}

impl<T, E: Into<std::io::Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl Into<String>) -> Result<T> {
        self.map_err(|source| Error::Kernel { what: what.into(), source: source.into() })
    }
}
