//! Keeps a stream for a second reading: in memory while it is small, in a file when it grows. It begins to keep when it is
//! told to: what comes before, like the build's secrets, is nowhere but in the reader's hands.
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Cursor, Read, Write};
use std::path::PathBuf;
use std::rc::Rc;

/// Most contexts are smaller than this, and never touch the disk when nothing changed.
const MAX_MEMORY: usize = 8 << 20;

#[derive(Debug)]
pub struct Spool {
    memory: Vec<u8>,
    /// Bytes to pass by before anything is kept; `None`: it has not begun.
    skip: Option<usize>,
    path: Option<PathBuf>,
    file: Option<File>,
}

impl Spool {
    pub fn new() -> Self {
        Self { memory: Vec::new(), skip: None, path: None, file: None }
    }

    /// Keeps everything from `skip` bytes on, at `path` when memory is not enough.
    pub fn begin(&mut self, skip: usize, path: PathBuf) {
        self.skip = Some(skip);
        self.path = Some(path);
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(skip) = &mut self.skip else { return Ok(()) };
        let passed = (*skip).min(bytes.len());
        *skip -= passed;
        let bytes = &bytes[passed..];
        if let Some(path) = &self.path
            && self.file.is_none()
            && self.memory.len() + bytes.len() > MAX_MEMORY
        {
            let mut file = File::options().read(true).write(true).create_new(true).open(path)?;
            file.write_all(&std::mem::take(&mut self.memory))?;
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes),
            None => {
                self.memory.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// A reader from the start.
    ///
    /// # Errors
    /// When the file cannot be opened again.
    pub fn reader(&self) -> io::Result<Box<dyn Read + '_>> {
        match (&self.file, &self.path) {
            (Some(_), Some(path)) => Ok(Box::new(io::BufReader::with_capacity(256 << 10, File::open(path)?))),
            _ => Ok(Box::new(Cursor::new(self.memory.as_slice()))),
        }
    }
}

/// Passes a stream through and keeps what passes.
pub struct Tee<R> {
    reader: R,
    spool: Rc<RefCell<Spool>>,
}

impl<R> Tee<R> {
    pub fn new(reader: R, spool: Rc<RefCell<Spool>>) -> Self {
        Self { reader, spool }
    }
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.spool.borrow_mut().append(&buffer[..count])?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spills_and_reads_again() {
        let dir = tempfile::tempdir().unwrap();
        for size in [1000, MAX_MEMORY + 12_345] {
            let spool = Rc::new(RefCell::new(Spool::new()));
            let path = dir.path().join(format!("{size}"));
            let bytes: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            let mut tee = Tee::new(&bytes[..], spool.clone());
            let mut first = [0; 100];
            tee.read_exact(&mut first).unwrap();
            spool.borrow_mut().begin(412, path.clone());
            io::copy(&mut tee, &mut io::sink()).unwrap();
            let mut again = Vec::new();
            spool.borrow().reader().unwrap().read_to_end(&mut again).unwrap();
            assert_eq!(again, bytes[512..]);
            assert_eq!(path.exists(), size > MAX_MEMORY);
        }
    }
}
