//! Takes what a client sends: a stream of records, each a line and as many bytes as it says.
//!
//! ```text
//! slipway-objects-1\n
//! blob <sha256> <size>\n…                              a file's content
//! part <sha256> <offset> <length> <size>\n…            a piece of a large one; pieces come in order
//! tree <sha256> <size>\n…                              a directory (`object.rs`)
//! ```
//!
//! What arrived whole stays when the stream breaks off, so that an upload goes on where it ended.
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use slipway_store::Digest;

use super::object::parse;
use super::walk::MAX_OBJECT;
use super::write::BLOB_MODE;
use super::{ContextError, ContextStore, MAX_BYTES, Scope, lock};

const HEAD: &str = "slipway-objects-1";
/// Of one request, unpacked. Clients send several.
const MAX_REQUEST: u64 = 64 << 20;
const MAX_LINE: u64 = 256;
const BUFFER: usize = 256 << 10;
/// Up to this size a content is held in memory until it is proved.
const SMALL: u64 = 1 << 20;
const MAKE_ROOM_EVERY: Duration = Duration::from_secs(10);

/// How a stream is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl ContextStore {
    /// Reads a stream to its end; gives the bytes that were new.
    ///
    /// # Errors
    /// `Refused` for a stream that is broken, too long, or lies about a digest; `Conflict`; `Full`.
    pub fn receive(&self, scope: &str, stream: impl Read, encoding: Encoding) -> Result<u64, ContextError> {
        let scope = self.scope(scope);
        for dir in ["blobs", "trees", "incoming"] {
            fs::create_dir_all(scope.dir.join(dir))?;
        }
        let stream: Box<dyn Read + '_> = match encoding {
            Encoding::Identity => Box::new(stream),
            Encoding::Gzip => Box::new(flate2::read::MultiGzDecoder::new(stream)),
            Encoding::Zstd => Box::new(zstd::stream::read::Decoder::new(stream)?),
        };
        let mut input = BufReader::with_capacity(BUFFER, stream.take(MAX_REQUEST + 1));
        if line(&mut input)?.as_deref() != Some(HEAD) {
            return Err(refused("The stream does not begin with slipway-objects-1."));
        }
        let mut receiver = Receiver { store: self, scope, buffer: vec![0; BUFFER], new: 0 };
        while let Some(head) = line(&mut input)? {
            receiver.record(&head, &mut input)?;
            if input.get_ref().limit() == 0 {
                return Err(refused("The stream is longer than 64 MiB; send what is left in another one."));
            }
        }
        Ok(receiver.new)
    }
}

struct Receiver<'a> {
    store: &'a ContextStore,
    scope: Scope,
    buffer: Vec<u8>,
    new: u64,
}

