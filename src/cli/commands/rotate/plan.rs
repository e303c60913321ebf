//! The plan of a rotation as it is shown: for people, and what the document of a dry run says beyond the contract.

use super::super::super::rotations::Workplace;
use crate::aws::Client;
use crate::fs_atomic;
use crate::iam::{ErrorKind, Iam};
use crate::rotate::plan::{Prepared, WRITING_ACTIONS};
use crate::rotate::retire;
use crate::rotate::state::Rotation;

/// Whether the policies allow what is going to be done, as far as AWS says.
pub(super) async fn policy(prepared: &Prepared<Client>) -> String {
    let iam = &prepared.authority.iam;
    match iam
        .actions_denied(&prepared.plan.user_arn, &WRITING_ACTIONS)
        .await
    {
        Ok(denied) if denied.is_empty() => "allows it".into(),
        Ok(denied) => format!("does not allow {}", denied.join(", ")),
        Err(error) if matches!(error.kind, ErrorKind::AccessDenied { .. }) => {
            "unknown: this key may not ask (iam:SimulatePrincipalPolicy)".into()
        }
        Err(error) => format!("unknown: {}", error.problem("", "").cause),
    }
}

/// What the document of a dry run says of it.
pub(super) fn document(
    prepared: &Prepared<Client>,
    after_rotate: Option<&str>,
    policy: Option<&str>,
) -> serde_json::Value {
    let linked = |path| fs_atomic::other_names(path) > 0;
    let plan = &prepared.plan;
    serde_json::json!({
        "user_arn": plan.user_arn,
        "files": plan.files,
        "hard_linked": plan.files.iter().map(|file| &file.path).filter(|path| linked(path)).collect::<Vec<_>>(),
        "access_keys": plan.existing_access_key_ids,
        "mfa_serial": prepared.authority.mfa_serial,
        "secret_store": plan.secret_store,
        "policy": policy,
        "retire_first": prepared.retire_first.as_ref().and_then(Rotation::superseded),
        "after_rotate": after_rotate,
    })
}

/// The plan for people: whose key, where it stands, who signs, where its secrets will lie.
pub(super) fn describe(
    prepared: &Prepared<Client>,
    workplace: &Workplace,
    now: bool,
    after_rotate: Option<&str>,
    policy: Option<&str>,
) -> String {
    let plan = &prepared.plan;
    let mut text = format!("replace {} of {}\n", plan.old_access_key_id, plan.user_arn);
    let mut line = |name: &str, value: &str| text.push_str(&format!("  {name:<9} {value}\n"));
    line("profiles", &plan.profiles.join(", "));
    for file in &plan.files {
        let lines: Vec<String> = file
            .lines
            .iter()
            .map(|(id, secret)| format!("{id} and {secret}"))
            .collect();
        line(
            "file",
            &format!("{}, lines {}", file.path.display(), lines.join(", ")),
        );
        // The link breaks when the file is replaced, and the other name keeps what was in it.
        let others = fs_atomic::other_names(&file.path);
        if others > 0 {
            let names = if others == 1 { "name" } else { "names" };
            line(
                "",
                &format!("the file has {others} more {names} (hard links): there the old key stays"),
            );
        }
    }
    line(
        "keys",
        &format!("{} of 2 in use", plan.existing_access_key_ids.len()),
    );
    match &prepared.authority.mfa_serial {
        Some(serial) => line("MFA", &format!("session with {serial}")),
        None => line("MFA", "not demanded so far"),
    }
    if let Some(policy) = policy {
        line("policy", policy);
    }
    let place = if prepared.plan.secret_store == "file" {
        "in 0600 files"
    } else {
        "in the keyring"
    };
    line("secrets", &format!("{place}, until the old key is deleted"));
    if let Some(why) = workplace.store.instead_of_keyring() {
        line("", why);
    }
    if let Some(earlier) = &prepared.retire_first
        && let Some(superseded) = earlier.superseded()
    {
        line(
            "first",
            &format!(
                "delete {superseded}, superseded by {} and unused since",
                retire::superseded_by(earlier)
            ),
        );
    }
    line(
        "then",
        if now {
            "the old key is made inactive, and deleted if AWS knows of no use since"
        } else {
            "the old key is made inactive; nothing is deleted"
        },
    );
    if let Some(command) = after_rotate {
        line("", &format!("this is run: {command}"));
    }
    text
}
