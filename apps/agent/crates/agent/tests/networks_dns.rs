//! Names of containers in users' networks, and everybody else's names.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use support::networks::{address, address6, create, exec, inside, within};
use support::{Agent, eventually};

const A: u16 = 1;
const PTR: u16 = 12;
const AAAA: u16 = 28;

fn query(name: &str, kind: u16) -> Vec<u8> {
    let mut packet = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        packet.push(label.len() as u8);
        packet.extend(label.as_bytes());
    }
    packet.push(0);
    packet.extend(kind.to_be_bytes());
    packet.extend([0, 1]);
    packet
}

/// Sends datagrams from inside a container to its name server; an answer to the last, if any comes.
fn send(agent: &Agent, id: &str, packets: Vec<Vec<u8>>) -> Option<Vec<u8>> {
    let sent = inside(agent, id, move || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket.connect("127.0.0.11:53").unwrap();
        let last = packets.last().cloned().unwrap();
        for packet in &packets {
            let _ = socket.send(packet);
        }
        let mut buffer = vec![0; 65_535];
        while let Ok(length) = socket.recv(&mut buffer) {
            if length >= 12 && buffer[..2] == last[..2] {
                return Some(buffer[..length].to_vec());
            }
        }
        None
    });
    sent.join().unwrap()
}

/// The code of an answer, and its addresses.
fn read(reply: &[u8], query: &[u8]) -> (u8, Vec<IpAddr>) {
    let count = u16::from_be_bytes([reply[6], reply[7]]);
    let mut at = query.len();
    let mut found = Vec::new();
    for _ in 0..count {
        let length = usize::from(u16::from_be_bytes([reply[at + 10], reply[at + 11]]));
        let data = &reply[at + 12..at + 12 + length];
        found.extend(<[u8; 4]>::try_from(data).map(IpAddr::from).or_else(|_| <[u8; 16]>::try_from(data).map(IpAddr::from)));
        at += 12 + length;
    }
    (reply[3] & 0x0f, found)
}

fn ask(agent: &Agent, id: &str, name: &str, kind: u16) -> Option<(u8, Vec<IpAddr>)> {
    let packet = query(name, kind);
    send(agent, id, vec![packet.clone()]).map(|reply| read(&reply, &packet))
}

