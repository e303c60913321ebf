//! The least IAM policy for each job, as JSON. What developers need grants nothing on other users than the signing one.

use serde_json::{Value, json};

/// What a policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// `status`, `rotate`, `undo`, `recover` and `retire` with one's own keys.
    Own,
    /// The same, only with MFA.
    OwnWithMfa,
    /// `audit`.
    Audit,
    /// `audit --via list`.
    AuditByList,
    /// `disable`, `enable` and `delete` with the keys of others.
    Remediate,
}

/// The actions on one's own user that rotation needs; each is used by a command, see docs/rotation.md.
const OWN_KEYS: [&str; 5] = [
    "iam:CreateAccessKey",
    "iam:DeleteAccessKey",
    "iam:GetAccessKeyLastUsed",
    "iam:ListAccessKeys",
    "iam:UpdateAccessKey",
];

/// The actions on each user that an audit without the credential report needs; see docs/audit.md.
const ABOUT_USERS: [&str; 3] = [
    "iam:GetAccessKeyLastUsed",
    "iam:GetLoginProfile",
    "iam:ListAccessKeys",
];

/// The actions on others' keys that remediation needs; see docs/remediation.md.
const KEYS_OF_OTHERS: [&str; 4] = [
    "iam:DeleteAccessKey",
    "iam:GetAccessKeyLastUsed",
    "iam:ListAccessKeys",
    "iam:UpdateAccessKey",
];

/// The policy document. `partition` is `aws`, `aws-cn` or `aws-us-gov`; `user_path` begins and ends with `/`, and
/// is the path of the users it is about (`user/eng/alice` has the path `/eng/`).
pub fn document(job: Job, partition: &str, user_path: &str) -> Value {
    let own_user = format!("arn:{partition}:iam::*:user{user_path}${{aws:username}}");
    let keys = json!({
        "Sid": "RotateOwnAccessKeys",
        "Effect": "Allow",
        "Action": OWN_KEYS,
        "Resource": own_user,
    });
    let statements = match job {
        Job::Own => vec![keys],
        Job::OwnWithMfa => {
            let mut keys = keys;
            keys["Condition"] = json!({ "Bool": { "aws:MultiFactorAuthPresent": "true" } });
            let device = json!({
                "Sid": "FindOwnMfaDevice",
                "Effect": "Allow",
                "Action": ["iam:ListMFADevices"],
                "Resource": own_user,
            });
            vec![keys, device]
        }
        Job::Audit => vec![
            json!({
                "Sid": "ReadCredentialReport",
                "Effect": "Allow",
                "Action": ["iam:GenerateCredentialReport", "iam:GetCredentialReport"],
                // Neither knows resources: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
                "Resource": "*",
            }),
            json!({
                "Sid": "LookUpAccessKeyIds",
                "Effect": "Allow",
                "Action": ["iam:ListAccessKeys"],
                "Resource": format!("arn:{partition}:iam::*:user{user_path}*"),
            }),
        ],
        Job::AuditByList => vec![
            json!({
                "Sid": "ListUsers",
                "Effect": "Allow",
                "Action": ["iam:GetAccountSummary", "iam:ListUsers"],
                // GetAccountSummary knows no resource, and ListUsers is not to leave users out.
                "Resource": "*",
            }),
            json!({
                "Sid": "AskAboutUsers",
                "Effect": "Allow",
                "Action": ABOUT_USERS,
                "Resource": format!("arn:{partition}:iam::*:user{user_path}*"),
            }),
        ],
        Job::Remediate => vec![json!({
            "Sid": "RemediateAccessKeys",
            "Effect": "Allow",
            "Action": KEYS_OF_OTHERS,
            "Resource": format!("arn:{partition}:iam::*:user{user_path}*"),
        })],
    };
    json!({ "Version": "2012-10-17", "Statement": statements })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packaged_policies_are_these() {
        for (job, packaged) in [
            (Job::Own, include_str!("../../packaging/iam-policies/self.json")),
            (
                Job::OwnWithMfa,
                include_str!("../../packaging/iam-policies/self-mfa.json"),
            ),
            (
                Job::Audit,
                include_str!("../../packaging/iam-policies/audit.json"),
            ),
            (
                Job::AuditByList,
                include_str!("../../packaging/iam-policies/audit-list.json"),
            ),
            (
                Job::Remediate,
                include_str!("../../packaging/iam-policies/remediate.json"),
            ),
        ] {
            let packaged: Value = serde_json::from_str(packaged).unwrap();
            assert_eq!(document(job, "aws", "/"), packaged, "{job:?}");
        }
    }

    #[test]
    fn partition_and_path_are_in_the_resource() {
        let policy = document(Job::Own, "aws-us-gov", "/eng/");
        assert_eq!(
            policy["Statement"][0]["Resource"],
            "arn:aws-us-gov:iam::*:user/eng/${aws:username}"
        );
    }
}
