//! How AWS is reached: region, endpoints, certificates, patience.

use std::path::PathBuf;
use std::time::Duration;

use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_sdk_iam::config::retry::RetryConfig;
use aws_sdk_iam::config::timeout::TimeoutConfig;
use aws_types::os_shim_internal::{Env, Fs};

use super::{CaBundleError, Connections};

/// Where IAM answers for commercial regions, and so the best guess where nothing names a region.
const FALLBACK_REGION: &str = "us-east-1";
const CONNECT_TIMEOUT: Duration = Duration::from_millis(3_100);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);
const ATTEMPTS: u32 = 3;
const PATIENT_ATTEMPTS: u32 = 6;
/// A report of 5,000 users has more than a megabyte.
const PATIENT_TIMEOUT: Duration = Duration::from_secs(60);
/// The least that STS gives, and more than a rotation takes.
const SESSION_SECONDS: i32 = 900;
/// What STS gives where nothing else is asked for.
const PATIENT_SESSION_SECONDS: i32 = 43_200;

/// What the environment and a profile say about reaching AWS: region, endpoints, FIPS. Holds no credentials.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(super) sdk: SdkConfig,
    pub(super) session_seconds: i32,
}

impl Settings {
    /// Reads the environment and AWS's files for a profile; without a name, for `AWS_PROFILE` or `default`.
    ///
    /// A file that the SDK cannot parse counts as empty here: `credentials` is who complains about it.
    ///
    /// # Errors
    ///
    /// When `AWS_CA_BUNDLE` or the profile's `ca_bundle` cannot be used.
    pub async fn load(connections: &Connections, profile_name: Option<&str>) -> Result<Self, CaBundleError> {
        let files = EnvConfigFiles::default();
        let override_name = profile_name.map(|name| name.to_owned().into());
        let profile = aws_config::profile::load(&Fs::real(), &Env::real(), &files, override_name)
            .await
            .ok();
        let value = |name: &str| {
            profile
                .as_ref()
                .and_then(|profile| profile.get(name))
                .map(str::to_owned)
        };

        let http_client = connections.client(value("ca_bundle").map(PathBuf::from).as_deref())?;
        // Given whole, so that the SDK's own chain, whose last link is the metadata service, never runs.
        let region = aws_config::meta::region::RegionProviderChain::first_try(
            aws_config::environment::EnvironmentVariableRegionProvider::new(),
        )
        .or_else(value("region").map(Region::new))
        .or_else(Region::from_static(FALLBACK_REGION));
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http_client)
            .no_credentials()
            .region(region)
            .app_name(AppName::new("keyagent").expect("letters alone are a valid name"))
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                    .operation_timeout(OPERATION_TIMEOUT)
                    .build(),
            );
        if let Some(name) = profile_name {
            loader = loader.profile_name(name);
        }
        Ok(Self {
            sdk: loader.load().await,
            session_seconds: SESSION_SECONDS,
        })
    }

    /// For many calls in a row: AWS's rate limit is met with patience, and with fewer calls; sessions last longer.
    #[must_use]
    pub fn patient(self) -> Self {
        let retries = RetryConfig::adaptive().with_max_attempts(PATIENT_ATTEMPTS);
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(PATIENT_TIMEOUT)
            .build();
        let builder = self.sdk.into_builder();
        Self {
            sdk: builder.retry_config(retries).timeout_config(timeouts).build(),
            session_seconds: PATIENT_SESSION_SECONDS,
        }
    }

    /// The region that calls are signed for, before the partition's own rules.
    pub fn region(&self) -> &str {
        self.sdk
            .region()
            .map_or(FALLBACK_REGION, |region| region.as_ref())
    }
}
