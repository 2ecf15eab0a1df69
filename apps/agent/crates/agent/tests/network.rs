//! Addresses, names, published ports, several agents side by side.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;
use support::{Agent, eventually};

const SERVER: &str = "mkdir -p /www; echo $NAME > /www/index.html; httpd -f -p 80 -h /www";

fn get(url: &str) -> Option<String> {
    let mut stream = TcpStream::connect(url).ok()?;
    stream.set_read_timeout(Some(std::time::Duration::from_secs(30))).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.rsplit_once("\r\n\r\n").map(|(_, body)| body.to_owned())
}

fn address(agent: &Agent, id: &str) -> String {
    agent.inspect(id)["NetworkSettings"]["Networks"]["bridge"]["IPAddress"].as_str().unwrap().to_owned()
}

#[test]
fn containers_reach_each_other_and_the_host_reaches_them() {
    let agent = Agent::start();
    let server = agent.run(SERVER, json!({ "Env": ["NAME=one"] }));
    let ip = address(&agent, &server);
    eventually("it serves", || get(&format!("{ip}:80")).as_deref() == Some("one\n"));
    assert_eq!(agent.text(&format!("wget -qO- http://{ip}/"), json!({})), "one\n");
    let other = agent.text(
        "hostname; grep -c $(hostname) /etc/hosts; ip route | grep default; cat /etc/resolv.conf",
        json!({ "HostConfig": { "Dns": ["9.9.9.9"] } }),
    );
    assert!(other.contains("\n1\n") && other.contains("default via") && other.ends_with("nameserver 9.9.9.9\n"), "{other}");
}

#[test]
fn published_ports() {
    let agent = Agent::start();
    let host = json!({ "Env": ["NAME=web"], "HostConfig": { "PortBindings": { "80/tcp": [{ "HostPort": "" }], "81/udp": [{ "HostIp": "127.0.0.1", "HostPort": "0" }] } } });
    let id = agent.run(SERVER, host);
    let ports = agent.inspect(&id)["NetworkSettings"]["Ports"].clone();
    let port = ports["80/tcp"][0]["HostPort"].as_str().unwrap();
    assert!(ports["81/udp"][0]["HostIp"] == "127.0.0.1", "{ports}");
    eventually("it answers on the loopback", || get(&format!("127.0.0.1:{port}")).as_deref() == Some("web\n"));
    assert_eq!(get(&format!("[::1]:{port}")).as_deref(), Some("web\n"));
    // From a container, through the host's address on the bridge.
    let gateway = agent.inspect(&id)["NetworkSettings"]["Networks"]["bridge"]["Gateway"].as_str().unwrap().to_owned();
    assert_eq!(agent.text(&format!("wget -qO- http://{gateway}:{port}/"), json!({})), "web\n");
    let taken = agent.create("true", json!({ "HostConfig": { "PortBindings": { "80/tcp": [{ "HostPort": port }] } } }));
    let answer = agent.client.request("POST", &format!("/containers/{taken}/start"), b"");
    assert!(answer.status == 500 && answer.text().contains("port is already allocated"), "{}", answer.text());
    assert_eq!(agent.client.request("POST", &format!("/containers/{id}/stop?t=0"), b"").status, 204);
    assert!(get(&format!("127.0.0.1:{port}")).is_none());
    agent.begin(&taken);
}

#[test]
fn other_network_modes() {
    let agent = Agent::start();
    let none =
        agent.text("ip -o link | wc -l 2>/dev/null || ip -o link; ls /sys/class/net", json!({ "HostConfig": { "NetworkMode": "none" } }));
    assert!(!none.contains("eth0") && none.contains("lo"), "{none}");
    let host = agent.text("ls /sys/class/net", json!({ "HostConfig": { "NetworkMode": "host" } }));
    assert!(host.contains("sw-"), "{host}");
    let answer = agent
        .client
        .post("/containers/create", &json!({ "Image": support::IMAGE, "Cmd": ["true"], "HostConfig": { "NetworkMode": "mine" } }));
    // Not 404: clients take that for an image that is missing.
    assert!(answer.status == 400 && answer.text().contains("network mine not found"), "{} {}", answer.status, answer.text());
}

