//! Compressed and encoded bytes for tests.
use std::io::Write;
use std::process::{Command, Stdio};

pub fn unbase64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.decode(text.trim()).unwrap()
}

/// Bytes through a filter of the host.
fn packed(program: &str, bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program).arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{program}");
    output.stdout
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    packed("gzip", bytes)
}

pub fn xz(bytes: &[u8]) -> Vec<u8> {
    packed("xz", bytes)
}

pub fn bzip2(bytes: &[u8]) -> Vec<u8> {
    packed("bzip2", bytes)
}
