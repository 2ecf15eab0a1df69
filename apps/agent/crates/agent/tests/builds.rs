//! Builds over HTTP, with real containers for their RUN steps.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use support::builds::{Plan, body, build, clean, last, log, minute, names, processes};
use support::{Agent, eventually, leftovers, long_sleep};

#[test]
fn a_built_image_runs() {
    let agent = Agent::start();
    let plan = Plan::new(&agent).copy("hello.txt", "/srv/").run("cat /srv/hello.txt > /out; id -u >> /out; echo done");
    let request = plan.request("b1", minute());
    let first = build(&agent, &request, &[("hello.txt", "hello\n")]);
    assert_eq!(last(&first)["type"], "result", "{first:#?}");
    assert_eq!(log(&first), "done\n");
    let ran = first.iter().find(|event| event["id"] == "v2" && event["status"] == "done").unwrap();
    assert_eq!(ran["exitCode"], 0);
    assert!(ran["cpuMs"].is_u64() && ran["layer"]["size"].is_u64(), "{ran}");
    let id = agent.create("cat /out", json!({ "Image": "slipway.local/acme/app:1" }));
    agent.begin(&id);
    assert_eq!((agent.wait(&id), agent.output(&id).as_str()), (0, "hello\n0\n"));
    let again = build(&agent, &request, &[("hello.txt", "hello\n")]);
    assert_eq!(last(&again)["imageId"], last(&first)["imageId"]);
    assert!(again.iter().filter(|event| event["type"] == "vertex").all(|event| event["status"] == "cached"));
    eventually("everything of the builds is gone", || clean(&agent));
}

#[test]
fn a_step_is_confined_like_a_container() {
    let agent = Agent::start();
    let left = long_sleep(1);
    let script = format!(
        "grep -E '^(CapEff|Seccomp:)' /proc/self/status; cat /etc/hostname; ls /; readlink /proc/self/fd/0; ip addr | grep -c eth0; \
         env; sleep {left} & (sleep {left} &) ; mount -t tmpfs x /srv || echo no mounts"
    );
    let events =
        build(&agent, &Plan::new(&agent).run_as("web:staff", &script).run("cat /etc/resolv.conf | wc -c; id").request("b1", minute()), &[]);
    assert_eq!(last(&events)["type"], "result", "{events:#?}");
    let log = log(&events);
    for part in ["CapEff:\t0000000000000000", "Seccomp:\t2", "no mounts", "/dev/null", "HOME=/home/web", "PATH=/bin", "uid=0(root)"] {
        assert!(log.contains(part), "{part} in {log}");
    }
    assert_eq!(processes(&left), 0, "what a step leaves behind is killed with it");
    let image = last(&events)["imageId"].as_str().unwrap();
    let id = agent.create("cat /etc/resolv.conf | head -c 0; ls /etc", json!({ "Image": image }));
    agent.begin(&id);
    agent.wait(&id);
    eventually("everything of the build is gone", || clean(&agent));
}

#[test]
fn limits_hold() {
    let agent = Agent::start();
    let hungry =
        Plan::new(&agent).run("head -c 300000000 /dev/zero | tail").request("b1", json!({ "timeoutMs": 60_000, "memoryBytes": 64 << 20 }));
    let events = build(&agent, &hungry, &[]);
    assert_eq!((last(&events)["code"].as_str(), last(&events)["vertex"].as_str()), (Some("OUT_OF_MEMORY"), Some("v1")), "{events:#?}");
    assert!(last(&events)["message"].as_str().unwrap().contains("68 MB"));
    let forks = Plan::new(&agent)
        .run("for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1 & done; wait")
        .request("b2", json!({ "timeoutMs": 60_000, "pids": 5 }));
    assert!(log(&build(&agent, &forks, &[])).contains("can't fork"));
    let slow = Plan::new(&agent).run(&format!("sleep {}", long_sleep(2))).request("b3", json!({ "timeoutMs": 500 }));
    let events = build(&agent, &slow, &[]);
    assert_eq!(last(&events)["code"], "TIMEOUT");
    let missing = Plan::new(&agent).add("RUN [\"/nope\"]", json!({ "type": "exec", "args": ["/nope"], "env": [], "cwd": "/", "user": "" }));
    let events = build(&agent, &missing.request("b4", minute()), &[]);
    assert_eq!((last(&events)["code"].as_str(), last(&events)["exitCode"].as_i64()), (Some("EXEC_FAILED"), Some(127)));
    assert!(log(&events).contains("/nope"), "{events:#?}");
    eventually("everything of the builds is gone", || clean(&agent));
}

