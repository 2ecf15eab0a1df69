//! Networks that users make: as dockerd answers, what containers in them get, and what is there after a daemon's end.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::networks::{create, exec, listed, percent, refused, subnet, within};
use support::{Agent, eventually};

#[test]
fn made_listed_looked_at_and_removed() {
    let agent = Agent::start();
    let net = subnet(&agent);
    let ipam = json!({ "Config": [{ "Subnet": format!("{net}.0/24"), "IPRange": format!("{net}.128/25"), "Gateway": format!("{net}.9"),
                                    "AuxiliaryAddresses": { "router": format!("{net}.128") } }] });
    let id = create(
        &agent,
        json!({ "Name": "mine", "CheckDuplicate": true, "Driver": "bridge", "Internal": true, "Attachable": true, "Labels": { "a": "1" },
                "Options": { "com.docker.network.driver.mtu": "1400" }, "IPAM": ipam }),
    );
    let other = create(&agent, json!({ "Name": "other" }));
    let found = agent.client.get(&format!("/networks/{}", &id[..12]));
    assert_eq!(found["Name"], "mine");
    assert_eq!(
        (&found["Id"], &found["Driver"], &found["Scope"], &found["Internal"]),
        (&json!(id), &json!("bridge"), &json!("local"), &json!(true))
    );
    assert_eq!((&found["Labels"], &found["Attachable"], &found["EnableIPv6"]), (&json!({ "a": "1" }), &json!(true), &json!(false)));
    assert_eq!(found["IPAM"]["Config"], ipam["Config"]);
    assert_eq!(agent.client.get("/networks/mine?verbose=true")["Options"]["com.docker.network.driver.mtu"], "1400");

    assert_eq!(listed(&agent, json!({})), ["bridge", "host", "none", "mine", "other"]);
    for (filters, wanted) in [
        (json!({ "name": ["min"] }), vec!["mine"]),
        (json!({ "id": [&other[..10]] }), vec!["other"]),
        (json!({ "label": ["a=1"] }), vec!["mine"]),
        (json!({ "type": ["custom"] }), vec!["mine", "other"]),
        (json!({ "driver": ["null", "host"] }), vec!["host", "none"]),
        (json!({ "dangling": ["true"] }), vec!["mine", "other"]),
        (json!({ "scope": ["swarm"] }), vec![]),
    ] {
        assert_eq!(listed(&agent, filters.clone()), wanted, "{filters}");
    }
    assert_eq!(agent.client.request("GET", "/networks?filters=%7B%22x%22%3A%5B%22y%22%5D%7D", b"").status, 400);

    let container = agent.run("sleep 600", within("other", json!({})));
    for (name, status, what) in [
        ("bridge", 403, "bridge is a pre-defined network and cannot be removed"),
        ("nope", 404, "network nope not found"),
        ("other", 403, "error while removing network: network other id "),
    ] {
        let answer = agent.client.request("DELETE", &format!("/networks/{name}"), b"");
        assert!(answer.status == status && answer.text().contains(what), "{} {}", answer.status, answer.text());
    }
    assert_eq!(agent.client.post("/networks/prune", &json!({})).json(), json!({ "NetworksDeleted": ["mine"] }));
    assert_eq!(agent.client.request("DELETE", &format!("/containers/{container}?force=1"), b"").status, 204);
    assert_eq!(agent.client.request("DELETE", "/networks/other", b"").status, 204);
    assert_eq!(listed(&agent, json!({ "type": ["custom"] })), Vec::<String>::new());
}

