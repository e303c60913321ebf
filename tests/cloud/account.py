#!/usr/bin/env python3
"""The AWS account on loopback: moto, and what moto lacks.

    account.py [--port N] [--tls CERTIFICATE KEY]

Prints `READY PORT`, serves on 127.0.0.1, and ends when its standard input is closed, so that it never outlives the
test that started it.

moto verifies signatures, applies IAM policies and the quota of two keys. It does not refuse inactive keys, has no
MFA sessions or conditions, knows no propagation delay, no faults and no clock; this file adds those. Everything is
controlled by POST /_account/NAME with a JSON object:

    user      {name, path?, policy?}        makes a user with a key; answers arn and the pair
    password  {user, made, used?}           gives the user a console password, so many days ago
    users     {name, count}                 makes users without a policy, each with a key
    key       {user}                        makes a further key; answers the pair
    backdate  {key, days}                   sets CreateDate
    lastused  {key, days, service?}         sets the last use
    mfa       {user, kind}                  gives the user a device: virtual, hardware or u2f
    role      {account?, name, policy, external_id?, mfa?}  makes a role that users of this account may assume
    usersin   {account, count, days}        makes users of another account, each with a key of this age
    organization {accounts: {id: [name, state]}}  makes the organization of this account
    set       {delay?, consistency?, flap_every?, flap_for?, skew?, mfa_code?, mfa_once?, notes_uses?, root_key?,
               cut_report?, page?}
    fault     {action?, skip?, times?, when?, drop?, delay?, status?, code?, message?, body?, content_type?}
    activate, deactivate, age, forgetuse  {key}  makes it active, inactive; takes it for an old one; forgets its last use
    clearfaults                             no coming call fails
    log, clearlog, keys                     the calls so far; forget them; every key's state

`consistency`: a key younger than so many seconds is refused. `flap_every`, `flap_for`: every n-th call of a key
younger than flap_for seconds is refused. `skew`: AWS's clock is so many seconds ahead. `mfa_once`: a code works once.
`notes_uses`: whether a call that was let in becomes the last use of its key. `root_key`: `true` gives the root user one.
`cut_report`: a text that is missing in every credential report. `page`: ListUsers gives so many at most.

A fault strikes the first `times` calls of its action, or of any, after `skip` others. With `when: after` it lets the
call take effect first.
"""
import argparse
import base64
import datetime
import io
import json
import os
import re
import socket
import ssl
import sys
import threading
import time
from urllib.parse import parse_qs

import moto.iam.access_control as access_control
import moto.iam.models as iam_models
import moto.iam.responses as iam_responses
import moto.sts.responses as sts_responses
from moto import settings
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.exceptions import JsonRESTError, ServiceException, _RESTError
from moto.core.responses import ActionResult
from moto.iam.models import AccessKeyLastUsed, MFADevice, iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

sys.dont_write_bytecode = True  # the tests leave nothing in the sources

import listing  # noqa: E402
import organization  # noqa: E402

ACCOUNT_ID = "123456789012"
KNOBS = {
    "delay": 0,
    "consistency": 0,
    "flap_every": 0,
    "flap_for": 0,
    "skew": 0,
    # The Date of replies is as far ahead: the SDK corrects its clock by it, and only then signs rightly.
    "date_skew": 0,
    "mfa_code": "123456",
    "mfa_once": False,
    "notes_uses": True,
    "root_key": "false",
    "cut_report": "",
    "page": 1000,
}
FAULTS, LOG, SESSIONS, BORN, USES, CODES = [], [], {}, {}, {}, set()
LOCK = threading.Lock()


def backend(account_id=ACCOUNT_ID):
    return iam_backends[account_id]["aws"]


def utc_now():
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)


# Authentication: what a key must be besides known.

original_init = access_control.IAMUserAccessKey.__init__


def authenticate(self, account_id, partition, access_key_id, headers):
    session = SESSIONS.get(access_key_id)
    if session:
        token = headers.get("X-Amz-Security-Token")
        if token != session["token"] or time.time() > session["expires"]:
            raise access_control.CreateAccessKeyFailure(reason="InvalidToken")
        without_token = {name: value for name, value in headers.items() if name != "X-Amz-Security-Token"}
        original_init(self, account_id, partition, session["base"], without_token)
        self._access_key_id, self._secret_access_key = access_key_id, session["secret"]
        self.with_mfa, self.session_token = session["mfa"], token
        return
    original_init(self, account_id, partition, access_key_id, headers)
    self.with_mfa, self.session_token = False, None
    if backend().access_keys[access_key_id].status != "Active":
        raise access_control.CreateAccessKeyFailure(reason="InvalidId")
    age = time.time() - BORN.get(access_key_id, 0)
    with LOCK:
        uses = USES[access_key_id] = USES.get(access_key_id, 0) + 1
    flaps = KNOBS["flap_every"] and age < KNOBS["flap_for"] and uses % KNOBS["flap_every"] == 0
    if age < KNOBS["consistency"] or flaps:
        raise access_control.CreateAccessKeyFailure(reason="InvalidId")