#[test]
fn canceling_and_hanging_up_kill_everything() {
    let agent = Agent::start();
    let long = long_sleep(3);
    let request = Plan::new(&agent).run(&format!("(sleep {long} &); trap '' TERM; sleep {long}")).request("b1", minute());
    std::thread::scope(|scope| {
        let building = scope.spawn(|| build(&agent, &request, &[]));
        eventually("the step runs", || processes(&long) >= 2);
        assert_eq!(agent.client.request("POST", "/slipway/v1/builds", &body(&request)).status, 409);
        assert_eq!(agent.client.request("DELETE", "/slipway/v1/builds/b1", b"").status, 204);
        let events = building.join().unwrap();
        assert_eq!((last(&events)["code"].as_str(), processes(&long)), (Some("CANCELED"), 0));
    });
    assert_eq!(agent.client.request("DELETE", "/slipway/v1/builds/b1", b"").status, 404);
    let body = body(&request);
    let mut connection = UnixStream::connect(&agent.socket).unwrap();
    write!(connection, "POST /slipway/v1/builds HTTP/1.1\r\nHost: agent\r\nContent-Length: {}\r\n\r\n", body.len()).unwrap();
    connection.write_all(&body).unwrap();
    eventually("the step runs", || processes(&long) >= 2);
    drop(connection);
    eventually("a closed connection cancels the build", || processes(&long) == 0);
    eventually("everything of the builds is gone", || clean(&agent));
}

#[test]
fn a_killed_agent_leaves_no_step_and_keeps_its_cache() {
    let mut agent = Agent::start();
    let long = long_sleep(4);
    let second = format!("sleep {long}");
    let request = Plan::new(&agent).run("echo kept > /out; echo made").run(&second).request("b1", minute());
    let body_ = body(&request);
    let mut connection = UnixStream::connect(&agent.socket).unwrap();
    write!(connection, "POST /slipway/v1/builds HTTP/1.1\r\nHost: agent\r\nContent-Length: {}\r\n\r\n", body_.len()).unwrap();
    connection.write_all(&body_).unwrap();
    // The first step's layer is made, and told, beside the second step.
    let mut lines = BufReader::new(connection).lines();
    let first_is_done = |line: &str| line.contains(r#""id":"v1""#) && line.contains(r#""status":"done""#);
    assert!(lines.by_ref().any(|line| first_is_done(&line.unwrap())));
    eventually("the second step runs", || processes(&long) >= 1);
    agent.kill();
    // What is left of the answer ends, one way or the other.
    lines.for_each(drop);
    eventually("the step died with the agent", || processes(&long) == 0);
    agent.respawn();
    assert!(clean(&agent), "the next start cleans up");
    let events = build(&agent, &Plan::new(&agent).run("echo kept > /out; echo made").run("cat /out").request("b1", minute()), &[]);
    assert_eq!((last(&events)["type"].as_str(), log(&events).as_str()), (Some("result"), "kept\n"), "{events:#?}");
    assert!(events.iter().any(|event| event["id"] == "v1" && event["status"] == "cached"));
}

#[test]
fn what_is_not_a_build_is_told_as_one_error() {
    let agent = Agent::bare();
    for (what, bytes, code) in [
        ("no tar", b"hello".to_vec(), "BAD_CONTEXT"),
        ("nothing", Vec::new(), "BAD_PLAN"),
        ("no plan", body(&json!({ "id": "x" })), "BAD_PLAN"),
    ] {
        let answer = agent.client.request("POST", "/slipway/v1/builds", &bytes);
        let events: Vec<Value> = answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((answer.status, events.len(), last(&events)["code"].as_str()), (200, 1, Some(code)), "{what}: {events:?}");
    }
}

#[test]
fn a_step_reaches_neither_containers_nor_other_steps() {
    let agent = Agent::start();
    let answer = agent.client.post("/networks/create", &json!({ "Name": "mine" }));
    assert_eq!(answer.status, 201);
    let server = "mkdir -p /www; echo it > /www/index.html; httpd -f -p 80 -h /www";
    let reached = ["bridge", "mine"].map(|network| {
        let id = agent.run(server, json!({ "HostConfig": { "NetworkMode": network } }));
        let address = support::networks::address(&agent, &id, network);
        eventually("it serves", || support::networks::get(&format!("{address}:80")).is_some());
        address
    });
    // Another build's step that serves, and tells its address through the file that its builder watches.
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let script = "ip -o -4 addr show eth0; httpd -p 80; sleep 30; true";
            let plan = Plan::new(&agent).run(script);
            build(&agent, &plan.request("other", minute()), &[])
        });
        eventually("the other step runs", || processes("httpd -p 80") > 0 && names(&agent.root.path().join("data/runs")).len() == 1);
        let hosts = names(&agent.root.path().join("data/runs"));
        let hosts = std::fs::read_to_string(agent.root.path().join("data/runs").join(&hosts[0]).join("hosts")).unwrap();
        let neighbour = hosts.lines().find_map(|line| line.strip_suffix("\tbuild")).unwrap().to_owned();
        eventually("the other step serves the host", || std::net::TcpStream::connect((neighbour.as_str(), 80)).is_ok());
        let all = [&reached[..], &[neighbour]].concat().join(" ");
        let script =
            format!("for at in {all}; do nc -w 2 $at 80 < /dev/null 2> /dev/null && echo yes || echo no; done; ip route | grep -c default");
        let events = build(&agent, &Plan::new(&agent).run(&script).request("probe", minute()), &[]);
        assert_eq!(log(&events), "no\nno\nno\n1\n");
        assert_eq!(agent.client.request("DELETE", "/slipway/v1/builds/other", b"").status / 100, 2);
        other.join().unwrap();
    });
}

