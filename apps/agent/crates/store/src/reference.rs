use std::fmt;

use crate::{Digest, Error, Result};

const DOCKER_HUB: &str = "docker.io";
const MAX_NAME: usize = 255;

/// A normalized image name: `hello` is `docker.io/library/hello:latest`; a first component with a dot, a colon, capitals or
/// `localhost` is a registry host. At most one of tag and digest is kept: with a digest, the tag says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    host: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Parses what users write. Without tag and digest the tag is `latest`.
    pub fn parse(text: &str) -> Result<Reference> {
        let invalid = || Error::InvalidReference(text.chars().take(300).collect());
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse::<Digest>().map_err(|_| invalid())?)),
            None => (text, None),
        };
        // A colon after the last slash starts the tag; one before it belongs to the host's port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if tag.is_some_and(|t| !is_tag(t)) || (digest.is_none() && Digest::from_hex(name).is_ok()) {
            return Err(invalid());
        }
        let (host, path) = match name.split_once('/') {
            Some((first, rest)) if looks_like_host(first) => {
                (if first == "index.docker.io" { DOCKER_HUB } else { first }, rest.to_string())
            }
            _ => (DOCKER_HUB, name.to_string()),
        };
        let path = if host == DOCKER_HUB && !path.contains('/') { format!("library/{path}") } else { path };
        if !is_host(host) || !path.split('/').all(is_component) || host.len() + path.len() + 1 > MAX_NAME {
            return Err(invalid());
        }
        let tag = if digest.is_some() { None } else { Some(tag.unwrap_or("latest").to_string()) };
        Ok(Reference { host: host.to_string(), path, tag, digest })
    }

    /// As [`Reference::parse`], for APIs that give name and tag apart; `tag` may be empty, a tag or a digest.
    pub fn parse_with_tag(name: &str, tag: &str) -> Result<Reference> {
        match tag {
            "" => Reference::parse(name),
            digest if digest.starts_with("sha256:") => Reference::parse(&format!("{name}@{digest}")),
            tag => Reference::parse(&format!("{name}:{tag}")),
        }
    }

    /// The registry: `docker.io`, `slipway.local`, `127.0.0.1:5000`.
    pub fn host(&self) -> &str {
        &self.host
    }
    /// The repository in its registry: `library/hello`.
    pub fn path(&self) -> &str {
        &self.path
    }
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }
    /// Host and path, without tag or digest.
    pub fn name(&self) -> String {
        format!("{}/{}", self.host, self.path)
    }
    /// The name as users know it: Docker Hub's host and `library/` left out.
    pub fn familiar_name(&self) -> String {
        match (self.host.as_str(), self.path.strip_prefix("library/")) {
            (DOCKER_HUB, Some(short)) if !short.contains('/') => short.to_string(),
            (DOCKER_HUB, _) => self.path.clone(),
            _ => self.name(),
        }
    }
    /// The familiar name with tag or digest, as the Engine API lists it.
    pub fn familiar(&self) -> String {
        self.familiar_name() + &self.suffix()
    }
    /// The full name with tag or digest; the store's key.
    pub fn canonical(&self) -> String {
        self.name() + &self.suffix()
    }
    /// What goes into a registry's `/manifests/` path.
    pub fn tag_or_digest(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.clone().unwrap_or_default(),
        }
    }
    pub fn with_digest(&self, digest: Digest) -> Reference {
        Reference { tag: None, digest: Some(digest), ..self.clone() }
    }

    fn suffix(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => format!("@{digest}"),
            (None, Some(tag)) => format!(":{tag}"),
            (None, None) => String::new(),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.familiar())
    }
}

fn looks_like_host(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':']) || first.bytes().any(|b| b.is_ascii_uppercase())
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|h| h.split_once(']')) {
        Some((v6, port)) => {
            let port = port.strip_prefix(':');
            return v6.parse::<std::net::Ipv6Addr>().is_ok() && port.is_none_or(|p| p.parse::<u16>().is_ok());
        }
        None => host.split_once(':').map_or((host, None), |(n, p)| (n, Some(p))),
    };
    let label =
        |l: &str| !l.is_empty() && !l.starts_with('-') && !l.ends_with('-') && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    name.split('.').all(label) && port.is_none_or(|p| p.parse::<u16>().is_ok())
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_digit() || b.is_ascii_lowercase();
    let bytes = text.as_bytes();
    let ends = |b: Option<&u8>| b.is_some_and(|b| alphanumeric(*b));
    if !ends(bytes.first()) || !ends(bytes.last()) {
        return false;
    }
    let separators = text.split(|c: char| c.is_ascii() && alphanumeric(c as u8)).filter(|s| !s.is_empty());
    separators.into_iter().all(|s| matches!(s, "." | "_" | "__") || s.bytes().all(|b| b == b'-'))
}

/// `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`
fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= 128 && text.bytes().next().is_some_and(word) && text.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalizes_as_docker_does() {
        let digest = Digest::of(b"");
        let at = format!("hello@{digest}");
        let cases = [
            ("hello", "docker.io/library/hello:latest", "hello:latest"),
            ("hello:1", "docker.io/library/hello:1", "hello:1"),
            ("acme/x", "docker.io/acme/x:latest", "acme/x:latest"),
            ("index.docker.io/acme/x", "docker.io/acme/x:latest", "acme/x:latest"),
            ("slipway.local/acme/x/y", "slipway.local/acme/x/y:latest", "slipway.local/acme/x/y:latest"),
            ("localhost/x", "localhost/x:latest", "localhost/x:latest"),
            ("127.0.0.1:5000/x:v1.0_a", "127.0.0.1:5000/x:v1.0_a", "127.0.0.1:5000/x:v1.0_a"),
            ("[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"),
            ("a__b/c--d.e", "docker.io/a__b/c--d.e:latest", "a__b/c--d.e:latest"),
            (&format!("hello:tag@{digest}"), &format!("docker.io/library/{at}"), &at),
        ];
        for (text, canonical, familiar) in cases {
            let parsed = Reference::parse(text).unwrap();
            assert_eq!((parsed.canonical().as_str(), parsed.familiar().as_str()), (canonical, familiar), "{text}");
            assert_eq!(Reference::parse(&parsed.canonical()).unwrap(), parsed, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_name() {
        let long = "a".repeat(300);
        let id = Digest::of(b"").hex();
        for bad in [
            "",
            "/",
            "Hello",
            "a//b",
            "a/../b",
            "-a",
            "a-",
            "a___b",
            "a:",
            "a:-x",
            "a@sha256:12",
            "a b",
            "exa_mple.com/x",
            "a.b:x/y",
            "é",
            &long,
            &id,
        ] {
            assert!(Reference::parse(bad).is_err(), "{bad}");
        }
    }
}
