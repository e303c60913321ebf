"""What an account tells of its users: passwords, ListUsers, the account summary and the credential report.

moto has passwords made together with their users and says of no sign-in, gives all users at once, knows of no root user,
and dates every report from 2015.
"""
import datetime

from moto.core.responses import ActionResult
from moto.iam.models import User
from moto.iam.responses import IamResponse

# The account's, which sets them.
KNOBS = {}


def get_login_profile(self):
    user = self.backend.get_login_profile(self._get_param("UserName"))
    made = getattr(user, "password_made", user.create_date)
    return ActionResult(
        {"LoginProfile": {"UserName": user.name, "CreateDate": made, "PasswordResetRequired": False}}
    )


IamResponse.get_login_profile = get_login_profile
original_to_csv = User.to_csv


def to_csv(self):
    fields = original_to_csv(self).split(",")
    made = getattr(self, "password_made", None)
    fields[5] = made.strftime("%Y-%m-%dT%H:%M:%S+00:00") if made else "N/A"
    return ",".join(fields)


User.to_csv = to_csv


# ListUsers, which moto does not give in pages, and whether root has a key.


def list_users(self):
    users = list(self.backend.list_users(None, None, None))
    start = int(self._get_param("Marker") or 0)
    end = start + min(self._get_int_param("MaxItems", 100), KNOBS["page"])
    page = [
        {
            "Path": user.path,
            "UserName": user.name,
            "UserId": user.id,
            "Arn": user.arn,
            "CreateDate": user.create_date,
            **({"PasswordLastUsed": user.password_last_used} if user.password_last_used else {}),
        }
        for user in users[start:end]
    ]
    more = {"IsTruncated": True, "Marker": str(end)} if end < len(users) else {"IsTruncated": False}
    return ActionResult({"Users": page, **more})


def get_account_summary(self):
    summary = dict(self.backend.get_account_summary().summary_map)
    summary["AccountAccessKeysPresent"] = int(KNOBS["root_key"] == "true")
    return ActionResult({"SummaryMap": summary})


IamResponse.list_users = list_users
IamResponse.get_account_summary = get_account_summary


# The credential report. moto's lacks the root user, and always dates from 2015.


def get_credential_report(self):
    header, _, users = self.backend.get_credential_report().partition("\n")
    never = "N/A,N/A,N/A,N/A"
    root = (
        f"<root_account>,arn:aws:iam::{self.current_account}:root,2020-01-01T00:00:00+00:00,not_supported,no_information,"
        f"not_supported,not_supported,true,{KNOBS['root_key']},{never},false,{never},false,N/A,false,N/A"
    )
    content = "\n".join([header, root, users]).rstrip("\n").replace(KNOBS["cut_report"] or "\0", "")
    generated = datetime.datetime.now(datetime.timezone.utc)
    return ActionResult({"Content": content, "ReportFormat": "text/csv", "GeneratedTime": generated})


IamResponse.get_credential_report = get_credential_report
