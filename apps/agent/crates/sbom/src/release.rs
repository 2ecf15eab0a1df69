//! `os-release`: which distribution an image is of, for the package URLs.

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Release {
    pub id: String,
    pub version_id: String,
}

pub(crate) const PLACES: [&str; 2] = ["etc/os-release", "usr/lib/os-release"];

/// `None` when it names none.
pub(crate) fn parse(text: &str) -> Option<Release> {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        let plain: String = line.trim().trim_matches(['"', '\'']).chars().filter(|c| c.is_ascii_graphic()).take(64).collect();
        (!plain.is_empty()).then_some(plain)
    };
    Some(Release { id: value("ID")?, version_id: value("VERSION_ID").unwrap_or_default() })
}
