//! NAT, published ports and what keeps networks apart: one table of our own for both address families, always replaced
//! as a whole in one atomic batch.
//!
//! What is not published is not reachable from elsewhere: a neighbour that sends packets for a container's address to this
//! host, a container of another network or another instance, is dropped. The host itself reaches every container.
//! Published ports answer on 127.0.0.1 too, for which the bridges must route loopback addresses; so that no container
//! reaches what listens there and trusts it, packets from a bridge to such an address are dropped first.
//!
//! Steps of builds are anybody's code with nobody's trust: they do not reach the addresses where clouds give the host's
//! credentials to whoever asks. Some clouds resolve names at the same address, which works.
//!
//! Only this table is touched. Where another firewall drops forwarded packets by default (dockerd's iptables rules do),
//! an accept here cannot overrule it; such a host needs an accept for the bridges in that firewall.
use std::fmt::Write;
use std::process::Stdio;

use crate::error::{Error, Result};
use crate::publish::{Protocol, Publication};
use crate::{BridgeInfo, STEPS};

/// Link-local ones, and Azure's, Alibaba's and Oracle's; of IPv6 a step has none. `packages/outbound` never asks them either.
const METADATA: &str = "169.254.0.0/16, 168.63.129.16, 100.100.100.200, 192.0.0.192";

pub(crate) fn table(instance: &str) -> String {
    format!("slipway-{instance}")
}

/// A batch that leaves no table, whether there was one or not. Earlier versions had one for IPv4 alone.
pub(crate) fn removal(instance: &str) -> String {
    let table = table(instance);
    format!("add table ip {table}\ndelete table ip {table}\nadd table inet {table}\ndelete table inet {table}\n")
}

/// `mark` names a chain without rules; see `watch.rs`.
pub(crate) fn script(instance: &str, bridges: &[&BridgeInfo], publications: &[&Publication], mark: &str) -> String {
    let mut text = removal(instance);
    let names: Vec<String> = bridges.iter().map(|bridge| format!("\"{}\"", bridge.name)).collect();
    let (maps, dnat) = published(publications);
    let (masquerade, forward) = (masquerade(bridges), forward(bridges));
    let metadata = metadata(bridges);
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "table inet {} {{\n  set bridges {{ type ifname; elements = {{ {} }} }}\n{maps}\
         \x20 chain guard {{\n    type filter hook prerouting priority raw; policy accept;\n\
         \x20   iifname @bridges ip daddr 127.0.0.0/8 drop\n\
         \x20   iifname @bridges icmpv6 type {{ nd-router-advert, nd-redirect }} drop\n{metadata}  }}\n\
         \x20 chain prerouting {{\n    type nat hook prerouting priority dstnat; policy accept;\n{dnat}  }}\n\
         \x20 chain output {{\n    type nat hook output priority -100; policy accept;\n{dnat}  }}\n\
         \x20 chain postrouting {{\n    type nat hook postrouting priority srcnat; policy accept;\n{masquerade}  }}\n\
         \x20 chain forward {{\n    type filter hook forward priority filter; policy accept;\n{forward}  }}\n\
         \x20 chain {mark} {{ }}\n}}\n",
        table(instance),
        names.join(", ")
    );
    text
}

/// Maps from the host's ports to containers, and the rules that look them up.
fn published(publications: &[&Publication]) -> (String, String) {
    let (mut maps, mut rules) = (String::new(), String::new());
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let proto = protocol.name();
        for (family, version, header, key) in [("ip", "ipv4", "ip", "ipv4_addr"), ("ip6", "ipv6", "ip6", "ipv6_addr")] {
            let is_ipv6 = family == "ip6";
            let all = publications.iter().flat_map(|publication| {
                let target = if is_ipv6 { publication.target.address6 } else { Some(publication.target.address) };
                let ports = publication.ports.iter().filter(|port| port.host_ip.is_none_or(|ip| ip.is_ipv6() == is_ipv6));
                ports.filter(|port| port.protocol == protocol).filter_map(move |port| Some((target?, port)))
            });
            let (mut any, mut at) = (Vec::new(), Vec::new());
            for (target, port) in all {
                match port.host_ip.filter(|ip| !ip.is_unspecified()) {
                    None => any.push(format!("{} : {target} . {}", port.host_port, port.container_port)),
                    Some(ip) => at.push(format!("{ip} . {} : {target} . {}", port.host_port, port.container_port)),
                }
            }
            // `::1` is never routed anywhere; the sockets of the daemon serve it.
            let local = format!("meta nfproto {version} {}fib daddr type local", if is_ipv6 { "ip6 daddr != ::1 " } else { "" });
            for (suffix, types, lookup, entries) in [
                ("any", "inet_service".to_owned(), format!("{proto} dport"), any),
                ("at", format!("{key} . inet_service"), format!("{header} daddr . {proto} dport"), at),
            ] {
                if entries.is_empty() {
                    continue;
                }
                let name = format!("{proto}_{version}_{suffix}");
                let _ = writeln!(maps, "  map {name} {{ type {types} : {key} . inet_service; elements = {{ {} }} }}", entries.join(", "));
                let _ = writeln!(rules, "    {local} dnat {family} to {lookup} map @{name}");
            }
        }
    }
    (maps, rules)
}

