use std::io::BufRead;

use super::BLOCK;
use super::header::{Header, number};
use super::pax::decimal;
use super::reader::TarReader;
use crate::{Error, Result};

pub(super) type Map = Vec<(u64, u64)>;

const MAX_PIECES: usize = 100_000;

fn bad() -> Error {
    Error::InvalidArchive("a sparse file's map does not parse".into())
}

/// The old GNU format: four pieces in the header, more in blocks that follow it. Gives the map and the apparent size.
pub(super) fn read_old_gnu<R: BufRead>(header: &Header, tar: &mut TarReader<R>) -> Result<(Map, u64)> {
    let mut map = Map::new();
    let real_size = number(&header.0[483..495]).ok_or_else(bad)?;
    take_pieces(&header.0[386..482], &mut map)?;
    let mut more = header.0[482] != 0;
    while more {
        let block = tar.read_block()?.ok_or_else(bad)?;
        take_pieces(&block[..504], &mut map)?;
        more = block[504] != 0;
    }
    Ok((map, real_size))
}

fn take_pieces(fields: &[u8], map: &mut Map) -> Result<()> {
    for piece in fields.chunks_exact(24) {
        if piece[0] == 0 {
            break;
        }
        let (offset, length) = (number(&piece[..12]).ok_or_else(bad)?, number(&piece[12..]).ok_or_else(bad)?);
        map.push((offset, length));
        if map.len() > MAX_PIECES {
            return Err(bad());
        }
    }
    Ok(())
}

/// PAX format 1.0: the map stands as decimal lines before the data, padded to blocks.
pub(super) fn read_pax_1_0<R: BufRead>(tar: &mut TarReader<R>) -> Result<Map> {
    let mut numbers: Vec<u64> = Vec::new();
    let mut line = Vec::new();
    let mut wanted = None;
    loop {
        let mut block = [0; BLOCK];
        tar.read_data_exact(&mut block)?;
        for byte in block {
            if wanted.is_some_and(|w| numbers.len() == w) {
                break;
            }
            if byte != b'\n' {
                line.push(byte);
                if line.len() > 20 {
                    return Err(bad());
                }
                continue;
            }
            let value = decimal(&line).ok_or_else(bad)?;
            line.clear();
            match wanted {
                None if value > MAX_PIECES as u64 => return Err(bad()),
                None => wanted = Some(value as usize * 2),
                Some(_) => numbers.push(value),
            }
        }
        if wanted.is_some_and(|w| numbers.len() == w) {
            return Ok(pairs(&numbers));
        }
    }
}

pub(super) fn pairs(numbers: &[u64]) -> Map {
    numbers.chunks_exact(2).map(|p| (p[0], p[1])).collect()
}

/// Pieces must ascend, not overlap, lie within the file, and add up to the data that is there.
pub(super) fn check(map: &Map, real_size: u64, data: u64) -> Result<()> {
    let (mut end, mut sum) = (0u64, 0u64);
    for (offset, length) in map {
        if *offset < end {
            return Err(bad());
        }
        end = offset.checked_add(*length).ok_or_else(bad)?;
        sum += length;
    }
    if end > real_size || sum != data { Err(bad()) } else { Ok(()) }
}
