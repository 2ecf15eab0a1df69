//! dpkg: `var/lib/dpkg/status`, and `status.d/<package>` of images that were put together without dpkg.
use crate::fields::{blocks, first};
use crate::package::{Kind, Package};

pub(crate) const STATUS: &str = "var/lib/dpkg/status";
pub(crate) const STATUS_D: &str = "var/lib/dpkg/status.d";

/// Installed packages: removed ones whose configuration is still there are in the file too, and are left out.
pub(crate) fn parse(text: &str, path: &str) -> Vec<Package> {
    blocks(text)
        .filter(|block| match first(block, "status") {
            Some(status) => status.split(' ').next_back() == Some("installed"),
            None => path != STATUS,
        })
        .filter_map(|block| {
            let package = Package::new(Kind::Deb, first(&block, "package")?, first(&block, "version")?, path)?;
            Some(package.with_architecture(first(&block, "architecture")).with_supplier(first(&block, "maintainer")))
        })
        .collect()
}

/// Where Debian's packages tell their licence.
pub(crate) fn copyright_of(package: &str) -> Option<String> {
    let fine = package.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    (fine && !package.starts_with('.')).then(|| format!("usr/share/doc/{package}/copyright"))
}

/// The licences that a machine-readable copyright file names, each once, in its order. Older files are prose: `None`.
pub(crate) fn licence_of(copyright: &str) -> Option<String> {
    let mut blocks = blocks(copyright);
    first(&blocks.next()?, "format")?;
    let mut names: Vec<String> = Vec::new();
    for block in blocks {
        // Paragraphs without `Files` give a licence's text, which others name.
        if !block.contains_key("files") {
            continue;
        }
        if let Some(name) = first(&block, "license").map(crate::licence::of_debian)
            && !names.contains(&name)
        {
            names.push(name);
        }
        if names.len() == 20 {
            break;
        }
    }
    let wrapped = |name: &String| if name.contains(' ') && names.len() > 1 { format!("({name})") } else { name.clone() };
    (!names.is_empty()).then(|| names.iter().map(wrapped).collect::<Vec<_>>().join(" AND "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_is_installed() {
        let text = "Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:2-3\nDescription: x\n more\n\n\
            Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\nnonsense\n\nPackage: half\nStatus: install ok half-installed\nVersion: 1\n";
        let found = parse(text, STATUS);
        assert_eq!(found.iter().map(|p| (p.name.as_str(), p.version.as_str())).collect::<Vec<_>>(), [("a", "1:2-3")]);
        assert_eq!(parse("Package: b\nVersion: 2\n", "var/lib/dpkg/status.d/b").len(), 1);
    }

    #[test]
    fn reads_licences_where_they_are_written_for_machines() {
        let text = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: GPL-2+\n text\n\n\
            Files: b\nLicense: Expat\n\nFiles: c\nLicense: GPL-2+\n\nLicense: BSD\n the text\n";
        assert_eq!(licence_of(text).as_deref(), Some("GPL-2.0-or-later AND MIT"));
        assert_eq!(licence_of("This package was debianized by me.\n\nLicense: GPL\n"), None);
        assert_eq!(copyright_of("../../etc/shadow"), None);
    }
}
