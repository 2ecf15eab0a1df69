//! `/etc/resolv.conf`, `/etc/hosts` and `/etc/hostname` of a container.
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

/// What `--dns`, `--dns-search`, `--dns-option` said; empty lists mean "as the host".
#[derive(Debug, Clone, Default)]
pub struct DnsSettings {
    pub servers: Vec<String>,
    pub search: Vec<String>,
    pub options: Vec<String>,
}

/// Servers for hosts whose own resolver listens on the loopback only, which a container cannot reach.
const PUBLIC: [&str; 2] = ["1.1.1.1", "8.8.8.8"];

/// The host's resolver configuration, made fit for a container.
pub fn resolv_conf(settings: &DnsSettings) -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let mut host = read("/etc/resolv.conf");
    if usable_servers(&host).is_empty() {
        // systemd-resolved keeps the real servers here.
        let real = read("/run/systemd/resolve/resolv.conf");
        if !usable_servers(&real).is_empty() {
            host = real;
        }
    }
    build(&host, settings)
}

/// For a container with a name server of its own here, which asks the right ones.
pub fn resolv_conf_embedded(settings: &DnsSettings) -> String {
    let host = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let text = build(&host, &DnsSettings { servers: vec![crate::dns::ADDRESS.to_string()], ..settings.clone() });
    // Names of containers have no dots, and are to be looked up as they are first.
    match text.contains("ndots:") {
        true => text,
        false => with_option(&text, "ndots:0"),
    }
}

fn with_option(text: &str, option: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    match lines.iter_mut().find(|line| line.starts_with("options ")) {
        Some(line) => *line = format!("{line} {option}"),
        None => lines.push(format!("options {option}")),
    }
    lines.join("\n") + "\n"
}

/// The host's name servers, as the host itself asks them.
pub(crate) fn host_servers() -> Vec<IpAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver")?.split_whitespace().next()?.parse().ok());
    let found: Vec<IpAddr> = servers.collect();
    if found.is_empty() { PUBLIC.iter().filter_map(|server| server.parse().ok()).collect() } else { found }
}

fn usable_servers(text: &str) -> Vec<String> {
    // Containers have IPv4 alone: an IPv6 server would be out of their reach, and cost a wait at every lookup.
    let servers = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver")?.split_whitespace().next());
    servers.filter(|server| server.parse::<Ipv4Addr>().is_ok_and(|ip| !ip.is_loopback())).map(String::from).collect()
}

fn build(host: &str, settings: &DnsSettings) -> String {
    let mut servers = settings.servers.clone();
    if servers.is_empty() {
        servers = usable_servers(host);
    }
    if servers.is_empty() {
        servers = PUBLIC.map(String::from).to_vec();
    }
    let mut text = String::new();
    for server in servers {
        let _ = writeln!(text, "nameserver {server}"); // writing to a String cannot fail
    }
    for (key, own) in [("search", &settings.search), ("options", &settings.options)] {
        if !own.is_empty() {
            let _ = writeln!(text, "{key} {}", own.join(" "));
            continue;
        }
        for line in host.lines().filter(|line| line.split_whitespace().next() == Some(key)) {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

/// `extra`: `name:address` or `name=address`; the address `host-gateway` is the bridge's. `addresses` are the container's.
pub fn hosts(hostname: &str, addresses: &[IpAddr], gateway: Option<IpAddr>, extra: &[String]) -> String {
    let mut text = String::from(
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n",
    );
    for entry in extra {
        let Some((name, target)) = entry.split_once(['=', ':']) else { continue };
        let target = match (target, gateway) {
            ("host-gateway", Some(gateway)) => gateway.to_string(),
            ("host-gateway", None) => "127.0.0.1".into(),
            (target, _) => target.trim_matches(['[', ']']).to_owned(),
        };
        let _ = writeln!(text, "{target}\t{name}"); // writing to a String cannot fail
    }
    for address in addresses {
        let _ = writeln!(text, "{address}\t{hostname}");
    }
    if addresses.is_empty() {
        let _ = writeln!(text, "127.0.0.1\t{hostname}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_resolvers_are_replaced() {
        let none = DnsSettings::default();
        assert_eq!(build("nameserver 127.0.0.53\nsearch corp\n", &none), "nameserver 1.1.1.1\nnameserver 8.8.8.8\nsearch corp\n");
        assert_eq!(build("nameserver 10.0.0.2\noptions ndots:2\n", &none), "nameserver 10.0.0.2\noptions ndots:2\n");
        assert_eq!(build("nameserver 2001:db8::53\nnameserver 10.0.0.2 # office\n", &none), "nameserver 10.0.0.2\n");
        let own = DnsSettings { servers: vec!["9.9.9.9".into()], search: vec!["a".into(), "b".into()], options: vec![] };
        assert_eq!(build("nameserver 10.0.0.2\nsearch corp\n", &own), "nameserver 9.9.9.9\nsearch a b\n");
    }

    #[test]
    fn an_embedded_server_is_asked_for_bare_names_first() {
        assert_eq!(with_option("nameserver 127.0.0.11\noptions edns0\n", "ndots:0"), "nameserver 127.0.0.11\noptions edns0 ndots:0\n");
        let own = DnsSettings { servers: vec!["9.9.9.9".into()], search: vec!["a".into()], options: vec!["ndots:3".into()] };
        assert_eq!(resolv_conf_embedded(&own), "nameserver 127.0.0.11\nsearch a\noptions ndots:3\n");
    }

    #[test]
    fn hosts_names_itself() {
        let text = hosts(
            "web",
            &["10.1.0.5".parse().unwrap()],
            Some("10.1.0.1".parse().unwrap()),
            &["db:10.2.0.1".into(), "up=host-gateway".into()],
        );
        assert!(text.ends_with("10.2.0.1\tdb\n10.1.0.1\tup\n10.1.0.5\tweb\n"), "{text}");
    }
}
