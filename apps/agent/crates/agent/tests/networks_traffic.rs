//! Who reaches whom: between networks, from the host, by published ports, on both families, also while the daemon is down.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use support::networks::{SERVER, address, address6, create, exec, get, inside, within};
use support::{Agent, eventually};

fn serve(agent: &Agent, network: &str, name: &str) -> String {
    agent.run(SERVER, within(network, json!({ "Env": [format!("NAME={name}")] })))
}

/// True when a container gets a connection; one that is dropped, or answered by nobody, does not.
fn reaches(agent: &Agent, id: &str, to: &str, port: u16) -> bool {
    exec(agent, id, &format!("nc -w 2 {to} {port} < /dev/null > /dev/null 2>&1 && echo yes || echo no")) == "yes\n"
}

fn nft(args: &[&str]) -> bool {
    Command::new("nft").args(args).output().unwrap().status.success()
}

#[test]
fn networks_are_apart_on_both_families() {
    let agent = Agent::start();
    for name in ["one", "two"] {
        create(&agent, json!({ "Name": name, "EnableIPv6": true }));
    }
    let servers = ["one", "two"].map(|name| serve(&agent, name, name));
    let client = agent.run("sleep 600", within("one", json!({ "HostConfig": { "CapAdd": ["NET_ADMIN"] } })));
    let default = agent.run("sleep 600", json!({}));
    let (near, far) = (address(&agent, &servers[0], "one"), address(&agent, &servers[1], "two"));
    let (near6, far6) = (address6(&agent, &servers[0], "one"), address6(&agent, &servers[1], "two"));
    for to in [format!("{near}:80"), format!("{far}:80"), format!("[{near6}]:80"), format!("[{far6}]:80")] {
        eventually("the host reaches it", || get(&to).is_some());
    }
    assert!(reaches(&agent, &client, &near, 80) && reaches(&agent, &client, &near6, 80));
    assert!(!reaches(&agent, &client, &far, 80) && !reaches(&agent, &client, &far6, 80) && !reaches(&agent, &default, &far, 80));
    // Nobody's word about routes is taken (CVE-2020-13401), by the container or by the host.
    assert_eq!(exec(&agent, &client, "cat /proc/sys/net/ipv6/conf/eth0/accept_ra"), "0\n");
    let bridges = std::fs::read_dir("/proc/sys/net/ipv6/conf").unwrap().map(|entry| entry.unwrap().path());
    let own = format!("s{}-", agent.instance());
    let own: Vec<_> = bridges.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&own)).collect();
    assert_eq!(own.len(), 2);
    for path in own {
        assert_eq!(std::fs::read_to_string(path.join("accept_ra")).unwrap(), "0\n");
    }
}

#[test]
fn an_internal_network_leads_nowhere() {
    let agent = Agent::start();
    create(&agent, json!({ "Name": "inner", "Internal": true }));
    create(&agent, json!({ "Name": "outer" }));
    let server = serve(&agent, "inner", "inner");
    let ports = json!({ "HostConfig": { "PortBindings": { "80/tcp": [{}] } }, "Env": ["NAME=outer"] });
    let outer = agent.run(SERVER, within("outer", ports));
    let client = agent.run("sleep 600", within("inner", json!({ "HostConfig": { "CapAdd": ["NET_ADMIN"] } })));
    let to = address(&agent, &server, "inner");
    eventually("the host reaches it", || get(&format!("{to}:80")).as_deref() == Some("inner\n"));
    assert!(reaches(&agent, &client, &to, 80));
    assert_eq!(exec(&agent, &client, "ip route | grep -c default"), "0\n");
    // Also when it makes a route itself.
    let gateway = agent.client.get("/networks/inner")["IPAM"]["Config"][0]["Gateway"].as_str().unwrap().to_owned();
    exec(&agent, &client, &format!("ip route add default via {gateway}"));
    let port = agent.inspect(&outer)["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"].as_str().unwrap().to_owned();
    let outer = address(&agent, &outer, "outer");
    eventually("the other one serves", || get(&format!("{outer}:80")).is_some());
    assert!(!reaches(&agent, &client, &outer, 80));
    assert!(!reaches(&agent, &client, &gateway, port.parse().unwrap()));
    assert!(!reaches(&agent, &client, "192.0.2.1", 80));
}

