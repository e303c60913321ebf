//! The IAM and STS calls over AWS's SDK. Chooses no credentials by itself: every client signs with the key that
//! it was given, never with one from the environment or from an instance's metadata.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use jiff::Timestamp;

mod error;
mod http_client;

use crate::access_key::{AccessKey, AccessKeyId, SecretAccessKey};
use crate::iam::{
    AccessKeyLastUsed, AccessKeyMetadata, AccessKeyStatus, CallerIdentity, CreatedAccessKey, Error,
    ErrorKind, Iam, LastUsed, UserName,
};
use crate::process::Environment;
use error::translate;
pub use http_client::Error as CertificateError;

/// The connections of this process: one pool for all profiles with the same certificates.
#[derive(Debug)]
pub struct Connections {
    http_client: SharedHttpClient,
    environment: Environment,
}

impl Connections {
    /// Reads `AWS_CA_BUNDLE`, or else takes the bundle that the profile names.
    ///
    /// # Errors
    ///
    /// When the bundle cannot be used.
    pub fn open(environment: &Environment, ca_bundle: Option<&Path>) -> Result<Self, CertificateError> {
        let bundle = environment
            .get_path("AWS_CA_BUNDLE")
            .or(ca_bundle)
            .map(PathBuf::from);
        Ok(Self {
            http_client: http_client::http_client(bundle.as_deref())?,
            environment: environment.clone(),
        })
    }

    /// A client for one profile: its region and endpoints, or those of the environment, signed with `key`.
    pub async fn client(&self, profile: &str, key: &AccessKey) -> Client {
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(self.http_client.clone())
            .profile_name(profile)
            .no_credentials()
            .app_name(AppName::new("keyagent").expect("letters make an app name"))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(5))
                    .operation_attempt_timeout(Duration::from_secs(10))
                    .operation_timeout(Duration::from_secs(30))
                    .build(),
            )
            .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(200)));
        // IAM is global in a partition, and without a region the commercial one is meant. The chain's last link,
        // the metadata of an instance, is never asked: this is a laptop's tool, and the question takes seconds.
        loader = loader.region(self.region_provider(profile));
        Client::new(loader.load().await, key)
    }

    fn region_provider(&self, profile: &str) -> impl aws_config::meta::region::ProvideRegion + 'static {
        use aws_config::meta::region::RegionProviderChain;
        let named = ["AWS_REGION", "AWS_DEFAULT_REGION"]
            .into_iter()
            .find_map(|variable| self.environment.get_str(variable))
            .map(|region| Region::new(region.to_owned()));
        RegionProviderChain::first_try(named)
            .or_else(
                aws_config::profile::ProfileFileRegionProvider::builder()
                    .profile_name(profile)
                    .build(),
            )
            .or_else(Region::from_static("us-east-1"))
    }
}

/// IAM and STS, signed with one key.
#[derive(Clone, Debug)]
pub struct Client {
    config: SdkConfig,
    iam: aws_sdk_iam::Client,
    sts: aws_sdk_sts::Client,
}

impl Client {
    fn new(config: SdkConfig, key: &AccessKey) -> Self {
        let credentials = Credentials::new(key.id.as_str(), key.secret.expose(), None, None, "keyagent");
        let config = config
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        Self {
            iam: aws_sdk_iam::Client::new(&config),
            sts: aws_sdk_sts::Client::new(&config),
            config,
        }
    }
}

/// Once and no more: after a lost reply another try could have a second effect.
fn once() -> aws_sdk_iam::config::Builder {
    aws_sdk_iam::config::Builder::new().retry_config(RetryConfig::disabled())
}

impl Iam for Client {
    fn signed_by(&self, key: &AccessKey) -> Self {
        Self::new(self.config.clone(), key)
    }

    async fn get_caller_identity(&self) -> Result<CallerIdentity, Error> {
        const ACTION: &str = "GetCallerIdentity";
        let answer = self
            .sts
            .get_caller_identity()
            .send()
            .await
            .map_err(|error| translate(ACTION, &error))?;
        match (answer.account, answer.arn) {
            (Some(account_id), Some(arn)) => Ok(CallerIdentity { account_id, arn }),
            _ => Err(unreadable(ACTION)),
        }
    }

