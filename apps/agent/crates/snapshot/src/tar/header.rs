use super::{BLOCK, EntryKind};

/// A ustar, GNU or v7 header block whose checksum was right.
pub(super) struct Header(pub [u8; BLOCK]);

impl Header {
    /// `None` when the checksum is wrong.
    pub fn checked(block: [u8; BLOCK]) -> Option<Header> {
        let stored = octal(&block[148..156])?;
        let (mut unsigned, mut signed) = (0u64, 0i64);
        for (i, byte) in block.iter().enumerate() {
            let byte = if (148..156).contains(&i) { b' ' } else { *byte };
            unsigned += u64::from(byte);
            signed += i64::from(byte as i8);
        }
        // Some old writers summed signed characters.
        (stored == unsigned || i64::try_from(stored) == Ok(signed)).then_some(Header(block))
    }

    pub fn type_flag(&self) -> u8 {
        self.0[156]
    }

    /// `None` for kinds that carry no file: extensions, volume labels, unknown ones.
    pub fn kind(&self) -> Option<EntryKind> {
        Some(match self.type_flag() {
            b'0' | 0 | b'7' | b'S' => EntryKind::File,
            b'1' => EntryKind::HardLink,
            b'2' => EntryKind::Symlink,
            b'3' => EntryKind::Char,
            b'4' => EntryKind::Block,
            b'5' => EntryKind::Directory,
            b'6' => EntryKind::Fifo,
            _ => return None,
        })
    }

    pub fn path(&self) -> Vec<u8> {
        let name = text(&self.0[0..100]);
        let prefix = if &self.0[257..263] == b"ustar\0" { text(&self.0[345..500]) } else { &[] };
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    pub fn link(&self) -> Vec<u8> {
        text(&self.0[157..257]).to_vec()
    }

    pub fn mode(&self) -> Option<u64> {
        number(&self.0[100..108])
    }
    pub fn uid(&self) -> Option<u64> {
        number(&self.0[108..116])
    }
    pub fn gid(&self) -> Option<u64> {
        number(&self.0[116..124])
    }
    pub fn size(&self) -> Option<u64> {
        number(&self.0[124..136])
    }
    /// Before 1970 reads as 1970.
    pub fn mtime(&self) -> Option<u64> {
        if self.0[136] & 0xc0 == 0xc0 { Some(0) } else { number(&self.0[136..148]) }
    }
    pub fn device(&self) -> Option<(u64, u64)> {
        let has_device = &self.0[257..262] == b"ustar";
        if has_device { Some((number(&self.0[329..337])?, number(&self.0[337..345])?)) } else { Some((0, 0)) }
    }
}

/// Octal text, or base 256 when the top bit is set. `None` when it is neither, negative, or over 64 bits.
pub(super) fn number(field: &[u8]) -> Option<u64> {
    let Some(first) = field.first().filter(|b| **b & 0x80 != 0) else { return octal(field) };
    if first & 0x40 != 0 {
        return None;
    }
    let start = u64::from(first & 0x3f);
    field[1..].iter().try_fold(start, |n, byte| n.checked_mul(256).map(|n| n | u64::from(*byte)))
}

fn octal(field: &[u8]) -> Option<u64> {
    let trimmed = field.iter().copied().skip_while(|b| *b == b' ' || *b == 0);
    let digits: Vec<u8> = trimmed.take_while(|b| *b != b' ' && *b != 0).collect();
    digits.iter().try_fold(0u64, |n, byte| match byte {
        b'0'..=b'7' => n.checked_mul(8).map(|n| n | u64::from(byte - b'0')),
        _ => None,
    })
}

/// Up to the first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|b| *b == 0).next().unwrap_or_default()
}