fn found(agent: &Agent, id: &str, name: &str) -> Vec<IpAddr> {
    let (code, mut addresses) = ask(agent, id, name, A).expect("an answer");
    assert_eq!(code, 0, "{name}");
    addresses.sort();
    addresses
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A container without servers of its own would ask this host's; these are nobody's, and nobody answers.
fn quiet() -> serde_json::Value {
    json!({ "HostConfig": { "Dns": ["127.0.0.99"] } })
}

#[test]
fn names_aliases_and_turns() {
    let agent = Agent::start();
    create(&agent, json!({ "Name": "mine", "EnableIPv6": true }));
    create(&agent, json!({ "Name": "other" }));
    let with_alias =
        |alias: &str| within("mine", json!({ "NetworkingConfig": { "EndpointsConfig": { "mine": { "Aliases": [alias, "all"] } } } }));
    let client = agent.run("cat /etc/resolv.conf; sleep 600", within("mine", quiet()));
    eventually("it tells its servers", || agent.output(&client).contains("ndots:0"));
    assert!(agent.output(&client).starts_with("nameserver 127.0.0.11\n"), "{}", agent.output(&client));
    let servers = ["db", "cache"].map(|alias| agent.run("sleep 600", with_alias(alias)));
    let addresses = servers.each_ref().map(|id| ip(&address(&agent, id, "mine")));
    let name = agent.inspect(&servers[0])["Name"].as_str().unwrap().trim_start_matches('/').to_owned();
    for called in ["db", "DB", "db.mine", &servers[0][..12], &name] {
        assert_eq!(found(&agent, &client, called), [addresses[0]], "{called}");
    }
    let mut both = addresses.to_vec();
    both.sort();
    assert_eq!(found(&agent, &client, "all"), both);
    let firsts: Vec<IpAddr> = (0..8).map(|_| ask(&agent, &client, "all", A).unwrap().1[0]).collect();
    assert!(addresses.iter().all(|address| firsts.contains(address)), "{firsts:?}");
    assert_eq!(ask(&agent, &client, "db", AAAA).unwrap(), (0, vec![ip(&address6(&agent, &servers[0], "mine"))]));
    // As programs ask, too.
    let looked_up = exec(&agent, &client, "nslookup db 127.0.0.11");
    assert!(looked_up.contains(&addresses[0].to_string()), "{looked_up}");
    let octets: Vec<String> = addresses[1].to_string().split('.').rev().map(String::from).collect();
    let reversed = query(&format!("{}.in-addr.arpa", octets.join(".")), PTR);
    let reply = send(&agent, &client, vec![reversed]).unwrap();
    assert!(reply.windows(4).any(|window| window == b"mine"), "{reply:?}");

    // A link is a word of one container alone.
    let link = json!({ "NetworkingConfig": { "EndpointsConfig": { "mine": { "Links": [format!("{name}:store")] } } } });
    let linked = agent.run("sleep 600", within("mine", link));
    assert_eq!(found(&agent, &linked, "store"), [addresses[0]]);
    assert_ne!(ask(&agent, &client, "store", A).map_or(2, |(code, _)| code), 0);

    // Names of another network are nobody's here, until the container joins it.
    let far =
        agent.run("sleep 600", within("other", json!({ "NetworkingConfig": { "EndpointsConfig": { "other": { "Aliases": ["far"] } } } })));
    assert_ne!(ask(&agent, &client, "far", A).map_or(2, |(code, _)| code), 0);
    assert_eq!(agent.client.post("/networks/other/connect", &json!({ "Container": client })).status, 200);
    assert_eq!(found(&agent, &client, "far"), [ip(&address(&agent, &far, "other"))]);
    assert_eq!(agent.client.request("POST", &format!("/containers/{far}/rename?name=renamed-{}", &far[..6]), b"").status, 204);
    assert_eq!(found(&agent, &client, &format!("renamed-{}", &far[..6])).len(), 1);
    // Who has ended has no names.
    assert_eq!(agent.client.request("POST", &format!("/containers/{}/stop?t=0", servers[1]), b"").status, 204);
    assert_eq!(found(&agent, &client, "all"), [addresses[0]]);
}

#[test]
fn names_after_the_daemon_was_killed() {
    let mut agent = Agent::start();
    create(&agent, json!({ "Name": "mine" }));
    let server =
        agent.run("sleep 600", within("mine", json!({ "NetworkingConfig": { "EndpointsConfig": { "mine": { "Aliases": ["db"] } } } })));
    let client = agent.run("sleep 600", within("mine", quiet()));
    // One of the default network, that joined later.
    let late = agent.run("sleep 600", quiet());
    assert_eq!(agent.client.post("/networks/mine/connect", &json!({ "Container": late })).status, 200);
    assert!(exec(&agent, &late, "cat /etc/resolv.conf").starts_with("nameserver 127.0.0.11\n"));
    let wanted = [ip(&address(&agent, &server, "mine"))];
    for round in 0..3 {
        assert_eq!(found(&agent, &client, "db"), wanted, "round {round}");
        assert_eq!(found(&agent, &late, "db"), wanted, "round {round}");
        agent.kill();
        agent.respawn();
    }
}

/// A name server that gives every name the address 192.0.2.99, over UDP and TCP; counts questions.
fn upstream(at: &str) -> Arc<AtomicUsize> {
    let asked = Arc::new(AtomicUsize::new(0));
    let answer = |query: &[u8]| {
        let mut reply = query.to_vec();
        reply[2] = 0x81;
        reply[3] = 0x80;
        reply[7] = 1;
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 192, 0, 2, 99]);
        reply
    };
    let (udp, tcp) = (UdpSocket::bind((at, 53)).unwrap(), TcpListener::bind((at, 53)).unwrap());
    let count = asked.clone();
    std::thread::spawn(move || {
        let mut buffer = [0; 1_024];
        while let Ok((length, from)) = udp.recv_from(&mut buffer) {
            count.fetch_add(1, Ordering::SeqCst);
            // One to another question first: it must not be believed.
            let mut wrong = answer(&query("forged.example", A));
            wrong[..2].copy_from_slice(&buffer[..2]);
            let _ = udp.send_to(&wrong, from);
            let _ = udp.send_to(&answer(&buffer[..length]), from);
        }
    });
    let count = asked.clone();
    std::thread::spawn(move || {
        for mut stream in tcp.incoming().flatten() {
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut query).unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let reply = answer(&query);
            stream.write_all(&[&(reply.len() as u16).to_be_bytes()[..], &reply].concat()).unwrap();
        }
    });
    asked
}