impl Receiver<'_> {
    fn record(&mut self, head: &str, input: &mut impl BufRead) -> Result<(), ContextError> {
        let fields: Vec<&str> = head.split(' ').collect();
        match *fields.as_slice() {
            ["blob", hex, size] => self.object(hex, number(size)?, false, input),
            ["tree", hex, size] => self.object(hex, number(size)?, true, input),
            ["part", hex, offset, length, size] => self.part(hex, [number(offset)?, number(length)?, number(size)?], input),
            _ => Err(refused("The stream has a record of an unknown kind.")),
        }
    }

    fn object(&mut self, hex: &str, size: u64, tree: bool, input: &mut impl BufRead) -> Result<(), ContextError> {
        let digest = super::digest(hex)?;
        if size > if tree { MAX_OBJECT } else { MAX_BYTES } {
            return Err(refused("The stream has an object that is too large for a build context."));
        }
        let path = if tree { self.scope.tree(&digest) } else { self.scope.blob(&digest) };
        if path.exists() {
            return skip(input, size);
        }
        self.room(size)?;
        if tree || size <= SMALL {
            let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0).min(SMALL as usize) + 1);
            input.take(size).read_to_end(&mut bytes).map_err(stream_error)?;
            if bytes.len() as u64 != size {
                return Err(cut());
            }
            if Digest::of(&bytes) != digest {
                return Err(lied(&digest));
            }
            if tree {
                parse(&bytes).map_err(|what| refused(&format!("A directory in the stream is not valid: {what}.")))?;
            }
            let temp = self.temp();
            let mut file = temp.create()?;
            file.write_all(&bytes)?;
            return self.keep(temp, &path, size);
        }
        let temp = self.temp();
        let mut file = temp.create()?;
        let mut hash = Sha256::new();
        self.copy(input, size, |bytes| {
            hash.update(bytes);
            file.write_all(bytes)
        })?;
        if <[u8; 32]>::from(hash.finalize()) != *digest.bytes() {
            return Err(lied(&digest));
        }
        self.keep(temp, &path, size)
    }

    /// A piece goes to the end of what is there; the last one proves the whole.
    fn part(&mut self, hex: &str, [offset, length, size]: [u64; 3], input: &mut impl BufRead) -> Result<(), ContextError> {
        let digest = super::digest(hex)?;
        if size > MAX_BYTES || offset.checked_add(length).is_none_or(|end| end > size) || length == 0 {
            return Err(refused("The stream has a piece that does not fit into a file of a build context."));
        }
        let path = self.scope.blob(&digest);
        if path.exists() {
            return skip(input, length);
        }
        self.room(length)?;
        let part = self.scope.part(&digest);
        let _alone = Alone::new(self.store, &part)?;
        let mut file = File::options().append(true).create(true).mode(BLOB_MODE).open(&part)?;
        let there = readable(&file)?.len();
        if there != offset {
            return Err(ContextError::Conflict(format!("{hex} goes on at byte {there}, not {offset}; ask what is missing.")));
        }
        self.copy(input, length, |bytes| file.write_all(bytes))?;
        drop(file);
        if offset + length < size {
            self.new += length;
            self.store.add_used(&self.scope, length);
            return Ok(());
        }
        let mut whole = File::open(&part)?;
        let mut hash = Sha256::new();
        loop {
            let count = whole.read(&mut self.buffer)?;
            if count == 0 {
                break;
            }
            hash.update(&self.buffer[..count]);
        }
        if <[u8; 32]>::from(hash.finalize()) != *digest.bytes() {
            fs::remove_file(&part)?;
            return Err(lied(&digest));
        }
        self.keep(Temp { path: part, kept: false }, &path, length)
    }

    /// Gives a content its name. Readers see all of it or nothing.
    fn keep(&mut self, mut temp: Temp, path: &Path, size: u64) -> Result<(), ContextError> {
        let _still = self.store.still();
        match fs::rename(&temp.path, path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(path.parent().unwrap_or(path))?;
                fs::rename(&temp.path, path)?;
            }
            other => other?,
        }
        temp.kept = true;
        self.new += size;
        self.store.add_used(&self.scope, size);
        Ok(())
    }

    /// Makes room by collecting, or says that there is none.
    fn room(&self, size: u64) -> Result<(), ContextError> {
        let share = self.store.inner.limits.bytes / 2;
        if self.store.used(&self.scope)?.saturating_add(size) <= share {
            return Ok(());
        }
        // A collection stops everyone's uploads for a moment, so nobody may ask for them one after the other.
        let tried = lock(&self.store.inner.made_room).insert(self.scope.dir.clone(), Instant::now());
        if tried.is_none_or(|tried| tried.elapsed() > MAKE_ROOM_EVERY) {
            self.store.collect_scope(&self.scope, share / 2)?;
        }
        if self.store.used(&self.scope)?.saturating_add(size) <= share {
            return Ok(());
        }
        Err(ContextError::Full(format!(
            "What this organization uploads takes more than {} GiB on the build host; wait until its builds are over, or leave more out with \
             .dockerignore.",
            share >> 30
        )))
    }

    fn copy(&mut self, input: &mut impl BufRead, length: u64, mut to: impl FnMut(&[u8]) -> io::Result<()>) -> Result<(), ContextError> {
        let mut left = length;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
            let count = input.read(&mut self.buffer[..most]).map_err(stream_error)?;
            if count == 0 {
                return Err(cut());
            }
            to(&self.buffer[..count])?;
            left -= count as u64;
        }
        Ok(())
    }

    fn temp(&self) -> Temp {
        Temp { path: self.scope.incoming().join(self.store.next().to_string()), kept: false }
    }
}

/// Removed when it did not become anything.
struct Temp {
    path: PathBuf,
    kept: bool,
}

impl Temp {
    fn create(&self) -> io::Result<File> {
        let file = File::options().write(true).create_new(true).mode(BLOB_MODE).open(&self.path)?;
        readable(&file)?;
        Ok(file)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if !self.kept {
            let _gone = fs::remove_file(&self.path);
        }
    }
}

/// Sees to a new file's mode, whatever the umask says.
fn readable(file: &File) -> io::Result<fs::Metadata> {
    let meta = file.metadata()?;
    if meta.mode() & 0o7777 != BLOB_MODE {
        file.set_permissions(fs::Permissions::from_mode(BLOB_MODE))?;
    }
    Ok(meta)
}

/// One request at a time adds to a blob.
struct Alone<'a> {
    store: &'a ContextStore,
    part: PathBuf,
}

impl<'a> Alone<'a> {
    fn new(store: &'a ContextStore, part: &Path) -> Result<Self, ContextError> {
        if lock(&store.inner.parts).insert(part.to_path_buf()) {
            return Ok(Self { store, part: part.to_path_buf() });
        }
        Err(ContextError::Conflict("Another upload sends the same large file; wait for it.".into()))
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        lock(&self.store.inner.parts).remove(&self.part);
    }
}

/// The next line without its end; `None` at the end of the stream.
fn line(input: &mut impl BufRead) -> Result<Option<String>, ContextError> {
    let mut bytes = Vec::new();
    input.take(MAX_LINE).read_until(b'\n', &mut bytes).map_err(stream_error)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.pop() != Some(b'\n') {
        return Err(cut());
    }
    String::from_utf8(bytes).map(Some).map_err(|_| refused("The stream has a record that is not text."))
}

fn skip(input: &mut impl BufRead, size: u64) -> Result<(), ContextError> {
    let skipped = io::copy(&mut input.take(size), &mut io::sink()).map_err(stream_error)?;
    if skipped == size { Ok(()) } else { Err(cut()) }
}

fn number(text: &str) -> Result<u64, ContextError> {
    let digits = (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().ok_or_else(|| refused("The stream has a record without a size."))
}

fn refused(text: &str) -> ContextError {
    ContextError::Refused(text.into())
}

fn cut() -> ContextError {
    refused("The stream ends inside a record.")
}

fn lied(digest: &Digest) -> ContextError {
    refused(&format!("What came as {digest} is something else; the file changed while it was sent."))
}

/// Reading the stream fails by the client's doing: it broke off, stalled, or is not packed as it says.
fn stream_error(error: io::Error) -> ContextError {
    refused(&format!("The stream broke off: {error}."))
}
