//! AWS's refusals in plain words, with what to do about each. AWS's own code is kept in brackets.

use super::{Error, ErrorKind};
use crate::problem::Problem;

impl Error {
    /// Tells the failure of a call. `what` is what could not be done, `profile` the profile whose key signed.
    pub fn problem(&self, what: impl Into<String>, profile: &str) -> Problem {
        let action = self.action;
        let service = match action {
            "GetCallerIdentity" | "AssumeRole" => "sts",
            "ListAccounts" => "organizations",
            _ => "iam",
        };
        let (cause, hint) = match self.kind {
            ErrorKind::AccessDenied { .. } if action == "AssumeRole" => (
                format!("the user's policies do not allow sts:AssumeRole, or the role does not trust the user: {}", self.message),
                "see whom the role trusts, and whether it wants an external ID or MFA: aws iam get-role --role-name ROLE".into(),
            ),
            ErrorKind::AccessDenied { .. } if action == "ListAccounts" => (
                format!("no policy allows organizations:ListAccounts to this key, or its account may not ask: {}", self.message),
                "ask with a profile of the organization's management account, or name the accounts: --accounts".into(),
            ),
            ErrorKind::AccessDenied { explicit } => (
                if explicit {
                    format!("a policy denies {service}:{action} to this key")
                } else {
                    format!("no policy allows {service}:{action} to this key")
                },
                if explicit {
                    "see whether it wants MFA, and sign with it: --mfa-code CODE; an Allow does not help against a Deny".into()
                } else {
                    format!("ask for {service}:{action} on your own user; the statement: keyagent policy self")
                },
            ),
            ErrorKind::InvalidMfaCode => (
                "AWS does not take the MFA code: each works once, for half a minute".into(),
                "wait for the next code of the device, then try again".into(),
            ),
            ErrorKind::InvalidClientTokenId => (
                "AWS does not accept the key: it is inactive, deleted, or of another partition".into(),
                format!("make a new key in the IAM console, then: aws configure --profile {profile}"),
            ),
            ErrorKind::SignatureDoesNotMatch => (
                "the secret in the file does not belong to the key ID".into(),
                format!("enter the pair again: aws configure --profile {profile}"),
            ),
            ErrorKind::ExpiredToken => (
                "the session has ended".into(),
                format!("sign in again: aws sso login --profile {profile}"),
            ),
            ErrorKind::RequestExpired => (
                "the clock of this computer is minutes off AWS's".into(),
                "set the clock: sudo timedatectl set-ntp true".into(),
            ),
            ErrorKind::LimitExceeded => (
                "the user has two keys already, the most that AWS allows".into(),
                format!("see both: keyagent status -p {profile}"),
            ),
            ErrorKind::NoSuchEntity => (
                "AWS does not know the user or the key".into(),
                format!("see what there is: keyagent status -p {profile}"),
            ),
            ErrorKind::Throttled => ("AWS has too many calls from this account".into(), "try again in a minute".into()),
            ErrorKind::ServiceFailure => {
                (format!("AWS failed: {}", self.message), "try again in a minute; https://health.aws.amazon.com".into())
            }
            ErrorKind::Unreachable => (
                format!("AWS cannot be reached: {}", self.message),
                "check the network, HTTPS_PROXY, AWS_CA_BUNDLE and AWS_ENDPOINT_URL".into(),
            ),
            ErrorKind::TimedOut => (
                format!("AWS does not answer: {}", self.message),
                "check the network and HTTPS_PROXY, then try again".into(),
            ),
            ErrorKind::Unreadable => (
                self.message.clone(),
                "something between here and AWS answers, perhaps a login page or a proxy: check HTTPS_PROXY and \
                 AWS_ENDPOINT_URL"
                    .into(),
            ),
            ErrorKind::Refused => (
                format!("AWS refuses {action}: {}", self.message),
                format!("see what AWS knows of the key: keyagent status -p {profile}"),
            ),
        };
        let cause = match &self.code {
            Some(code) => format!("{cause} [{code}]"),
            None => cause,
        };
        Problem::new(what, cause, hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_kept_and_the_action_named() {
        let error = Error {
            action: "CreateAccessKey",
            kind: ErrorKind::AccessDenied { explicit: true },
            code: Some("AccessDenied".into()),
            message: "whatever AWS says".into(),
        };
        let problem = error.problem("cannot rotate profile dev", "dev");
        assert_eq!(
            problem.cause,
            "a policy denies iam:CreateAccessKey to this key [AccessDenied]"
        );
    }
}
