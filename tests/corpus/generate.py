#!/usr/bin/env python3
"""Writes files that hold made-up AWS keys, and files that hold none but look like it, for any scanner to be tried on.

    tests/corpus/generate.py FOLDER [--seed N] [--keys N] [--decoys-mb N]

Written from the public documentation of the formats (AWS's on credentials files, environment variables, container and
function settings, the console's CSV, STS's replies; the guides of Terraform, Kubernetes, Docker, Spring, s3fs, Jupyter),
and without a look at keyagent's detector. Every key is random and belongs to nobody.

FOLDER/keys/FORMAT-CONTEXT-NUMBER.* hold keys, FOLDER/decoys/* none, FOLDER/manifest.json says what is where:
{"keys": [{"format", "context", "paths": […], "id", "secret", "token"|null}], "decoy_bytes": N}
"""
import argparse
import base64
import gzip
import io
import json
import pathlib
import random
import string
import uuid
import zipfile

BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
BASE64 = string.ascii_letters + string.digits + "+/"


class Key:
    """An ID with an account in it (or of the old kind), 30 random bytes in base64, and for a temporary key a token."""

    def __init__(self, rng):
        prefix = rng.choices(["AKIA", "ASIA", "ABIA", "ACCA"], [8, 4, 1, 1])[0]
        if prefix == "AKIA" and rng.random() < 0.25:
            self.id = "AKIA" + rng.choice("IJ") + "".join(rng.choices(BASE32, k=15))
        else:
            account = rng.randrange(10**11, 10**12)
            head = (1 << 47 | account << 7 | rng.randrange(128)).to_bytes(6, "big")
            self.id = prefix + base64.b32encode(head + rng.randbytes(4)).decode()
        self.secret = base64.b64encode(rng.randbytes(30)).decode()
        self.token = None
        if prefix == "ASIA":
            self.token = "IQoJb3JpZ2luX2Vj" + base64.b64encode(rng.randbytes(rng.randrange(240, 480))).decode()


# Each format gives (extension, text). A temporary key shows its token wherever the format has a place for one.


def credentials_file(k, rng):
    token = f"aws_session_token = {k.token}\n" if k.token else ""
    return "ini", f"[{rng.choice(['default', 'prod', 'dev-eu'])}]\naws_access_key_id = {k.id}\naws_secret_access_key = {k.secret}\n{token}region = eu-west-1\n"


def dotenv(k, rng):
    q = rng.choice(['"', "'", ""])
    token = f"AWS_SESSION_TOKEN={q}{k.token}{q}\n" if k.token else ""
    return "env", f"NODE_ENV=production\nAWS_ACCESS_KEY_ID={q}{k.id}{q}\nAWS_SECRET_ACCESS_KEY={q}{k.secret}{q}\n{token}PORT=8080\n"


def shell(k, rng):
    return "sh", f'#!/bin/sh\nexport AWS_ACCESS_KEY_ID="{k.id}" AWS_SECRET_ACCESS_KEY="{k.secret}"\naws s3 sync . s3://backup\n'


def powershell(k, rng):
    return "ps1", f"Set-AWSCredential -AccessKey {k.id} -SecretKey '{k.secret}' -StoreAs work\n$env:AWS_ACCESS_KEY_ID = \"{k.id}\"\n"


def json_settings(k, rng):
    names = rng.choice([("accessKeyId", "secretAccessKey"), ("AccessKeyId", "SecretAccessKey"), ("aws_access_key", "aws_secret_key")])
    return "json", json.dumps({"region": "us-east-1", names[0]: k.id, names[1]: k.secret, "bucket": "logs"}, indent=2) + "\n"


def sts_reply(k, rng):
    reply = {"AccessKeyId": k.id, "SecretAccessKey": k.secret, "Expiration": "2026-11-25T10:00:00+00:00"}
    if k.token:
        reply["SessionToken"] = k.token
    return "json", json.dumps({"Credentials": reply, "AssumedRoleUser": {"AssumedRoleId": "AR" + "OA" + "".join(rng.choices(BASE32, k=17)) + ":me"}}, indent=4) + "\n"


def yaml(k, rng):
    if rng.random() < 0.5:
        return "yaml", f"provider:\n  s3:\n    access_key: {k.id}\n    secret_key: {k.secret}\n"
    return "yaml", f"env:\n  - name: AWS_ACCESS_KEY_ID\n    value: {k.id}\n  - name: AWS_SECRET_ACCESS_KEY\n    value: \"{k.secret}\"\n"


def toml(k, rng):
    return "toml", f'[storage.s3]\naccess_key_id = "{k.id}"\nsecret_access_key = "{k.secret}"\nbucket = "b"\n'


def hcl(k, rng):
    return "tf", f'provider "aws" {{\n  region     = "eu-central-1"\n  access_key = "{k.id}"\n  secret_key = "{k.secret}"\n}}\n'