#[test]
fn other_names_are_asked_of_the_servers() {
    let agent = Agent::start();
    create(&agent, json!({ "Name": "mine" }));
    create(&agent, json!({ "Name": "inner", "Internal": true }));
    let gateway = agent.client.get("/networks/mine")["IPAM"]["Config"][0]["Gateway"].as_str().unwrap().to_owned();
    let asked = upstream(&gateway);
    let host = json!({ "HostConfig": { "Dns": [gateway], "DnsSearch": ["corp.example"], "DnsOptions": ["timeout:9"] } });
    let client = agent.run("cat /etc/resolv.conf; sleep 600", within("mine", host.clone()));
    eventually("it tells its servers", || agent.output(&client).contains("options"));
    assert_eq!(agent.output(&client), "nameserver 127.0.0.11\nsearch corp.example\noptions timeout:9 ndots:0\n");
    assert_eq!(ask(&agent, &client, "slipway.example", A), Some((0, vec![ip("192.0.2.99")])));
    let tcp = inside(&agent, &client, || {
        let packet = query("slipway.example", A);
        let mut stream = std::net::TcpStream::connect("127.0.0.11:53").unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(&[&(packet.len() as u16).to_be_bytes()[..], &packet].concat()).unwrap();
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut reply).unwrap();
        read(&reply, &packet)
    });
    assert_eq!(tcp.join().unwrap(), (0, vec![ip("192.0.2.99")]));
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    // From inside an internal network nothing is asked of anybody.
    let inner = agent.run("sleep 600", within("inner", host));
    assert_eq!(ask(&agent, &inner, "slipway.example", A), Some((2, vec![])));
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[test]
fn hostile_questions_are_survived() {
    let agent = Agent::start();
    create(&agent, json!({ "Name": "mine" }));
    let client = agent.run("sleep 600", within("mine", quiet()));
    let own = ip(&address(&agent, &client, "mine"));
    let good = query(&client[..12], A);
    let mut packets: Vec<Vec<u8>> = (0..good.len()).map(|end| good[..end].to_vec()).collect();
    packets.extend([
        vec![0xff; 4_000],
        vec![0xc0; 512],
        vec![0; 12],
        [&good[..12], &[63; 500]].concat(),
        [&good[..12], &[0xc0, 12, 0, 1, 0, 1]].concat(),
    ]);
    for at in 2..good.len() {
        let mut changed = good.clone();
        changed[at] ^= 0xff;
        changed[0] = 0x99;
        packets.push(changed);
    }
    // More than may wait at once.
    packets.extend((0..400).map(|number| {
        let mut packet = query(&format!("n{number}.example"), A);
        packet[0] = 0x98;
        packet
    }));
    for chunk in packets.chunks(20) {
        let _ = send(&agent, &client, chunk.iter().cloned().chain([good.clone()]).collect());
    }
    assert_eq!(found(&agent, &client, &client[..12]), [own]);
    assert!(!agent.log().contains("panicked"), "{}", agent.log());
    // A container may be a name server itself, on every address.
    let port = inside(&agent, &client, || UdpSocket::bind("0.0.0.0:53").is_ok() && TcpListener::bind("0.0.0.0:53").is_ok());
    assert!(port.join().unwrap());
}