#[test]
fn what_is_refused() {
    let agent = Agent::bare();
    let net = subnet(&agent);
    create(&agent, json!({ "Name": "mine", "IPAM": { "Config": [{ "Subnet": format!("{net}.0/24") }] } }));
    for (body, status, what) in [
        (json!({ "Name": "mine" }), 409, "network with name mine already exists"),
        (json!({ "Name": "bridge" }), 403, "operation is not permitted on predefined bridge network"),
        (json!({ "Name": "a b" }), 400, "invalid network name"),
        (json!({ "Name": "x", "Driver": "overlay" }), 404, "plugin \"overlay\" not found"),
        (json!({ "Name": "x", "IPAM": { "Config": [{ "Subnet": format!("{net}.128/25") }] } }), 403, "Pool overlaps with other one"),
        (json!({ "Name": "x", "IPAM": { "Config": [{ "Subnet": "nonsense" }] } }), 400, "invalid CIDR block notation"),
        (json!({ "Name": "x", "Options": { "com.docker.network.bridge.name": "lo" } }), 403, "lo is there already"),
        (json!("x"), 400, "invalid JSON"),
    ] {
        let (found, message) = refused(&agent, "/networks/create", body.clone());
        assert!(found == status && message.contains(what), "{body}: {found} {message}");
    }
    assert_eq!(listed(&agent, json!({ "type": ["custom"] })), ["mine"]);
}

#[test]
fn a_container_gets_what_it_asks_for() {
    let agent = Agent::start();
    let net = subnet(&agent);
    let id = create(
        &agent,
        json!({ "Name": "mine", "IPAM": { "Config": [{ "Subnet": format!("{net}.0/24") }] }, "Options": { "com.docker.network.driver.mtu": "1280" } }),
    );
    let endpoint = json!({ "IPAMConfig": { "IPv4Address": format!("{net}.77") }, "MacAddress": "02:42:aa:bb:cc:01", "Aliases": ["db"] });
    let more = within("mine", json!({ "NetworkingConfig": { "EndpointsConfig": { "mine": endpoint } } }));
    let first = agent.run("ip addr show eth0; ip route; sleep 600", more.clone());
    eventually("it tells its address", || agent.output(&first).contains("default via"));
    let output = agent.output(&first);
    for part in [&format!("{net}.77/24"), "02:42:aa:bb:cc:01", "mtu 1280", &format!("default via {net}.1")] {
        assert!(output.contains(part), "{part}: {output}");
    }
    let place = agent.inspect(&first)["NetworkSettings"]["Networks"]["mine"].clone();
    assert_eq!((&place["IPAddress"], &place["MacAddress"]), (&json!(format!("{net}.77")), &json!("02:42:aa:bb:cc:01")));
    assert_eq!((&place["NetworkID"], &place["Gateway"], &place["IPPrefixLen"]), (&json!(id), &json!(format!("{net}.1")), &json!(24)));
    assert_eq!((&place["Aliases"], &place["IPAMConfig"]["IPv4Address"]), (&json!(["db"]), &json!(format!("{net}.77"))));
    assert!(place["DNSNames"].as_array().unwrap().contains(&json!(&first[..12])), "{place}");
    let members = agent.client.get("/networks/mine")["Containers"].clone();
    assert_eq!(members[&first]["IPv4Address"], format!("{net}.77/24"));

    // The same address twice, addresses of elsewhere, and what the default network has not.
    let second = agent.create("true", more);
    let answer = agent.client.request("POST", &format!("/containers/{second}/start"), b"");
    assert!(answer.status == 403 && answer.text().contains("Address already in use"), "{} {}", answer.status, answer.text());
    for (name, settings, what) in [
        ("mine", json!({ "IPAMConfig": { "IPv4Address": "192.0.2.7" } }), "no configured subnet contains IP address 192.0.2.7"),
        ("mine", json!({ "IPAMConfig": { "IPv4Address": "what" } }), "invalid IPv4 address"),
        ("mine", json!({ "MacAddress": "zz" }), "invalid MAC address"),
        ("bridge", json!({ "IPAMConfig": { "IPv4Address": "10.0.0.9" } }), "supported on user defined networks only"),
        ("bridge", json!({ "Links": ["a:b"] }), "links are supported in user-defined networks alone"),
        ("bridge", json!({ "Aliases": ["a"] }), "network-scoped aliases are only supported for user-defined networks"),
    ] {
        let body = json!({ "Image": support::IMAGE, "Cmd": ["true"], "HostConfig": { "NetworkMode": name }, "NetworkingConfig": { "EndpointsConfig": { name: settings } } });
        let (status, message) = refused(&agent, "/containers/create", body);
        assert!(status == 400 && message.contains(what), "{status} {message}");
    }
    assert_eq!(refused(&agent, "/containers/create", json!({ "Image": support::IMAGE, "HostConfig": { "NetworkMode": "nope" } })).0, 400);
}