def tfstate(k, rng):
    attributes = {"id": k.id, "secret": k.secret, "ses_smtp_password_v4": None, "status": "Active", "user": "ci"}
    state = {"version": 4, "resources": [{"type": "aws_iam_access_key", "name": "ci", "instances": [{"attributes": attributes}]}]}
    return "tfstate", json.dumps(state, indent=2) + "\n"


def xml(k, rng):
    return "xml", f'<configuration>\n  <property><name>fs.s3a.access.key</name><value>{k.id}</value></property>\n  <property>\n    <name>fs.s3a.secret.key</name>\n    <value>{k.secret}</value>\n  </property>\n</configuration>\n'


def properties(k, rng):
    return "properties", f"cloud.aws.credentials.access-key={k.id}\ncloud.aws.credentials.secret-key={k.secret}\n"


def dockerfile(k, rng):
    return "Dockerfile", f"FROM debian:12\nENV AWS_ACCESS_KEY_ID={k.id} \\\n    AWS_SECRET_ACCESS_KEY={k.secret}\nRUN make\n"


def notebook(k, rng):
    source = ["import boto3\n", f's3 = boto3.client("s3", aws_access_key_id="{k.id}",\n', f'    aws_secret_access_key="{k.secret}")']
    return "ipynb", json.dumps({"cells": [{"cell_type": "code", "source": source, "outputs": []}], "nbformat": 4}, indent=1) + "\n"


def console_csv(k, rng):
    return "csv", f"Access key ID,Secret access key\n{k.id},{k.secret}\n"


def rootkey_csv(k, rng):
    return "csv", f"AWSAccessKeyId={k.id}\nAWSSecretKey={k.secret}\n"


def s3fs(k, rng):
    return "passwd-s3fs", f"{k.id}:{k.secret}\n"


def python_call(k, rng):
    return "py", f'session = boto3.Session("{k.id}", "{k.secret}", region_name="eu-west-1")\n'


def javascript(k, rng):
    return "js", f"AWS.config.update({{ accessKeyId: '{k.id}', secretAccessKey: '{k.secret}' }});\n"


def url(k, rng):
    quoted = k.secret.replace("/", "%2F").replace("+", "%2B")
    return "txt", f"broker_url = sqs://{k.id}:{quoted}@eu-west-1\n"


FORMATS = [
    credentials_file, dotenv, shell, powershell, json_settings, sts_reply, yaml, toml, hcl, tfstate,
    xml, properties, dockerfile, notebook, console_csv, rootkey_csv, s3fs, python_call, javascript, url,
]  # fmt: skip

WORDS = "value of the next request handler returns error when bucket list is empty and region has no default so we retry".split()


def prose(rng, lines):
    return "".join(" ".join(rng.choices(WORDS, k=rng.randrange(4, 14))) + "\n" for _ in range(lines))


# Each context takes a format's text and gives the files: a list of (name's suffix, bytes).


def alone(text, ext, k, rng):
    return [("." + ext, text.encode())]


def amid_text(text, ext, k, rng):
    return [("." + ext, (prose(rng, 400) + text + prose(rng, 400)).encode())]


def crlf(text, ext, k, rng):
    return [("." + ext, text.replace("\n", "\r\n").encode())]


def utf_16(text, ext, k, rng):
    return [("." + ext, b"\xff\xfe" + text.encode("utf-16-le"))]


def kubernetes(text, ext, k, rng):
    data = base64.b64encode(text.encode()).decode()
    return [(".yaml", f"apiVersion: v1\nkind: Secret\ntype: Opaque\ndata:\n  config.{ext}: {data}\n".encode())]


def zipped(text, ext, k, rng):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("notes.txt", prose(rng, 50))
        archive.writestr(f"conf/settings.{ext}", text)
    return [(".zip", packed.getvalue())]


def one_line(text, ext, k, rng):
    filler = ";".join(f"var a{n}=function(b){{return b+{n}}}" for n in range(20000))
    half = len(filler) // 2
    return [("." + ext, (filler[:half] + ";" + text.replace("\n", " ") + ";" + filler[half:]).encode())]


def patch(text, ext, k, rng):
    lines = text.splitlines()
    head = f"--- a/x.{ext}\n+++ b/x.{ext}\n@@ -0,0 +1,{len(lines)} @@\n"
    return [(".patch", (head + "".join(f"+{line}\n" for line in lines)).encode())]


def gzipped(text, ext, k, rng):
    return [(f".{ext}.gz", gzip.compress((prose(rng, 100) + text).encode()))]


def two_files(text, ext, k, rng):
    """The secret alone and without a word about it in a file of its own."""
    return [(".id." + ext, text.replace(k.secret, "see the other file").encode()), (".other", (k.secret + "\n").encode())]


CONTEXTS = [alone, amid_text, crlf, utf_16, kubernetes, zipped, one_line, patch, gzipped, two_files]