original_create = access_control.create_access_key


def create_access_key(account_id, partition, access_key_id, headers):
    if access_key_id in SESSIONS:
        return access_control.IAMUserAccessKey(account_id, partition, access_key_id, headers)
    return original_create(account_id, partition, access_key_id, headers)


access_control.IAMUserAccessKey.__init__ = authenticate
access_control.IAMUserAccessKey.create_credentials = lambda self: access_control.Credentials(
    self._access_key_id, self._secret_access_key, self.session_token
)
access_control.create_access_key = create_access_key


# Authorization: resources with ${aws:username}, and the MFA condition.


def as_list(value):
    return value if isinstance(value, list) else [value]


def check_action_permitted(self, resource):
    if self._action in ("sts:GetCallerIdentity", "sts:GetSessionToken"):
        return  # AWS asks no permission for these
    key = self._access_key
    if not hasattr(key, "with_mfa"):
        key.with_mfa, key.session_token = False, key._session_token
    user = getattr(key, "_owner_user_name", None) or f"{key._owner_role_name}/{key._session_name}"
    target = as_list(self._data.get("UserName", [user]))[0]
    arn = f"arn:aws:iam::{self.account_id}:user/{target}" if self._service == "iam" else resource
    decision = decide(key.collect_policies(), user, self._action, arn, key)
    if decision == "allowed" and self._action == "sts:AssumeRole":
        external_id = as_list(self._data.get("ExternalId", [None]))[0]
        if not organization.trusts(resource, key.arn, external_id, key.with_mfa):
            decision = "implicitDeny"
    if decision != "allowed":
        denied = Denied(user, self._action, arn, decision)
        # Organizations speaks JSON.
        raise JsonRESTError("AccessDeniedException", denied.message) if self._service == "organizations" else denied


def decide(policies, user, action, resource, key):
    """allowed, implicitDeny or explicitDeny; without a key, as SimulatePrincipalPolicy sees it: with MFA unset."""

    def matches(pattern, value):
        pattern = pattern.replace("${aws:username}", user)
        return access_control.IAMPolicyStatement._match(pattern, value) is not None

    decision = "implicitDeny"
    for policy in policies:
        for statement in as_list(access_control.IAMPolicy(policy)._policy_json["Statement"]):
            if "Action" in statement:
                applies = any(matches(pattern, action) for pattern in as_list(statement["Action"]))
            else:
                applies = not any(matches(pattern, action) for pattern in as_list(statement["NotAction"]))
            resources = as_list(statement.get("Resource", "*"))
            if not applies or not any(pattern == "*" or matches(pattern, resource) for pattern in resources):
                continue
            if not conditions_hold(statement.get("Condition", {}), key):
                continue
            if statement["Effect"] == "Deny":
                return "explicitDeny"
            decision = "allowed"
    return decision


class Denied(_RESTError):
    code = 403

    def __init__(self, user, action, resource, decision):
        why = (
            "with an explicit deny in an identity-based policy"
            if decision == "explicitDeny"
            else f"because no identity-based policy allows the {action} action"
        )
        super().__init__(
            "AccessDenied",
            f"User: arn:aws:iam::{ACCOUNT_ID}:user/{user} is not authorized to perform: {action} on resource: "
            f"{resource} {why}",
        )


def conditions_hold(conditions, key):
    for operator, pairs in conditions.items():
        wanted = pairs.get("aws:MultiFactorAuthPresent")
        if wanted is None:
            continue
        wanted = str(as_list(wanted)[0]).lower() == "true"
        # Long-term keys carry no MFA context at all, which only an ...IfExists operator lets pass.
        if key is None or key.session_token is None:
            if not operator.endswith("IfExists"):
                return False
        elif wanted != key.with_mfa:
            return False
    return True


access_control.IAMRequestBase.check_action_permitted = check_action_permitted
listing.KNOBS = KNOBS


class MfaRefused(ServiceException):
    code = "AccessDenied"

    def __init__(self):
        super().__init__("MultiFactorAuthentication failed with invalid MFA one time pass code.")
        self.status = 403


