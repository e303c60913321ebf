//! Performs the IAM and STS calls of [`crate::iam`] with AWS's SDK.
//! Never runs a credential provider, never asks the instance metadata service, never logs a request.

use std::path::PathBuf;
use std::time::Duration;

use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_sdk_iam::config::retry::RetryConfig;
use aws_sdk_iam::config::timeout::TimeoutConfig;
use aws_sdk_iam::types::{PolicyEvaluationDecisionType, ReportStateType, StatusType};
use aws_smithy_types::DateTime;
use aws_types::os_shim_internal::{Env, Fs};
use jiff::Timestamp;

use crate::access_key::{AccessKey, AccessKeyId, SecretAccessKey, SessionCredentials, SessionToken};
use crate::iam::{
    AccessKeyLastUsed, AccessKeyMetadata, AccessKeyStatus, CallerIdentity, CreatedAccessKey,
    CredentialReport, Error, Iam, LastUsed, ReportState, UserName,
};

mod error;
mod http_client;

pub use http_client::{CaBundleError, Connections};

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

/// What the environment and a profile say about reaching AWS: region, endpoints, FIPS. Holds no credentials.
#[derive(Clone, Debug)]
pub struct Settings {
    sdk: SdkConfig,
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
        })
    }

    /// For many calls in a row: AWS's rate limit is met with patience, and with fewer calls.
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
        }
    }

    /// The region that calls are signed for, before the partition's own rules.
    pub fn region(&self) -> &str {
        self.sdk
            .region()
            .map_or(FALLBACK_REGION, |region| region.as_ref())
    }
}

/// The IAM and STS clients of one key.
#[derive(Clone, Debug)]
pub struct Client {
    settings: Settings,
    iam: aws_sdk_iam::Client,
    sts: aws_sdk_sts::Client,
}

impl Client {
    /// Signs with `key`. Connects to nothing.
    pub fn new(settings: &Settings, key: &AccessKey) -> Self {
        Self::signing(settings, key, None)
    }

    fn signing(settings: &Settings, key: &AccessKey, session_token: Option<&SessionToken>) -> Self {
        let session_token = session_token.map(|token| token.expose().to_owned());
        let credentials = Credentials::from_keys(key.id.as_str(), key.secret.expose(), session_token);
        let iam = aws_sdk_iam::config::Builder::from(&settings.sdk).credentials_provider(credentials.clone());
        let sts = aws_sdk_sts::config::Builder::from(&settings.sdk).credentials_provider(credentials);
        Self {
            settings: settings.clone(),
            iam: aws_sdk_iam::Client::from_conf(iam.build()),
            sts: aws_sdk_sts::Client::from_conf(sts.build()),
        }
    }
}

/// After a lost reply a call's effect is unknown, and only the caller may decide to repeat it.
fn sent_once() -> aws_sdk_iam::config::Builder {
    aws_sdk_iam::config::Builder::new().retry_config(RetryConfig::disabled())
}

impl Iam for Client {
    fn signed_by(&self, key: &AccessKey) -> Self {
        Self::new(&self.settings, key)
    }

    fn in_session(&self, session: &SessionCredentials) -> Self {
        Self::signing(&self.settings, &session.access_key, Some(&session.session_token))
    }

    async fn get_session_token(&self, serial_number: &str, code: &str) -> Result<SessionCredentials, Error> {
        const ACTION: &str = "GetSessionToken";
        let reply = self
            .sts
            .get_session_token()
            .serial_number(serial_number)
            .token_code(code)
            .duration_seconds(SESSION_SECONDS)
            .customize()
            .config_override(aws_sdk_sts::config::Builder::new().retry_config(RetryConfig::disabled()))
            .send()
            .await
            .map_err(|error| error::translate(ACTION, &error))?;
        let credentials = reply
            .credentials
            .ok_or_else(|| error::incomplete(ACTION, "credentials"))?;
        Ok(SessionCredentials {
            access_key: AccessKey {
                id: access_key_id(ACTION, Some(&credentials.access_key_id))?,
                secret: SecretAccessKey::new(credentials.secret_access_key),
            },
            session_token: SessionToken::new(credentials.session_token),
        })
    }