    async fn list_access_keys(&self, user_name: Option<&UserName>) -> Result<Vec<AccessKeyMetadata>, Error> {
        const ACTION: &str = "ListAccessKeys";
        let mut keys = Vec::new();
        let mut marker = None;
        loop {
            let answer = self
                .iam
                .list_access_keys()
                .set_user_name(user_name.map(|name| name.0.clone()))
                .set_marker(marker)
                .send()
                .await
                .map_err(|error| translate(ACTION, &error))?;
            for key in answer.access_key_metadata {
                keys.push(metadata(key).ok_or_else(|| unreadable(ACTION))?);
            }
            marker = answer.marker.filter(|_| answer.is_truncated);
            if marker.is_none() {
                return Ok(keys);
            }
        }
    }

    async fn get_access_key_last_used(
        &self,
        access_key_id: &AccessKeyId,
    ) -> Result<AccessKeyLastUsed, Error> {
        const ACTION: &str = "GetAccessKeyLastUsed";
        let answer = self
            .iam
            .get_access_key_last_used()
            .access_key_id(access_key_id.as_str())
            .send()
            .await
            .map_err(|error| translate(ACTION, &error))?;
        // Without this part AWS has said nothing about use, which is not the same as never.
        let used = answer.access_key_last_used.ok_or_else(|| unreadable(ACTION))?;
        let last_used = match used.last_used_date {
            Some(date) => {
                let date = timestamp(date).ok_or_else(|| unreadable(ACTION))?;
                Some(LastUsed {
                    date,
                    service: used.service_name,
                    region: used.region,
                })
            }
            None => None,
        };
        Ok(AccessKeyLastUsed {
            user_name: answer.user_name.filter(|name| !name.is_empty()).map(UserName),
            last_used,
        })
    }

    async fn create_access_key(&self, user_name: &UserName) -> Result<CreatedAccessKey, Error> {
        const ACTION: &str = "CreateAccessKey";
        let answer = self
            .iam
            .create_access_key()
            .user_name(&user_name.0)
            .customize()
            .config_override(once())
            .send()
            .await
            .map_err(|error| translate(ACTION, &error))?;
        let key = answer.access_key.ok_or_else(|| unreadable(ACTION))?;
        let id = AccessKeyId::parse(&key.access_key_id).map_err(|_| unreadable(ACTION))?;
        let create_date = key
            .create_date
            .and_then(timestamp)
            .ok_or_else(|| unreadable(ACTION))?;
        let access_key = AccessKey {
            id,
            secret: SecretAccessKey::new(key.secret_access_key),
        };
        Ok(CreatedAccessKey {
            access_key,
            create_date,
        })
    }

    async fn update_access_key(
        &self,
        user_name: &UserName,
        access_key_id: &AccessKeyId,
        status: AccessKeyStatus,
    ) -> Result<(), Error> {
        use aws_sdk_iam::types::StatusType;
        let status = match status {
            AccessKeyStatus::Active => StatusType::Active,
            AccessKeyStatus::Inactive => StatusType::Inactive,
        };
        self.iam
            .update_access_key()
            .user_name(&user_name.0)
            .access_key_id(access_key_id.as_str())
            .status(status)
            .send()
            .await
            .map_err(|error| translate("UpdateAccessKey", &error))?;
        Ok(())
    }

    async fn delete_access_key(
        &self,
        user_name: &UserName,
        access_key_id: &AccessKeyId,
    ) -> Result<(), Error> {
        self.iam
            .delete_access_key()
            .user_name(&user_name.0)
            .access_key_id(access_key_id.as_str())
            .customize()
            .config_override(once())
            .send()
            .await
            .map_err(|error| translate("DeleteAccessKey", &error))?;
        Ok(())
    }
}

fn metadata(key: aws_sdk_iam::types::AccessKeyMetadata) -> Option<AccessKeyMetadata> {
    use aws_sdk_iam::types::StatusType;
    Some(AccessKeyMetadata {
        access_key_id: AccessKeyId::parse(&key.access_key_id?).ok()?,
        user_name: key.user_name.filter(|name| !name.is_empty()).map(UserName),
        status: if key.status? == StatusType::Active {
            AccessKeyStatus::Active
        } else {
            AccessKeyStatus::Inactive
        },
        create_date: timestamp(key.create_date?)?,
    })
}

fn timestamp(date: aws_smithy_types::DateTime) -> Option<Timestamp> {
    Timestamp::new(date.secs(), i32::try_from(date.subsec_nanos()).ok()?).ok()
}

fn unreadable(action: &'static str) -> Error {
    Error {
        action,
        kind: ErrorKind::Unreadable,
        code: None,
        message: "the answer is not one of AWS's".into(),
    }
}
