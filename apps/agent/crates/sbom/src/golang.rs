//! Go: the list of modules that the linker writes into every binary (`go version -m`; Go's `debug/buildinfo`).
use crate::elf::{Elf, Source};
use crate::package::{Kind, Package};

const MAGIC: &[u8] = b"\xff Go buildinf:";
const SECTION: &str = ".go.buildinfo";
/// Of the module list; the largest programs have some 100 KiB.
const MAX_LIST: u64 = 4 << 20;
/// The list stands between two marks, for those who look for it without knowing where.
const MARK: usize = 16;

/// The modules of a binary and the standard library's version; `None` for what no Go linker made.
pub(crate) fn parse(source: &dyn Source, path: &str) -> Option<Vec<Package>> {
    let elf = Elf::open(source)?;
    let (offset, length) = elf.section(SECTION)?;
    let head = elf.bytes(offset, 32.min(length))?;
    if head.len() < 32 || !head.starts_with(MAGIC) {
        return None;
    }
    let (version, list) = if head[15] & 2 != 0 {
        // Since Go 1.18: both strings stand there, each behind its length.
        let text = elf.bytes(offset + 32, (length - 32).min(MAX_LIST))?;
        let (version, rest) = counted(&text)?;
        (version.to_vec(), counted(rest).map(|(list, _)| list.to_vec()).unwrap_or_default())
    } else {
        let width = usize::from(head[14]);
        if width != if elf.wide { 8 } else { 4 } {
            return None;
        }
        let pointed = |at: usize| {
            let string = elf.at_address(elf.number(&head, at, width)?, 2 * width as u64)?;
            let (start, length) = (elf.number(&string, 0, width)?, elf.number(&string, width, width)?);
            elf.at_address(start, (length <= MAX_LIST).then_some(length)?)
        };
        (pointed(16)?, pointed(16 + width).unwrap_or_default())
    };
    let version = String::from_utf8(version).ok()?;
    let mut found = Vec::new();
    // `go1.22.3 X:experiment`, or `devel …` for one that was never released.
    if let Some(version) = version.split(' ').next().and_then(|version| version.strip_prefix("go")) {
        found.extend(Package::new(Kind::Go, "stdlib", version, path).map(|package| package.with_licence(Some("BSD-3-Clause"))));
    }
    if list.len() > 2 * MARK {
        found.extend(modules(&String::from_utf8_lossy(&list[MARK..list.len() - MARK]), path));
    }
    Some(found)
}

/// `mod`, `dep` and `=>` lines: the program itself, what it is made of, and what stands in for the line before.
fn modules(list: &str, path: &str) -> Vec<Package> {
    let mut found: Vec<Package> = Vec::new();
    for line in list.lines() {
        let mut parts = line.split('\t');
        let (Some(kind), Some(name)) = (parts.next(), parts.next()) else { continue };
        let version = parts.next().unwrap_or_default();
        match kind {
            "mod" | "dep" => found.extend(Package::new(Kind::Go, name, version, path)),
            "=>" => {
                found.pop();
                found.extend(Package::new(Kind::Go, name, version, path));
            }
            _ => {}
        }
    }
    found
}

/// A string behind its length as a varint, and what follows.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length: u64 = 0;
    for (index, byte) in bytes.iter().enumerate().take(9) {
        length |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return bytes[index + 1..].split_at_checked(usize::try_from(length).ok()?);
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn replaced_modules_take_the_place_of_the_replaced() {
        let list = "path\texample.com/app\nmod\texample.com/app\t(devel)\t\ndep\tgolang.org/x/text\tv0.3.0\th1:x=\ndep\told\tv1\n=>\tnew\tv2\th1:y=\nbuild\t-compiler=gc\n";
        let found = modules(list, "x");
        let names: Vec<_> = found.iter().map(|p| format!("{} {}", p.name, p.version)).collect();
        assert_eq!(names, ["example.com/app (devel)", "golang.org/x/text v0.3.0", "new v2"]);
    }

    #[test]
    fn lengths_that_lie_give_nothing() {
        assert_eq!(counted(&[2, b'a', b'b', b'c']).unwrap(), (&b"ab"[..], &b"c"[..]));
        assert!(counted(&[0xff; 20]).is_none() && counted(&[200, 1, 0]).is_none() && counted(&[]).is_none());
    }
}