#[test]
fn without_icc_containers_meet_by_published_ports_alone() {
    let agent = Agent::start();
    create(&agent, json!({ "Name": "apart", "Options": { "com.docker.network.bridge.enable_icc": "false" } }));
    let server = agent.run(SERVER, within("apart", json!({ "Env": ["NAME=it"], "HostConfig": { "PortBindings": { "80/tcp": [{}] } } })));
    let client = agent.run("sleep 600", within("apart", json!({})));
    let to = address(&agent, &server, "apart");
    eventually("the host reaches it", || get(&format!("{to}:80")).as_deref() == Some("it\n"));
    assert!(!reaches(&agent, &client, &to, 80));
    let port = agent.inspect(&server)["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"].as_str().unwrap().to_owned();
    let gateway = agent.client.get("/networks/apart")["IPAM"]["Config"][0]["Gateway"].as_str().unwrap().to_owned();
    // With br_netfilter the kernel translates such packets before they leave the bridge, whose ports are apart.
    let bridged = std::fs::read_to_string("/proc/sys/net/bridge/bridge-nf-call-iptables").unwrap_or_default().trim() == "1";
    assert_eq!(reaches(&agent, &client, &gateway, port.parse().unwrap()), !bridged);
}

#[test]
fn ipv6_addresses_of_ones_own_and_of_the_pool() {
    let agent = Agent::start();
    let number = agent.instance();
    let prefix = format!("fd52:{}:{}", &number[..4], &number[4..]);
    create(&agent, json!({ "Name": "six", "EnableIPv6": true, "IPAM": { "Config": [{ "Subnet": format!("{prefix}::/64") }] } }));
    create(&agent, json!({ "Name": "pool", "EnableIPv6": true }));
    let settings = json!({ "IPAMConfig": { "IPv6Address": format!("{prefix}::77") } });
    let first =
        agent.run("sleep 600", within("six", json!({ "NetworkingConfig": { "EndpointsConfig": { "six": settings, "pool": {} } } })));
    let place = agent.inspect(&first)["NetworkSettings"]["Networks"]["six"].clone();
    let own: Ipv6Addr = place["GlobalIPv6Address"].as_str().unwrap().parse().unwrap();
    assert_eq!(own, format!("{prefix}::77").parse::<Ipv6Addr>().unwrap());
    assert_eq!((&place["GlobalIPv6PrefixLen"], &place["IPAMConfig"]["IPv6Address"]), (&json!(64), &json!(format!("{prefix}::77"))));
    let pool: Ipv6Addr = address6(&agent, &first, "pool").parse().unwrap();
    assert_eq!(pool.segments()[0] & 0xff00, 0xfd00, "{pool}");
    let second = agent.run("sleep 600", within("six", json!({})));
    assert_eq!(exec(&agent, &second, &format!("ping -6 -c 1 -W 5 {own} > /dev/null && echo yes")), "yes\n");
    assert!(exec(&agent, &second, "ip -6 route").contains("default via"));
    // A network without it has none: no address that others could be reached by.
    let plain = agent.run("sleep 600", json!({}));
    assert_eq!(exec(&agent, &plain, "ip -6 addr show dev eth0"), "");
}

