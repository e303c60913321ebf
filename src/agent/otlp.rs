//! Sends metrics to a collector with OTLP over HTTP, in protobuf, which is the protocol's default and which every
//! receiver takes. Once, and then ends: the child that does so takes the SDK's threads with it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{MetricExporter, Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};

use super::metrics::Reading;
use crate::aws::Connections;
use crate::process::Environment;

/// With its retries; the SDK waits for five seconds at its end.
const BOUND: Duration = Duration::from_secs(4);
/// It is sent once, at the end.
const NEVER: Duration = Duration::from_hours(24);

/// Sends what is measured to this address.
///
/// # Errors
///
/// Words, when no collector has taken it.
pub fn send(
    reading: &Reading,
    endpoint: &str,
    connections: Connections,
    environment: &Environment,
) -> Result<(), String> {
    let failure = Failure::default();
    let client = Client {
        connections,
        failure: failure.clone(),
    };
    let exporter = MetricExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint)
        .with_timeout(BOUND)
        .build()
        .map_err(|error| error.to_string())?;
    let reader = PeriodicReader::builder(exporter).with_interval(NEVER).build();
    let provider = SdkMeterProvider::builder()
        .with_resource(resource(environment))
        .with_reader(reader)
        .build();
    record(reading, &provider.meter("keyagent"));
    provider.shutdown().map_err(|error| {
        let why = failure.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        why.unwrap_or_else(|| error.to_string())
    })
}

/// The names and units become those of the text format where a collector writes for Prometheus.
fn record(reading: &Reading, meter: &Meter) {
    let age = meter
        .i64_gauge("keyagent.key.age")
        .with_unit("s")
        .with_description("Age of an access key that a profile of this machine holds.")
        .build();
    for one in &reading.ages {
        let id = one.access_key_id.clone();
        let id = id.map(|id| KeyValue::new("access_key_id", id));
        let profile = KeyValue::new("profile", one.profile.clone());
        let attributes: Vec<KeyValue> = std::iter::once(profile).chain(id).collect();
        age.record(one.seconds, &attributes);
    }
    if let Some(at) = reading.last_success {
        let success = meter
            .i64_gauge("keyagent.last_success.timestamp")
            .with_unit("s")
            .with_description("When AWS last answered every question.")
            .build();
        success.record(at, &[]);
    }
    let findings = meter
        .u64_gauge("keyagent.findings")
        .with_unit("{finding}")
        .with_description("What a user should act on.")
        .build();
    findings.record(u64::try_from(reading.findings).unwrap_or(u64::MAX), &[]);
}

/// Whose metrics these are. OTEL_RESOURCE_ATTRIBUTES can say more; the SDK reads it.
fn resource(environment: &Environment) -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = host.or_else(|| environment.get_str("COMPUTERNAME").map(str::to_owned));
    let host = host.map(|name| KeyValue::new("host.name", name.trim().to_owned()));
    Resource::builder()
        .with_attributes(host)
        .with_service_name("keyagent")
        .with_attribute(version)
        .build()
}

/// The SDK says that it has failed, and not why.
#[derive(Clone, Debug, Default)]
struct Failure(Arc<Mutex<Option<String>>>);

impl Failure {
    fn set(&self, why: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }
}

/// The connections that go to AWS as well: the same proxies and trusted roots.
struct Client {
    connections: Connections,
    failure: Failure,
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Client")
    }
}

impl Client {
    /// On a runtime of its own: the SDK calls from a thread that has none.
    fn post(&self, request: Request<Bytes>) -> Result<u16, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let posted = runtime.block_on(async {
            let (head, body) = request.into_parts();
            let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
            let headers = head.headers.iter();
            let headers = headers.map(|(name, value)| (name.to_string(), text(value.as_bytes())));
            let address = head.uri.to_string();
            let posting = self.connections.post(&address, headers, body.to_vec());
            match tokio::time::timeout(BOUND, posting).await {
                Ok(posted) => posted,
                Err(_elapsed) => Err(format!("no answer within {} s", BOUND.as_secs())),
            }
        });
        runtime.shutdown_background();
        posted
    }
}

impl HttpClient for Client {
    fn send_bytes<'this, 'future>(
        &'this self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'future>>
    where
        'this: 'future,
        Self: 'future,
    {
        let posted = self.post(request);
        match &posted {
            Ok(status) => self.failure.set(format!("it answers HTTP {status}")),
            Err(why) => self.failure.set(why.clone()),
        }
        let response = posted.map_err(HttpError::from).and_then(|status| {
            let response = Response::builder().status(status);
            response.body(Bytes::new()).map_err(HttpError::from)
        });
        Box::pin(std::future::ready(response))
    }
}
