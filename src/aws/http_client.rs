//! The HTTP client under the SDK: rustls on ring, the CLI's certificate bundle, the usual proxy variables.
//!
//! The SDK by itself reads neither `AWS_CA_BUNDLE` nor, with a client given to it, the proxy variables.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector, http_client_fn};

/// The certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bundle cannot be read.
    #[error("cannot read the certificates in {}: {source}", path.display())]
    Unreadable {
        /// `AWS_CA_BUNDLE`, or `ca_bundle` of the config file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The bundle holds no certificate.
    #[error("{} holds no PEM certificate", .0.display())]
    NoCertificate(PathBuf),
    /// The certificates are refused.
    #[error("the certificates cannot be used: {0}")]
    Tls(String),
}

/// Makes one client for the whole process. A bundle takes the place of the system's certificates, as in the AWS
/// CLI.
///
/// # Errors
///
/// When the bundle cannot be used: going on with other certificates than the user named would be wrong.
pub(super) fn http_client(ca_bundle: Option<&Path>) -> Result<SharedHttpClient, Error> {
    let mut trusted = TrustStore::default();
    if let Some(path) = ca_bundle {
        let pem = std::fs::read(path).map_err(|source| Error::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        if memchr::memmem::find(&pem, b"-----BEGIN CERTIFICATE-----").is_none() {
            return Err(Error::NoCertificate(path.to_owned()));
        }
        trusted = TrustStore::empty().with_pem_certificate(pem);
    }
    let context = TlsContext::builder()
        .with_trust_store(trusted)
        .build()
        .map_err(|error| Error::Tls(error.to_string()))?;
    // Connections are pooled in a connector; a new one for each call would never reuse one.
    let connectors: Mutex<Vec<(String, SharedHttpConnector)>> = Mutex::default();
    Ok(http_client_fn(move |settings, components| {
        let name = format!("{settings:?}");
        let mut connectors = connectors
            .lock()
            .expect("no thread panics while it makes a connector");
        if let Some((_, connector)) = connectors.iter().find(|(known, _)| *known == name) {
            return connector.clone();
        }
        let mut builder = Connector::builder()
            .connector_settings(settings.clone())
            .proxy_config(ProxyConfig::from_env());
        builder.set_sleep_impl(components.sleep_impl());
        let tls = builder
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(context.clone());
        let connector = SharedHttpConnector::new(tls.build());
        connectors.push((name, connector.clone()));
        connector
    }))
}
