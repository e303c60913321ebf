"""Kills the real keyagent before every system call that touches the world, and looks at what is left.

Run by tests/sweep, which builds keyagent and the tracer. After each kill, before anything else: the credentials file
parses and holds a pair that the account accepts, and no byte outside the two values has changed. Then `keyagent
recover`: the same again, no key whose secret nobody has, no foreign key touched, no secret in the journal or the
output, nothing left to recover. botocore is the witness each time, the AWS CLI every 25th time.
"""
import argparse
import json
import multiprocessing
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request

import botocore.auth
import botocore.awsrequest
import botocore.session

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(sys.executable).parent
CLI_EVERY = 25


class Broken(Exception):
    """An invariant that does not hold."""


class NeverCameThere(Exception):
    """The run ended before the point: the calls of two runs differ by a few reads of the network."""


class Account:
    """The AWS account on loopback, one a worker."""

    def __init__(self):
        self.server = subprocess.Popen(
            [sys.executable, ROOT / "tests/cloud/account.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        port = int(self.server.stdout.readline().split()[1])
        self.endpoint = f"http://127.0.0.1:{port}"

    def control(self, what, /, **body):
        request = urllib.request.Request(f"{self.endpoint}/_account/{what}", json.dumps(body).encode())
        return json.load(urllib.request.urlopen(request))

    def keys(self, user):
        return {key: row["status"] for key, row in self.control("keys").items() if row["user"] == user}


class Case:
    """A user, a bystander, and a home whose credentials file holds keys of both."""

    number = 0

    def __init__(self, account, keyagent, shape="plain", policy=None):
        Case.number += 1
        self.account, self.keyagent = account, keyagent
        self.name = f"user-{os.getpid()}-{Case.number}"
        request = {"name": self.name} | ({"policy": policy} if policy else {})
        self.pair = account.control("user", **request)
        self.bystander = f"by-{self.name}"
        self.other = account.control("user", name=self.bystander)
        account.control("key", user=self.bystander)
        self.bystanders = account.keys(self.bystander)
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="keyagent-sweep-"))
        self.secrets = {self.pair["secret_access_key"]}
        self.output = ""
        (self.home / ".aws").mkdir()
        self.patience("20s")
        self.write_files(shape)
        self.before = {path: self.skeleton(path) for path in self.files}

    def settings(self, lines):
        folder = self.home / ".config/keyagent"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config").write_text(f"[defaults]\nsecret_store = file\n{lines}\n")

    def patience(self, verify_for):
        self.settings(f"verify_every = 1ms\nverify_for = {verify_for}\ngrace_days = 0")

    def write_files(self, shape):
        key, secret = self.pair["access_key_id"], self.pair["secret_access_key"]
        other, other_secret = self.other["access_key_id"], self.other["secret_access_key"]
        credentials = self.home / ".aws/credentials"
        self.files = [credentials]
        if shape == "plain":
            credentials.write_text(
                f"# mine\n[dev]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n\n"
                f"[other]\naws_access_key_id = {other}\naws_secret_access_key = {other_secret}\n"
            )
            return
        # The pair three times in two files, one of them behind a link, with CRLF and no last newline.
        target = self.home / "dotfiles/aws"
        target.parent.mkdir()
        target.write_bytes(
            f"[other]\r\naws_access_key_id={other}\r\naws_secret_access_key={other_secret}\r\n; c\r\n"
            f"[dev]\r\nAWS_SECRET_ACCESS_KEY={secret}\r\nregion = eu-west-1\r\naws_access_key_id =\t{key}\r\n"
            f"[again]\r\naws_access_key_id={key}\r\naws_secret_access_key={secret}".encode()
        )
        credentials.symlink_to("../dotfiles/aws")
        config = self.home / ".aws/config"
        config.write_text(
            f"[profile third]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\noutput = json\n"
        )
        self.files.append(config)

    def environment(self):
        return {
            "HOME": str(self.home),
            "PATH": "/usr/bin:/bin",
            "AWS_ENDPOINT_URL": self.account.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
        }

    def command(self, arguments):
        return [str(self.keyagent), *arguments]

    def run(self, arguments, expect=None, tracer=()):
        done = subprocess.run(
            [*tracer, *self.command(arguments)],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.output += done.stdout + done.stderr
        # As tracer.c says it.
        if tracer and "tracer: the program ended before that call" in done.stderr:
            raise NeverCameThere
        if expect is not None and done.returncode != expect:
            raise Broken(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def profiles(self):
        return ["dev"] if len(self.files) == 1 else ["dev", "again", "third"]

    # What must hold.

    def credentials_of(self, profile):
        session = botocore.session.Session(profile=profile)
        session.set_config_variable("credentials_file", str(self.files[0]))
        session.set_config_variable("config_file", str(self.home / ".aws/config"))
        return session.get_credentials()

    def nobody_is_locked_out(self):
        for profile in self.profiles():
            try:
                credentials = self.credentials_of(profile)
            except Exception as error:
                raise Broken(f"botocore cannot read the files: {error}") from error
            self.secrets.add(credentials.secret_key)
            request = botocore.awsrequest.AWSRequest(
                "POST",
                self.account.endpoint,
                data=b"Action=GetCallerIdentity&Version=2011-06-15",
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            )
            botocore.auth.SigV4Auth(credentials, "sts", "us-east-1").add_auth(request)
            prepared = request.prepare()
            try:
                urllib.request.urlopen(
                    urllib.request.Request(prepared.url, prepared.body, dict(prepared.headers), method="POST")
                ).read()
            except urllib.error.HTTPError as error:
                raise Broken(f"{profile}: {credentials.access_key} is refused: {error.read()[:300]}") from error

    def the_cli_is_let_in(self):
        done = subprocess.run(
            [BIN / "aws", "sts", "get-caller-identity", "--profile", "dev"],
            env=self.environment(),
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise Broken(f"the AWS CLI is refused: {done.stderr}")

    @staticmethod
    def skeleton(path):
        """The bytes outside the values, and what the link, mode and owner are."""
        content = re.sub(
            rb"(?mi)^(\[other\].*?(?=^\[)|\[other\].*\Z)", lambda found: found[0], path.read_bytes()
        )
        content = re.sub(rb"(?mi)^(aws_(?:secret_)?access_key(?:_id)?[ \t]*=[ \t]*)[^ \t\r\n]+", rb"\1...", content)
        status = path.stat()
        return content, path.is_symlink(), oct(status.st_mode), status.st_uid, status.st_gid

    def bytes_are_the_same(self):
        for path in self.files:
            if self.skeleton(path) != self.before[path]:
                raise Broken(f"{path} has changed outside the values:\n{path.read_bytes()!r}")
        if self.other["secret_access_key"].encode() not in self.files[0].read_bytes():
            raise Broken("another profile's pair has changed")

    def leftovers(self):
        folders = {path.resolve().parent for path in self.files}
        found = [left for folder in folders for left in folder.glob(".keyagent-*")]
        for left in found:
            if left.stat().st_mode & ~self.files[0].stat().st_mode & 0o777:
                raise Broken(f"{left} is more open than the file itself")
        return found

    def store(self):
        folder = self.home / ".local/state/keyagent/secrets"
        if not folder.is_dir():
            return {}
        # The probe that the store is tried with is no secret.
        files = [path for path in folder.iterdir() if "KEYAGENTS_MADE_UP_ID" not in path.name]
        return {path.name: path.read_text() for path in files}

    def no_key_is_orphaned(self):
        held = {}
        for profile in self.profiles():
            credentials = self.credentials_of(profile)
            held[credentials.access_key] = credentials.secret_key
        store = self.store()
        self.secrets.update(store.values())
        keys = self.account.keys(self.name)
        for key in keys:
            if key not in held and key not in store:
                raise Broken(f"nobody has the secret of {key}")
        for key in store:
            if key not in keys:
                raise Broken(f"the secret of {key} is kept, and the key is gone")
        if self.account.keys(self.bystander) != self.bystanders:
            raise Broken("a key of somebody else was touched")

    def no_secret_is_told(self):
        journal = self.home / ".local/state/keyagent/journal"
        told = self.output + (journal.read_text(errors="replace") if journal.exists() else "")
        for secret in self.secrets:
            if secret in told:
                raise Broken("a secret is in the output or in the journal")

    def recover(self, code=()):
        for _ in range(3):
            done = self.run(["recover", "--yes", *code])
            if done.returncode == 0:
                break
            # AWS's list counts as settled after verify_for.
            time.sleep(0.55)
        else:
            raise Broken(f"recover does not come to an end:\n{done.stdout}{done.stderr}")
        again = self.run(["recover", "--yes", *code], expect=0)
        if "nothing was interrupted" not in again.stderr:
            raise Broken(f"recover has left something:\n{again.stderr}")

    def all_holds_after_recovery(self, number):
        self.nobody_is_locked_out()
        self.bytes_are_the_same()
        self.no_key_is_orphaned()
        self.no_secret_is_told()
        if self.leftovers():
            raise Broken("temporary files are left after recover")
        if number % CLI_EVERY == 0:
            self.the_cli_is_let_in()

    def end(self):
        shutil.rmtree(self.home, ignore_errors=True)


# The scenarios: what was before, and the command that is killed.

ROTATE = ["rotate", "-p", "dev", "--yes"]
UNDO = ["undo", "-p", "dev", "--yes"]
CODE = ["--mfa-code", "123456"]


def rotated(case):
    case.run(ROTATE, expect=0)


def lost_reply(case):
    case.account.control("fault", action="CreateAccessKey", when="after", drop=True)
    case.run(ROTATE, expect=2)
    # AWS's list counts as settled after verify_for.
    time.sleep(0.55)


def not_deactivated(case):
    case.account.control("fault", action="UpdateAccessKey", status=403, code="AccessDenied")
    case.run(ROTATE, expect=2)


def never_accepted(case):
    # Its first question is answered as usual: that is the old key's.
    case.account.control("fault", action="GetCallerIdentity", skip=1, times=10**6, status=403, code="InvalidClientTokenId")


def nothing(_case):
    pass


MFA_POLICY = json.loads((ROOT / "packaging/iam-policies/self-mfa.json").read_text())

SCENARIOS = {
    "rotate": (nothing, ROTATE, {}),
    "rotate three places in two files": (nothing, ROTATE, {"shape": "many"}),
    "rotate with MFA": (nothing, ROTATE + CODE, {"policy": MFA_POLICY}),
    "rotate, and delete the old key at once": (nothing, ROTATE + ["--now"], {}),
    "rotate a second time": (rotated, ROTATE, {}),
    "rotate to a key that AWS never accepts": (never_accepted, ROTATE, {}),
    "undo": (rotated, UNDO, {}),
    "undo three places in two files": (rotated, UNDO, {"shape": "many"}),
    "retire": (rotated, ["retire", "--yes"], {}),
    "recover after a lost reply": (lost_reply, ["recover", "--yes"], {}),
    "recover where the old key is still active": (not_deactivated, ["recover", "--yes"], {}),
}


def prepared(account, keyagent, scenario):
    before, command, how = SCENARIOS[scenario]
    case = Case(account, keyagent, **how)
    if "policy" in how:
        account.control("mfa", user=case.name, kind="virtual")
    before(case)
    # What comes before the point may take its time on a busy machine; what is killed and recovered is to be quick.
    case.patience("500ms")
    return case, command


def points(account, options, scenario):
    """The calls of an undisturbed run, by name."""
    case, command = prepared(account, options.keyagent, scenario)
    done = case.run(command, tracer=[options.tracer, "count"])
    account.control("clearfaults")
    case.end()
    return re.findall(r"^point \d+ (\w+)$", done.stderr, re.M)


def kill_at(account, options, scenario, number, second=None):
    """Kills at one point, and `recover` at a second one; the name of the broken invariant, or None."""
    case, command = prepared(account, options.keyagent, scenario)
    code = CODE if "--mfa-code" in command else []
    try:
        done = case.run(command, tracer=[options.tracer, "kill", str(number)])
        account.control("clearfaults")
        if done.returncode != 137:
            raise Broken(f"ended with {done.returncode}: {done.stderr}")
        case.nobody_is_locked_out()
        case.bytes_are_the_same()
        case.leftovers()
        if second is not None:
            case.run(["recover", "--yes", *code], tracer=[options.tracer, "kill", str(second)])
            case.nobody_is_locked_out()
            case.bytes_are_the_same()
        case.recover(code)
        case.all_holds_after_recovery(number)
    except Broken as broken:
        return str(broken)
    finally:
        account.control("clearfaults")
        case.end()
    return None


def write_at(account, options, scenario, number):
    """Lets the AWS CLI write into the file at one point, while keyagent stands still."""
    case, command = prepared(account, options.keyagent, scenario)
    # The AWS CLI takes longer than the other cases give AWS.
    case.patience("20s")
    writer = f"{BIN}/aws configure set aws_session_token theirs --profile third-party"
    try:
        done = case.run(command, tracer=[options.tracer, "hold", str(number), writer])
        if done.returncode != 0:
            raise Broken(f"ended with {done.returncode}: {done.stdout}{done.stderr}")
        if b"theirs" not in case.files[0].read_bytes():
            raise Broken("the AWS CLI's edit is lost")
        case.nobody_is_locked_out()
        case.no_key_is_orphaned()
    except Broken as broken:
        return str(broken)
    finally:
        case.end()
    return None


def work(options, tasks, results):
    # This machine's own settings must not reach botocore.
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    account = Account()
    for task in iter(tasks.get, None):
        kind, scenario, number, second = task
        try:
            if kind == "count":
                answer = points(account, options, scenario)
            elif kind == "write":
                answer = write_at(account, options, scenario, number)
            else:
                answer = kill_at(account, options, scenario, number, second)
        except NeverCameThere:
            answer = NeverCameThere
        except Exception:
            # A mistake of the sweep itself must not look like a point that was survived.
            answer = traceback.format_exc()
        results.put((*task, answer))


def spread(count, wanted):
    """So many of 1..count, evenly."""
    if count <= wanted:
        return list(range(1, count + 1))
    return sorted({1 + round(i * (count - 1) / (wanted - 1)) for i in range(wanted)})


def plan(counts, quick):
    tasks = []
    for scenario, names in counts.items():
        thorough = scenario in ("rotate", "undo")
        # Every sixth point of the two hits the writing of the file, should that ever stop being one rename.
        wanted = len(names) // (6 if thorough else 16) if quick else len(names)
        tasks += [("kill", scenario, number, None) for number in spread(len(names), wanted)]
        if thorough:
            for number in spread(len(names), 2 if quick else 14):
                tasks += [("twice", scenario, number, second) for second in range(1, 80, 29 if quick else 1)]
    for scenario in {"rotate", "undo"} & set(counts):
        count = len(counts[scenario])
        tasks += [("write", scenario, number, None) for number in spread(count, 3 if quick else count)]
    return tasks


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--keyagent", required=True)
    arguments.add_argument("--tracer", required=True)
    arguments.add_argument("--quick", action="store_true", help="a spread of points, about a minute")
    arguments.add_argument("--scenario", help="one scenario")
    arguments.add_argument("--point", type=int, help="one point of it")
    arguments.add_argument("--second", type=int, help="and one of the recover after it")
    arguments.add_argument("--write", action="store_true", help="write there instead of killing")
    options = arguments.parse_args()
    tasks, results = multiprocessing.Queue(), multiprocessing.Queue()
    workers = [
        multiprocessing.Process(target=work, args=(options, tasks, results), daemon=True)
        for _ in range(1 if options.point else max(2, os.cpu_count() or 2))
    ]
    for worker in workers:
        worker.start()
    chosen = [options.scenario] if options.scenario else list(SCENARIOS)
    if options.point:
        kind = "write" if options.write else "kill"
        todo = [(kind, options.scenario, options.point, options.second)]
    else:
        for scenario in chosen:
            tasks.put(("count", scenario, 0, None))
        answers = [results.get() for _ in chosen]
        for _, scenario, _, _, names in answers:
            if not isinstance(names, list):
                sys.exit(f"{scenario}: {names}")
        counts = {scenario: names for _, scenario, _, _, names in answers}
        todo = plan({scenario: counts[scenario] for scenario in chosen}, options.quick)
    for task in todo:
        tasks.put(task)
    table, broken, started = {}, [], time.time()
    for done in range(len(todo)):
        kind, scenario, number, second, why = results.get()
        row = table.setdefault((scenario, kind), [0, 0])
        if why is NeverCameThere:
            continue
        row[0] += 1
        if why:
            row[1] += 1
            broken.append((kind, scenario, number, second, why))
            print(f"BROKEN: {scenario}, {kind} at {number}, {second}: {why}", flush=True)
        if sys.stderr.isatty() or done % 200 == 199:
            print(f"{done + 1} of {len(todo)}, {time.time() - started:.0f} s", file=sys.stderr, flush=True)
    for _ in workers:
        tasks.put(None)
    report(table, broken, time.time() - started)
    sys.exit(1 if broken else 0)


KINDS = {"kill": "killed", "twice": "killed, and `recover` killed too", "write": "the AWS CLI writes"}


def report(table, broken, seconds):
    print("| command | at each point | points | broken invariants |")
    print("| --- | --- | ---: | ---: |")
    for (scenario, kind), (count, failures) in sorted(table.items(), key=lambda row: list(KINDS).index(row[0][1])):
        print(f"| {scenario} | {KINDS[kind]} | {count} | {failures} |")
    print(f"| all | | {sum(row[0] for row in table.values())} | {len(broken)} |")
    print(f"\n{seconds:.0f} s", flush=True)
    for kind, scenario, number, second, _ in broken[:20]:
        more = f" --second {second}" if second else ""
        more += " --write" if kind == "write" else ""
        print(f"again: tests/sweep --scenario {scenario!r} --point {number}{more}")


if __name__ == "__main__":
    main()
