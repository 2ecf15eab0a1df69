use std::fmt;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use crate::{Error, Result};

/// How a client logs in. `Debug` shows no secret.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Credentials {
    pub username: String,
    pub password: String,
    /// A bearer token to be used as it is.
    #[serde(rename = "registrytoken")]
    pub registry_token: String,
    /// A refresh token, for the OAuth2 form of token requests.
    #[serde(rename = "identitytoken")]
    pub identity_token: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

impl Credentials {
    /// Reads an `X-Registry-Auth` header: JSON in base64 (either alphabet, padded or not). `None` when it names nobody.
    pub fn from_header(header: &str) -> Result<Option<Credentials>> {
        let bad = |reason: String| Error::Credentials(format!("X-Registry-Auth {reason}"));
        if header.is_empty() {
            return Ok(None);
        }
        let decoded = GeneralPurpose::new(&URL_SAFE, LENIENT)
            .decode(header)
            .or_else(|_| GeneralPurpose::new(&STANDARD, LENIENT).decode(header))
            .map_err(|_| bad("is not base64".into()))?;
        // Not the parser's message: it may quote a secret.
        let credentials: Credentials = serde_json::from_slice(&decoded).map_err(|_| bad("is not the JSON that it should be".into()))?;
        Ok(Some(credentials).filter(|c| *c != Credentials::default()))
    }

    /// The value of an `Authorization: Basic` header, when there is a user.
    pub(crate) fn basic(&self) -> Option<String> {
        if self.username.is_empty() {
            return None;
        }
        let pair = format!("{}:{}", self.username, self.password);
        Some(format!("Basic {}", GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new()).encode(pair)))
    }
}

/// What a `WWW-Authenticate` header asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

impl Challenge {
    /// Parses one challenge (RFC 9110, 11.6.1).
    pub fn parse(header: &str) -> Option<Challenge> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Challenge::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service, mut scope) = (None, None, None);
        for (key, value) in parameters(rest) {
            match key.to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value),
                "service" => service = Some(value),
                "scope" => scope = Some(value),
                _ => {}
            }
        }
        Some(Challenge::Bearer { realm: realm?, service, scope })
    }
}

/// `key="value", key=value`; commas inside quotes belong to the value.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((key, after)) = rest.split_once('=') {
        let key = key.trim_matches([' ', ',']).to_string();
        let value = if let Some(quoted) = after.strip_prefix('"') {
            let end = quoted.find('"').unwrap_or(quoted.len());
            rest = quoted.get(end + 1..).unwrap_or_default();
            &quoted[..end]
        } else {
            let end = after.find(',').unwrap_or(after.len());
            rest = after.get(end..).unwrap_or_default();
            after[..end].trim()
        };
        found.push((key, value.to_string()));
    }
    found
}

/// The answer of a token service.
#[derive(Deserialize)]
pub(crate) struct TokenAnswer {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
}

impl TokenAnswer {
    pub fn into_token(self) -> Option<String> {
        [self.token, self.access_token].into_iter().find(|t| !t.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_challenges() {
        let header = r#"Bearer realm="https://auth.example/token?x=1",service="registry, main",scope="repository:a/b:pull,push""#;
        let expected = Challenge::Bearer {
            realm: "https://auth.example/token?x=1".into(),
            service: Some("registry, main".into()),
            scope: Some("repository:a/b:pull,push".into()),
        };
        assert_eq!(Challenge::parse(header), Some(expected));
        assert_eq!(Challenge::parse("basic realm=\"x\""), Some(Challenge::Basic));
        for none in ["", "Digest realm=x", "Bearer service=x", "Bearer realm"] {
            assert_eq!(Challenge::parse(none), None, "{none}");
        }
    }

    #[test]
    fn reads_docker_headers_and_hides_secrets() {
        let json = br#"{"username":"ann","password":"s?>~secret","serveraddress":"x"}"#;
        let encoded = base64::prelude::BASE64_URL_SAFE.encode(json);
        let credentials = Credentials::from_header(&encoded).unwrap().unwrap();
        assert_eq!(credentials.password, "s?>~secret");
        assert!(!format!("{credentials:?}").contains("secret"));
        assert_eq!(Credentials::from_header("e30=").unwrap(), None);
        assert!(Credentials::from_header("!").is_err());
        let error = Credentials::from_header(&base64::prelude::BASE64_STANDARD.encode("secret")).unwrap_err();
        assert!(!error.to_string().contains("secret"));
    }
}
