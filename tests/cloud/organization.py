"""Further accounts beside the first: roles that others may assume, and the organization that lists the accounts.

moto lets anybody assume any role, whether it exists or not. Here the caller's policy, the role's trust policy and its
external ID decide, as they do for AWS.
"""
import datetime
import json

from moto.iam.models import iam_backends
from moto.organizations.models import organizations_backends


def role_of(arn):
    """The role, or None."""
    account_id = arn.split(":")[4]
    roles = iam_backends[account_id]["aws"].get_roles() if account_id.isdigit() else []
    return next((role for role in roles if role.arn == arn), None)


def trusts(role_arn, caller_arn, external_id, with_mfa):
    """Whether the role's trust policy lets this caller in."""
    role = role_of(role_arn)
    if role is None:
        return False
    root_arn = ":".join(caller_arn.split(":")[:5]).replace(":sts:", ":iam:") + ":root"
    for statement in json.loads(role.assume_role_policy_document)["Statement"]:
        conditions = statement.get("Condition", {})
        wanted_id = conditions.get("StringEquals", {}).get("sts:ExternalId")
        wants_mfa = conditions.get("Bool", {}).get("aws:MultiFactorAuthPresent") == "true"
        if (
            statement["Principal"]["AWS"] in (root_arn, caller_arn)
            and wanted_id in (None, external_id)
            and (with_mfa or not wants_mfa)
        ):
            return True
    return False


def make_role(account_id, trusted_account_id, body):
    """Makes a role that the trusted account's users may assume."""
    conditions = {}
    if "external_id" in body:
        conditions["StringEquals"] = {"sts:ExternalId": body["external_id"]}
    if body.get("mfa"):
        conditions["Bool"] = {"aws:MultiFactorAuthPresent": "true"}
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{trusted_account_id}:root"},
        "Action": "sts:AssumeRole",
        "Condition": conditions,
    }
    iam = iam_backends[account_id]["aws"]
    role = iam.create_role(
        role_name=body["name"],
        assume_role_policy_document=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        path="/",
        permissions_boundary=None,
        description="",
        tags=[],
        max_session_duration="3600",
    )
    iam.put_role_policy(body["name"], "audit", json.dumps(body["policy"]))
    return role.arn


def make_users(account_id, count, days):
    """Makes users, each with a key of this age."""
    iam = iam_backends[account_id]["aws"]
    made = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) - datetime.timedelta(days=days)
    for number in range(count):
        iam.create_user("us-east-1", f"user-{number}", "/")
        iam.create_access_key(f"user-{number}").create_date = made


def make_organization(master_account_id, accounts):
    """Makes the organization; `accounts` maps IDs to `[name, state]`."""
    organizations = organizations_backends[master_account_id]["aws"]
    organizations.create_organization("us-east-1")
    for account_id, (name, state) in accounts.items():
        organizations.create_account(AccountName=name, Email=f"{name}@example.com")
        account = organizations.accounts[-1]
        account.id, account.status, account.state = account_id, state, state
