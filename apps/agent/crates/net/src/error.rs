use std::net::Ipv4Addr;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{what}: {source}")]
    Kernel { what: String, source: std::io::Error },
    #[error("every private subnet overlaps a route of this host; set network.subnet in the agent's settings")]
    NoSubnet,
    #[error("{0} is not a subnet; write it as 10.88.0.0/20, with a prefix from 8 to 28")]
    BadSubnet(String),
    #[error("the subnet {0} has no free address left")]
    Exhausted(String),
    #[error("nft is not installed; install the package nftables")]
    NoNft,
    #[error("nft refused the rules: {0}")]
    Nft(String),
    #[error("port {port}/{protocol} on {ip} is already in use")]
    PortTaken { ip: Ipv4Addr, port: u16, protocol: &'static str },
    #[error("the network is shut down")]
    Stopped,
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
