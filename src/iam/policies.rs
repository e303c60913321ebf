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
    /// `audit --accounts` and `--organization`, in the account that signs; each role needs one of the two above.
    AuditAccounts,
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

/// Whom a policy is about.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: &'a str,
    /// Begins and ends with `/`: `user/eng/alice` has the path `/eng/`.
    pub user_path: &'a str,
    /// The role in each of many accounts, with its path where it has one.
    pub role_name: &'a str,
}

/// The policy document.
pub fn document(job: Job, scope: Scope<'_>) -> Value {
    let Scope {
        partition,
        user_path,
        role_name,
    } = scope;
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
        Job::AuditAccounts => vec![
            json!({
                "Sid": "AuditInEachAccount",
                "Effect": "Allow",
                "Action": ["sts:AssumeRole"],
                "Resource": format!("arn:{partition}:iam::*:role/{role_name}"),
            }),
            json!({
                "Sid": "ListAccountsOfTheOrganization",
                "Effect": "Allow",
                "Action": ["organizations:ListAccounts"],
                // It knows no resources.
                "Resource": "*",
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

    const EVERYBODY: Scope<'_> = Scope {
        partition: "aws",
        user_path: "/",
        role_name: "keyagent-audit",
    };

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
                Job::AuditAccounts,
                include_str!("../../packaging/iam-policies/audit-accounts.json"),
            ),
            (
                Job::Remediate,
                include_str!("../../packaging/iam-policies/remediate.json"),
            ),
        ] {
            let packaged: Value = serde_json::from_str(packaged).unwrap();
            assert_eq!(document(job, EVERYBODY), packaged, "{job:?}");
        }
    }

    #[test]
    fn partition_and_path_are_in_the_resource() {
        let scope = Scope {
            partition: "aws-us-gov",
            user_path: "/eng/",
            role_name: "audit",
        };
        let policy = document(Job::Own, scope);
        assert_eq!(
            policy["Statement"][0]["Resource"],
            "arn:aws-us-gov:iam::*:user/eng/${aws:username}"
        );
        let policy = document(Job::AuditAccounts, scope);
        assert_eq!(
            policy["Statement"][0]["Resource"],
            "arn:aws-us-gov:iam::*:role/audit"
        );
    }
}