    async fn list_mfa_devices(&self, user_name: &UserName) -> Result<Vec<String>, Error> {
        let mut pages = self
            .iam
            .list_mfa_devices()
            .user_name(&user_name.0)
            .into_paginator()
            .send();
        let mut serials = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| error::translate("ListMFADevices", &error))?;
            serials.extend(
                page.mfa_devices()
                    .iter()
                    .map(|device| device.serial_number().to_owned()),
            );
        }
        Ok(serials)
    }

    async fn actions_denied(
        &self,
        user_arn: &str,
        actions: &[&'static str],
    ) -> Result<Vec<&'static str>, Error> {
        const ACTION: &str = "SimulatePrincipalPolicy";
        let reply = self
            .iam
            .simulate_principal_policy()
            .policy_source_arn(user_arn)
            .resource_arns(user_arn)
            .set_action_names(Some(actions.iter().map(|action| (*action).to_owned()).collect()))
            .send()
            .await
            .map_err(|error| error::translate(ACTION, &error))?;
        let decision = |action: &str| {
            reply
                .evaluation_results()
                .iter()
                .find(|result| result.eval_action_name() == action)
                .map(|result| result.eval_decision() == &PolicyEvaluationDecisionType::Allowed)
        };
        let mut denied = Vec::new();
        for action in actions {
            match decision(action) {
                Some(true) => {}
                Some(false) => denied.push(*action),
                None => return Err(error::incomplete(ACTION, "decision")),
            }
        }
        Ok(denied)
    }

    async fn get_caller_identity(&self) -> Result<CallerIdentity, Error> {
        const ACTION: &str = "GetCallerIdentity";
        let reply = self
            .sts
            .get_caller_identity()
            .send()
            .await
            .map_err(|error| error::translate(ACTION, &error))?;
        match (reply.account, reply.arn) {
            (Some(account_id), Some(arn)) => Ok(CallerIdentity { account_id, arn }),
            _ => Err(error::incomplete(ACTION, "account and ARN")),
        }
    }

    async fn generate_credential_report(&self) -> Result<ReportState, Error> {
        let reply = self
            .iam
            .generate_credential_report()
            .send()
            .await
            .map_err(|error| error::translate("GenerateCredentialReport", &error))?;
        Ok(match reply.state() {
            Some(ReportStateType::Complete) => ReportState::Complete,
            // Whatever comes, there is no report yet.
            Some(_) | None => ReportState::UnderWay,
        })
    }

    async fn get_credential_report(&self) -> Result<CredentialReport, Error> {
        const ACTION: &str = "GetCredentialReport";
        let reply = self
            .iam
            .get_credential_report()
            .send()
            .await
            .map_err(|error| error::translate(ACTION, &error))?;
        let generated_at = timestamp(ACTION, reply.generated_time())?;
        let content = reply
            .content
            .ok_or_else(|| error::incomplete(ACTION, "content"))?
            .into_inner();
        Ok(CredentialReport {
            content,
            generated_at,
        })
    }

    async fn list_access_keys(&self, user_name: Option<&UserName>) -> Result<Vec<AccessKeyMetadata>, Error> {
        const ACTION: &str = "ListAccessKeys";
        let mut pages = self
            .iam
            .list_access_keys()
            .set_user_name(user_name.map(|name| name.0.clone()))
            .into_paginator()
            .send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| error::translate(ACTION, &error))?;
            for row in page.access_key_metadata() {
                keys.push(AccessKeyMetadata {
                    access_key_id: access_key_id(ACTION, row.access_key_id())?,
                    user_name: row
                        .user_name()
                        .filter(|name| !name.is_empty())
                        .map(|name| UserName(name.to_owned())),
                    status: match row.status() {
                        Some(StatusType::Active) => AccessKeyStatus::Active,
                        // `Expired` and whatever comes: IAM does not call it active.
                        Some(_) => AccessKeyStatus::Inactive,
                        None => return Err(error::incomplete(ACTION, "status")),
                    },
                    create_date: timestamp(ACTION, row.create_date())?,
                });
            }
        }
        Ok(keys)
    }

    async fn get_access_key_last_used(
        &self,
        access_key_id: &AccessKeyId,
    ) -> Result<AccessKeyLastUsed, Error> {
        const ACTION: &str = "GetAccessKeyLastUsed";
        let reply = self
            .iam
            .get_access_key_last_used()
            .access_key_id(access_key_id.as_str())
            .send()
            .await
            .map_err(|error| error::translate(ACTION, &error))?;
        // Without the element AWS has said nothing, which is not "never".
        let last_used = reply
            .access_key_last_used()
            .ok_or_else(|| error::incomplete(ACTION, "AccessKeyLastUsed"))?;
        let last_used = match last_used.last_used_date() {
            Some(date) => Some(LastUsed {
                date: timestamp(ACTION, Some(date))?,
                service: last_used.service_name().to_owned(),
                region: last_used.region().to_owned(),
            }),
            None => None,
        };
        let user_name = reply
            .user_name()
            .filter(|name| !name.is_empty())
            .map(|name| UserName(name.to_owned()));
        Ok(AccessKeyLastUsed { user_name, last_used })
    }

    async fn create_access_key(&self, user_name: &UserName) -> Result<CreatedAccessKey, Error> {
        const ACTION: &str = "CreateAccessKey";
        let reply = self
            .iam
            .create_access_key()
            .user_name(&user_name.0)
            .customize()
            .config_override(sent_once())
            .send()
            .await
            .map_err(|error| error::translate(ACTION, &error))?;
        let key = reply
            .access_key()
            .ok_or_else(|| error::incomplete(ACTION, "key"))?;
        if key.secret_access_key().is_empty() {
            return Err(error::incomplete(ACTION, "secret"));
        }
        Ok(CreatedAccessKey {
            access_key: AccessKey {
                id: self::access_key_id(ACTION, Some(key.access_key_id()))?,
                secret: SecretAccessKey::new(key.secret_access_key()),
            },
            create_date: timestamp(ACTION, key.create_date())?,
        })
    }

    async fn update_access_key(
        &self,
        user_name: &UserName,
        access_key_id: &AccessKeyId,
        status: AccessKeyStatus,
    ) -> Result<(), Error> {
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
            .map_err(|error| error::translate("UpdateAccessKey", &error))?;
        Ok(())
    }

    async fn delete_access_key(
        &self,
        user_name: &UserName,
        access_key_id: &AccessKeyId,
    ) -> Result<(), Error> {
        // Repeated after a lost reply it would answer NoSuchEntity, which reads like a mistake.
        self.iam
            .delete_access_key()
            .user_name(&user_name.0)
            .access_key_id(access_key_id.as_str())
            .customize()
            .config_override(sent_once())
            .send()
            .await
            .map_err(|error| error::translate("DeleteAccessKey", &error))?;
        Ok(())
    }
}

