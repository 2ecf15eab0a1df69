//! apk: `lib/apk/db/installed`, blocks of one-letter fields.
use crate::package::{Kind, Package};

/// Alpine moved `/lib` below `/usr`.
pub(crate) const PLACES: [&str; 2] = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];

pub(crate) fn parse(text: &str, path: &str) -> Vec<Package> {
    let mut found = Vec::new();
    for block in text.split("\n\n") {
        // A package's files follow as fields of the same letters in other cases (`F:`, `R:`, `a:`, `Z:`).
        let value = |letter: &str| block.lines().find_map(|line| line.strip_prefix(letter)?.strip_prefix(':'));
        let (Some(name), Some(version)) = (value("P"), value("V")) else { continue };
        if let Some(package) = Package::new(Kind::Apk, name, version, path) {
            found.push(package.with_architecture(value("A")).with_licence(value("L")).with_supplier(value("m")));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_installed_database() {
        let text =
            "C:Q1x\nP:musl\nV:1.2.5-r9\nA:x86_64\nL:MIT\nm:A <a@b>\nF:lib\nR:libc.musl\na:0:0:755\n\nP:only-a-name\n\nP:zlib\nV:1.3\n";
        let found = parse(text, PLACES[0]);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].licence.as_deref(), found[0].architecture.as_deref()), (Some("MIT"), Some("x86_64")));
    }
}