def get_session_token(self):
    serial = self._get_param("SerialNumber")
    seconds = self._get_int_param("DurationSeconds", 43200)
    code = self._get_param("TokenCode")
    if serial and (code != KNOBS["mfa_code"] or (KNOBS["mfa_once"] and code in CODES)):
        raise MfaRefused()
    CODES.add(code)
    key_id = "ASIA" + base64.b32encode(os.urandom(10)).decode()
    secret, token = base64.b64encode(os.urandom(30)).decode(), base64.b64encode(os.urandom(60)).decode()
    SESSIONS[key_id] = {
        "secret": secret,
        "token": token,
        "base": self.get_access_key(),
        "mfa": bool(serial),
        "expires": time.time() + seconds,
    }
    expiration = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    credentials = {
        "AccessKeyId": key_id,
        "SecretAccessKey": secret,
        "SessionToken": token,
        "Expiration": expiration,
    }
    return ActionResult({"Credentials": credentials})


sts_responses.TokenResponse.get_session_token = get_session_token


# The last use. moto notes a call before it is let in, and before it is answered; AWS's record comes later.

iam_models.mark_account_as_visited = lambda **_: None


def note_use(key_id, service, region):
    key = backend().access_keys.get(key_id)
    if key and KNOBS["notes_uses"]:
        key.last_used = AccessKeyLastUsed(timestamp=utc_now(), service=service, region=region)


# SimulatePrincipalPolicy, which moto does not have.


def simulate_principal_policy(self):
    user_arn = self._get_param("PolicySourceArn")
    user = user_arn.rpartition("/")[2]
    policies = list(backend().get_user(user).policies.values())
    results = [
        {
            "EvalActionName": action,
            "EvalResourceName": user_arn,
            "EvalDecision": decide(policies, user, action, user_arn, None),
        }
        for action in self._get_param("ActionNames", [])
    ]
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})


iam_responses.IamResponse.simulate_principal_policy = simulate_principal_policy


# The control endpoints.

OWN_KEYS = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["iam:*AccessKey*", "iam:ListMFADevices"],
            "Resource": "arn:aws:iam::*:user/${aws:username}",
        }
    ],
}


def pair(key):
    return {"access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key}


def control(name, body):
    iam = backend()
    if name == "user":
        user = iam.create_user("us-east-1", body["name"], body.get("path", "/"))
        policy = body.get("policy") or OWN_KEYS
        iam.put_user_policy(body["name"], "own", json.dumps(policy))
        return {"arn": user.arn, **pair(iam.create_access_key(body["name"]))}
    if name == "users":
        for number in range(body["count"]):
            iam.create_user("us-east-1", f"{body['name']}-{number}", "/")
            iam.create_access_key(f"{body['name']}-{number}")
        return {}
    if name == "key":
        return pair(iam.create_access_key(body["user"]))
    if name == "backdate":
        iam.access_keys[body["key"]].create_date = utc_now() - datetime.timedelta(days=body["days"])
    elif name == "lastused":
        used = utc_now() - datetime.timedelta(days=body["days"])
        iam.access_keys[body["key"]].last_used = AccessKeyLastUsed(
            timestamp=used, service=body.get("service", "s3"), region="eu-west-1"
        )
    elif name == "password":
        user = iam.get_user(body["user"])
        # AWS's times have whole seconds, and Prowler reads no others.
        now = utc_now().replace(microsecond=0)
        user.password, user.password_made = "made by a test", now - datetime.timedelta(days=body["made"])
        if "used" in body:
            user.password_last_used = now - datetime.timedelta(days=body["used"])
    elif name == "role":
        return {"arn": organization.make_role(body.get("account", ACCOUNT_ID), ACCOUNT_ID, body)}
    elif name == "usersin":
        organization.make_users(body["account"], body["count"], body["days"])
    elif name == "organization":
        organization.make_organization(ACCOUNT_ID, body["accounts"])
    elif name == "set":
        KNOBS.update(body)
    elif name == "fault":
        FAULTS.append(body)
    elif name == "mfa":
        user = body["user"]
        serial = {
            "virtual": f"arn:aws:iam::{ACCOUNT_ID}:mfa/{user}",
            "u2f": f"arn:aws:iam::{ACCOUNT_ID}:u2f/user/{user}/key-1",
            "hardware": "GAHT12345678",
        }[body["kind"]]
        iam.get_user(user).mfa_devices[serial] = MFADevice(serial, "", "")
        return {"serial_number": serial}
    elif name == "clearfaults":
        FAULTS.clear()
    elif name == "activate":
        iam.access_keys[body["key"]].status = "Active"
    elif name == "deactivate":
        iam.access_keys[body["key"]].status = "Inactive"
    elif name == "age":
        BORN.pop(body["key"], None)
    elif name == "forgetuse":
        iam.access_keys[body["key"]].last_used = None
    elif name == "log":
        return list(LOG)
    elif name == "clearlog":
        LOG.clear()
    elif name == "keys":
        return {
            key_id: {"user": key.user_name, "status": key.status, "created": str(key.create_date)}
            for key_id, key in iam.access_keys.items()
            if key.user_name  # the others are of sessions
        }
    else:
        raise KeyError(name)
    return {}


# The server.


class Application:
    def __init__(self):
        self.moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ, start_response):
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(body)
        path = environ["PATH_INFO"]
        if path.startswith("/_account/"):
            answer = json.dumps(control(path[len("/_account/") :], json.loads(body or b"{}")))
            return respond(start_response, "200 OK", "application/json", answer.encode())
        target = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        action = (parse_qs(body.decode("latin1")).get("Action") or [target])[0]
        entry = {"action": action, "key": key_of(environ), "user_agent": environ.get("HTTP_USER_AGENT", "")}
        entry["began"] = entry["ended"] = time.time()
        LOG.append(entry)
        try:
            return self.answer(action, environ, start_response)
        finally:
            entry["ended"] = time.time()

    def answer(self, action, environ, start_response):
        if KNOBS["delay"]:
            time.sleep(KNOBS["delay"])
        refused = clock_refuses(environ)
        if refused:
            return xml_error(start_response, 403, "SignatureDoesNotMatch", refused)
        fault = take_fault(action)
        if fault:
            if fault.get("when") == "after":
                self.perform(environ, lambda *_: None)
            return self.fail(fault, environ, start_response)
        return self.perform(environ, start_response)

    def perform(self, environ, start_response):
        head = []
        before = set(backend().access_keys)
        answer = b"".join(self.moto(environ, lambda status, headers, *_: head.append((status, headers))))
        for key_id in set(backend().access_keys) - before:
            BORN[key_id] = time.time()
        status, headers = head[0]
        if status.startswith("2"):
            note_use(key_of(environ), *service_and_region(environ))
        # moto sends refusals in EC2's shape, with <Errors> around <Error>; IAM and STS do not.
        answer = answer.replace(b"<Errors>", b"").replace(b"</Errors>", b"")
        headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
        start_response(status, headers + [("Content-Length", str(len(answer)))])
        return [answer]

    def fail(self, fault, environ, start_response):
        if fault.get("delay"):
            time.sleep(fault["delay"])
        if fault.get("drop"):
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError("the account was told to drop this connection")
        if "body" in fault:
            content_type = fault.get("content_type", "text/html")
            return respond(start_response, f"{fault.get('status', 200)} X", content_type, fault["body"].encode())
        if "status" in fault:
            return xml_error(start_response, fault["status"], fault["code"], fault.get("message", "injected"))
        return self.perform(environ, start_response)


