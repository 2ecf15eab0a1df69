use std::io::{self, Write};

use super::{BLOCK, Entry, EntryKind};

/// Writes ustar entries, with a PAX header where a field does not fit or an xattr is there. The same entries give the same
/// bytes: no user names, no access times.
pub(crate) struct TarWriter<W> {
    out: W,
}

const OCTAL_7: u64 = 0o7_777_777;
const OCTAL_11: u64 = 0o77_777_777_777;

impl<W: Write> TarWriter<W> {
    pub fn new(out: W) -> TarWriter<W> {
        TarWriter { out }
    }

    /// Writes the headers of an entry; `size` bytes by [`TarWriter::data`] and one [`TarWriter::end_data`] must follow a file.
    pub fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        let size = if entry.kind == EntryKind::File { entry.size } else { 0 };
        let mut records = Vec::new();
        if entry.path.len() > 100 || !entry.path.is_ascii() {
            push_record(&mut records, b"path", &entry.path);
        }
        if entry.link.len() > 100 || !entry.link.is_ascii() {
            push_record(&mut records, b"linkpath", &entry.link);
        }
        for (key, value, limit) in
            [("size", size, OCTAL_11), ("uid", u64::from(entry.uid), OCTAL_7), ("gid", u64::from(entry.gid), OCTAL_7)]
        {
            if value > limit {
                push_record(&mut records, key.as_bytes(), value.to_string().as_bytes());
            }
        }
        for (name, value) in &entry.xattrs {
            push_record(&mut records, &[b"SCHILY.xattr.", name.as_slice()].concat(), value);
        }
        if !records.is_empty() {
            let mut header = blank(b"PaxHeaders.0/entry", b'x', 0o644, records.len() as u64, 0);
            self.write_header(&mut header)?;
            self.data(&records)?;
            self.end_data(records.len() as u64)?;
        }
        let flag = match entry.kind {
            EntryKind::File => b'0',
            EntryKind::HardLink => b'1',
            EntryKind::Symlink => b'2',
            EntryKind::Char => b'3',
            EntryKind::Block => b'4',
            EntryKind::Directory => b'5',
            EntryKind::Fifo => b'6',
        };
        let mtime = u64::try_from(entry.mtime.0).unwrap_or(0).min(OCTAL_11);
        let mut header = blank(&entry.path, flag, u64::from(entry.mode), size.min(OCTAL_11), mtime);
        put_text(&mut header[157..257], &entry.link);
        put_octal(&mut header[108..116], u64::from(entry.uid).min(OCTAL_7));
        put_octal(&mut header[116..124], u64::from(entry.gid).min(OCTAL_7));
        put_octal(&mut header[329..337], u64::from(entry.device.0).min(OCTAL_7));
        put_octal(&mut header[337..345], u64::from(entry.device.1).min(OCTAL_7));
        self.write_header(&mut header)
    }

    pub fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// Pads after `size` bytes of data.
    pub fn end_data(&mut self, size: u64) -> io::Result<()> {
        let padding = (size.wrapping_neg() % BLOCK as u64) as usize;
        self.out.write_all(&[0; BLOCK][..padding])
    }

    /// Ends the archive and gives the stream back.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; BLOCK * 2])?;
        Ok(self.out)
    }

    fn write_header(&mut self, header: &mut [u8; BLOCK]) -> io::Result<()> {
        header[148..156].copy_from_slice(b"        ");
        let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.out.write_all(header)
    }
}

fn blank(path: &[u8], flag: u8, mode: u64, size: u64, mtime: u64) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    put_text(&mut header[0..100], path);
    put_octal(&mut header[100..108], mode);
    put_octal(&mut header[108..116], 0);
    put_octal(&mut header[116..124], 0);
    put_octal(&mut header[124..136], size);
    put_octal(&mut header[136..148], mtime);
    header[156] = flag;
    header[257..265].copy_from_slice(b"ustar\x0000");
    put_octal(&mut header[329..337], 0);
    put_octal(&mut header[337..345], 0);
    header
}

/// What does not fit is cut: the PAX header has it in full.
fn put_text(field: &mut [u8], text: &[u8]) {
    let n = text.len().min(field.len());
    field[..n].copy_from_slice(&text[..n]);
}

fn put_octal(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    let text = format!("{value:0digits$o}");
    field[..digits].copy_from_slice(text.as_bytes());
}

/// `<length> <key>=<value>\n`, where the length counts its own digits.
fn push_record(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} ").as_bytes());
    records.extend_from_slice(key);
    records.push(b'=');
    records.extend_from_slice(value);
    records.push(b'\n');
}