#[test]
fn published_on_both_families_and_without_the_daemon() {
    let mut agent = Agent::start();
    create(&agent, json!({ "Name": "six", "EnableIPv6": true }));
    create(&agent, json!({ "Name": "other", "EnableIPv6": true }));
    let ports = json!({ "80/tcp": [{}], "81/tcp": [{ "HostIp": "::1" }], "82/tcp": [{ "HostIp": "127.0.0.1" }] });
    let server = agent.run(SERVER, within("six", json!({ "Env": ["NAME=six"], "HostConfig": { "PortBindings": ports } })));
    let plain = agent.run(SERVER, json!({ "Env": ["NAME=plain"], "HostConfig": { "PortBindings": { "80/tcp": [{}] } } }));
    let port = |id: &str| agent.inspect(id)["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"].as_str().unwrap().parse::<u16>().unwrap();
    let (six, four) = (port(&server), port(&plain));
    let gateways = agent.client.get("/networks/six")["IPAM"]["Config"].clone();
    let [gateway, gateway6] = [0, 1].map(|index| gateways[index]["Gateway"].as_str().unwrap().to_owned());
    for to in [format!("127.0.0.1:{six}"), format!("[::1]:{six}"), format!("{gateway}:{six}"), format!("[{gateway6}]:{six}")] {
        eventually(&to, || get(&to).as_deref() == Some("six\n"));
    }
    // A container that has IPv4 alone is reached by IPv6 as well.
    for to in [format!("127.0.0.1:{four}"), format!("[::1]:{four}"), format!("[{gateway6}]:{four}")] {
        eventually(&to, || get(&to).as_deref() == Some("plain\n"));
    }
    let shown = agent.inspect(&server)["NetworkSettings"]["Ports"].clone();
    assert_eq!((&shown["81/tcp"][0]["HostIp"], &shown["82/tcp"][0]["HostIp"]), (&json!("::1"), &json!("127.0.0.1")));
    let client = agent.run("sleep 600", within("other", json!({})));
    assert!(reaches(&agent, &client, &gateway, six) && reaches(&agent, &client, &gateway6, six));

    agent.kill();
    for to in [format!("127.0.0.1:{six}"), format!("{gateway}:{six}"), format!("[{gateway6}]:{six}"), format!("127.0.0.1:{four}")] {
        assert!(get(&to).is_some(), "{to} while the daemon is down");
    }
    agent.respawn();
    for to in [format!("[::1]:{six}"), format!("[::1]:{four}"), format!("127.0.0.1:{six}")] {
        eventually(&to, || get(&to).is_some());
    }
}

#[test]
fn published_udp() {
    let agent = Agent::start();
    create(&agent, json!({ "Name": "six", "EnableIPv6": true }));
    for network in ["six", "bridge"] {
        let more = within(network, json!({ "HostConfig": { "PortBindings": { "5300/udp": [{}] } } }));
        let id = agent.run("sleep 600", more);
        let port: u16 = agent.inspect(&id)["NetworkSettings"]["Ports"]["5300/udp"][0]["HostPort"].as_str().unwrap().parse().unwrap();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let echo = inside(&agent, &id, move || {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 5_300)).unwrap();
            let socket6 = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 5_300)).ok().filter(|_| network == "six");
            ready.send(()).unwrap();
            for socket in [Some(socket), socket6].into_iter().flatten() {
                std::thread::spawn(move || {
                    let mut buffer = [0; 100];
                    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
                    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                        socket.send_to(&buffer[..length], from).unwrap();
                    }
                });
            }
        });
        is_ready.recv().unwrap();
        echo.join().unwrap();
        for to in ["127.0.0.1", "::1"] {
            let any = if to.contains(':') { "[::]:0" } else { "0.0.0.0:0" };
            let client = UdpSocket::bind(any).unwrap();
            client.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
            client.connect((to, port)).unwrap();
            let mut buffer = [0; 100];
            eventually("an echo", || {
                client.send(b"hello").is_ok() && client.recv(&mut buffer).is_ok_and(|length| &buffer[..length] == b"hello")
            });
        }
    }
}

#[test]
fn ranges_and_conflicts_of_host_ports() {
    let agent = Agent::start();
    // Four free ports in a row, found by taking the first of them.
    let free = |port: u16| (0..4).all(|step| std::net::TcpListener::bind(("0.0.0.0", port + step)).is_ok());
    let first = (0..400u16).map(|step| 20_000 + (std::process::id() as u16 % 97) * 80 + step * 4 % 8_000).find(|port| free(*port)).unwrap();
    let publish = |port: String| json!({ "HostConfig": { "PortBindings": { "80/tcp": [{ "HostPort": port }] } } });
    let range = format!("{first}-{}", first + 2);
    let held = std::net::TcpListener::bind(("0.0.0.0", first + 1)).unwrap();
    let got = [0, 1].map(|_| {
        let id = agent.run("sleep 600", publish(range.clone()));
        agent.inspect(&id)["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"].as_str().unwrap().parse::<u16>().unwrap()
    });
    assert_eq!(got, [first, first + 2]);
    for (port, what) in [
        (range, "port is already allocated"),
        (first.to_string(), "port is already allocated"),
        ((first + 1).to_string(), "address already in use"),
    ] {
        let id = agent.create("true", publish(port));
        let answer = agent.client.request("POST", &format!("/containers/{id}/start"), b"");
        let text = answer.text();
        assert!(
            answer.status == 500 && text.contains("driver failed programming external connectivity on endpoint") && text.contains(what),
            "{text}"
        );
    }
    drop(held);
    for bad in ["x", "1-", "9-8", "70000"] {
        let body =
            json!({ "Image": support::IMAGE, "Cmd": ["true"], "HostConfig": { "PortBindings": { "80/tcp": [{ "HostPort": bad }] } } });
        assert_eq!(agent.client.post("/containers/create", &body).status, 400, "{bad}");
    }
}

