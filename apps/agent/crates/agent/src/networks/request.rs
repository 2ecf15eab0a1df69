//! `POST /networks/create`: what a client asks for, and what of it is refused.
use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;
use slipway_net::Subnet;

use super::record::{Driver, OPTION_BINDING, OPTION_ICC, OPTION_MASQUERADE, OPTION_MTU, OPTION_NAME, Pool, parse_flag};
use crate::error::{ApiError, ApiResult};

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateNetwork {
    pub name: Option<String>,
    /// Names are always unique here.
    pub check_duplicate: Option<bool>,
    pub driver: Option<String>,
    pub scope: Option<String>,
    pub internal: Option<bool>,
    pub attachable: Option<bool>,
    pub ingress: Option<bool>,
    pub config_only: Option<bool>,
    pub config_from: Option<ConfigFrom>,
    #[serde(rename = "EnableIPv4")]
    pub enable_ipv4: Option<bool>,
    #[serde(rename = "EnableIPv6")]
    pub enable_ipv6: Option<bool>,
    #[serde(rename = "IPAM")]
    pub ipam: Option<Ipam>,
    pub options: Option<BTreeMap<String, String>>,
    pub labels: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ConfigFrom {
    pub network: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Ipam {
    pub driver: Option<String>,
    pub config: Option<Vec<IpamConfig>>,
    pub options: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct IpamConfig {
    pub subnet: Option<String>,
    #[serde(rename = "IPRange")]
    pub ip_range: Option<String>,
    pub gateway: Option<String>,
    #[serde(alias = "AuxAddress")]
    pub auxiliary_addresses: Option<BTreeMap<String, String>>,
}

const LONGEST_NAME: usize = 255;
/// The kernel's, with its zero byte.
const LONGEST_INTERFACE: usize = 15;
/// IPv6 needs 1,280; IPv4 alone takes less.
const MTU: std::ops::RangeInclusive<u32> = 68..=65_535;
/// Bytes of labels and options.
const LARGEST: usize = 256 * 1024;

fn bad(message: impl Into<String>) -> ApiError {
    ApiError::bad_request(message)
}

fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

impl CreateNetwork {
    /// Refuses what is not a bridge network of this host.
    pub fn check(&self) -> ApiResult<()> {
        let name = self.name.as_deref().unwrap_or_default();
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        if !plain || !name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric()) || name.len() > LONGEST_NAME {
            return Err(bad(format!("invalid network name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")));
        }
        if matches!(name, "bridge" | "host" | "none" | "default" | "container") {
            return Err(ApiError::forbidden(format!("operation is not permitted on predefined {name} network")));
        }
        match self.driver.as_deref() {
            None | Some("" | "bridge" | "default") => {}
            Some(one @ ("host" | "null")) => return Err(ApiError::forbidden(format!("only one instance of \"{one}\" network is allowed"))),
            Some(other) => {
                return Err(ApiError::not_found(format!(
                    "could not resolve driver \"{other}\" in our registry: plugin \"{other}\" not found; this engine has the driver bridge"
                )));
            }
        }
        if !matches!(self.scope.as_deref(), None | Some("" | "local")) || self.ingress == Some(true) {
            return Err(bad("this engine has networks of one host alone: no other scope, and no ingress"));
        }
        if self.config_only == Some(true) || self.config_from.as_ref().is_some_and(|from| !from.network.is_empty()) {
            return Err(bad("configuration-only networks are not supported"));
        }
        if self.enable_ipv4 == Some(false) {
            return Err(bad("IPv4 cannot be disabled"));
        }
        if let Some(driver) = self.ipam.as_ref().and_then(|ipam| ipam.driver.as_deref())
            && !matches!(driver, "" | "default")
        {
            return Err(ApiError::not_found(format!("IPAM driver \"{driver}\" not found; this engine has the driver default")));
        }
        let maps = [self.options.as_ref(), self.labels.as_ref(), self.ipam.as_ref().and_then(|ipam| ipam.options.as_ref())];
        let size: usize = maps.into_iter().flatten().flatten().map(|(key, value)| key.len() + value.len()).sum();
        if size > LARGEST {
            return Err(bad("the network's labels and options are larger than 256 KiB"));
        }
        self.check_options()
    }

    fn check_options(&self) -> ApiResult<()> {
        for (key, value) in self.options.iter().flatten() {
            let fits = match key.as_str() {
                OPTION_NAME => is_interface(value),
                OPTION_BINDING => value.is_empty() || value.parse::<std::net::Ipv4Addr>().is_ok(),
                OPTION_ICC | OPTION_MASQUERADE => parse_flag(value).is_some(),
                OPTION_MTU => value.parse().is_ok_and(|mtu| mtu == 0 || MTU.contains(&mtu)),
                _ => true, // kept, as dockerd does
            };
            if !fits {
                return Err(bad(format!("failed to parse {key} value: \"{value}\"")));
            }
        }
        Ok(())
    }

    pub fn driver(&self) -> Driver {
        Driver::Bridge
    }

    /// What the client says of the addresses of one family, if anything.
    pub fn pool(&self, ipv6: bool) -> ApiResult<Option<Pool>> {
        let configs = self.ipam.as_ref().and_then(|ipam| ipam.config.as_deref()).unwrap_or_default();
        let mut found = None;
        for config in configs {
            let Some(text) = given(config.subnet.as_ref()) else {
                if [given(config.ip_range.as_ref()), given(config.gateway.as_ref())].iter().any(Option::is_some) {
                    return Err(bad("invalid network config:\ninvalid subnet : invalid CIDR block notation"));
                }
                continue;
            };
            if text.contains(':') == ipv6 && found.replace(config.read(text)?).is_some() {
                return Err(bad("bridge driver doesn't support multiple subnets of one address family"));
            }
        }
        Ok(found)
    }
}

impl IpamConfig {
    fn read(&self, subnet: &str) -> ApiResult<Pool> {
        let invalid = |what: String| bad(format!("invalid network config:\n{what}"));
        let parse = |what: &str, text: &str| -> ApiResult<Subnet> {
            let subnet: Subnet = text.parse().map_err(|_| invalid(format!("invalid {what} {text}: invalid CIDR block notation")))?;
            let base = text.split('/').next().and_then(|base| base.parse::<IpAddr>().ok());
            match base == Some(subnet.address(0)) {
                true => Ok(subnet),
                false => Err(invalid(format!("invalid {what} {text}: it should be {subnet}"))),
            }
        };
        let subnet = parse("subnet", subnet)?;
        let inside = |what: &str, text: &str| -> ApiResult<IpAddr> {
            let address: IpAddr = text.parse().map_err(|_| invalid(format!("invalid {what} {text}: invalid address")))?;
            match subnet.contains(address) {
                true => Ok(address),
                false => Err(invalid(format!("invalid {what} {text}: parent subnet {subnet} doesn't contain this address"))),
            }
        };
        let range = given(self.ip_range.as_ref()).map(|text| parse("ip-range", text)).transpose()?;
        if let Some(range) = range.filter(|range| !(subnet.contains(range.address(0)) && range.prefix() >= subnet.prefix())) {
            return Err(invalid(format!("invalid ip-range {range}: parent subnet {subnet} doesn't contain ip-range")));
        }
        // As dockerd: the gateway is the first address of the range, when there is one.
        let first =
            range.map_or(subnet.gateway(), |range| if range.address(0) == subnet.address(0) { range.address(1) } else { range.address(0) });
        let gateway = given(self.gateway.as_ref()).map(|text| inside("gateway", text)).transpose()?.unwrap_or(first);
        if !subnet.index_of(gateway).is_some_and(|index| subnet.hosts().contains(&index)) {
            return Err(invalid(format!("invalid gateway {gateway}: it is the network's own address, or its broadcast address")));
        }
        let auxiliary = self.auxiliary_addresses.iter().flatten();
        let auxiliary = auxiliary.map(|(name, text)| Ok((name.clone(), inside("auxiliary address", text)?))).collect::<ApiResult<_>>()?;
        Ok(Pool { subnet, gateway, range, auxiliary, configured: true })
    }
}

/// A name that `ip link` takes, and that means nothing in rules or paths.
fn is_interface(name: &str) -> bool {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    plain
        && name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && name.len() <= LONGEST_INTERFACE
        && name != "all"
        && name != "default"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: &str) -> CreateNetwork {
        serde_json::from_str(body).unwrap()
    }

    fn message(body: &str) -> String {
        let request = request(body);
        let checked = request.check().and_then(|()| request.pool(false)).and_then(|_| request.pool(true));
        checked.err().map(|error| error.message).unwrap_or_default()
    }

    #[test]
    fn what_is_refused() {
        for (body, what) in [
            (r#"{"Name":""}"#, "invalid network name"),
            (r#"{"Name":"../x"}"#, "invalid network name"),
            (r#"{"Name":"host"}"#, "operation is not permitted on predefined host network"),
            (r#"{"Name":"a","Driver":"macvlan"}"#, "plugin \"macvlan\" not found"),
            (r#"{"Name":"a","Options":{"com.docker.network.bridge.name":"../../x"}}"#, "failed to parse"),
            (r#"{"Name":"a","Options":{"com.docker.network.bridge.name":"sixteen-bytes-xx"}}"#, "failed to parse"),
            (r#"{"Name":"a","Options":{"com.docker.network.driver.mtu":"70000"}}"#, "failed to parse"),
            (r#"{"Name":"a","IPAM":{"Config":[{"Subnet":"10.1.2.3/24"}]}}"#, "it should be 10.1.2.0/24"),
            (r#"{"Name":"a","IPAM":{"Config":[{"Subnet":"10.1.2.0/24","Gateway":"10.1.3.1"}]}}"#, "doesn't contain this address"),
            (r#"{"Name":"a","IPAM":{"Config":[{"Subnet":"10.1.2.0/24","Gateway":"10.1.2.255"}]}}"#, "broadcast"),
            (r#"{"Name":"a","IPAM":{"Config":[{"Subnet":"10.1.2.0/24","IPRange":"10.1.0.0/16"}]}}"#, "ip-range"),
            (r#"{"Name":"a","IPAM":{"Config":[{"Subnet":"10.1.2.0/24"},{"Subnet":"10.1.3.0/24"}]}}"#, "multiple subnets"),
            (r#"{"Name":"a","IPAM":{"Config":[{"Gateway":"10.1.2.1"}]}}"#, "invalid CIDR block notation"),
        ] {
            let found = message(body);
            assert!(found.contains(what), "{body}: {found:?}");
        }
        assert_eq!(message(r#"{"Name":"a.b_c-1","CheckDuplicate":true,"Options":null,"IPAM":{"Config":null,"Options":{}}}"#), "");
    }

    #[test]
    fn addresses() {
        let body = r#"{"Name":"a","IPAM":{"Config":[{"Subnet":"10.1.2.0/24","IPRange":"10.1.2.128/25","AuxiliaryAddresses":{"r":"10.1.2.130"}},
                      {"Subnet":"fd00:9::/64","Gateway":"fd00:9::fe"}]}}"#;
        let pool = request(body).pool(false).unwrap().unwrap();
        assert_eq!((pool.gateway.to_string(), pool.auxiliary["r"].to_string()), ("10.1.2.128".into(), "10.1.2.130".into()));
        assert_eq!(request(body).pool(true).unwrap().unwrap().gateway.to_string(), "fd00:9::fe");
    }
}
