use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Uri;

use crate::download::DownloadError;
use crate::network::depth::plain_host;

/// Longest URL that is taken.
const MAX_URL: usize = 8 << 10;

/// Where a request goes. Credentials of the URL are kept apart from it, so that nothing shows them.
#[derive(Clone)]
pub(crate) struct Target {
    pub uri: Uri,
    /// Value of `Authorization`.
    pub basic: Option<String>,
}

impl Target {
    pub fn parse(url: &str) -> Result<Target, DownloadError> {
        let shown = redacted(url);
        let bad = |reason: &str| DownloadError::Url { url: shown.clone(), reason: reason.to_string() };
        if url.len() > MAX_URL {
            return Err(bad("it is longer than 8 KiB"));
        }
        let (scheme, rest) = url.split_once("://").ok_or_else(|| bad("it has no scheme"))?;
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "http" && scheme != "https" {
            return Err(bad("it has another scheme"));
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        let path = if path.starts_with('/') { path.to_string() } else { format!("/{path}") };
        // The parser's own message would quote the URL.
        let uri: Uri = format!("{scheme}://{host}{path}").parse().map_err(|_| bad("it has characters that must be written as %xx"))?;
        if plain_host(&uri).is_empty() {
            return Err(bad("it names no host"));
        }
        let basic = user.filter(|user| !user.is_empty()).map(|user| {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            let decoded = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
            let pair = [decoded(name), b":".to_vec(), decoded(password)].concat();
            format!("Basic {}", BASE64_STANDARD.encode(pair))
        });
        Ok(Target { uri, basic })
    }

    /// Where a `Location` leads (RFC 3986, 5.2). Credentials go along within one origin only.
    pub fn resolve(&self, location: &str) -> Result<Target, DownloadError> {
        let scheme = self.uri.scheme_str().unwrap_or("https");
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        let location = location.split('#').next().unwrap_or_default();
        let absolute = if has_scheme(location) {
            location.to_string()
        } else if location.starts_with("//") {
            format!("{scheme}:{location}")
        } else if location.starts_with('/') {
            format!("{scheme}://{authority}{location}")
        } else if location.starts_with('?') || location.is_empty() {
            format!("{scheme}://{authority}{}{location}", self.uri.path())
        } else {
            let (path, query) = location.split_at(location.find('?').unwrap_or(location.len()));
            let directory = self.uri.path().rsplit_once('/').map_or("", |(directory, _)| directory);
            format!("{scheme}://{authority}{}{query}", without_dots(&format!("{directory}/{path}")))
        };
        let mut next = Target::parse(&absolute)?;
        if scheme == "https" && next.uri.scheme_str() == Some("http") {
            return Err(DownloadError::Redirect { host: self.host(), reason: "from HTTPS to plain HTTP".into() });
        }
        if next.basic.is_none() && next.uri.authority() == self.uri.authority() && next.uri.scheme() == self.uri.scheme() {
            next.basic.clone_from(&self.basic);
        }
        Ok(next)
    }

    /// With the port, when it has one.
    pub fn host(&self) -> String {
        self.uri.authority().map_or_else(String::new, |authority| authority.as_str().chars().take(100).collect())
    }
}

/// A URL as it may be shown: without credentials, query and fragment, which may be secret.
pub fn redacted(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let shown = match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            format!("{scheme}://{}{path}", authority.rsplit('@').next().unwrap_or_default())
        }
        None => url.to_string(),
    };
    shown.chars().take(200).collect()
}

fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
    })
}

/// RFC 3986, 5.2.4, of an absolute path.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    for (index, part) in parts.iter().enumerate() {
        let last = index + 1 == parts.len();
        match *part {
            "." if last => kept.push(""),
            "." => {}
            ".." => {
                kept.pop();
                if last {
                    kept.push("");
                }
            }
            part => kept.push(part),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_resolved_and_credentials_stay_where_they_belong() {
        let from = Target::parse("https://ann:s%40cret@dl.example:8443/a/b/file?x=1#y").unwrap();
        assert_eq!(from.uri.to_string(), "https://dl.example:8443/a/b/file?x=1");
        assert_eq!(from.basic.as_deref(), Some("Basic YW5uOnNAY3JldA=="));
        for (location, expected, kept) in [
            ("other", "https://dl.example:8443/a/b/other", true),
            ("../c/./d/..?q=1/2", "https://dl.example:8443/a/c/?q=1/2", true),
            ("../../../../x", "https://dl.example:8443/x", true),
            ("/root", "https://dl.example:8443/root", true),
            ("?y", "https://dl.example:8443/a/b/file?y", true),
            ("//cdn.example/z", "https://cdn.example/z", false),
            ("https://dl.example/z", "https://dl.example/z", false),
            ("HTTPS://cdn.example", "https://cdn.example/", false),
        ] {
            let to = from.resolve(location).unwrap();
            assert_eq!((to.uri.to_string().as_str(), to.basic.is_some()), (expected, kept), "{location}");
        }
        assert!(matches!(from.resolve("http://dl.example:8443/a"), Err(DownloadError::Redirect { .. })));
        for bad in ["ftp://x/y", "file:///etc/passwd", "javascript:1"] {
            assert!(matches!(from.resolve(bad), Err(DownloadError::Url { .. })), "{bad}");
        }
    }

    #[test]
    fn what_is_no_url_is_told_without_its_secrets() {
        for bad in ["", "x", "ftp://u:secret@h/x", "http://", "http://u:secret@/x?secret", "https://u:secret@h/a b?secret", "http:///x"] {
            let error = Target::parse(bad).err().unwrap_or_else(|| panic!("{bad}")).to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        assert_eq!(redacted("https://u:secret@h:1/a/b?token=secret#x"), "https://h:1/a/b");
        assert!(Target::parse(&format!("http://h/{}", "x".repeat(10_000))).is_err());
    }
}