/// An address of this host, as long as it lives.
struct Address(&'static str);

impl Address {
    fn new(address: &'static str) -> Self {
        let this = Self(address);
        this.ip("add");
        this
    }

    fn ip(&self, deed: &str) -> bool {
        Command::new("ip").args(["address", deed, self.0, "dev", "lo"]).status().unwrap().success()
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        assert!(self.ip("del") || std::thread::panicking());
    }
}

#[test]
fn a_step_tells_what_it_wrote_to_the_disk() {
    let agent = Agent::start();
    let plan = Plan::new(&agent).run("(head -c 8000000 /dev/urandom > /one) & head -c 4000000 /dev/urandom > /two; wait");
    let events = build(&agent, &plan.request("b1", minute()), &[]);
    let ran = events.iter().find(|event| event["exitCode"] == 0).unwrap();
    let written = ran["diskWrittenBytes"].as_u64().unwrap();
    assert!((12_000_000..16_000_000).contains(&written) && ran["diskReadBytes"].is_u64(), "{ran}");
}

#[test]
fn a_step_does_not_reach_where_a_cloud_gives_out_credentials() {
    let agent = Agent::start();
    let _address = Address::new("169.254.86.77/32");
    let [port, _] = ["169.254.86.77:0", "169.254.86.77:53"].map(|at| {
        let server = TcpListener::bind(at).unwrap();
        let port = server.local_addr().unwrap().port();
        std::thread::spawn(move || server.incoming().for_each(drop));
        port
    });
    let script = format!("for at in {port} 53; do nc -w 2 169.254.86.77 $at < /dev/null 2> /dev/null && echo yes || echo no; done");
    let events = build(&agent, &Plan::new(&agent).run(&script).request("probe", minute()), &[]);
    assert_eq!(log(&events), "no\nyes\n");
    // A container is its team's own.
    assert_eq!(agent.text(&script, json!({})), "yes\nyes\n");
}

#[test]
fn a_killed_agents_network_of_steps_goes_with_the_next_one() {
    let mut agent = Agent::start();
    let instance = agent.instance();
    build(&agent, &Plan::new(&agent).run("true").request("b1", minute()), &[]);
    let bridge = format!("/sys/class/net/sb-{instance}");
    assert!(Path::new(&bridge).exists(), "steps have a bridge of their own");
    agent.kill();
    agent.respawn();
    agent.shut_down();
    eventually("nothing is left", || leftovers(&instance, agent.root.path()).is_empty());
}
