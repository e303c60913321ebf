//! Performs the IAM and STS calls of [`crate::iam`] with AWS's SDK.
//! Never runs a credential provider, never asks the instance metadata service, never logs a request.

use aws_credential_types::Credentials;
use aws_sdk_iam::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_iam::types::{PolicyEvaluationDecisionType, ReportStateType, StatusType, SummaryKeyType};
use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityOutput;
use aws_smithy_types::DateTime;
use jiff::Timestamp;

use crate::access_key::{AccessKey, AccessKeyId, SecretAccessKey, SessionCredentials, SessionToken};
use crate::iam::{
    AccessKeyLastUsed, AccessKeyMetadata, AccessKeyStatus, CallerIdentity, CreatedAccessKey,
    CredentialReport, Error, ErrorKind, Iam, LastUsed, ListedUser, ReportState, Role, UserName, UsersPage,
};

mod date;
mod error;
mod http_client;
mod organization;
mod reply;
mod settings;

pub use http_client::{CaBundleError, Connections};
pub use organization::ListedAccount;
pub use settings::Settings;

/// The most that IAM gives at once.
const PAGE: i32 = 1_000;

/// The IAM and STS clients of one key.
#[derive(Clone, Debug)]
pub struct Client {
    settings: Settings,
    iam: aws_sdk_iam::Client,
    sts: aws_sdk_sts::Client,
    organizations: aws_sdk_organizations::Client,
}

impl Client {
    /// Signs with `key`. Connects to nothing.
    pub fn new(settings: &Settings, key: &AccessKey) -> Self {
        Self::signing(settings, key, None)
    }

    fn signing(settings: &Settings, key: &AccessKey, session_token: Option<&SessionToken>) -> Self {
        let session_token = session_token.map(|token| token.expose().to_owned());
        let credentials = Credentials::from_keys(key.id.as_str(), key.secret.expose(), session_token);
        // Throttling, and what it leaves of the budget for retries, are of the account that has them, not of others.
        let iam = aws_sdk_iam::config::Builder::from(&settings.sdk)
            .credentials_provider(credentials.clone())
            .retry_partition(RetryPartition::new(format!("iam of {}", key.id)));
        let sts = aws_sdk_sts::config::Builder::from(&settings.sdk).credentials_provider(credentials.clone());
        let organizations =
            aws_sdk_organizations::config::Builder::from(&settings.sdk).credentials_provider(credentials);
        Self {
            settings: settings.clone(),
            iam: aws_sdk_iam::Client::from_conf(iam.build()),
            sts: aws_sdk_sts::Client::from_conf(sts.build()),
            organizations: aws_sdk_organizations::Client::from_conf(organizations.build()),
        }
    }
}

impl Client {
    /// STS GetCallerIdentity, and the time by AWS's clock when it answered, if it did: a refusal says the time too.
    pub async fn get_caller_identity_and_time(&self) -> (Result<CallerIdentity, Error>, Option<Timestamp>) {
        let date = date::OfReply::default();
        let asked = self
            .sts
            .get_caller_identity()
            .customize()
            .interceptor(date.clone())
            .send()
            .await;
        (
            identity(asked.map_err(|error| error::translate(GET_CALLER_IDENTITY, &error))),
            date.get(),
        )
    }
}

const GET_CALLER_IDENTITY: &str = "GetCallerIdentity";