#[test]
fn rules_come_back_when_another_program_flushes_them_and_go_with_the_agent() {
    let mut agent = Agent::start();
    create(&agent, json!({ "Name": "mine" }));
    let server = agent.run(SERVER, within("mine", json!({ "Env": ["NAME=it"], "HostConfig": { "PortBindings": { "80/tcp": [{}] } } })));
    let port = agent.inspect(&server)["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"].as_str().unwrap().to_owned();
    let bridge = agent.client.get("/networks/mine")["IPAM"]["Config"][0]["Gateway"].as_str().unwrap().to_owned();
    // Through the rules, not through the socket that holds the port: that one sees the gateway's address.
    let to = format!("{bridge}:{port}");
    eventually("it serves", || get(&to).is_some());
    let table = format!("slipway-{}", agent.instance());
    let listing = || String::from_utf8(Command::new("nft").args(["list", "table", "inet", &table]).output().unwrap().stdout).unwrap();
    let essence = |text: String| text.lines().filter(|line| !line.contains("chain applied-")).map(String::from).collect::<Vec<_>>();
    let before = essence(listing());
    assert!(before.len() > 20);
    for damage in
        [vec!["delete", "table", "inet", &table], vec!["flush", "table", "inet", &table], vec!["flush", "chain", "inet", &table, "forward"]]
    {
        assert!(nft(&damage), "{damage:?}");
        eventually("the rules are back", || essence(listing()) == before);
    }
    // What happens elsewhere is no damage, and what the agent does itself is none either: it comes to rest.
    let other = format!("slipway-test-{}", std::process::id());
    assert!(nft(&["add", "table", "inet", &other]) && nft(&["delete", "table", "inet", &other]));
    create(&agent, json!({ "Name": "second" }));
    assert_eq!(agent.client.request("DELETE", "/networks/second", b"").status, 204);
    eventually("three repairs are told", || agent.log().matches("they are put back").count() >= 3);
    let told = agent.log().matches("they are put back").count();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(agent.log().matches("they are put back").count(), told);
    assert!(get(&to).is_some());
    agent.shut_down();
    assert!(!nft(&["list", "table", "inet", &table]));
    agent.respawn();
}

#[test]
fn down_takes_away_the_networks_of_a_killed_agent() {
    let mut agent = Agent::start();
    let number = u32::from_str_radix(&agent.instance(), 16).unwrap();
    let bridge = format!("brt{number}");
    create(&agent, json!({ "Name": "named", "Options": { "com.docker.network.bridge.name": bridge } }));
    create(&agent, json!({ "Name": "plain" }));
    agent.run("sleep 600", within("named", json!({})));
    let (table, instance) = (format!("slipway-{}", agent.instance()), agent.instance());
    agent.kill();
    let status = Command::new(&agent.program).args(["down", "--data-root"]).arg(agent.root.path().join("data")).status().unwrap();
    assert!(status.success());
    let left = std::fs::read_dir("/sys/class/net").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<String> = left.filter(|name| name.contains(&instance) || *name == bridge).collect();
    assert!(left.iter().all(|name| name.starts_with('v')), "{left:?}"); // pairs vanish a moment after their namespaces
    assert!(!nft(&["list", "table", "inet", &table]));
    agent.respawn();
    assert!(std::path::Path::new(&format!("/sys/class/net/{bridge}/bridge")).is_dir());
}