# What is no key. Each gives one line or block.


def hexes(rng, length):
    return "".join(rng.choices("0123456789abcdef", k=length))


def b64(rng, length):
    return base64.b64encode(rng.randbytes(length)).decode()


def wrapped(text, width):
    return "\n".join(text[at : at + width] for at in range(0, len(text), width))


def decoys(rng):
    roles = ["AROA", "AIDA", "AGPA", "AIPA", "ANPA", "ANVA", "APKA", "ASCA"]
    return [
        lambda: f"commit {hexes(rng, 40)}",
        lambda: f"aws-cli @ {hexes(rng, 40)}",
        lambda: f"secret_sha1: {hexes(rng, 40)}",
        lambda: f'"aws-sdk": {{"integrity": "sha512-{b64(rng, 64)}"}}',
        lambda: f'<script src="aws.js" integrity="sha256-{b64(rng, 32)}"></script>',
        lambda: f"github.com/aws/aws-sdk-go v1.{rng.randrange(99)}.0 h1:{b64(rng, 32)}",
        lambda: f'checksum = "{hexes(rng, 64)}"',
        lambda: f"image: public.ecr.aws/x/y@sha256:{hexes(rng, 64)}",
        lambda: "-----BEGIN CERTIFICATE-----\n" + wrapped(b64(rng, 900), 64) + "\n-----END CERTIFICATE-----",
        lambda: f'<img alt="aws secret" src="data:image/png;base64,iVBORw0KGgo{b64(rng, 600)}">',
        lambda: f"access_key_uuid = {uuid.UUID(bytes=rng.randbytes(16))}",
        lambda: "aws_secret_access_key = ${AWS_SECRET_ACCESS_KEY}",
        lambda: 'secret_key = "{{ vault_aws_secret_key }}"',
        lambda: "aws_secret_access_key = <your-secret-access-key-goes-right-here>",
        lambda: "AWS_ACCESS_KEY_ID=" + "AKIA" + "X" * 16,
        lambda: "aws_access_key_id = " + "AKIA" + "IOSFODNN7" + "EXAMPLE",
        lambda: "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY",
        lambda: f"role_id = {rng.choice(roles)}{''.join(rng.choices(BASE32, k=17))}",
        lambda: f"arn:aws:iam::{rng.randrange(10**11, 10**12)}:role/service-role/{''.join(rng.choices(string.ascii_letters, k=24))}",
        lambda: "aws_path = src/main/java/com/example/aws/secrets/AccessKeyProviderFactoryImpl.java",
        lambda: "secretManagerAccessKeyRotationLambdaFunctionNameParameter = true",
        lambda: f"encrypted_secret: AQICAHh{b64(rng, 150)}",
        lambda: f"  encryptedData:\n    aws_secret: AgB{b64(rng, 400)}",
        lambda: f"secret: ENC[AES256_GCM,data:{b64(rng, 30)},iv:{b64(rng, 32)},tag:{b64(rng, 16)},type:str]",
        lambda: f"ssh-rsa AAAAB3NzaC1yc2E{b64(rng, 372)} aws@host",
        lambda: f"eyJhbGciOiJIUzI1NiJ9.{b64(rng, 90).rstrip('=')}.{b64(rng, 32).rstrip('=')}",
        lambda: f'ETag: "{hexes(rng, 32)}"',
        lambda: prose(rng, rng.randrange(1, 30)).rstrip(),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--keys", type=int, default=1, help="for each format in each context")
    parser.add_argument("--decoys-mb", type=float, default=2)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    folder = args.folder
    (folder / "keys").mkdir(parents=True)
    (folder / "decoys").mkdir()

    keys = []
    for form in FORMATS:
        for context in CONTEXTS:
            for number in range(args.keys):
                key = Key(rng)
                ext, text = form(key, rng)
                paths = []
                for suffix, content in context(text, ext, key, rng):
                    path = f"keys/{form.__name__}-{context.__name__}-{number}{suffix}"
                    (folder / path).write_bytes(content)
                    paths.append(path)
                shown = key.token if key.token and key.token in text else None
                keys.append({"format": form.__name__, "context": context.__name__, "paths": paths, "id": key.id, "secret": key.secret, "token": shown})

    kinds, left, number = decoys(rng), args.decoys_mb * 1e6, 0
    while left > 0:
        content, goal = [], min(left, rng.randrange(20_000, 400_000))
        while goal > 0:
            content.append(rng.choice(kinds)())
            goal -= len(content[-1]) + 1
        data = ("\n".join(content) + "\n").encode()
        (folder / f"decoys/{number:05}.txt").write_bytes(data)
        left, number = left - len(data), number + 1

    manifest = {"seed": args.seed, "keys": keys, "decoy_bytes": sum(path.stat().st_size for path in (folder / "decoys").iterdir())}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))


if __name__ == "__main__":
    main()
