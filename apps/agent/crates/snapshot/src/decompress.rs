use std::io::{self, BufReader, Read};

use crate::{Error, Result};

const IN: usize = 256 << 10;
/// Bytes: four times what the tool's highest level takes.
const XZ_MEMORY: u64 = 256 << 20;

/// Bytes that [`Packing::of_magic`] looks at.
pub(crate) const MAGIC: usize = 512;

/// How a layer is compressed, by its media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Zstd,
    Xz,
    Bzip2,
}

impl Packing {
    pub fn of_media_type(media_type: &str) -> Result<Packing> {
        let layer = media_type.contains("layer") || media_type.contains("rootfs.diff");
        match media_type.rsplit(['+', '.']).next() {
            Some("gzip") if layer => Ok(Packing::Gzip),
            Some("zstd") if layer => Ok(Packing::Zstd),
            Some("tar") if layer => Ok(Packing::Plain),
            _ => Err(Error::UnsupportedMediaType(media_type.chars().take(200).collect())),
        }
    }

    /// By the first bytes, for archives that come without a media type.
    pub fn of_magic(first: &[u8]) -> Packing {
        // An archive's first bytes are the name of its first file, which may look like anything.
        if first.get(257..262).is_some_and(|magic| magic == b"ustar") {
            return Packing::Plain;
        }
        match first {
            [0x1f, 0x8b, ..] => Packing::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Packing::Xz,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Packing::Bzip2,
            _ => Packing::Plain,
        }
    }

    pub fn reader<'a>(self, source: impl Read + Send + 'a) -> Result<Box<dyn Read + Send + 'a>> {
        let source = BufReader::with_capacity(IN, source);
        Ok(match self {
            Packing::Plain => Box::new(source),
            // Several members: pigz, and this crate's own writer, make such files.
            Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(source)),
            Packing::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(source).map_err(Error::Source)?;
                // 128 MiB of window: what the format's tools accept by default; a hostile frame asks for more.
                decoder.window_log_max(27).map_err(Error::Source)?;
                Box::new(decoder)
            }
            Packing::Xz => {
                let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, liblzma::stream::CONCATENATED);
                let stream = stream.map_err(|error| Error::Source(error.into()))?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(source, stream))
            }
            Packing::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(source)),
        })
    }
}

/// Reads until the buffer is full or the source ends.
pub(crate) fn read_full(source: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}
