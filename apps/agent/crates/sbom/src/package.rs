use std::fmt::Write as _;

/// What a package was installed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Deb,
    Apk,
    Rpm,
    Npm,
    Python,
    Go,
}

impl Kind {
    /// As package URLs name it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Deb => "deb",
            Kind::Apk => "apk",
            Kind::Rpm => "rpm",
            Kind::Npm => "npm",
            Kind::Python => "pypi",
            Kind::Go => "golang",
        }
    }
}

/// One package, as the image itself tells of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    pub kind: Kind,
    pub name: String,
    /// With the epoch and the release, where the kind has them.
    pub version: String,
    pub architecture: Option<String>,
    /// As it stands there: perhaps no SPDX expression.
    pub licence: Option<String>,
    pub supplier: Option<String>,
    /// The file that tells of it, relative to the image's root.
    pub path: String,
}

/// The longest name or version taken; longer ones are no packages.
const MAX_TEXT: usize = 512;

impl Package {
    /// `None` for what cannot be a package: no name, or text that nobody could have meant.
    pub(crate) fn new(kind: Kind, name: &str, version: &str, path: &str) -> Option<Package> {
        let fine = |text: &str| text.len() <= MAX_TEXT && !text.chars().any(char::is_control);
        (!name.is_empty() && fine(name) && fine(version)).then(|| Package {
            kind,
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: None,
            licence: None,
            supplier: None,
            path: path.to_owned(),
        })
    }

    /// Drops what is empty, cuts what is endless.
    pub(crate) fn with_licence(mut self, licence: Option<&str>) -> Package {
        self.licence = licence.and_then(short);
        self
    }

    pub(crate) fn with_supplier(mut self, supplier: Option<&str>) -> Package {
        self.supplier = supplier.and_then(short);
        self
    }

    pub(crate) fn with_architecture(mut self, architecture: Option<&str>) -> Package {
        self.architecture = architecture.and_then(short);
        self
    }

    /// The package URL. `distribution`: `ID` and `VERSION_ID` of the image's os-release.
    pub fn purl(&self, distribution: Option<(&str, &str)>) -> String {
        let (kind, path) = match self.kind {
            Kind::Deb => ("deb", format!("{}/{}", encode(distribution.map_or("debian", |(id, _)| id)), encode(&self.name))),
            Kind::Apk => ("apk", format!("{}/{}", encode(distribution.map_or("alpine", |(id, _)| id)), encode(&self.name))),
            Kind::Rpm => ("rpm", format!("{}/{}", encode(distribution.map_or("redhat", |(id, _)| id)), encode(&self.name))),
            Kind::Npm => ("npm", encode_path(&self.name)),
            Kind::Python => ("pypi", encode(&python_name(&self.name))),
            Kind::Go => ("golang", encode_path(&self.name.to_lowercase())),
        };
        let (epoch, version) = match (self.kind, self.version.split_once(':')) {
            (Kind::Rpm, Some((epoch, version))) => (Some(epoch), version),
            _ => (None, self.version.as_str()),
        };
        let mut purl = format!("pkg:{kind}/{path}");
        if !version.is_empty() {
            let _ = write!(purl, "@{}", encode(version));
        }
        let distribution = match self.kind {
            Kind::Deb | Kind::Apk | Kind::Rpm => distribution.map(|(id, version)| match version {
                "" => id.to_owned(),
                version => format!("{id}-{version}"),
            }),
            _ => None,
        };
        let qualifiers = [("arch", self.architecture.as_deref()), ("distro", distribution.as_deref()), ("epoch", epoch)];
        for (index, (key, value)) in qualifiers.into_iter().filter_map(|(key, value)| Some((key, value?))).enumerate() {
            let _ = write!(purl, "{}{key}={}", if index == 0 { '?' } else { '&' }, encode(value));
        }
        purl
    }
}

fn short(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TEXT).collect())
}

/// PyPI's normal form (PEP 503).
fn python_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if out.ends_with('-') => {}
            '-' | '_' | '.' => out.push('-'),
            c => out.extend(c.to_lowercase()),
        }
    }
    out
}

fn encode_path(path: &str) -> String {
    path.split('/').map(encode).collect::<Vec<_>>().join("/")
}

/// Percent-encodes all but what purl leaves as it is.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => out.push(char::from(byte)),
            byte => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn purls_as_the_specification_writes_them() {
        let purl = |kind, name: &str, version: &str, arch: Option<&str>, distribution| {
            Package::new(kind, name, version, "x").unwrap().with_architecture(arch).purl(distribution)
        };
        let debian = Some(("debian", "13"));
        assert_eq!(
            purl(Kind::Deb, "libstdc++6", "14.2.0-19", Some("amd64"), debian),
            "pkg:deb/debian/libstdc%2B%2B6@14.2.0-19?arch=amd64&distro=debian-13"
        );
        assert_eq!(purl(Kind::Npm, "@babel/core", "7.0.0", None, debian), "pkg:npm/%40babel/core@7.0.0");
        assert_eq!(purl(Kind::Python, "Foo_.Bar", "1.0", None, debian), "pkg:pypi/foo-bar@1.0");
        assert_eq!(purl(Kind::Go, "github.com/Azure/go", "v1.2.3", None, None), "pkg:golang/github.com/azure/go@v1.2.3");
        assert_eq!(
            purl(Kind::Rpm, "bash", "1:5.2-1.fc40", Some("x86_64"), Some(("fedora", "40"))),
            "pkg:rpm/fedora/bash@5.2-1.fc40?arch=x86_64&distro=fedora-40&epoch=1"
        );
        assert_eq!(purl(Kind::Apk, "a b", "", None, None), "pkg:apk/alpine/a%20b");
    }
}