fn identity(reply: Result<GetCallerIdentityOutput, Error>) -> Result<CallerIdentity, Error> {
    let reply = reply?;
    match (reply.account, reply.arn) {
        (Some(account_id), Some(arn)) => Ok(CallerIdentity { account_id, arn }),
        _ => Err(error::incomplete(GET_CALLER_IDENTITY, "account and ARN")),
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
            .duration_seconds(self.settings.session_seconds)
            .customize()
            .config_override(aws_sdk_sts::config::Builder::new().retry_config(RetryConfig::disabled()))
            .send()
            .await
            .map_err(|error| error::translate(ACTION, &error))?;
        session(ACTION, reply.credentials)
    }

    async fn assume_role(&self, role: &Role) -> Result<SessionCredentials, Error> {
        const ACTION: &str = "AssumeRole";
        let reply = self
            .sts
            .assume_role()
            .role_arn(&role.arn)
            .role_session_name(&role.session_name)
            .set_external_id(role.external_id.clone())
            .send()
            .await
            .map_err(|error| error::translate(ACTION, &error))?;
        session(ACTION, reply.credentials)
    }

    async fn list_users(&self, marker: Option<&str>) -> Result<UsersPage, Error> {
        const ACTION: &str = "ListUsers";
        let reply = self
            .iam
            .list_users()
            .max_items(PAGE)
            .set_marker(marker.map(str::to_owned))
            .send()
            .await
            .map_err(|error| error::translate(ACTION, &error))?;
        let user = |user: &aws_sdk_iam::types::User| {
            Ok(ListedUser {
                user_name: UserName(user.user_name().to_owned()),
                arn: user.arn().to_owned(),
                create_date: timestamp(ACTION, Some(user.create_date()))?,
                password_last_used: user
                    .password_last_used()
                    .map(|date| timestamp(ACTION, Some(date)))
                    .transpose()?,
            })
        };
        let users = reply.users().iter().map(user).collect::<Result<_, Error>>()?;
        let marker = reply.is_truncated.then_some(reply.marker).flatten();
        if reply.is_truncated && marker.is_none() {
            return Err(error::incomplete(ACTION, "marker"));
        }
        Ok(UsersPage { users, marker })
    }

    async fn get_login_profile(&self, user_name: &UserName) -> Result<Option<Timestamp>, Error> {
        const ACTION: &str = "GetLoginProfile";
        let reply = self.iam.get_login_profile().user_name(&user_name.0).send().await;
        match reply.map_err(|error| error::translate(ACTION, &error)) {
            Ok(reply) => {
                let profile = reply
                    .login_profile()
                    .ok_or_else(|| error::incomplete(ACTION, "login profile"))?;
                timestamp(ACTION, Some(profile.create_date())).map(Some)
            }
            Err(error) if error.kind == ErrorKind::NoSuchEntity => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn root_has_access_key(&self) -> Result<bool, Error> {
        const ACTION: &str = "GetAccountSummary";
        let reply = self
            .iam
            .get_account_summary()
            .send()
            .await
            .map_err(|error| error::translate(ACTION, &error))?;
        let count = reply
            .summary_map()
            .and_then(|map| map.get(&SummaryKeyType::AccountAccessKeysPresent))
            .ok_or_else(|| error::incomplete(ACTION, "AccountAccessKeysPresent"))?;
        Ok(*count != 0)
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
        let asked = self.sts.get_caller_identity().send().await;
        identity(asked.map_err(|error| error::translate(GET_CALLER_IDENTITY, &error)))
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
        const ACTION: &str = "UpdateAccessKey";
        let status = match status {
            AccessKeyStatus::Active => StatusType::Active,
            AccessKeyStatus::Inactive => StatusType::Inactive,
        };
        let acknowledged = reply::Acknowledged::new(ACTION);
        self.iam
            .update_access_key()
            .user_name(&user_name.0)
            .access_key_id(access_key_id.as_str())
            .status(status)
            .customize()
            .interceptor(acknowledged.clone())
            .send()
            .await
            .map_err(|error| error::translate(ACTION, &error))?;
        acknowledged.check()
    }

    async fn delete_access_key(
        &self,
        user_name: &UserName,
        access_key_id: &AccessKeyId,
    ) -> Result<(), Error> {
        const ACTION: &str = "DeleteAccessKey";
        let acknowledged = reply::Acknowledged::new(ACTION);
        // Repeated after a lost reply it would answer NoSuchEntity, which reads like a mistake.
        self.iam
            .delete_access_key()
            .user_name(&user_name.0)
            .access_key_id(access_key_id.as_str())
            .customize()
            .config_override(sent_once())
            .interceptor(acknowledged.clone())
            .send()
            .await
            .map_err(|error| error::translate(ACTION, &error))?;
        acknowledged.check()
    }
}

fn session(
    action: &'static str,
    credentials: Option<aws_sdk_sts::types::Credentials>,
) -> Result<SessionCredentials, Error> {
    let credentials = credentials.ok_or_else(|| error::incomplete(action, "credentials"))?;
    Ok(SessionCredentials {
        access_key: AccessKey {
            id: access_key_id(action, Some(&credentials.access_key_id))?,
            secret: SecretAccessKey::new(credentials.secret_access_key),
        },
        session_token: SessionToken::new(credentials.session_token),
    })
}

fn access_key_id(action: &'static str, text: Option<&str>) -> Result<AccessKeyId, Error> {
    AccessKeyId::parse(text.unwrap_or_default()).map_err(|_invalid| error::incomplete(action, "key ID"))
}

fn timestamp(action: &'static str, date: Option<&DateTime>) -> Result<Timestamp, Error> {
    date.and_then(|date| Timestamp::new(date.secs(), i32::try_from(date.subsec_nanos()).ok()?).ok())
        .ok_or_else(|| error::incomplete(action, "date"))
}

#[cfg(test)]
mod tests;
