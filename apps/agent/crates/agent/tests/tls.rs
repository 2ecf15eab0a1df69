//! The API over TCP: for clients with the right certificate, and nobody else. Needs `openssl` and `curl`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use support::{Agent, eventually};

/// An authority `ca`, and what it vouches for: `server` and `client`. And a stranger who vouches for `stranger`.
const CERTIFICATES: &str = r#"
set -e
new="openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
printf 'subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n' > leaf
for ca in ca other; do $new -x509 -days 2 -subj /CN=$ca -keyout $ca.key -out $ca.pem; done
leaf() {
  $new -subj /CN=$1 -keyout $1.key -out $1.csr
  openssl x509 -req -days 2 -in $1.csr -CA $2.pem -CAkey $2.key -CAcreateserial -extfile leaf -out $1.pem
}
leaf server ca; leaf client ca; leaf stranger other
"#;

/// Starts the agent again with these flags too. True when it has come up.
fn respawn_with(agent: &mut Agent, flags: &str) {
    let wrapper = agent.root.path().join("wrapper");
    std::fs::write(&wrapper, format!("#!/bin/sh\nexec {} \"$@\" {flags}\n", env!("CARGO_BIN_EXE_slipway-agent"))).unwrap();
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).unwrap();
    agent.kill();
    agent.program = wrapper;
    agent.respawn();
}

fn curl(certificates: &Path, address: &str, flags: &[&str]) -> (bool, String) {
    let output =
        Command::new("curl").current_dir(certificates).args(["-sS", "--max-time", "30"]).args(flags).arg(address).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

#[test]
fn only_clients_with_a_certificate_are_served() {
    let mut agent = Agent::bare();
    let root = agent.root.path().to_owned();
    let made = Command::new("sh").args(["-c", CERTIFICATES]).current_dir(&root).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let file = |name: &str| root.join(name).display().to_string();
    let flags = format!("--tcp 127.0.0.1:0 --tls-cert {} --tls-key {} --tls-ca {}", file("server.pem"), file("server.key"), file("ca.pem"));
    respawn_with(&mut agent, &flags);
    let log = agent.log();
    let at = log.split("127.0.0.1:").nth(1).unwrap();
    let port: u16 = at.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap();
    let url = |path: &str| format!("https://127.0.0.1:{port}{path}");

    let own = ["--cacert", "ca.pem", "--cert", "client.pem", "--key", "client.key"];
    assert_eq!(curl(&root, &url("/v1.44/_ping"), &own), (true, "OK".to_owned()));
    assert!(curl(&root, &url("/version"), &own).1.contains("ApiVersion"));
    for stranger in [
        &["--cacert", "ca.pem"][..],
        &["--cacert", "ca.pem", "--cert", "stranger.pem", "--key", "stranger.key"],
        &["--cacert", "other.pem", "--cert", "client.pem", "--key", "client.key"],
    ] {
        let (served, text) = curl(&root, &url("/_ping"), stranger);
        assert!(!served && !text.contains("OK"), "{stranger:?}: {text}");
    }
    // Plain HTTP gets no answer that means anything, and holds up nobody.
    let mut plain = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    plain.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    plain.write_all(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer); // a reset is an answer, too
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/"), "{answer:?}");
    let silent = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert!(curl(&root, &url("/_ping"), &own).0, "one that says nothing keeps no other waiting");
    eventually("it is sent away", || {
        let mut byte = [0];
        let mut silent = &silent;
        silent.set_read_timeout(Some(std::time::Duration::from_secs(1))).unwrap();
        silent.read(&mut byte).is_ok_and(|count| count == 0)
    });
}

#[test]
fn without_certificates_there_is_no_tcp() {
    for flags in [&["--tcp", "127.0.0.1:0"][..], &["--tls-ca", "/ca.pem"], &["--tcp", "127.0.0.1:0", "--tls-cert", "/c", "--tls-key", "/k"]]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slipway-agent"));
        let output =
            command.args(["daemon", "--data-root", "/nonexistent/data", "--socket", "/nonexistent/socket"]).args(flags).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && text.contains("go together"), "{flags:?}: {text}");
    }
}
