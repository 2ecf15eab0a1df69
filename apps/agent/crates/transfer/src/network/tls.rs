use std::sync::Arc;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;

/// HTTP and HTTPS over `tcp`, with the certificates of this machine.
pub(crate) fn https<R>(tcp: HttpConnector<R>) -> HttpsConnector<HttpConnector<R>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    match HttpsConnectorBuilder::new().with_provider_and_native_roots(provider) {
        Ok(builder) => builder.https_or_http().enable_http1().wrap_connector(tcp),
        Err(error) => {
            tracing::warn!(%error, "this machine has no certificates (install ca-certificates); servers with HTTPS will be refused");
            let config = rustls::ClientConfig::builder().with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
            HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().wrap_connector(tcp)
        }
    }
}