fn metadata(bridges: &[&BridgeInfo]) -> String {
    let mut text = String::new();
    for BridgeInfo { name, .. } in bridges.iter().filter(|bridge| bridge.id == STEPS) {
        for protocol in ["tcp", "udp"] {
            let _ = writeln!(text, "    iifname \"{name}\" ip daddr {{ {METADATA} }} {protocol} dport 53 accept");
        }
        let _ = writeln!(text, "    iifname \"{name}\" ip daddr {{ {METADATA} }} drop");
    }
    text
}

fn masquerade(bridges: &[&BridgeInfo]) -> String {
    let mut text = String::from("    ip saddr 127.0.0.0/8 oifname @bridges masquerade\n");
    for bridge in bridges {
        let name = &bridge.name;
        for (family, subnet) in [("ip", Some(bridge.subnet)), ("ip6", bridge.ipv6.map(|(subnet, _)| subnet))] {
            let Some(subnet) = subnet else { continue };
            if bridge.masquerade && !bridge.internal {
                let _ = writeln!(text, "    {family} saddr {subnet} oifname != \"{name}\" masquerade");
            }
            // A container that reaches another of its network, or itself, by a published port.
            let _ = writeln!(text, "    {family} saddr {subnet} oifname \"{name}\" ct status dnat masquerade");
        }
    }
    text
}

fn forward(bridges: &[&BridgeInfo]) -> String {
    let mut text = String::new();
    for bridge in bridges.iter().filter(|bridge| bridge.internal) {
        let name = &bridge.name;
        let _ = writeln!(text, "    iifname \"{name}\" oifname != \"{name}\" drop\n    oifname \"{name}\" iifname != \"{name}\" drop");
    }
    text.push_str("    oifname @bridges ct state established,related accept\n    oifname @bridges ct status dnat accept\n");
    for bridge in bridges.iter().filter(|bridge| bridge.icc) {
        let _ = writeln!(text, "    iifname \"{0}\" oifname \"{0}\" accept", bridge.name);
    }
    text.push_str("    oifname @bridges drop\n");
    text
}

fn explain(status: std::process::ExitStatus, stderr: &[u8]) -> Result<()> {
    match status.success() {
        true => Ok(()),
        false => Err(Error::Nft(String::from_utf8_lossy(stderr).trim().to_owned())),
    }
}

fn missing(error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::NotFound => Error::NoNft,
        _ => Error::Nft(error.to_string()),
    }
}

/// The script goes through standard input: no temporary file, nothing to quote.
pub(crate) fn apply_blocking(script: &str) -> Result<()> {
    use std::io::Write;
    let mut command = std::process::Command::new("nft");
    let mut child =
        command.args(["-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(missing)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(script.as_bytes()).map_err(missing)?;
    }
    let output = child.wait_with_output().map_err(missing)?;
    explain(output.status, &output.stderr)
}

pub(crate) async fn apply(script: &str) -> Result<()> {
    let script = script.to_owned();
    let run = tokio::task::spawn_blocking(move || apply_blocking(&script));
    match tokio::time::timeout(std::time::Duration::from_secs(20), run).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => Err(Error::Nft(error.to_string())),
        Err(_) => Err(Error::Nft("it did not answer within 20 s".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::{PublishedPort, Target};

    fn port(host_ip: Option<&str>, host_port: u16, protocol: Protocol) -> PublishedPort {
        PublishedPort { host_ip: host_ip.map(|ip| ip.parse().unwrap()), host_port, last_host_port: 0, container_port: 80, protocol }
    }

    #[test]
    fn ports_of_both_families() {
        let target = Target { address: "10.0.0.2".parse().unwrap(), address6: Some("fd00::2".parse().unwrap()) };
        let ports = vec![
            port(None, 8080, Protocol::Tcp),
            port(Some("127.0.0.1"), 8081, Protocol::Udp),
            port(Some("::"), 8082, Protocol::Tcp),
            port(Some("fd01::1"), 8083, Protocol::Tcp),
        ];
        let (maps, rules) = published(&[&Publication::unheld(target, ports)]);
        for (map, entries) in [
            ("tcp_ipv4_any", "8080 : 10.0.0.2 . 80"),
            ("udp_ipv4_at", "127.0.0.1 . 8081 : 10.0.0.2 . 80"),
            ("tcp_ipv6_any", "8080 : fd00::2 . 80, 8082 : fd00::2 . 80"),
            ("tcp_ipv6_at", "fd01::1 . 8083 : fd00::2 . 80"),
        ] {
            assert!(maps.lines().any(|line| line.contains(map) && line.contains(&format!("{{ {entries} }}"))), "{map}: {maps}");
            assert_eq!(rules.lines().filter(|line| line.ends_with(&format!("@{map}"))).count(), 1, "{rules}");
        }
        assert_eq!((maps.lines().count(), rules.lines().count()), (4, 4));
    }

    #[test]
    fn an_internal_network_has_no_way_out() {
        let mut bridge = BridgeInfo::plain("id", "inner", "10.5.0.0/16".parse().unwrap(), 1_500);
        (bridge.internal, bridge.icc) = (true, false);
        let text = script("00000000", &[&bridge], &[], "mark");
        assert!(
            text.contains("iifname \"inner\" oifname != \"inner\" drop") && !text.contains("oifname != \"inner\" masquerade"),
            "{text}"
        );
        assert!(!text.contains("iifname \"inner\" oifname \"inner\" accept"), "{text}");
    }
}