#[test]
fn several_networks_and_changes_while_it_runs() {
    let agent = Agent::start();
    for name in ["alpha", "beta", "gamma"] {
        create(&agent, json!({ "Name": name, "Internal": name == "alpha" }));
    }
    let peer = |name: &str| agent.run("sleep 600", within(name, json!({})));
    let peers = ["alpha", "beta", "gamma"].map(|name| {
        let id = peer(name);
        agent.inspect(&id)["NetworkSettings"]["Networks"][name]["IPAddress"].as_str().unwrap().to_owned()
    });
    let id = agent.run("sleep 600", within("alpha", json!({ "NetworkingConfig": { "EndpointsConfig": { "alpha": {}, "beta": {} } } })));
    let run = |script: &str| exec(&agent, &id, script);
    let reaches = |peer: &str| run(&format!("ping -c 1 -W 2 {peer} > /dev/null 2>&1 && echo yes || echo no")) == "yes\n";
    let gateway = |name: &str| agent.client.get(&format!("/networks/{name}"))["IPAM"]["Config"][0]["Gateway"].as_str().unwrap().to_owned();
    let routes = || run("ip route | grep default");
    assert_eq!(run("ls /sys/class/net | sort | xargs"), "eth0 eth1 lo\n");
    assert!(reaches(&peers[0]) && reaches(&peers[1]) && !reaches(&peers[2]));
    // An internal network leads nowhere, so the other one is the way out.
    assert!(routes().contains(&gateway("beta")), "{}", routes());

    let body = json!({ "Container": id, "EndpointConfig": { "GwPriority": 5 } });
    assert_eq!(agent.client.post("/networks/gamma/connect", &body).status, 200);
    assert!(reaches(&peers[2]) && routes().contains(&gateway("gamma")));
    let (status, message) = refused(&agent, "/networks/gamma/connect", body);
    assert!(status == 403 && message.contains("already exists in network gamma"), "{status} {message}");
    let hosts = run("cat /etc/hosts");
    let networks = agent.inspect(&id)["NetworkSettings"]["Networks"].clone();
    for name in ["alpha", "beta", "gamma"] {
        assert!(hosts.contains(networks[name]["IPAddress"].as_str().unwrap()), "{name}: {hosts}");
    }

    assert_eq!(agent.client.post("/networks/gamma/disconnect", &json!({ "Container": id })).status, 200);
    assert!(!reaches(&peers[2]) && routes().contains(&gateway("beta")));
    let (status, message) = refused(&agent, "/networks/gamma/disconnect", json!({ "Container": id }));
    assert!(status == 403 && message.contains("is not connected to network gamma"), "{status} {message}");
    let (status, message) = refused(&agent, "/networks/gamma/disconnect", json!({ "Container": "nobody", "Force": true }));
    assert_eq!((status, message.as_str()), (404, "endpoint nobody not found"));
    assert_eq!(refused(&agent, "/networks/host/connect", json!({ "Container": id })).0, 400);
    assert_eq!(refused(&agent, "/networks/none/connect", json!({ "Container": id })).0, 400);
    assert_eq!(refused(&agent, "/networks/beta/connect", json!({ "Container": "nobody" })).0, 404);
    for name in ["alpha", "beta"] {
        assert_eq!(agent.client.post(&format!("/networks/{name}/disconnect"), &json!({ "Container": id })).status, 200);
    }
    assert_eq!(run("ls /sys/class/net | xargs"), "lo\n");
    assert_eq!(agent.client.request("POST", &format!("/containers/{id}/restart?t=0"), b"").status, 204);
    assert_eq!(exec(&agent, &id, "ls /sys/class/net | xargs"), "lo\n");
    assert_eq!(agent.client.post("/networks/gamma/connect", &json!({ "Container": id })).status, 200);
    assert!(exec(&agent, &id, "ip route").contains(&gateway("gamma")));
}

