use std::sync::{Mutex, PoisonError};

use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use serde::Deserialize;
use slipway_store::Reference;

use crate::registry::auth::{Challenge, Credentials, TokenAnswer};
use crate::registry::client::{Body, Client, full, text_header};
use crate::registry::redirect::leads_inside;
use crate::{Error, Result};

const MAX_ERROR_BODY: u64 = 64 << 10;
const MAX_TOKEN_BODY: u64 = 1 << 20;
const MAX_REDIRECTS: usize = 5;

/// One repository of one registry, logged in as far as it asks for.
pub(crate) struct Session {
    pub client: Client,
    pub host: String,
    /// For error messages: the familiar name.
    pub name: String,
    base: String,
    repository: String,
    scope: String,
    pushes: bool,
    credentials: Option<Credentials>,
    /// The `Authorization` header that last worked.
    authorization: Mutex<Option<String>>,
}

/// A request that can be sent again after a login.
pub(crate) struct Ask<'a> {
    pub method: Method,
    /// Below `/v2/<repository>/`, or a whole URL.
    pub target: &'a str,
    pub headers: &'a [(HeaderName, String)],
    pub body: &'a (dyn Fn() -> Body + Send + Sync),
}

impl Session {
    /// `actions`: `pull` or `pull,push`.
    pub fn new(client: &Client, reference: &Reference, actions: &str, credentials: Option<Credentials>) -> Session {
        let token = credentials.as_ref().map(|c| &c.registry_token).filter(|t| !t.is_empty());
        Session {
            client: client.clone(),
            host: reference.host().to_string(),
            name: reference.familiar_name(),
            base: client.registries.base(reference.host()),
            repository: reference.path().to_string(),
            scope: format!("repository:{}:{actions}", reference.path()),
            pushes: actions.contains("push"),
            authorization: Mutex::new(token.map(|t| format!("Bearer {t}"))),
            credentials,
        }
    }

    /// For a login only: no repository, no scope.
    pub fn for_login(client: &Client, host: &str, credentials: Credentials) -> Session {
        Session {
            client: client.clone(),
            host: host.to_string(),
            name: host.to_string(),
            base: client.registries.base(host),
            repository: String::new(),
            scope: String::new(),
            pushes: false,
            authorization: Mutex::new(None),
            credentials: Some(credentials),
        }
    }

    pub async fn get(&self, path: &str, headers: &[(HeaderName, String)]) -> Result<Response<Incoming>> {
        self.send(Ask { method: Method::GET, target: path, headers, body: &|| full("") }).await
    }

