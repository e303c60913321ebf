//! Owns the way out: TLS on rustls and ring, the trusted roots, the proxy and the pool of connections.
//! Knows nothing of IAM, and never falls back to other roots than the ones asked for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
#[cfg(feature = "otlp")]
use aws_smithy_runtime_api::client::{http::HttpConnector as _, orchestrator::HttpRequest};
use data_encoding::BASE64;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::process::Environment;

/// A bundle of certificates (`AWS_CA_BUNDLE`, `ca_bundle`) that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaBundleError {
    /// The file cannot be read.
    #[error("cannot read the certificate bundle {}: {source}", path.display())]
    Read {
        /// The bundle.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A block of the file is no PEM.
    #[error("the certificate bundle {} is not PEM: {reason}", path.display())]
    NotPem {
        /// The bundle.
        path: PathBuf,
        /// What the parser says.
        reason: String,
    },
    /// The file holds no certificate that could be trusted.
    #[error("the certificate bundle {} holds no usable certificate", path.display())]
    Empty {
        /// The bundle.
        path: PathBuf,
    },
}

/// The process's HTTP clients: one for each bundle of trusted certificates, in practice one.
#[derive(Debug)]
pub struct Connections {
    bundle_of_environment: Option<PathBuf>,
    clients: Mutex<BTreeMap<Option<PathBuf>, SharedHttpClient>>,
}

impl Connections {
    /// Takes `AWS_CA_BUNDLE`; proxies are read when a connection is made.
    pub fn new(environment: &Environment) -> Self {
        Self {
            bundle_of_environment: environment.get_path("AWS_CA_BUNDLE").map(Path::to_owned),
            clients: Mutex::default(),
        }
    }

    /// The client that trusts what the environment says, else what the profile's `ca_bundle` says, else the
    /// system. A bundle replaces the system's roots, as in the AWS CLI.
    pub(super) fn client(&self, bundle_of_profile: Option<&Path>) -> Result<SharedHttpClient, CaBundleError> {
        let bundle = self.bundle_of_environment.as_deref().or(bundle_of_profile);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&bundle.map(Path::to_owned)) {
            return Ok(client.clone());
        }
        let client = http_client(trust_store(bundle)?);
        clients.insert(bundle.map(Path::to_owned), client.clone());
        Ok(client)
    }

    /// Posts what is no call of AWS's, over the same roots and proxies, and gives the status of the answer. Not bounded.
    ///
    /// # Errors
    ///
    /// Words: why there is no answer.
    #[cfg(feature = "otlp")]
    pub async fn post(
        &self,
        address: &str,
        headers: impl Iterator<Item = (String, String)>,
        body: Vec<u8>,
    ) -> Result<u16, String> {
        let roots = trust_store(self.bundle_of_environment.as_deref()).map_err(|error| error.to_string())?;
        let connector = connector(roots, &HttpConnectorSettings::default(), None);
        let mut request = HttpRequest::new(body.into());
        let _ = request.set_method("POST");
        request.set_uri(address).map_err(|error| error.to_string())?;
        for (name, value) in headers {
            // What is no header is left out, and does not panic.
            let _ = request.headers_mut().try_insert(name, value);
        }
        match connector.call(request).await {
            Ok(response) => Ok(response.status().as_u16()),
            Err(error) => Err(super::error::innermost(&error)),
        }
    }
}

fn trust_store(bundle: Option<&Path>) -> Result<TrustStore, CaBundleError> {
    let Some(path) = bundle else {
        return Ok(TrustStore::default());
    };
    let pem = std::fs::read(path).map_err(|source| CaBundleError::Read {
        path: path.to_owned(),
        source,
    })?;
    let mut usable = String::new();
    // The connector panics on what it cannot parse, so it is given only what was parsed here. Bundles of
    // distributions hold certificates that webpki refuses; those are passed over, as rustls itself does.
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| CaBundleError::NotPem {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        if webpki::anchor_from_trusted_cert(&certificate).is_ok() {
            usable.push_str("-----BEGIN CERTIFICATE-----\n");
            usable.push_str(&BASE64.encode(&certificate));
            usable.push_str("\n-----END CERTIFICATE-----\n");
        }
    }
    if usable.is_empty() {
        return Err(CaBundleError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(TrustStore::empty().with_pem_certificate(usable))
}

fn http_client(trust_store: TrustStore) -> SharedHttpClient {
    // One connector for each set of timeouts, or every call would read the roots and shake hands anew.
    let connectors: Arc<Mutex<BTreeMap<String, SharedHttpConnector>>> = Arc::default();
    http_client_fn(move |settings, components| {
        let mut connectors = connectors.lock().unwrap_or_else(PoisonError::into_inner);
        connectors
            .entry(format!("{settings:?}"))
            .or_insert_with(|| connector(trust_store.clone(), settings, Some(components)))
            .clone()
    })
}

/// Without the SDK's components, timeouts of the settings cannot be waited for.
fn connector(
    trust_store: TrustStore,
    settings: &HttpConnectorSettings,
    components: Option<&RuntimeComponents>,
) -> SharedHttpConnector {
    let context = TlsContext::builder()
        .with_trust_store(trust_store)
        .build()
        .expect("a context is only put together here, nothing is parsed");
    let mut builder = Connector::builder()
        .connector_settings(settings.clone())
        .proxy_config(ProxyConfig::from_env());
    builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
    SharedHttpConnector::new(
        builder
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(context)
            .build(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(content: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("bundle.pem");
        std::fs::write(&path, content).expect("written");
        (folder, path)
    }

    #[test]
    fn a_missing_bundle_is_named() {
        let environment: Environment = [("AWS_CA_BUNDLE", "/nowhere/roots.pem")].into_iter().collect();
        let error = Connections::new(&environment)
            .client(None)
            .expect_err("it is not there");
        assert!(error.to_string().contains("/nowhere/roots.pem"), "{error}");
    }

    #[test]
    fn an_empty_bundle_is_an_error() {
        let (_folder, path) = bundle("# none yet\n");
        assert!(matches!(
            trust_store(Some(&path)),
            Err(CaBundleError::Empty { .. })
        ));
    }

    #[test]
    fn garbage_is_an_error_and_no_panic() {
        let (_folder, path) = bundle("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n");
        assert!(matches!(
            trust_store(Some(&path)),
            Err(CaBundleError::NotPem { .. })
        ));
        let (_folder, path) = bundle("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        assert!(matches!(
            trust_store(Some(&path)),
            Err(CaBundleError::Empty { .. })
        ));
    }

    #[test]
    fn the_same_roots_share_a_client() {
        let connections = Connections::new(&Environment::default());
        connections.client(None).expect("the system's roots");
        connections.client(None).expect("the system's roots");
        assert_eq!(connections.clients.lock().expect("unpoisoned").len(), 1);
    }
}
