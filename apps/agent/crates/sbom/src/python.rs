//! Python: `METADATA` of a `.dist-info`, `PKG-INFO` of an `.egg-info` (or that file itself).
use crate::fields::{blocks, first};
use crate::package::{Kind, Package};

pub(crate) fn is_metadata(path: &str) -> bool {
    match path.rsplit_once('/') {
        Some((folder, "METADATA")) => folder.ends_with(".dist-info"),
        Some((folder, "PKG-INFO")) => folder.ends_with(".egg-info"),
        Some((_, name)) => name.ends_with(".egg-info"),
        None => false,
    }
}

pub(crate) fn parse(text: &str, path: &str) -> Option<Package> {
    // What follows the first block is the description.
    let head = blocks(text).next()?;
    let package = Package::new(Kind::Python, first(&head, "name")?, first(&head, "version")?, path)?;
    // `License` is often a whole text; then its first line says little more than a name.
    let licence = first(&head, "license-expression").or_else(|| first(&head, "license").filter(|line| *line != "UNKNOWN"));
    Some(package.with_licence(licence).with_supplier(first(&head, "author")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_metadata() {
        assert!(
            is_metadata("usr/lib/python3/dist-packages/a-1.dist-info/METADATA")
                && is_metadata("x/a.egg-info")
                && is_metadata("x/a.egg-info/PKG-INFO")
        );
        assert!(!is_metadata("x/METADATA") && !is_metadata("METADATA"));
        let package =
            parse("Metadata-Version: 2.4\nName: Flask\nVersion: 3.1.0\nLicense-Expression: BSD-3-Clause\n\nName: not this\n", "x").unwrap();
        assert_eq!((package.name.as_str(), package.licence.as_deref()), ("Flask", Some("BSD-3-Clause")));
        assert!(parse("Name: a\n", "x").is_none() && parse("", "x").is_none());
    }
}