def scope_of(environ):
    return (environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].partition(",")[0] + "////").split("/")


def key_of(environ):
    return scope_of(environ)[0]


def service_and_region(environ):
    _key, _day, region, service = scope_of(environ)[:4]
    return service, region


def take_fault(action):
    with LOCK:
        for fault in FAULTS:
            if fault.get("action") not in (None, action) or fault.get("times", 1) < 1:
                continue
            if fault.get("skip", 0) > 0:
                fault["skip"] -= 1
            else:
                fault["times"] = fault.get("times", 1) - 1
                return fault
    return None


def clock_refuses(environ):
    signed = environ.get("HTTP_X_AMZ_DATE", "")
    if not re.fullmatch(r"\d{8}T\d{6}Z", signed):
        return None
    now = utc_now() + datetime.timedelta(seconds=KNOBS["skew"])
    apart = (now - datetime.datetime.strptime(signed, "%Y%m%dT%H%M%SZ")).total_seconds()
    limit, shown = 300, now.strftime("%Y%m%dT%H%M%SZ")
    if apart > limit:
        return f"Signature expired: {signed} is now earlier than {shown} ({shown} - 5 min.)"
    if apart < -limit:
        return f"Signature not yet current: {signed} is still later than {shown} ({shown} + 5 min.)"
    return None


def xml_error(start_response, status, code, message):
    text = (
        '<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>{message}</Message></Error><RequestId>0</RequestId></ErrorResponse>"
    )
    return respond(start_response, f"{status} X", "text/xml", text.encode())


def respond(start_response, status, content_type, body):
    start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))])
    return [body]


class Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass

    def date_time_string(self, timestamp=None):
        return super().date_time_string((timestamp or time.time()) + KNOBS["date_skew"])

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--tls", nargs=2)
    arguments = arguments.parse_args()
    context = None
    if arguments.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*arguments.tls)
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    ActionAuthenticatorMixin.request_count = 0
    server = make_server(
        "127.0.0.1", arguments.port, Application(), threaded=True, request_handler=Handler, ssl_context=context
    )
    server.socket.listen(512)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("READY", server.server_port, flush=True)
    sys.stdin.read()
    os._exit(0)


main()