#[test]
fn everything_is_there_after_the_daemon_was_killed() {
    let mut agent = Agent::start();
    let net = subnet(&agent);
    let id = create(&agent, json!({ "Name": "mine", "IPAM": { "Config": [{ "Subnet": format!("{net}.0/24") }] }, "Labels": { "a": "b" } }));
    let first = agent.run("sleep 600", within("mine", json!({})));
    let second = agent.run("sleep 600", within("mine", json!({})));
    let before = agent.client.get("/networks/mine");
    let address =
        |agent: &Agent, id: &str| agent.inspect(id)["NetworkSettings"]["Networks"]["mine"]["IPAddress"].as_str().unwrap().to_owned();
    let addresses = [address(&agent, &first), address(&agent, &second)];
    agent.kill();
    agent.respawn();
    assert_eq!(agent.client.get("/networks/mine"), before);
    assert_eq!([address(&agent, &first), address(&agent, &second)], addresses);
    let ping = format!("ping -c 1 -W 5 {} > /dev/null && echo yes", addresses[1]);
    assert_eq!(exec(&agent, &first, &ping), "yes\n");
    // Addresses that are taken are taken still.
    let third = agent.run(&format!("ping -c 1 -W 5 {} > /dev/null && echo yes; sleep 600", addresses[0]), within("mine", json!({})));
    assert!(!addresses.contains(&address(&agent, &third)));
    eventually("the new one reaches the old one", || agent.output(&third) == "yes\n");

    let bridge = format!("s{}-{}", agent.instance(), &id[..5]);
    assert!(std::path::Path::new(&format!("/sys/class/net/{bridge}")).exists());
    agent.shut_down();
    assert!(!std::path::Path::new(&format!("/sys/class/net/{bridge}")).exists());
    agent.respawn();
    assert!(std::path::Path::new(&format!("/sys/class/net/{bridge}")).exists());
    eventually("its containers run again", || agent.inspect(&first)["State"]["Running"] == true);
}

#[test]
fn a_network_removed_under_a_stopped_container_is_told_at_its_start() {
    let agent = Agent::start();
    create(&agent, json!({ "Name": "gone" }));
    let id = agent.create("true", within("gone", json!({})));
    assert_eq!(agent.client.request("DELETE", "/networks/gone", b"").status, 204);
    let answer = agent.client.request("POST", &format!("/containers/{id}/start"), b"");
    assert!(answer.status == 404 && answer.text().contains("network gone not found"), "{} {}", answer.status, answer.text());
    create(&agent, json!({ "Name": "gone" }));
    agent.begin(&id);
    assert_eq!(agent.wait(&id), 0);
}

#[test]
fn events_tell_of_networks() {
    let agent = Agent::start();
    let id = create(&agent, json!({ "Name": "mine" }));
    let container = agent.run("true", within("mine", json!({})));
    agent.wait(&container);
    assert_eq!(agent.client.request("DELETE", &format!("/containers/{container}?force=1"), b"").status, 204);
    assert_eq!(agent.client.request("DELETE", "/networks/mine", b"").status, 204);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 1;
    let filters = percent(r#"{"type":["network"],"network":["mine"]}"#);
    let text = agent.client.request("GET", &format!("/events?since=1&until={now}&filters={filters}"), b"").text();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let actions: Vec<&str> = events.iter().map(|event| event["Action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["create", "connect", "disconnect", "destroy"]);
    assert!(events.iter().all(|event| event["Actor"]["ID"] == id && event["Actor"]["Attributes"]["name"] == "mine"));
    assert_eq!(events[1]["Actor"]["Attributes"]["container"], container);
}