    /// Sends, logs in when the registry asks for it, follows redirects of reads. Answers that are no success are errors.
    pub async fn send(&self, ask: Ask<'_>) -> Result<Response<Incoming>> {
        let response = self.send_any(&ask).await?;
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response).await) }
    }

    /// As [`Session::send`], but gives any answer back except one that asks for a login.
    pub async fn send_any(&self, ask: &Ask<'_>) -> Result<Response<Incoming>> {
        let mut url = self.url(ask.target)?;
        let (mut logged_in, mut redirects) = (false, 0);
        loop {
            // The token is this registry's: a storage it redirects to must not see it.
            let own = url.authority() == self.url("")?.authority();
            let request = self.request(ask, &url, own)?;
            let response = if ask.method == Method::PUT {
                self.client.once_unwatched(&self.host, request).await?
            } else {
                self.client.once(&self.host, request).await?
            };
            if response.status() == StatusCode::UNAUTHORIZED && own && !logged_in {
                self.log_in(response).await?;
                logged_in = true;
                continue;
            }
            if response.status().is_redirection() && ask.method == Method::GET && redirects < MAX_REDIRECTS {
                let location = text_header(response.headers(), LOCATION).ok_or_else(|| self.protocol("a redirect without Location"))?;
                url = self.resolve(&url, location)?;
                redirects += 1;
                continue;
            }
            return Ok(response);
        }
    }

    fn request(&self, ask: &Ask<'_>, url: &Uri, own: bool) -> Result<Request<Body>> {
        let mut request = Request::builder().method(&ask.method).uri(url);
        for (name, value) in ask.headers {
            request = request.header(name, value);
        }
        let authorization = self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(value) = authorization.filter(|_| own) {
            let mut value = HeaderValue::from_str(&value).map_err(|_| Error::Credentials("they contain line breaks".into()))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request = request.header(http::header::USER_AGENT, concat!("slipway-agent/", env!("CARGO_PKG_VERSION")));
        request.body((ask.body)()).map_err(|e| self.protocol(&e.to_string()))
    }

    fn url(&self, target: &str) -> Result<Uri> {
        let url = if target.starts_with("http://") || target.starts_with("https://") {
            target.to_string()
        } else {
            format!("{}/v2/{}/{target}", self.base, self.repository)
        };
        url.parse().map_err(|e| self.protocol(&format!("{url}: {e}")))
    }

    /// A `Location` against the URL it came from. From HTTPS it may not lead to plain HTTP.
    pub fn resolve(&self, from: &Uri, location: &str) -> Result<Uri> {
        let absolute = if location.starts_with("http://") || location.starts_with("https://") {
            location.to_string()
        } else if location.starts_with('/') && !location.starts_with("//") {
            let origin = from.scheme_str().zip(from.authority()).map(|(s, a)| format!("{s}://{a}")).unwrap_or_default();
            origin + location
        } else {
            return Err(self.protocol(&format!("the Location {location:?} is neither a path nor a URL")));
        };
        let url: Uri = absolute.parse().map_err(|e| self.protocol(&format!("the Location {absolute:?}: {e}")))?;
        if from.scheme_str() == Some("https") && url.scheme_str() == Some("http") {
            return Err(self.protocol("it redirects from HTTPS to plain HTTP"));
        }
        if leads_inside(from, &url, self.client.registries.allowed_inside(&self.host)) {
            return Err(self.led_inside("it redirects", &url));
        }
        Ok(url)
    }

    /// Whether the last request carried the password, as registries without a token service want it.
    pub fn took_password(&self) -> bool {
        let authorization = self.authorization.lock().unwrap_or_else(PoisonError::into_inner);
        authorization.as_deref().is_some_and(|value| value.starts_with("Basic "))
    }

    pub fn origin(&self) -> Result<Uri> {
        self.url("")
    }

    pub fn protocol(&self, reason: &str) -> Error {
        Error::Protocol { host: self.host.clone(), reason: reason.chars().take(300).collect() }
    }

    fn led_inside(&self, what: &str, url: &Uri) -> Error {
        let place: String = url.host().unwrap_or_default().chars().take(100).collect();
        self.protocol(&format!(
            "{what} to an address inside this network, {place}; if that is meant, allow it under registryInside in the agent's settings"
        ))
    }

    async fn log_in(&self, response: Response<Incoming>) -> Result<()> {
        let challenges: Vec<String> =
            response.headers().get_all(WWW_AUTHENTICATE).iter().filter_map(|v| v.to_str().ok()).map(str::to_string).collect();
        let parsed: Vec<Challenge> = challenges.iter().filter_map(|c| Challenge::parse(c)).collect();
        let bearer = parsed.iter().find_map(|c| match c {
            Challenge::Bearer { realm, service, scope } => Some((realm, service, scope)),
            Challenge::Basic => None,
        });
        let authorization = if let Some((realm, service, scope)) = bearer {
            format!("Bearer {}", self.token(realm, service.as_deref(), scope.as_deref()).await?)
        } else {
            let basic = self.credentials.as_ref().and_then(Credentials::basic).filter(|_| parsed.contains(&Challenge::Basic));
            match basic {
                Some(basic) => basic,
                None => return Err(self.refusal(response).await),
            }
        };
        *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(authorization);
        Ok(())
    }

    /// Asks the token service for our scope (not the challenge's: a push needs both actions from the start).
    async fn token(&self, realm: &str, service: Option<&str>, challenge_scope: Option<&str>) -> Result<String> {
        let url: Uri = realm.parse().map_err(|_| self.protocol("the token service's address is not valid"))?;
        let allowed = match url.scheme_str() {
            Some("https") => true,
            Some("http") => self.base.starts_with("http://"),
            _ => false,
        };
        if !allowed {
            return Err(self.protocol("its token service would get the password without encryption"));
        }
        if leads_inside(&self.origin()?, &url, self.client.registries.allowed_inside(&self.host)) {
            return Err(self.led_inside("its token service leads", &url));
        }
        let scope = if self.repository.is_empty() { challenge_scope.unwrap_or_default() } else { &self.scope };
        let request = self.token_request(&url, service, scope)?;
        let response = self.client.once(&self.host, request).await?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        let bytes = self.client.read_small(&self.host, response, MAX_TOKEN_BODY, "the token service's answer").await?;
        // Not the parser's message: it may quote the token.
        let answer: TokenAnswer = serde_json::from_slice(&bytes).map_err(|_| self.protocol("the token service's answer is not JSON"))?;
        answer.into_token().ok_or_else(|| self.protocol("the token service gave no token"))
    }

    fn token_request(&self, url: &Uri, service: Option<&str>, scope: &str) -> Result<Request<Body>> {
        let mut fields = form_urlencoded::Serializer::new(String::new());
        if let Some(service) = service {
            fields.append_pair("service", service);
        }
        if !scope.is_empty() {
            fields.append_pair("scope", scope);
        }
        let identity = self.credentials.as_ref().map(|c| c.identity_token.as_str()).filter(|t| !t.is_empty());
        let request = if let Some(token) = identity {
            fields.append_pair("grant_type", "refresh_token").append_pair("client_id", "slipway-agent").append_pair("refresh_token", token);
            Request::builder()
                .method(Method::POST)
                .uri(url)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(full(fields.finish()))
        } else {
            let separator = if url.query().is_some() { '&' } else { '?' };
            let mut request = Request::builder().uri(format!("{url}{separator}{}", fields.finish()));
            if let Some(basic) = self.credentials.as_ref().and_then(Credentials::basic) {
                request = request.header(AUTHORIZATION, basic);
            }
            request.body(full(""))
        };
        request.map_err(|e| self.protocol(&e.to_string()))
    }

    /// Reads what a registry says when it refuses.
    pub async fn refusal(&self, response: Response<Incoming>) -> Error {
        #[derive(Deserialize)]
        struct Errors {
            errors: Vec<OneError>,
        }
        #[derive(Deserialize)]
        struct OneError {
            code: String,
            #[serde(default)]
            message: String,
        }
        let status = response.status();
        let bytes = self.client.read_small(&self.host, response, MAX_ERROR_BODY, "an error").await.unwrap_or_default();
        let said = serde_json::from_slice::<Errors>(&bytes).ok().and_then(|e| e.errors.into_iter().next());
        let (code, message) = said.map_or_else(|| (String::new(), status.to_string()), |e| (e.code, e.message));
        let reason: String = if message.is_empty() { code.clone() } else { message }.chars().take(300).collect();
        match (status.as_u16(), code.as_str()) {
            (401 | 403, _) | (404, "NAME_UNKNOWN") if self.pushes => {
                let word = match (code.as_str(), status.as_u16()) {
                    ("", 401) => "unauthorized".to_owned(),
                    ("", _) => "denied".to_owned(),
                    (code, _) => code.chars().take(40).collect::<String>().to_lowercase().replace('_', " "),
                };
                Error::PushDenied { word, reason }
            }
            (401 | 403, _) | (404, "NAME_UNKNOWN") => Error::Denied { name: self.name.clone(), reason },
            (status, _) => Error::Refused { host: self.host.clone(), status, reason },
        }
    }
}

/// Whether asking again may help.
pub(crate) fn is_transient(error: &Error) -> bool {
    match error {
        Error::Unreachable { .. } | Error::Stalled { .. } => true,
        Error::Refused { status, .. } => matches!(status, 408 | 429 | 500 | 502 | 503 | 504),
        _ => false,
    }
}

pub(crate) fn header_number(headers: &HeaderMap, name: HeaderName) -> Option<u64> {
    text_header(headers, name)?.parse().ok()
}
