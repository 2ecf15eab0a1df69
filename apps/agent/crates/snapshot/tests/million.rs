//! A layer of as many entries as one may have, and of one more: in a process of its own, whose memory is looked at.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::{self, Read};

use common::{Room, dir, file, hard_link};
use slipway_snapshot::Limits;
use slipway_store::{Hasher, media_type};

/// ext4 gives a file 65,000 names.
const NAMES_PER_FILE: u64 = 50_000;
const NAMES_PER_DIRECTORY: u64 = 10_000;

/// Writes an archive as it is read: directories, and in them files and more names for the same files.
struct Entries {
    left: u64,
    number: u64,
    block: Vec<u8>,
    at: usize,
    ended: bool,
    /// Headers without names: of a directory, a file, a hard link.
    headers: [Vec<u8>; 3],
}

impl Entries {
    fn new(count: u64) -> Self {
        let headers = [dir(""), file("", b""), hard_link("", "")].map(|item| common::archive(&[item])[..512].to_vec());
        Self { left: count, number: 0, block: Vec::new(), at: 0, ended: false, headers }
    }

    fn next_block(&mut self) -> Vec<u8> {
        let number = self.number;
        self.number += 1;
        self.left -= 1;
        let name = |number: u64| format!("{}/{number}", number / NAMES_PER_DIRECTORY);
        // The first of a directory is the directory, the second of every so many the file that the next ones name again.
        let first = number / NAMES_PER_FILE * NAMES_PER_FILE + 1;
        match number {
            _ if number.is_multiple_of(NAMES_PER_DIRECTORY) => named(&self.headers[0], &format!("{}/", number / NAMES_PER_DIRECTORY), ""),
            _ if number == first => named(&self.headers[1], &name(number), ""),
            _ => named(&self.headers[2], &name(number), &name(first)),
        }
    }
}

/// The header with names, and its checksum grown by them: adding up all of it millions of times takes longer than the test.
fn named(header: &[u8], name: &str, link: &str) -> Vec<u8> {
    let mut header = header.to_vec();
    let old = u32::from_str_radix(std::str::from_utf8(&header[148..155]).unwrap(), 8).unwrap();
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[157..157 + link.len()].copy_from_slice(link.as_bytes());
    let sum = old + name.bytes().chain(link.bytes()).map(u32::from).sum::<u32>();
    header[148..155].copy_from_slice(format!("{sum:07o}").as_bytes());
    header
}

impl Read for Entries {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.block.len() {
            self.at = 0;
            self.block = match (self.left, self.ended) {
                (0, true) => Vec::new(),
                (0, false) => vec![0; 1024],
                _ => self.next_block(),
            };
            self.ended = self.ended || self.block.len() == 1024;
        }
        let n = buffer.len().min(self.block.len() - self.at);
        buffer[..n].copy_from_slice(&self.block[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_million_entries_are_a_layer_and_one_more_is_refused_in_little_memory() {
    let room = Room::new();
    let most = Limits::default().entries;
    let mut hasher = Hasher::new();
    let mut piece = vec![0; 1 << 16];
    let mut all = Entries::new(most);
    loop {
        match all.read(&mut piece).unwrap() {
            0 => break,
            n => hasher.update(&piece[..n]),
        }
    }
    let diff_id = hasher.finish();
    let before = peak_kib();
    let more = room.layers.unpack(&room.lease, Entries::new(most + 1), media_type::OCI_LAYER, &slipway_store::Digest::of(b"another"));
    let refused = more.unwrap_err();
    assert_eq!(refused.code(), "TOO_LARGE");
    assert!(refused.to_string().contains("1000000 entries"), "{refused}");
    room.assert_clean();
    let layer = room.layers.unpack(&room.lease, Entries::new(most), media_type::OCI_LAYER, &diff_id).unwrap();
    assert!(layer.dir.join(format!("{}/{}", (most - 1) / NAMES_PER_DIRECTORY, most - 1)).is_file());
    let grown = peak_kib() - before;
    assert!(grown < 64 << 10, "{grown} KiB for a million entries");
}
