//! NAT and published ports: one table of our own, always replaced as a whole in one atomic batch.
//!
//! What is not published is not reachable from elsewhere: a neighbour that sends packets for a container's address to this
//! host, or a container of another instance, is dropped. The host itself reaches every container. Published ports answer on
//! 127.0.0.1 too, for which the bridge must route loopback addresses; so that no container reaches what listens there and
//! trusts it, packets from the bridge to such an address are dropped first.
//!
//! Only this table is touched. Where another firewall drops forwarded packets by default (dockerd's iptables rules do),
//! an accept here cannot overrule it; such a host needs an accept for the bridge in that firewall.
use std::fmt::Write;
use std::process::Stdio;

use crate::BridgeInfo;
use crate::error::{Error, Result};
use crate::publish::{Protocol, Publication};

fn table(instance: &str) -> String {
    format!("slipway-{instance}")
}

/// A batch that leaves no table, whether there was one or not.
pub(crate) fn removal(instance: &str) -> String {
    let table = table(instance);
    format!("add table ip {table}\ndelete table ip {table}\n")
}

pub(crate) fn script(instance: &str, bridge: &BridgeInfo, publications: &[&Publication]) -> String {
    let BridgeInfo { name, subnet, .. } = bridge;
    let mut text = removal(instance);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "table ip {} {{", table(instance));
    let mut rules = String::new();
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let proto = protocol.name();
        let entries = |wildcard: bool| -> Vec<String> {
            let ports = publications.iter().flat_map(|p| p.ports.iter().map(move |port| (p.address, port)));
            ports
                .filter(|(_, port)| port.protocol == protocol && port.host_ip.is_unspecified() == wildcard)
                .map(|(address, port)| {
                    let key = if wildcard { port.host_port.to_string() } else { format!("{} . {}", port.host_ip, port.host_port) };
                    format!("{key} : {address} . {}", port.container_port)
                })
                .collect()
        };
        for (suffix, key_type, wildcard, lookup) in [
            ("any", "inet_service", true, format!("{proto} dport")),
            ("at", "ipv4_addr . inet_service", false, format!("ip daddr . {proto} dport")),
        ] {
            let entries = entries(wildcard);
            if entries.is_empty() {
                continue;
            }
            let _ = writeln!(
                text,
                "  map {proto}_{suffix} {{ type {key_type} : ipv4_addr . inet_service; elements = {{ {} }} }}",
                entries.join(", ")
            );
            let _ = writeln!(rules, "    fib daddr type local dnat ip to {lookup} map @{proto}_{suffix}");
        }
    }
    let _ = write!(
        text,
        "  chain guard {{\n    type filter hook prerouting priority raw; policy accept;\n\
         \x20   iifname \"{name}\" ip daddr 127.0.0.0/8 drop\n  }}\n\
         \x20 chain prerouting {{\n    type nat hook prerouting priority dstnat; policy accept;\n{rules}  }}\n\
         \x20 chain output {{\n    type nat hook output priority -100; policy accept;\n{rules}  }}\n\
         \x20 chain postrouting {{\n    type nat hook postrouting priority srcnat; policy accept;\n\
         \x20   ip saddr {subnet} oifname != \"{name}\" masquerade\n\
         \x20   ip saddr 127.0.0.0/8 oifname \"{name}\" masquerade\n\
         \x20   ip saddr {subnet} oifname \"{name}\" ct status dnat masquerade\n  }}\n\
         \x20 chain forward {{\n    type filter hook forward priority filter; policy accept;\n\
         \x20   oifname \"{name}\" ct state established,related accept\n\
         \x20   oifname \"{name}\" ct status dnat accept\n\
         \x20   iifname \"{name}\" accept\n\
         \x20   oifname \"{name}\" drop\n  }}\n}}\n"
    );
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