#[test]
fn only_published_ports_are_reached_from_elsewhere() {
    let (one, two) = (Agent::start(), Agent::start());
    let host = json!({ "Env": ["NAME=one"], "HostConfig": { "PortBindings": { "80/tcp": [{}] } } });
    let open = one.run(SERVER, host);
    let closed = one.run(SERVER, json!({ "Env": ["NAME=closed"] }));
    let addresses = [&open, &closed].map(|id| address(&one, id));
    for address in &addresses {
        eventually("the host reaches it", || get(&format!("{address}:80")).is_some());
    }
    let port = one.inspect(&open)["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"].as_str().unwrap().to_owned();
    let [open, closed] = addresses;
    let script = format!(
        "gateway=$(ip route | awk '/default/ {{ print $3 }}'); wget -qO- http://$gateway:{port}/; \
         for at in {open} {closed}; do nc -w 2 $at 80 < /dev/null 2> /dev/null && echo yes || echo no; done"
    );
    assert_eq!(two.text(&script, json!({})), "one\nno\nno\n");
}

/// CVE-2020-8558: a container that sends packets for 127.0.0.1 to the host must not reach what listens there.
#[test]
fn the_hosts_loopback_is_out_of_reach() {
    let agent = Agent::start();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = format!(
        "gateway=$(ip route | awk '/default/ {{ print $3 }}'); ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.0/8 via $gateway; \
         ip route get 127.0.0.1 | grep -c eth0; nc -w 2 127.0.0.1 {port} < /dev/null 2> /dev/null && echo yes || echo no"
    );
    let output =
        agent.text(&script, json!({ "HostConfig": { "CapAdd": ["NET_ADMIN"], "Sysctls": { "net.ipv4.conf.all.route_localnet": "1" } } }));
    assert!(output.starts_with("1\n") && output.ends_with("no\n"), "{output}");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err());
}

#[test]
fn two_agents_side_by_side() {
    let (one, two) = (Agent::start(), Agent::start());
    assert_ne!(one.instance(), two.instance());
    let bridges = [&one, &two].map(|agent| agent.client.get("/slipway/v1/health")["bridge"]["subnet"].clone());
    assert_ne!(bridges[0], bridges[1]);
    let first = one.run(SERVER, json!({ "Env": ["NAME=first"] }));
    let second = two.run(SERVER, json!({ "Env": ["NAME=second"] }));
    eventually("both serve", || {
        get(&format!("{}:80", address(&one, &first))).as_deref() == Some("first\n")
            && get(&format!("{}:80", address(&two, &second))).as_deref() == Some("second\n")
    });
    drop(one);
    assert_eq!(get(&format!("{}:80", address(&two, &second))).as_deref(), Some("second\n"));
}

/// A bridge without an address of its own changes it when the killed daemon's spare pairs vanish; containers then answered
/// to nobody until their neighbour caches expired.
#[test]
fn the_host_reaches_containers_right_after_the_daemon_is_killed() {
    let mut agent = Agent::start();
    let server = agent.run(SERVER, json!({ "Env": ["NAME=steady"] }));
    let ip = address(&agent, &server);
    eventually("it serves", || get(&format!("{ip}:80")).as_deref() == Some("steady\n"));
    let mac = format!("/sys/class/net/sw-{}/address", agent.instance());
    let before = std::fs::read_to_string(&mac).unwrap();
    agent.kill();
    assert_eq!(get(&format!("{ip}:80")).as_deref(), Some("steady\n"));
    agent.respawn();
    assert_eq!(get(&format!("{ip}:80")).as_deref(), Some("steady\n"));
    assert_eq!(std::fs::read_to_string(&mac).unwrap(), before);
}