fn access_key_id(action: &'static str, text: Option<&str>) -> Result<AccessKeyId, Error> {
    AccessKeyId::parse(text.unwrap_or_default()).map_err(|_invalid| error::incomplete(action, "key ID"))
}

fn timestamp(action: &'static str, date: Option<&DateTime>) -> Result<Timestamp, Error> {
    date.and_then(|date| Timestamp::new(date.secs(), i32::try_from(date.subsec_nanos()).ok()?).ok())
        .ok_or_else(|| error::incomplete(action, "date"))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::iam::ErrorKind;
    use crate::process::Environment;

    /// Answers each connection with the next reply, the last one for ever; an empty one just hangs up.
    fn server(replies: &'static [&'static str]) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let calls = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&calls);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.expect("a connection");
                let mut request = [0; 8192];
                let _ = connection.read(&mut request);
                let call = count.fetch_add(1, Ordering::SeqCst);
                let reply = replies[call.min(replies.len() - 1)];
                let _ = connection.write_all(reply.as_bytes());
            }
        });
        (url, calls)
    }

    async fn client(url: String) -> Client {
        let connections = Connections::new(&Environment::default());
        let mut settings = Settings::load(&connections, Some("no such profile"))
            .await
            .expect("no bundle");
        settings.sdk = settings.sdk.to_builder().endpoint_url(url).build();
        let key = AccessKey {
            id: AccessKeyId::parse("TESTTESTTESTTEST").expect("an ID"),
            secret: SecretAccessKey::new("secret"),
        };
        Client::new(&settings, &key)
    }

    fn alice() -> UserName {
        UserName("alice".to_owned())
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().expect("a runtime").block_on(future)
    }

    #[test]
    fn a_lost_reply_is_unknown_and_not_repeated() {
        run(async {
            let (url, calls) = server(&[""]);
            let error = client(url)
                .await
                .create_access_key(&alice())
                .await
                .expect_err("no reply");
            assert!(!error.had_no_effect(), "{error:?}");
            assert_eq!(calls.load(Ordering::SeqCst), 1);

            let (url, calls) =
                server(&["HTTP/1.1 500 Oops\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"]);
            let client = client(url).await;
            let id = AccessKeyId::parse("TESTTESTTESTTEST").expect("an ID");
            let error = client
                .delete_access_key(&alice(), &id)
                .await
                .expect_err("HTTP 500");
            assert_eq!(
                (error.kind, calls.load(Ordering::SeqCst)),
                (ErrorKind::ServiceFailure, 1)
            );
        });
    }

    #[test]
    fn a_read_is_repeated() {
        run(async {
            let (url, calls) = server(&[
                "HTTP/1.1 500 Oops\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
                "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\
                <ListAccessKeysResponse><ListAccessKeysResult><IsTruncated>true</IsTruncated><Marker>m</Marker>\
                <AccessKeyMetadata><member><UserName>alice</UserName><AccessKeyId>AAAAAAAAAAAAAAAA</AccessKeyId>\
                <Status>Active</Status><CreateDate>2026-01-02T03:04:05Z</CreateDate></member></AccessKeyMetadata>\
                </ListAccessKeysResult></ListAccessKeysResponse>",
                "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\
                <ListAccessKeysResponse><ListAccessKeysResult><IsTruncated>false</IsTruncated>\
                <AccessKeyMetadata><member><UserName>alice</UserName><AccessKeyId>BBBBBBBBBBBBBBBB</AccessKeyId>\
                <Status>Expired</Status><CreateDate>2026-01-02T03:04:05Z</CreateDate></member></AccessKeyMetadata>\
                </ListAccessKeysResult></ListAccessKeysResponse>",
            ]);
            let keys = client(url)
                .await
                .list_access_keys(Some(&alice()))
                .await
                .expect("two pages");
            assert_eq!(calls.load(Ordering::SeqCst), 3);
            let status: Vec<_> = keys
                .iter()
                .map(|key| (key.access_key_id.as_str(), key.status))
                .collect();
            assert_eq!(
                status,
                [
                    ("AAAAAAAAAAAAAAAA", AccessKeyStatus::Active),
                    ("BBBBBBBBBBBBBBBB", AccessKeyStatus::Inactive)
                ]
            );
            assert_eq!(
                keys[0].create_date,
                "2026-01-02T03:04:05Z".parse().expect("a time")
            );
        });
    }

    #[test]
    fn what_is_not_from_aws_is_unreadable() {
        run(async {
            for reply in [
                "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n<html>Please sign in</html>",
                "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n<ListAccessKeysResponse><ListAccessKeysRes",
                "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
                "HTTP/1.1 302 Found\r\nlocation: /login\r\nconnection: close\r\n\r\n",
                "HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n<html>blocked by policy</html>",
            ] {
                let (url, _calls) = server(Box::leak(Box::new([reply])));
                let error = client(url).await.list_access_keys(None).await.expect_err(reply);
                assert_eq!(error.kind, ErrorKind::Unreadable, "{reply}: {error:?}");
            }
        });
    }

    #[test]
    fn nobody_listens_is_unreachable() {
        run(async {
            let error = client("http://127.0.0.1:1".to_owned())
                .await
                .get_caller_identity()
                .await
                .expect_err("refused");
            assert_eq!(error.kind, ErrorKind::Unreachable);
            assert!(error.message.to_lowercase().contains("refused"), "{error}");
        });
    }
}
